/**
 * npm run profile -- [--mode sealed|pccom|verdict] [--direction out|in] [--load tcp|udp64] [--profile
 * wire|packet|offload]
 *                    [--seconds N] [--output FOLDER]
 *
 * Where two gateways' time goes under load (docs/performance.md, "Profiles").
 */
import { runProfile } from './profile/run.ts';

process.exitCode = await runProfile(process.argv.slice(2));

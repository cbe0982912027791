/**
 * npm run bench -- [ROW…] [--profile wire|packet|offload] [--json FILE]
 *
 * What two gateways cost beside kernel bridges (docs/performance.md).
 */
import { runBenchmark } from './bench/run.ts';

process.exitCode = await runBenchmark(process.argv.slice(2));

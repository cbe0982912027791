/** Names of what the gateway's programs share in the state directory. */
import { join } from 'node:path';

export const DEFAULT_STATE_DIR = '/var/lib/gscip-gateway';

/** Unix socket of the running gateway's API. */
export const apiSocket = (stateDir: string): string => join(stateDir, 'gateway.sock');

/** One JSON object a line, only appended to: what a person did to this gateway that weakens protection. */
export const auditFile = (stateDir: string): string => join(stateDir, 'audit.jsonl');

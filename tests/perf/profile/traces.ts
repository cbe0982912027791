/** What V8 leaves behind when it writes a map for perf: the map, and a log of each isolate. */
import { globSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Removes what processes that have ended left: `maps` is /tmp to perf and V8, `logs` the folder that they ran in. */
export function removeTraces(pids: readonly number[], maps: string, logs: string): void {
  for (const pid of pids) {
    rmSync(join(maps, `perf-${pid}.map`), { force: true });
    for (const log of globSync(`isolate-*-${pid}-v8.log`, { cwd: logs })) rmSync(join(logs, log), { force: true });
  }
}

/** A profile leaves nothing of its gateways behind, and everything of others. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { removeTraces } from '../../perf/profile/traces.ts';

test('maps and logs of the gateways go, by their process ids', () => {
  const root = mkdtempSync(join(tmpdir(), 'gscip-traces-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const [maps, logs] = [join(root, 'maps'), join(root, 'logs')];
  for (const folder of [maps, logs]) mkdirSync(folder);
  for (const pid of [77, 78, 770, 177]) {
    writeFileSync(join(maps, `perf-${pid}.map`), '');
    for (const isolate of ['0x1f', '0x2f']) writeFileSync(join(logs, `isolate-${isolate}-${pid}-v8.log`), '');
  }
  removeTraces([77, 78, 79], maps, logs);
  expect(readdirSync(maps).sort()).toEqual(['perf-177.map', 'perf-770.map']);
  expect(readdirSync(logs).sort()).toEqual(
    ['0x1f', '0x2f'].flatMap((isolate) => [`isolate-${isolate}-177-v8.log`, `isolate-${isolate}-770-v8.log`]),
  );
});

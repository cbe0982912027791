/** gateway/start, the command line as a service calls it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

function answer(program: string, ...words: string[]): { status: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(program, words, { cwd: '/', encoding: 'utf8' });
  return { status, out: stdout + stderr };
}

test('finds its tree from any folder, and by a link to itself, to a link, and to its folder', {
  timeout: 60_000,
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'gscip-start-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const start = join(ROOT, 'gateway', 'start');
  const [link, linkToLink, rooms] = ['gscip-gateway', 'gateway', 'rooms'].map((name) => join(folder, name));
  symlinkSync(start, link);
  symlinkSync('gscip-gateway', linkToLink);
  symlinkSync(join(ROOT, 'gateway'), rooms);
  for (const program of [start, link, linkToLink, join(rooms, 'start')]) {
    expect([program, answer(program, '--version')]).toEqual([program, { status: 0, out: `${version}\n` }]);
  }
});

test('gives on the exit code of the command', { timeout: 60_000 }, () => {
  expect(answer(join(ROOT, 'gateway', 'start'), 'run').status).toBe(2);
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from '#config/load.ts';

const folder = mkdtempSync(join(tmpdir(), 'gscip-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const firstWords = (path: string) => {
  const loaded = loadConfig(path);
  return 'problems' in loaded ? [loaded.problems[0]?.line, loaded.problems[0]?.message.en] : loaded.config;
};

test('a good file gives the value and the text it was made from', () => {
  const text = 'kind: router\nouter: eth0\n';
  expect(loadConfig(file('good.yaml', text))).toMatchObject({ config: { kind: 'router' }, text });
});

test('what is not a readable text file is said plainly', () => {
  expect(firstWords(join(folder, 'absent.yaml'))).toEqual([0, 'there is no such file']);
  expect(firstWords(folder)).toEqual([0, 'is not a file']);
  expect(firstWords('/dev/zero')).toEqual([0, 'is not a file']);
  expect(firstWords(file('large.yaml', Buffer.alloc(10_000_000, 0x23)))).toEqual([
    0,
    expect.stringContaining('64 KiB'),
  ]);
});

test('a pipe without a writer does not stop the program', () => {
  const pipe = join(folder, 'pipe.yaml');
  execFileSync('mkfifo', [pipe]);
  expect(firstWords(pipe)).toEqual([0, 'is not a file']);
});

test('a Shift_JIS file is found out on the line that shows it', () => {
  const bytes = Buffer.concat([
    Buffer.from('kind: router\nouter: eth0 # '),
    Buffer.from([0x95, 0x5c]),
    Buffer.from('\n'),
  ]);
  expect(firstWords(file('sjis.yaml', bytes))).toEqual([2, expect.stringContaining('not UTF-8')]);
});

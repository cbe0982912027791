import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const MAIN = fileURLToPath(new URL('../../../gateway/cli/main.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'gscip-main-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** The program as a person starts it. */
function program(words: readonly string[], locale = 'C'): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [MAIN, ...words],
      { env: { ...process.env, LC_ALL: locale } },
      (_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

test('a configuration file is checked, in the language of the terminal, with an exit code for scripts', async () => {
  const file = join(folder, 'gateway.yaml');
  writeFileSync(file, 'kind: bridge\nouter: eth0\ninner: eth1\n');
  expect(await program(['check', '--config', file])).toEqual({ code: 0, out: `${file}: correct (bridge)\n`, err: '' });
  writeFileSync(file, 'kind: bridge\nouter: eth0\ninner: eth0\n');
  const wrong = await program(['check', '--config', file], 'ja_JP.UTF-8');
  expect(wrong).toMatchObject({ code: 2, out: '' });
  expect(wrong.err).toContain(`${file}:3:8: inner: "eth0"はすでに「outer」で使われています`);
});

test('whose output nobody reads ends without a word: `gscip-gateway flows | head` is no failure', async () => {
  const closed = async (stream: 'stdout' | 'stderr', words: string[]): Promise<[number | null, string]> => {
    const child = spawn(process.execPath, [MAIN, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    child[stream].destroy();
    let other = '';
    child[stream === 'stdout' ? 'stderr' : 'stdout'].on('data', (chunk) => {
      other += chunk;
    });
    const [code] = await once(child, 'close');
    return [code, other];
  };
  expect(await closed('stdout', ['--help'])).toEqual([0, '']);
  expect(await closed('stderr', ['status', '--frames'])).toEqual([2, '']);
});

test('without a running gateway, status says so', async () => {
  const answer = await program(['status', '--state', folder]);
  expect(answer).toMatchObject({ code: 1, out: '' });
  expect(answer.err).toContain('no gateway is running');
});

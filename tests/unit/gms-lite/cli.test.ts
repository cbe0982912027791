/** The command line as people and scripts use it: real processes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { decodeToken } from '#gms/token.ts';
import { freePort, temporary } from '../../kit/gms-world.ts';

const NODE = join(process.cwd(), 'node_modules/.bin/node');
let place: ReturnType<typeof temporary>;
/** Another one in each test: other runs of these tests may listen at the same time. */
let port: number;
let server: ChildProcess | undefined;
beforeEach(async () => {
  place = temporary();
  port = await freePort();
});
afterEach(async () => {
  if (server !== undefined && server.exitCode === null && server.signalCode === null) {
    server.kill('SIGKILL');
    await once(server, 'exit');
  }
  server = undefined;
  place.remove();
});

function start(args: string[], language = 'C'): ChildProcess {
  const env = { PATH: process.env.PATH, LANG: language, TZ: 'UTC', GMS_STATE: join(place.directory, 'gms') };
  return spawn(NODE, ['gms-lite/cli/main.ts', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function gms(args: string[], language?: string): Promise<{ code: number | null; out: string; err: string }> {
  const child = start(args, language);
  let [out, err] = ['', ''];
  child.stdout?.on('data', (chunk) => (out += chunk));
  child.stderr?.on('data', (chunk) => (err += chunk));
  const [code] = await once(child, 'close');
  return { code, out, err };
}

async function run(): Promise<{ endpoints: string[] }> {
  const child = start(['run', '--listen', `127.0.0.1:${port}`, '--json']);
  server = child;
  let err = '';
  child.stderr?.on('data', (chunk) => (err += chunk));
  const closed = once(child, 'close');
  for await (const line of createInterface({ input: child.stdout! })) return JSON.parse(line);
  const [code] = await closed;
  throw new Error(`gms-lite run ended with ${code} before it listened: ${err}`);
}

describe('gms-lite', { timeout: 60_000 }, () => {
  it('goes from nothing to a token, and stops when asked to', async () => {
    expect((await gms(['init', '--address', `127.0.0.1:${port}`, `[::1]:${port}`])).code).toBe(0);
    expect(statSync(join(place.directory, 'gms', 'master.key')).mode & 0o777).toBe(0o600);
    expect((await run()).endpoints).toEqual([`127.0.0.1:${port}`]);
    expect(statSync(join(place.directory, 'gms', 'admin.sock')).mode & 0o777).toBe(0o600);

    expect(await gms(['group', 'create', 'plant'])).toMatchObject({ code: 0, out: 'group plant made, number 1\n' });
    const made = await gms(['token', 'create', '--name', 'press', '--group', 'plant', '--ttl', '30m', '--json']);
    const { token } = JSON.parse(made.out);
    expect(decodeToken(token).endpoints).toEqual([
      { address: '127.0.0.1', port },
      { address: '::1', port },
    ]);
    expect(JSON.parse((await gms(['rotate', '--all', '--json'])).out)).toEqual([
      { group: null, version: 2 },
      { group: 'plant', version: 2 },
    ]);

    const japanese = await gms(['group', 'create', 'plant'], 'ja_JP.UTF-8');
    expect(japanese).toMatchObject({ code: 1, err: 'gms-lite: グループplantはすでに存在します\n' });
    expect((await gms(['rotate'])).code).toBe(2);
    expect((await gms(['token', 'create', '--ttl', 'soon'])).code).toBe(2);
    expect(await gms(['token', 'create', '--ttl', 'soon'], 'ja_JP.UTF-8')).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^gms-lite: --ttl <duration>: 「soon」は期間ではありません/),
    });
    expect(await gms(['token', 'create', '--mode', 'shut'])).toMatchObject({
      code: 2,
      err: 'gms-lite: --mode <mode>: “shut” is not one of open, closed\n',
    });
    expect((await gms(['--help'])).code).toBe(0);
    const again = await gms(['run', '--json']);
    expect([again.code, JSON.parse(again.err).error]).toEqual([1, 'already-running']);

    server?.kill('SIGTERM');
    const [code] = await once(server!, 'exit');
    expect(code).toBe(0);
    expect((await gms(['status'])).err).toMatch(/no gms-lite is running/);
  });

  it('ends without a word when nobody reads what it prints: `gms-lite … | head` is no failure', async () => {
    const closed = async (stream: 'stdout' | 'stderr', words: string[]): Promise<[number | null, string]> => {
      const child = start(words);
      child[stream]?.destroy();
      let other = '';
      child[stream === 'stdout' ? 'stderr' : 'stdout']?.on('data', (chunk) => (other += chunk));
      const [code] = await once(child, 'close');
      return [code, other];
    };
    expect(await closed('stdout', ['--help'])).toEqual([0, '']);
    expect(await closed('stdout', ['init', '--address', `127.0.0.1:${port}`])).toEqual([0, '']);
    expect(await closed('stderr', ['status'])).toEqual([1, '']);
    expect(await closed('stderr', ['token', 'create', '--ttl', 'soon'])).toEqual([2, '']);
  });

  it('starts again after a kill, with everything that it had said', async () => {
    await gms(['init', '--address', `127.0.0.1:${port}`]);
    await run();
    await gms(['group', 'create', 'plant']);
    server?.kill('SIGKILL');
    await once(server!, 'exit');
    await run();
    expect(JSON.parse((await gms(['group', 'list', '--json'])).out)).toMatchObject([{ name: 'plant', number: 1 }]);
  });
});

import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApp } from '#api/app.ts';
import { CannotServe, serveApi } from '#api/serve.ts';
import { apiSocket } from '#config/state.ts';
import { fakeGateway, STATUS } from '#kit/gateway-view.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gscip-api-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const api = () => createApp(fakeGateway(), () => undefined);
const status = (socket: string) =>
  new Promise((resolve, reject) => {
    request({ socketPath: socket, path: '/api/v1/status' }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      resolve(JSON.parse(Buffer.concat(chunks).toString()));
    })
      .on('error', reject)
      .end();
  });

test('answers on a socket of mode 0600 and removes it at the end', async () => {
  const path = apiSocket(folder);
  const serving = await serveApi(api(), path);
  expect(statSync(path).mode & 0o7777).toBe(0o600);
  expect(await status(path)).toEqual(STATUS);
  await serving.close();
  expect(statSync(path, { throwIfNoEntry: false })).toBeUndefined();
});

test('a second gateway on the same state directory is refused, the first goes on', async () => {
  const path = apiSocket(folder);
  const serving = await serveApi(api(), path);
  await expect(serveApi(api(), path)).rejects.toThrow(/another gateway is already running/);
  expect(await status(path)).toEqual(STATUS);
  await serving.close();
});

test('the socket of a killed process is replaced', async () => {
  const path = apiSocket(folder);
  const script = join(folder, 'killed.mjs');
  writeFileSync(
    script,
    `import { createServer } from 'node:net'; createServer().listen(process.argv[2], () => process.send('up'));`,
  );
  const child = fork(script, [path]);
  await new Promise((resolve) => child.once('message', resolve));
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
  expect(statSync(path).isSocket()).toBe(true);
  const serving = await serveApi(api(), path);
  expect(await status(path)).toEqual(STATUS);
  await serving.close();
});

test('a process that has the socket without speaking HTTP also counts as running', async () => {
  const path = apiSocket(folder);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(path, resolve));
  await expect(serveApi(api(), path)).rejects.toThrow(CannotServe);
  await new Promise((resolve) => other.close(resolve));
});

test('what is not a socket is never removed', async () => {
  const path = apiSocket(folder);
  writeFileSync(path, 'notes');
  await expect(serveApi(api(), path)).rejects.toThrow(/not a socket/);
  expect(statSync(path).size).toBe(5);
});

test('a path that cannot be a socket is refused in words', async () => {
  await expect(serveApi(api(), apiSocket(join(folder, 'x'.repeat(100))))).rejects.toThrow(/too long/);
  await expect(serveApi(api(), apiSocket(join(folder, 'absent')))).rejects.toThrow(/cannot listen on .* \(E/);
});

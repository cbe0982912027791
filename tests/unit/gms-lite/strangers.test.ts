/** Who is not enrolled, and sends what no gateway would: told what is wrong, and no line of the log is theirs. */
import { connect } from 'node:tls';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PATHS } from '#gms/delivery.ts';
import { type ServedGms, servedGms } from '#kit/gms-world.ts';

let gms: ServedGms;
beforeEach(async () => {
  gms = await servedGms();
});
afterEach(() => gms.close());

/** What the GMS answers to these bytes, until it or, when asked to, the sender ends the connection. */
function answerTo(bytes: string, end: 'wait' | 'break' = 'wait'): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: gms.port, rejectUnauthorized: false });
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
    socket.write(bytes, () => {
      if (end === 'break') socket.end();
    });
  });
}

const head = (path: string, ...fields: string[]): string =>
  [`POST ${path} HTTP/1.1`, 'host: gms', 'connection: close', ...fields, '', ''].join('\r\n');

test.each([
  ['by its length', `${head(PATHS.enrol, 'content-length: 70000')}abc`],
  ['by its chunks', `${head(PATHS.enrol, 'transfer-encoding: chunked')}11170\r\n${'a'.repeat(70_000)}\r\n0\r\n\r\n`],
])('a body that is too long %s is refused in words', async (_, bytes) => {
  const answer = await answerTo(bytes);
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  expect(answer).toContain('"error":"body-too-long"');
  expect(gms.faults).toEqual([]);
});

test.each([
  ['with its length', PATHS.enrol, 'content-length: 100', 'abc'],
  ['in chunks', PATHS.enrol, 'transfer-encoding: chunked', '3\r\nabc\r\n'],
  ['in chunks that are none', PATHS.enrol, 'transfer-encoding: chunked', '3\r\nabc\r\nzz\r\n'],
  ['of an acknowledgement', PATHS.acknowledge, 'content-length: 100', 'abc'],
])('a body that breaks off, %s, is no fault of the GMS', async (_, path, field, body) => {
  const answered = new Promise<Response>((resolve) => {
    gms.intercept = async (_request, genuine) => {
      const response = await genuine();
      resolve(response.clone());
      return response;
    };
  });
  await answerTo(`${head(path, field)}${body}`, 'break');
  const response = await answered;
  expect([response.status, ((await response.json()) as { error: string }).error]).toEqual([400, 'body-broken']);
  expect(gms.faults).toEqual([]);
});

test('a fault of its own is told in the log, and its nature not to whoever asks', async () => {
  gms.gms.change = () => Promise.reject(new Error('the disk is full'));
  const answer = await gms.admin('POST', '/groups', { name: 'plant' });
  expect(answer).toMatchObject({ error: 'internal' });
  expect(JSON.stringify(answer)).not.toContain('disk');
  expect(gms.faults).toEqual([expect.stringMatching(/^POST \/groups: Error: the disk is full/)]);
});

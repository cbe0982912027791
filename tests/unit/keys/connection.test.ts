/** The way to the GMS dies without a word: a pulled cable resets nothing. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { BUNDLE_MAX } from '#gms/bundle.ts';
import { PATHS } from '#gms/delivery.ts';
import { generateRaw, secretObject } from '#gms/raw-keys.ts';
import { decodeToken } from '#gms/token.ts';
import { systemClock } from '#keys/clock.ts';
import { GmsConnection } from '#keys/connection.ts';
import { GmsSession } from '#keys/session.ts';
import { type ServedGms, servedGms } from '#kit/gms-world.ts';

const PATIENCE = { connect: 500, answer: 500, body: 250 };

/** A way between a gateway and the GMS that can be cut so that neither side is told. */
async function cable(to: number) {
  const sockets = new Set<Socket>();
  let cut = false;
  let connections = 0;
  const carry = (from: Socket, into: Socket): void => {
    sockets.add(from);
    from.on('data', (bytes) => void (cut || into.write(bytes)));
    from.on('error', () => undefined);
    from.on('close', () => void (cut || into.destroy()));
  };
  const server = createServer((near) => {
    connections++;
    const far = connect(to, '127.0.0.1');
    carry(near, far);
    carry(far, near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    cut: (now: boolean) => {
      cut = now;
    },
    /** Connections end by a reset; new ones lead nowhere. */
    reset: () => {
      cut = true;
      for (const s of sockets) s.resetAndDestroy();
    },
    get connections() {
      return connections;
    },
    remove: async () => {
      server.close();
      for (const s of sockets) s.destroy();
      await once(server, 'close');
    },
  };
}

const undo: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function connected(): Promise<{
  gms: ServedGms;
  way: Awaited<ReturnType<typeof cable>>;
  connection: GmsConnection;
}> {
  const gms = await servedGms();
  undo.push(() => gms.close());
  const way = await cable(gms.port);
  undo.push(() => way.remove());
  const { fingerprint } = decodeToken(await gms.token());
  const connection = new GmsConnection([{ address: '127.0.0.1', port: way.port }], fingerprint, BUNDLE_MAX, PATIENCE);
  undo.push(() => connection.close());
  return { gms, way, connection };
}

const question = { method: 'GET', path: PATHS.bundle } as const;

test('a question over a kept connection fails by our patience, and the next one after the cut is answered', async () => {
  const { way, connection } = await connected();
  expect((await connection.ask(question)).status).toBe(401);
  way.cut(true);
  for (let i = 0; i < 2; i++) {
    await expect(connection.ask(question)).rejects.toMatchObject({ code: 'gms-unreachable' });
  }
  way.cut(false);
  expect((await connection.ask(question)).status).toBe(401);
});

/** An answer that begins, and never goes on. */
const stalled = (status = 200): Response =>
  new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode('{"error":"removed"')) }), {
    status,
  });

test('an answer that stalls inside its body fails by our patience, and its connection is used no more', async () => {
  const { gms, way, connection } = await connected();
  gms.intercept = async () => stalled();
  await expect(connection.ask(question)).rejects.toMatchObject({ code: 'gms-unreachable' });
  gms.intercept = undefined;
  expect((await connection.ask(question)).status).toBe(401);
  expect(way.connections).toBe(2);
});

test('an answer of which a cut cable took the end fails by our patience', async () => {
  const { gms, way, connection } = await connected();
  gms.intercept = async () => new Response(new Uint8Array(500_000));
  const { response, endpoint } = await connection.open(question);
  way.cut(true);
  await expect(connection.read(response, endpoint)).rejects.toMatchObject({ code: 'gms-unreachable' });
});

test('a stream that is refused, by an answer that stalls, comes to an end', async () => {
  const { gms, way } = await connected();
  const { fingerprint } = decodeToken(await gms.token());
  const identity = {
    ge: '0011223344556677',
    name: 'a',
    kind: 'bridge',
    mode: 'open',
    gmsKey: '',
    signingRoot: '',
    fingerprint: Buffer.from(fingerprint).toString('hex'),
    endpoints: [{ address: '127.0.0.1', port: way.port }],
  } as const;
  const signing = secretObject('ed25519', generateRaw('ed25519').secret);
  const session = new GmsSession({ ...identity, endpoints: [...identity.endpoints] }, signing, systemClock, PATIENCE);
  undo.push(() => session.close());
  gms.intercept = async () => stalled(403);
  const watcher = { opened: () => undefined, heard: () => undefined, event: () => undefined };
  await expect(session.follow(watcher)).rejects.toMatchObject({ code: 'gms-unreachable' });
});

test('a stream that is reset ends, and nothing is asked anew behind its back', async () => {
  const { gms, way, connection } = await connected();
  expect((await connection.ask(question)).status).toBe(401);
  gms.intercept = async () =>
    new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode(': hello\n\n')) }));
  const { response } = await connection.open(question);
  const ended = new Promise<Error>((resolve) => response.once('error', resolve));
  await once(response, 'data');
  expect(way.connections).toBe(1);
  way.reset();
  expect((await ended).message).toBe('aborted');
  await expect(connection.ask(question)).rejects.toMatchObject({ code: 'gms-unreachable' });
  /* The last question's alone. */
  expect(way.connections).toBe(2);
});

/** The key client against a real GMS on loopback, with a clock that the test moves. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { PATHS } from '#gms/delivery.ts';
import { KeyClient } from '#keys/client.ts';
import { enrol } from '#keys/enrol.ts';
import { findSecret, servedGms, temporary } from '#kit/gms-world.ts';
import { MESSAGE_NONCE_LENGTH } from '#transform/cipher.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { decodeStatement } from '#wire/statement.ts';
import { cleanups, FakeClock, gateway, gms, reborn, versionsOf } from './client-scene.ts';

describe('at start', () => {
  it('one request brings the ring, and both members hold the same keys', async () => {
    const [a, b] = [await gateway('a', 'plant'), await gateway('b', 'plant')];
    const asked: string[] = [];
    gms.intercept = (request, genuine) => {
      asked.push(new URL(request.url).pathname);
      return genuine();
    };
    await a.client.start();
    expect(asked.slice(0, 1)).toEqual([PATHS.bundle]);
    await b.client.start();
    const rings = [a.client.ring!, b.client.ring!];
    expect(rings[0]).toMatchObject({ name: 'a', kind: 'bridge', mode: 'open', offlineHours: 720, revoked: [] });
    expect(versionsOf(rings[0])).toEqual([1]);

    const nonce = new Uint8Array(MESSAGE_NONCE_LENGTH).fill(7);
    const [aad, text] = [Uint8Array.of(1), Uint8Array.of(2, 3)];
    const sealed = a.provider.sealMessage(rings[0].groups[0].keys[0].key, nonce, aad, text);
    expect(b.provider.openMessage(rings[1].groups[0].keys[0].key, nonce, aad, sealed)).toEqual(text);
    const hello = a.provider.sealMessage(rings[0].domainKeys[0].key, nonce, aad, text);
    expect(b.provider.openMessage(rings[1].domainKeys[0].key, nonce, aad, hello)).toEqual(text);

    const statement = decodeStatement(rings[0].statement)!;
    expect(statement.staticKey).toEqual(a.provider.publicKey(rings[0].staticSecret));
    expect(statement.groups).toEqual([1]);
    expect(Buffer.from(statement.geId).toString('hex')).toBe(rings[0].ge);
  });

  it('the stored bundle serves while the GMS is away, and the GMS is found when it is back', async () => {
    const first = await gateway('a', 'plant');
    await first.client.start();
    const { sequence } = first.client.ring!;
    await first.client.stop();

    await gms.vanish();
    const second = reborn(first.directory);
    await second.client.start();
    expect(second.client.ring).toMatchObject({ sequence, name: 'a' });
    expect(second.client.state).toMatchObject({ keys: 'valid', connected: false, error: { code: 'gms-unreachable' } });

    await second.clock.pausing();
    await gms.appear();
    await gms.admin('POST', '/rotations', { group: 'plant' });
    const rotated = second.ring((ring) => versionsOf(ring)?.[0] === 2);
    second.clock.advance(59_000);
    await rotated;
  });

  it('not enrolled is a state, not an error; a token ends it', async () => {
    const { directory, remove } = temporary();
    cleanups.push(remove);
    const { client } = reborn(directory);
    await client.start();
    expect(client.state).toMatchObject({ enrolled: false, keys: 'none', error: undefined });
    await client.enrol(await gms.token({ name: 'late', groups: ['plant'] }), { kind: 'router' });
    expect(client.state).toMatchObject({ enrolled: true, name: 'late', keys: 'valid' });
    expect(client.ring?.kind).toBe('router');
  });

  it('a client that stops while its stream begins leaves no connection behind', async () => {
    const a = await gateway('a', 'plant');
    for (let i = 0; i < 10; i++) {
      const { client } = reborn(a.directory);
      await client.start();
      await client.stop();
    }
    await gms.alone();
  });

  it('a box without a clock learns the time from the GMS', async () => {
    const a = await gateway('a', 'plant');
    gms.advance(40 * 365 * 86_400_000);
    await a.client.start();
    expect(a.client.ring!.issuedAt * 1000).toBeGreaterThan(Date.now() + 39 * 365 * 86_400_000);
  });
});

describe('while running', () => {
  it('a rotation reaches the gateway by itself, is acknowledged, and the old keys go after the grace', async () => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    const before = a.client.ring!.groups[0].keys[0].key;
    await a.state((state) => state.connected);
    await gms.admin('POST', '/rotations', { all: true });
    const ring = await a.ring((r) => versionsOf(r)?.[0] === 2 && r.domainKeys[0].version === 2);
    expect(versionsOf(ring)).toEqual([2, 1]);
    expect(ring.domainKeys.map((key) => key.version)).toEqual([2, 1]);
    expect(ring.groups[0].keys[0].notAfter).toBe(Number.POSITIVE_INFINITY);

    const aad = new Uint8Array();
    expect(a.provider.mac(before, aad)).toHaveLength(32);
    a.clock.advance(10_001);
    expect(() => a.provider.mac(before, aad)).toThrow();
    expect(a.provider.mac(ring.groups[0].keys[1].key, aad)).toHaveLength(32);

    /* The overlap ends by time alone, also without the GMS. */
    await gms.vanish();
    a.clock.advance(3_600_000);
    expect(versionsOf(a.client.ring!)).toEqual([2]);
    expect(a.client.ring!.domainKeys.map((key) => key.version)).toEqual([2]);
  });

  it('is seen by the GMS as holding what it acknowledged', async () => {
    const a = await gateway('a', 'plant');
    const acknowledged = new Promise<void>((resolve) => {
      gms.intercept = async (request, genuine) => {
        const response = await genuine();
        if (request.url.endsWith(PATHS.acknowledge)) resolve();
        return response;
      };
    });
    await a.client.start();
    await acknowledged;
    await gms.gms.writeSightings();
    expect(await gms.admin('GET', '/elements')).toMatchObject([{ name: 'a', current: true, software: 'test 1' }]);
  });

  it('what the GMS learnt at the enrolment stays when a client has nothing to say of itself', async () => {
    const { directory, remove } = temporary();
    cleanups.push(remove);
    await enrol(await gms.token({ name: 'a' }), directory, { software: 'told 1' });
    const silent = new KeyClient({ directory, provider: createNobleProvider(), clock: new FakeClock() });
    cleanups.push(() => silent.stop());
    await silent.start();
    await gms.gms.writeSightings();
    expect(await gms.admin('GET', '/elements')).toMatchObject([{ current: true, software: 'told 1' }]);
  });

  it('a removal tells the others, and takes the keys from the removed one', async () => {
    const [a, b] = [await gateway('a', 'plant'), await gateway('b', 'plant')];
    for (const { client } of [a, b]) await client.start();
    for (const one of [a, b]) await one.state((state) => state.connected);
    const ge = a.client.ring!.ge;
    const gone = a.state((state) => state.keys === 'removed');
    await gms.admin('DELETE', '/elements/a');
    const ring = await b.ring((r) => r.revoked.length > 0);
    expect(ring.revoked).toEqual([{ ge, group: 1, removed: true }]);
    expect(versionsOf(ring)).toEqual([2]);
    expect(ring.domainKeys.map((key) => key.version)).toEqual([2]);
    await gone;
    expect(a.client.ring).toBeUndefined();
    expect(a.alarms.map((alarm) => alarm.name)).toEqual(['removed']);
    await a.client.stop();
    const again = reborn(a.directory);
    await again.client.start();
    expect([again.client.state.keys, again.client.ring]).toEqual(['removed', undefined]);
  });

  it('asks for DPRP at once, then not more than every two seconds', async () => {
    const a = await gateway('a', 'plant');
    let fetches = 0;
    let fetched = Promise.withResolvers<void>();
    gms.intercept = async (request, genuine) => {
      const response = await genuine();
      if (request.url.endsWith(PATHS.bundle)) {
        fetches++;
        fetched.resolve();
        fetched = Promise.withResolvers<void>();
      }
      return response;
    };
    await a.client.start();
    for (let i = 0; i < 50; i++) a.client.ask('group-key');
    a.clock.advance(1000);
    expect(fetches).toBe(1);
    const next = fetched.promise;
    a.clock.advance(1001);
    await next;
    expect(fetches).toBe(2);
  });

  it('forgets remembered peers when the bundle says so', async () => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    await a.state((state) => state.connected);
    const peer = { address: '0'.repeat(32), ge: a.client.ring!.ge, transform: 'sealed', until: 5 } as const;
    a.client.peers.put(peer);
    const { counter } = a.client.ring!.sequence;
    await gms.admin('PATCH', '/policy', { offlineHours: 48 });
    await a.ring((ring) => ring.sequence.counter > counter);
    expect(a.client.peers.list()).toEqual([peer]);
    const told = once(a.client, 'forget-peers');
    await gms.admin('PATCH', '/policy', { forgetPeers: true });
    await told;
    expect(a.client.peers.list()).toEqual([]);
  });
});

describe('a GMS that lies, or somebody in between', () => {
  /** The delivered bundle of the gateway, changed. */
  function altered(change: (bytes: Uint8Array) => Uint8Array): void {
    gms.intercept = async (request, genuine) => {
      const response = await genuine();
      if (!request.url.endsWith(PATHS.bundle)) return response;
      return new Response(new Uint8Array(change(new Uint8Array(await response.arrayBuffer()))));
    };
  }

  it.each([
    ['a flipped bit', (bytes: Uint8Array) => bytes.with(bytes.length >> 1, bytes[bytes.length >> 1] ^ 1)],
    ['a cut', (bytes: Uint8Array) => bytes.subarray(0, 40)],
    ['nothing', () => new Uint8Array()],
  ])('%s is refused; the held ring stays', async (_, change) => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    const held = a.client.ring;
    altered(change);
    await gms.admin('POST', '/rotations', { group: 'plant' });
    const alarmed = once(a.client, 'alarm');
    a.clock.advance(2000);
    a.client.ask('group-key');
    a.clock.advance(1);
    expect((await alarmed)[0]).toMatchObject({ name: 'bundle-unreadable' });
    expect(a.client.ring).toBe(held);
    expect(a.client.state).toMatchObject({ keys: 'valid', error: { code: 'bundle-unreadable' } });
  });

  it('a bundle for another gateway is refused', async () => {
    const [a, b] = [await gateway('a', 'plant'), await gateway('b', 'plant')];
    let forA = new Uint8Array();
    altered((bytes) => {
      forA = bytes.slice();
      return bytes;
    });
    await a.client.start();
    altered(() => forA);
    await b.client.start();
    expect([b.alarms[0].name, b.client.ring]).toEqual(['bundle-unreadable', undefined]);
  });

  it('a lower number is refused with an alarm, over a restart too', async () => {
    const a = await gateway('a', 'plant');
    let old: Uint8Array | undefined;
    altered((bytes) => {
      old ??= bytes.slice();
      return bytes;
    });
    await a.client.start();
    await a.state((state) => state.connected);
    await gms.admin('POST', '/rotations', { group: 'plant' });
    await a.ring((ring) => versionsOf(ring)?.[0] === 2);
    await a.client.stop();
    altered(() => old!);
    const again = reborn(a.directory);
    await again.client.start();
    expect(again.alarms.map((alarm) => alarm.name)).toEqual(['bundle-lower']);
    expect(versionsOf(again.client.ring!)).toEqual([2, 1]);
  });

  it('the same number with other content is refused with an alarm', async () => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    const held = a.client.ring!;
    await gms.gms.store.transact((tx) => {
      const element = tx.get('element', held.ge)!;
      tx.put('element', held.ge, { ...element, mode: 'closed' });
    });
    const alarmed = once(a.client, 'alarm');
    a.client.ask('domain-key');
    a.clock.advance(2001);
    expect((await alarmed)[0]).toMatchObject({ name: 'bundle-differs' });
    expect(a.client.ring!.mode).toBe('open');
  });

  it('a server with another root gets no request, and the held keys stay', async () => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    await a.client.stop();
    await gms.vanish();
    const impostor = await servedGms(['127.0.0.1'], gms.port);
    cleanups.push(() => impostor.close());
    let requests = 0;
    impostor.intercept = (_, genuine) => {
      requests++;
      return genuine();
    };
    const again = reborn(a.directory);
    await again.client.start();
    expect(again.alarms.map((alarm) => alarm.name)).toContain('wrong-root');
    expect([again.client.state.keys, requests]).toEqual(['valid', 0]);
  });
});

describe('secrets', () => {
  it('no key material stands in the clear in the store, an alarm or the state', async () => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    await a.state((state) => state.connected);
    await gms.admin('POST', '/rotations', { all: true });
    await a.ring((ring) => versionsOf(ring)?.[0] === 2);
    const said = JSON.stringify([a.client.state, a.alarms, a.rings, gms.faults]);
    await a.client.stop();
    expect(gms.drawn.length).toBeGreaterThanOrEqual(4);
    expect(findSecret(said, gms.drawn)).toBe(false);
    const file = readFileSync(join(a.directory, 'store', 'data.mdb'));
    expect(findSecret(file, gms.drawn)).toBe(false);
    expect(findSecret(Buffer.concat([file, gms.drawn[1]]), gms.drawn)).toBe(true);
  });
});

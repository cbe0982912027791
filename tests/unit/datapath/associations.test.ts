/** Associations hold keys, and places for keys are few: somebody else's many must not end the worker. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Association, Associations } from '#datapath/associations.ts';
import { MAX_ASSOCIATIONS } from '#datapath/limits.ts';
import type { Agreement, GeId, KeyHandle, Millis, TransformName } from '#dprp/spec.ts';
import { boundKeyRoom } from '#kit/key-room.ts';
import { PairTable } from '#pit/pairs.ts';
import type { CipherProvider } from '#transform/cipher.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { VERSIONS_MAX } from '#wire/ge-info.ts';
import { STATEMENT_GROUPS } from '#wire/statement.ts';

const own = createNobleProvider();
const GOOD = 'a000000000000001' as GeId;
const GREEDY = 'b000000000000002' as GeId;

/**
 * A worker's table that holds at most `limit`; `tryInstall` makes a new pair with this peer gateway at this time,
 * `install` expects that its keys have room.
 */
function table(limit?: number, provider: CipherProvider = own) {
  const associations = new Associations(provider, () => {}, limit);
  const pairs = new PairTable<Association>({
    capacity: 16_384,
    idleMs: 3_600_000,
    random: (into) => into.set(randomBytes(into.length)),
    onForget: () => {},
  });
  let next = 0;
  const tryInstall = (peerGe: GeId, now: number, transform: TransformName = 'sealed'): Association | undefined => {
    const device = Int32Array.of(0, 0, 0xffff, ++next);
    const pair = pairs.findOrAdd(device, Int32Array.of(0, 0, 0xffff, -next), 4, now);
    const agreement: Agreement = {
      pair: { device: new Uint8Array(16), peer: new Uint8Array(16) },
      negotiation: String(next),
      role: 'responder',
      peerGe,
      initiatorGe: peerGe,
      group: 7,
      keyVersion: 1,
      transform,
      generation: 0,
      algorithm: 0,
      prk: provider.importKey(new Uint8Array(randomBytes(32))) as unknown as KeyHandle,
      transcript: new Uint8Array(32),
      peerStatement: new Uint8Array(0),
      sends: false,
      peerSends: undefined,
      common: 0,
      took: 0,
    };
    const association = associations.install(pair, agreement, now as Millis);
    if (association !== undefined) associations.sendWith(association);
    return association;
  };
  const install = (...how: Parameters<typeof tryInstall>): Association => {
    const association = tryInstall(...how);
    if (association === undefined) throw new Error('no room for the keys');
    return association;
  };
  const serves = (association: Association): boolean => association.pair.associations[0] === association;
  return { associations, install, tryInstall, serves };
}

const KEYS = { sealed: 2, pccom: 4, 'pccom-keyed': 6 } as const;

describe('when there is room for no more', () => {
  it('the gateway that holds most gives up the one that was idle longest', () => {
    const { associations, install, serves } = table(4);
    const good = install(GOOD, 0);
    const [first, second, third] = [1, 2, 3].map((now) => install(GREEDY, now));
    first.received(4);
    const newest = install(GREEDY, 5);
    expect(associations.count).toBe(4);
    expect([good, first, second, third, newest].map(serves)).toEqual([true, true, false, true, true]);
    expect(second.pair.sendGeneration).toBe(-1);
  });

  it('as many as a member likes leave places for keys of negotiations and of two identities', () => {
    const { associations, install } = table();
    for (let i = 0; i < MAX_ASSOCIATIONS + 4_000; i++) install(GREEDY, i);
    expect(associations.count).toBe(MAX_ASSOCIATIONS);
    /* Of the new and the old identity: static secret, domain keys and group keys, the current and the one before. */
    const identities = 2 * (1 + VERSIONS_MAX + VERSIONS_MAX * STATEMENT_GROUPS);
    for (let i = 0; i < 6_272 + identities; i++) own.importKey(new Uint8Array(32));
  });
});

describe('when the provider has no room for a key', () => {
  for (const transform of ['sealed', 'pccom', 'pccom-keyed'] as const) {
    it(`${transform}: whichever key it is, nothing is left of the agreement, and the next one has room`, () => {
      for (let n = 0; n < KEYS[transform]; n++) {
        const provider = createNobleProvider();
        const room = boundKeyRoom(provider);
        const { live } = room;
        const { associations, tryInstall, install, serves } = table(undefined, provider);
        let told = 0;
        associations.onNoRoom = () => told++;
        room.left = n;
        expect(tryInstall(GOOD, 0, transform), `key ${n}`).toBeUndefined();
        expect([live.size, associations.count, told]).toEqual([0, 0, 1]);
        room.left = KEYS[transform];
        const association = install(GOOD, 1, transform);
        expect([association.state.slot, live.size, told]).toEqual([0, KEYS[transform], 1]);
        expect(serves(association)).toBe(true);
      }
    });

    it(`${transform}: whichever key it is, the idlest of whoever has most makes room`, () => {
      for (let n = 0; n < KEYS[transform]; n++) {
        const provider = createNobleProvider();
        const room = boundKeyRoom(provider);
        const { live } = room;
        const { associations, install, serves } = table(undefined, provider);
        const good = install(GOOD, 0, transform);
        const [first, second] = [1, 2].map((now) => install(GREEDY, now, transform));
        first.received(3);
        room.left = n;
        const newest = install(GREEDY, 4, transform);
        expect([good, first, second, newest].map(serves), `key ${n}`).toEqual([true, true, false, true]);
        expect(associations.count).toBe(3);
        expect(live.size).toBe(3 * KEYS[transform]);
        /* Each in its own place. */
        expect(new Set([good, first, newest].map(({ state }) => state.slot)).size).toBe(3);
        expect(associations.bySlot[newest.state.slot]).toBe(newest);
      }
    });
  }

  it('keyed checksums take the room of two without', () => {
    const provider = createNobleProvider();
    const room = boundKeyRoom(provider);
    const { install, serves } = table(undefined, provider);
    const some = [0, 1, 2].map((now) => install(GOOD, now, 'pccom'));
    room.left = 0;
    const keyed = install(GOOD, 3, 'pccom-keyed');
    expect([...some, keyed].map(serves)).toEqual([false, false, true, true]);
  });

  it('what takes no locked memory is left alone by what lacks it', () => {
    const provider = createNobleProvider();
    const room = boundKeyRoom(provider);
    const { associations, install, tryInstall, serves } = table(undefined, provider);
    const sealed = install(GOOD, 0, 'sealed');
    room.left = 0;
    expect(tryInstall(GOOD, 1, 'pccom')).toBeUndefined();
    expect(serves(sealed)).toBe(true);
    expect(associations.count).toBe(1);
  });
});

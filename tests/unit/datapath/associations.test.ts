/** Associations hold keys, and places for keys are few: somebody else's many must not end the worker. */
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Association, Associations } from '#datapath/associations.ts';
import { MAX_ASSOCIATIONS } from '#datapath/limits.ts';
import type { Agreement, GeId, KeyHandle, Millis } from '#dprp/spec.ts';
import { PairTable } from '#pit/pairs.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';

const provider = createNobleProvider();
const GOOD = 'a000000000000001' as GeId;
const GREEDY = 'b000000000000002' as GeId;

/** A worker's table that holds at most `limit`; `install` makes a new pair with this peer gateway at this time. */
function table(limit?: number) {
  const associations = new Associations(provider, () => {}, limit);
  const pairs = new PairTable<Association>({
    capacity: 16_384,
    idleMs: 3_600_000,
    random: (into) => into.set(randomBytes(into.length)),
    onForget: () => {},
  });
  let next = 0;
  const install = (peerGe: GeId, now: number): Association => {
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
      transform: 'sealed',
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
    const association = associations.install(pair, agreement, now as Millis)!;
    associations.sendWith(association);
    return association;
  };
  const serves = (association: Association): boolean => association.pair.associations[0] === association;
  return { associations, install, serves };
}

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

  it('as many as a member likes leave places for keys', () => {
    const { associations, install } = table();
    for (let i = 0; i < MAX_ASSOCIATIONS + 4_000; i++) install(GREEDY, i);
    expect(associations.count).toBe(MAX_ASSOCIATIONS);
    const spare = Array.from({ length: 6_272 }, () => provider.importKey(new Uint8Array(32)));
    expect(spare).toHaveLength(6_272);
  });
});

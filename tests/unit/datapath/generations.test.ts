/** Generations of a pair: which one sends, when the others end, and that no key stays behind. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Association, Associations } from '#datapath/associations.ts';
import { FLIGHT_MS, GRACE_MS, NOTICE_WINDOW_MS, ONE_WAY_MS } from '#datapath/limits.ts';
import type { Agreement, GeId, KeyHandle, Millis, Role } from '#dprp/spec.ts';
import type { Pair } from '#pit/pair.ts';
import { PairTable } from '#pit/pairs.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import type { SealedState } from '#transform/state.ts';
import { addressFromText, bytesToWords } from '#wire/address.ts';

const H1 = addressFromText('192.0.2.1') as Uint8Array;
const H2 = addressFromText('192.0.2.2') as Uint8Array;
const at = (ms: number): Millis => ms as Millis;

let provider: ReturnType<typeof createNobleProvider>;
let associations: Associations;
let pair: Pair<Association>;
let flushed: number;

beforeEach(() => {
  provider = createNobleProvider();
  flushed = 0;
  associations = new Associations(provider, () => {
    flushed += 1;
  });
  const pairs = new PairTable<Association>({
    capacity: 4,
    idleMs: 1_000,
    random: (into) => into.fill(1),
    onForget: () => undefined,
  });
  pair = pairs.findOrAdd(bytesToWords(H1), bytesToWords(H2), 4, 0);
});

function install(
  generation: number,
  now: number,
  role: Role = 'initiator',
  negotiation = `n${generation}`,
): Association {
  const secret = provider.importKey(new Uint8Array(32).fill(generation + 1));
  const prk = provider.extract(new Uint8Array(32), [secret]);
  provider.release(secret);
  const agreement: Agreement = {
    pair: { device: H1, peer: H2 },
    negotiation,
    role,
    peerGe: 'b000000000000002' as GeId,
    initiatorGe: 'a000000000000001' as GeId,
    group: 7,
    keyVersion: 1,
    transform: 'sealed',
    generation,
    algorithm: 0,
    prk: prk as unknown as KeyHandle,
    transcript: new Uint8Array(32),
    peerStatement: new Uint8Array(0),
    sends: false,
    peerSends: undefined,
    common: 0,
    took: 1,
  };
  return associations.install(pair, agreement, at(now))!;
}

const sealed = (association: Association): SealedState => association.state as SealedState;

const held = (): number[] => pair.associations.flatMap((a, generation) => (a === undefined ? [] : [generation]));

describe('generations', () => {
  it('send with what is confirmed; for the initiator the old one ends after the flight time', () => {
    associations.confirm(install(0, 0), at(0));
    const next = install(2, 1_000);
    expect(associations.sender(pair)?.state.generation).toBe(0);
    associations.confirm(next, at(1_100));
    expect(associations.sender(pair)).toBe(next);
    expect(associations.nextTimeout()).toBe(1_100 + FLIGHT_MS);
    associations.sweep(at(1_099 + FLIGHT_MS));
    expect(held()).toEqual([0, 2]);
    associations.sweep(at(1_100 + FLIGHT_MS));
    expect(held()).toEqual([2]);
    expect(associations.nextTimeout()).toBe(Number.POSITIVE_INFINITY);
  });

  it('the responder receives the old one until CDN must have arrived', () => {
    associations.confirm(install(0, 0), at(0));
    associations.confirm(install(2, 1_000, 'responder'), at(1_000));
    associations.sweep(at(1_000 + GRACE_MS - 1));
    expect(held()).toEqual([0, 2]);
    associations.sweep(at(1_000 + GRACE_MS));
    expect(held()).toEqual([2]);
  });

  it('or until the far end is heard with the new one, and what was in flight is here', () => {
    associations.confirm(install(0, 0), at(0));
    const next = install(2, 1_000, 'responder');
    associations.confirm(next, at(1_000));
    associations.firstHeard(next, 1_500);
    associations.sweep(at(1_500 + FLIGHT_MS - 1));
    expect(held()).toEqual([0, 2]);
    associations.sweep(at(1_500 + FLIGHT_MS));
    expect(held()).toEqual([2]);
  });

  it('hearing one that is not confirmed ends nothing', () => {
    associations.confirm(install(0, 0), at(0));
    associations.firstHeard(install(2, 1_000), 1_500);
    associations.sweep(at(1_000_000));
    expect(held()).toEqual([0, 2]);
  });

  it('one that was to end and is confirmed after all stays', () => {
    const first = install(0, 0);
    associations.confirm(first, at(0));
    associations.confirm(install(1, 100, 'responder'), at(100));
    associations.confirm(first, at(200));
    associations.sweep(at(1_000_000));
    expect(held()).toEqual([0]);
    expect(associations.sender(pair)).toBe(first);
  });

  it('when the sender ends, the newest that is left sends', () => {
    const first = install(0, 0);
    install(1, 100, 'responder');
    const last = install(2, 200);
    associations.sendWith(last);
    associations.end(last);
    expect(associations.sender(pair)?.state.generation).toBe(1);
    associations.endAll(pair);
    expect([held(), associations.sender(pair), pair.sendGeneration]).toEqual([[], undefined, -1]);
    associations.end(first) /* twice is once */;
    expect(associations.count).toBe(0);
  });

  it('a generation that is installed again replaces the former one', () => {
    const former = install(0, 0);
    const newer = install(0, 100, 'initiator', 'again');
    expect(associations.count).toBe(1);
    expect(associations.bySlot[newer.state.slot]).toBe(newer);
    expect(associations.byNegotiation(pair, former.negotiation)).toBeUndefined();
    expect(associations.byNegotiation(pair, 'again')).toBe(newer);
  });

  it('keys are released after what waits was sent, and none stays behind', () => {
    const released: number[] = [];
    const release = provider.release.bind(provider);
    provider.release = (key) => {
      released.push(key);
      release(key);
    };
    associations.confirm(install(0, 0), at(0));
    expect(flushed).toBe(0);
    associations.end(install(1, 100));
    expect(flushed).toBe(1);
    associations.endAll(pair);
    expect(flushed).toBe(2);
    /* Of each: this test's own secret, the PRK, two keys. */
    expect(released.length).toBe(2 * (1 + 1 + 2));
    expect(associations.bySlot.every((a) => a === undefined)).toBe(true);
  });
});

describe('one association', () => {
  it('knows which packets it sent lately', () => {
    const association = install(0, 0);
    for (let now = 1; now <= 10_000; now += 10) {
      association.sending(now);
      sealed(association).nextNumber += 5;
    }
    const now = 10_000;
    const next = sealed(association).nextNumber;
    expect(association.sentRecently(next - 1, now)).toBe(true);
    expect(association.sentRecently(next - 500, now)).toBe(true);
    expect(association.sentRecently(next, now)).toBe(false);
    expect(association.sentRecently(next + 500, now)).toBe(false);
    expect(association.sentRecently(next - 5_000 / 2, now)).toBe(false);
    /* Silence for the window's length, and nothing was sent lately. */
    expect(association.sentRecently(next - 500, now + 3 * NOTICE_WINDOW_MS)).toBe(false);
  });

  it('compares the low bits that the wire carries', () => {
    const association = install(0, 0);
    sealed(association).nextNumber = 2 ** 31 + 100;
    association.sending(1_000);
    sealed(association).nextNumber += 50;
    expect(association.sentRecently((2 ** 31 + 120) % 2 ** 30, 1_010)).toBe(true);
    expect(association.sentRecently((2 ** 31 + 150) % 2 ** 30, 1_010)).toBe(false);
  });

  it('a successor is as patient with silence as its predecessor became, until something is heard', () => {
    const first = install(0, 0);
    associations.sendWith(first);
    first.oneWayMs = 8 * ONE_WAY_MS;
    const next = install(2, 100);
    expect(next.oneWayMs).toBe(8 * ONE_WAY_MS);
    next.received(200);
    expect(next.oneWayMs).toBe(ONE_WAY_MS);
  });
});

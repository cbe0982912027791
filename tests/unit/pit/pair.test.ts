import { describe, expect, test } from 'vitest';
import { PairTable } from '#pit/pairs.ts';
import { wordsToBytes } from '#wire/address.ts';
import { stateOf } from './pair-state.ts';
import { DEVICE, ipv4, PEER, seeded, tcpFrame } from './seeded.ts';

const table = () =>
  new PairTable<string>({ capacity: 100, idleMs: 1_000, random: seeded(1), onForget: () => undefined });

describe('what a pair keeps', () => {
  test('each has its own, wherever it is kept', () => {
    const pairs = table();
    const made = Array.from({ length: 5 }, (_, n) => pairs.findOrAdd(DEVICE, ipv4(n), 4, n));
    const verdicts = ['unknown', 'negotiating', 'encrypt', 'plain', 'discard'] as const;
    const of = (n: number) => ({
      verdict: verdicts[n],
      reason: `reason ${n}`,
      until: n === 0 ? Number.POSITIVE_INFINITY : n + 0.25,
      lastSeen: 1_000.5 + n,
      sendGeneration: n - 1,
      receiving: n - 2,
      switching: n,
      sentBareAt: n === 0 ? Number.NEGATIVE_INFINITY : n + 0.5,
      inboundNotBefore: n + 0.75,
      agreements: n,
      followed: 10 + n,
      receivesPlainUntil: n + 0.125,
      pathMtu: 1_400 + n,
      pathMtuUntil: 20.5 + n,
      noticedAt: 30.5 + n,
    });
    made.forEach((pair, n) => {
      Object.assign(pair, of(n));
      if (n < 4) pair.setAssociation(n, `keys ${n}`);
    });
    made.forEach((pair, n) => {
      expect(pair).toMatchObject({ ...of(n), row: n, ipVersion: 4 });
      expect(pair.peer).toEqual(ipv4(n));
      expect(pair.associations).toEqual([0, 1, 2, 3].map((g) => (g === n ? `keys ${n}` : undefined)));
    });
  });

  test("and one that has just been made, in another's row too, nothing of it", () => {
    const pairs = table();
    const first = pairs.findOrAdd(DEVICE, PEER, 4, 0);
    const fresh = { ...stateOf(first), lastSeen: 9 };
    Object.assign(first, {
      verdict: 'plain',
      until: 5,
      sendGeneration: 1,
      receiving: 2,
      switching: 3,
      inboundNotBefore: 4,
    });
    first.setOutwardLink(new Uint8Array(14).fill(1), tcpFrame(DEVICE, PEER, { vlanTci: 7, vlanTpid: 0x8100 }));
    first.setAssociation(0, 'keys');
    first.pathMtu = 1_300;
    pairs.remove(first);
    const second = pairs.findOrAdd(DEVICE, PEER, 4, 9);
    expect(second.row).toBe(first.row);
    expect(stateOf(second)).toEqual(fresh);
  });
});

describe('layer 2', () => {
  const slab = new Uint8Array(100);
  slab.set([2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 100, 8, 0], 10);
  const frame = tcpFrame(DEVICE, PEER, { offset: 10, l3: 28, vlanTci: 7, vlanTpid: 0x88a8 });

  test('a frame toward the peer shows the way there', () => {
    const pair = table().findOrAdd(DEVICE, PEER, 4, 0);
    expect(pair.outward.length).toBe(0);
    pair.setOutwardLink(slab, frame);
    expect(pair.outward).toEqual({ bytes: slab.slice(10, 28), length: 18, vlanTci: 7, vlanTpid: 0x88a8 });
  });

  test('until then it is that of the first one toward the device, turned round', () => {
    const pair = table().findOrAdd(DEVICE, PEER, 4, 0);
    pair.guessOutwardLink(slab, frame);
    expect(pair.outward).toMatchObject({ length: 18, vlanTci: 7, vlanTpid: 0x88a8 });
    expect([...pair.outward.bytes.subarray(0, 16)]).toEqual([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 100]);
    const other = new Uint8Array(50).fill(9);
    pair.guessOutwardLink(other, tcpFrame(PEER, DEVICE, { offset: 0, l3: 14 }));
    expect(pair.outward.length).toBe(18);
    pair.setOutwardLink(other, tcpFrame(DEVICE, PEER, { offset: 0, l3: 14 }));
    expect(pair.outward).toEqual({ bytes: other.slice(0, 14), length: 14, vlanTci: -1, vlanTpid: 0 });
    pair.guessOutwardLink(slab, frame);
    expect(pair.outward.bytes[0]).toBe(9);
  });

  test('the longest header disturbs no neighbour', () => {
    const pairs = table();
    const [before, pair, behind] = [1, 2, 3].map((n) => pairs.findOrAdd(DEVICE, ipv4(n), 4, 0));
    const neighbours = [before, behind].map(stateOf);
    const full = new Uint8Array(100).map((_, i) => 0xff - i);
    const long = tcpFrame(DEVICE, ipv4(2), { offset: 10, l3: 32, vlanTci: 0xffff, vlanTpid: 0x88a8 });
    pair.setOutwardLink(full, long);
    expect(pair.outward).toEqual({ bytes: full.slice(10, 32), length: 22, vlanTci: 0xffff, vlanTpid: 0x88a8 });
    expect([before, behind].map(stateOf)).toEqual(neighbours);
    expect([...pair.deviceBytes, ...pair.peerBytes]).toEqual([...wordsToBytes(DEVICE), ...wordsToBytes(ipv4(2))]);
  });
});

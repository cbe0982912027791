import { describe, expect, test } from 'vitest';
import type { Pair } from '#pit/pair.ts';
import { PairTable } from '#pit/pairs.ts';
import { stateOf } from './pair-state.ts';
import { DEVICE, ipv4, PEER, seeded } from './seeded.ts';

function table(capacity = 100) {
  const forgotten: Pair<string>[] = [];
  const pairs = new PairTable<string>({
    capacity,
    idleMs: 1000,
    random: seeded(1),
    onForget: (pair) => forgotten.push(pair),
  });
  return { pairs, forgotten };
}

describe('a pair', () => {
  test('is made once and found from both directions', () => {
    const { pairs } = table();
    const pair = pairs.findOrAdd(DEVICE, PEER, 4, 7);
    expect(pair).toMatchObject({ verdict: 'unknown', sendGeneration: -1, lastSeen: 7, ipVersion: 4 });
    expect(pair.associations).toEqual([undefined, undefined, undefined, undefined]);
    expect(pairs.findOrAdd(DEVICE, PEER, 4, 8)).toBe(pair);
    expect(pairs.find(DEVICE, PEER, 4)).toBe(pair);
    expect(pairs.at(pair.row)).toBe(pair);
    expect([...pairs.values()]).toEqual([pair]);
  });

  test('is another with the addresses exchanged, or with the other IP version', () => {
    const { pairs } = table();
    pairs.findOrAdd(DEVICE, PEER, 4, 0);
    expect(pairs.find(PEER, DEVICE, 4)).toBeUndefined();
    expect(pairs.find(DEVICE, PEER, 6)).toBeUndefined();
  });

  test('keeps its own copy of the addresses', () => {
    const { pairs } = table();
    const words = ipv4(1);
    const pair = pairs.findOrAdd(words, PEER, 4, 0);
    words[3] = 2;
    expect([...pair.deviceBytes]).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 1]);
    expect(pair.peerBytes.at(-1)).toBe(2);
  });
});

describe('forgetting', () => {
  test('an idle pair ends, and its owner is told while it is still known', () => {
    const known: boolean[] = [];
    const pairs: PairTable<string> = new PairTable<string>({
      capacity: 10,
      idleMs: 1000,
      random: seeded(1),
      onForget: (pair) => known.push(pairs.at(pair.row) === pair),
    });
    const quiet = pairs.findOrAdd(DEVICE, PEER, 4, 0);
    const busy = pairs.findOrAdd(DEVICE, ipv4(3), 4, 0);
    busy.lastSeen = 500;
    expect(pairs.sweep(999, 100)).toBe(0);
    expect(pairs.sweep(1000, 100)).toBe(1);
    expect(known).toEqual([true]);
    expect(pairs.find(DEVICE, PEER, 4)).toBeUndefined();
    expect([...pairs.values()]).toEqual([busy]);
    pairs.remove(quiet);
    expect(known).toHaveLength(1);
  });

  test('a pair that left does not take its successor with it', () => {
    const { pairs, forgotten } = table();
    const first = pairs.findOrAdd(DEVICE, PEER, 4, 0);
    pairs.remove(first);
    const second = pairs.findOrAdd(DEVICE, ipv4(9), 4, 0);
    expect(second.row).toBe(first.row);
    pairs.remove(first);
    expect(forgotten).toEqual([first]);
    expect(pairs.size).toBe(1);
  });

  test('whoever still holds a pair that left finds it as it was, and changes no other', () => {
    const { pairs } = table();
    const left = Array.from({ length: 40 }, (_, n) => {
      const pair = pairs.findOrAdd(DEVICE, ipv4(n), 4, n);
      pairs.remove(pair);
      return pair;
    });
    const successor = pairs.findOrAdd(DEVICE, PEER, 4, 50);
    const before = stateOf(successor);
    expect(left.map((pair) => [pair.row, pair.peer[3], pair.lastSeen])).toEqual(left.map((_, n) => [0, n, n]));
    for (const [n, pair] of left.entries()) pair.until = 100 + n;
    expect(left.map((pair) => pair.until)).toEqual(left.map((_, n) => 100 + n));
    expect(stateOf(successor)).toEqual(before);
    expect(pairs.find(DEVICE, PEER, 4)).toBe(successor);
  });

  test('a full table lets the idlest go and counts it', () => {
    const { pairs, forgotten } = table(8);
    for (let n = 0; n < 8; n++) pairs.findOrAdd(DEVICE, ipv4(n), 4, n === 5 ? 1 : 50);
    const added = pairs.findOrAdd(DEVICE, ipv4(99), 4, 60);
    expect(pairs.evicted).toBe(1);
    expect(forgotten.map((pair) => pair.peer[3])).toEqual([5]);
    expect(pairs.find(DEVICE, ipv4(99), 4)).toBe(added);
  });

  test('made-up peers do not push out a negotiated pair while others are left', () => {
    const { pairs, forgotten } = table(8);
    const negotiated = pairs.findOrAdd(DEVICE, PEER, 4, 0);
    negotiated.sendGeneration = 2;
    for (let n = 100; n < 900; n++) pairs.findOrAdd(DEVICE, ipv4(n), 4, n);
    expect(forgotten).not.toContain(negotiated);
    expect(pairs.size).toBe(8);
  });
});

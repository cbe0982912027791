import { describe, expect, test } from 'vitest';
import { REFRESH_AFTER_MS, REMEMBER_MS, RememberedPeers } from '#pit/remembered.ts';
import { DEVICE, ipv4, PEER } from './seeded.ts';

const HOUR = 3_600_000;

test('a peer is remembered for 24 hours', () => {
  const peers = new RememberedPeers();
  expect(peers.remember(PEER, 'ge-b', 'sealed', 0)).toEqual({
    address: '10.0.0.2',
    ge: 'ge-b',
    transform: 'sealed',
    left: 24 * HOUR,
  });
  expect(peers.get(PEER, 24 * HOUR - 1)).toMatchObject({ ge: 'ge-b', transform: 'sealed' });
  expect(peers.entry(PEER, HOUR)).toMatchObject({ address: '10.0.0.2', left: 23 * HOUR });
  expect(peers.get(PEER, 24 * HOUR)).toBeUndefined();
  expect(peers.entry(PEER, 24 * HOUR)).toBeUndefined();
  expect(peers.get(DEVICE, 0)).toBeUndefined();
});

describe('refreshing', () => {
  test('by traffic is told once an hour', () => {
    const peers = new RememberedPeers();
    peers.remember(PEER, 'ge-b', 'sealed', 0);
    expect(peers.refresh(PEER, REFRESH_AFTER_MS - 1)).toBeUndefined();
    expect(peers.refresh(PEER, REFRESH_AFTER_MS)).toMatchObject({ address: '10.0.0.2', left: REMEMBER_MS });
    expect(peers.refresh(PEER, REFRESH_AFTER_MS + 1)).toBeUndefined();
    expect(peers.get(PEER, 24 * HOUR + 1)).toBeDefined();
  });

  test('does not bring back what ended or was never there', () => {
    const peers = new RememberedPeers();
    expect(peers.refresh(PEER, 0)).toBeUndefined();
    peers.remember(PEER, 'ge-b', 'sealed', 0);
    expect(peers.refresh(PEER, REMEMBER_MS)).toBeUndefined();
  });

  test('a new negotiation is told only when it says something new', () => {
    const peers = new RememberedPeers();
    peers.remember(PEER, 'ge-b', 'sealed', 0);
    expect(peers.remember(PEER, 'ge-b', 'sealed', 5)).toBeUndefined();
    expect(peers.remember(PEER, 'ge-c', 'sealed', 6)).toMatchObject({ ge: 'ge-c' });
    expect(peers.remember(PEER, 'ge-c', 'pccom', 7)).toMatchObject({ transform: 'pccom' });
  });
});

describe('the list', () => {
  test('comes back from the store with the rest of its time', () => {
    const before = new RememberedPeers();
    before.remember(PEER, 'ge-b', 'sealed', 0);
    before.remember(DEVICE, 'ge-a', 'pccom', HOUR);
    const stored = before.export(2 * HOUR);
    expect(stored.map((peer) => [peer.address, peer.left])).toEqual([
      ['10.0.0.2', 22 * HOUR],
      ['10.0.0.1', 23 * HOUR],
    ]);
    const after = new RememberedPeers();
    after.restore(stored, 1000 * HOUR);
    expect(after.get(PEER, 1022 * HOUR - 1)).toMatchObject({ ge: 'ge-b' });
    expect(after.get(PEER, 1022 * HOUR)).toBeUndefined();
    expect(after.export(1022 * HOUR)).toHaveLength(1);
  });

  test('what holds longer wins; nonsense is left out; nothing holds longer than a day', () => {
    const peers = new RememberedPeers();
    peers.remember(PEER, 'ge-b', 'sealed', 0);
    peers.restore([{ address: '10.0.0.2', ge: 'ge-x', transform: 'pccom', left: HOUR }], 0);
    expect(peers.get(PEER, 0)).toMatchObject({ ge: 'ge-b' });
    peers.restore(
      [
        { address: 'nowhere', ge: 'ge-x', transform: 'sealed', left: HOUR },
        { address: '10.0.0.1', ge: 'ge-x', transform: 'sealed', left: Number.NaN },
        { address: '10.0.0.3', ge: 'ge-x', transform: 'sealed', left: Number.POSITIVE_INFINITY },
      ],
      0,
    );
    expect(peers.size).toBe(2);
    expect(peers.get(ipv4(0x0a000003), REMEMBER_MS)).toBeUndefined();
  });

  test('is cleared of one peer or of all', () => {
    const peers = new RememberedPeers();
    for (const words of [PEER, DEVICE, ipv4(7)]) peers.remember(words, 'ge', 'sealed', 0);
    expect(peers.forget('::ffff:10.0.0.2')).toBe(1);
    expect(peers.get(PEER, 0)).toBeUndefined();
    expect(peers.forget('nonsense')).toBe(0);
    expect(peers.forget()).toBe(2);
    expect(peers.size).toBe(0);
  });

  test('is bounded: the one written longest ago goes', () => {
    const peers = new RememberedPeers(2);
    peers.remember(ipv4(1), 'ge', 'sealed', 0);
    peers.remember(ipv4(2), 'ge', 'sealed', 1);
    peers.refresh(ipv4(1), REFRESH_AFTER_MS);
    peers.remember(ipv4(3), 'ge', 'sealed', REFRESH_AFTER_MS);
    expect(peers.evicted).toBe(1);
    expect([1, 2, 3].map((n) => peers.get(ipv4(n), REFRESH_AFTER_MS) !== undefined)).toEqual([true, false, true]);
  });

  test('loses what ended when it is swept', () => {
    const peers = new RememberedPeers();
    peers.remember(PEER, 'ge', 'sealed', 0);
    peers.sweep(REMEMBER_MS - 1);
    expect(peers.size).toBe(1);
    peers.sweep(REMEMBER_MS);
    expect(peers.size).toBe(0);
  });
});

describe('a gateway that makes addresses up', () => {
  test('pushes out its own; others keep theirs', () => {
    const peers = new RememberedPeers(100);
    for (let i = 0; i < 40; i++) peers.remember(ipv4(i), i < 30 ? 'ge-b' : 'ge-c', 'sealed', i);
    for (let i = 1_000; i < 2_000; i++) peers.remember(ipv4(i), 'ge-x', 'sealed', 100);
    expect(peers.size).toBe(100);
    expect(Array.from({ length: 40 }, (_, i) => peers.get(ipv4(i), 200)?.ge)).not.toContain(undefined);
    expect(peers.get(ipv4(1_999), 200), 'its last is remembered').toBeDefined();
    /* Nor does it when it comes back from the store, or is told by another worker. */
    const restored = new RememberedPeers(100);
    restored.restore(peers.export(300), 0);
    const told = Array.from({ length: 500 }, (_, i) => ({
      address: `10.9.${i >> 8}.${i & 255}`,
      ge: 'ge-x',
      transform: 'sealed',
      left: REMEMBER_MS,
    }));
    for (const peer of told) restored.restore([peer], 1);
    expect(Array.from({ length: 40 }, (_, i) => restored.get(ipv4(i), 1)?.ge)).not.toContain(undefined);
  });

  test('takes from whoever has most until it has as many, and no more', () => {
    const peers = new RememberedPeers(100);
    for (let i = 0; i < 80; i++) peers.remember(ipv4(i), 'ge-b', 'sealed', i);
    for (let i = 80; i < 90; i++) peers.remember(ipv4(i), 'ge-c', 'sealed', i);
    for (let i = 1_000; i < 2_000; i++) peers.remember(ipv4(i), 'ge-x', 'sealed', 100);
    const left = (from: number, to: number): number =>
      Array.from({ length: to - from }, (_, i) => peers.get(ipv4(from + i), 200)).filter((x) => x !== undefined).length;
    expect(left(80, 90)).toBe(10);
    expect(left(0, 80)).toBeGreaterThanOrEqual(44);
    expect(left(0, 80)).toBeLessThanOrEqual(45);
  });

  test('loses first what is past its time anyway', () => {
    const peers = new RememberedPeers(3);
    peers.remember(ipv4(1), 'ge-b', 'sealed', 0);
    for (const n of [2, 3]) peers.remember(ipv4(n), 'ge-x', 'sealed', REMEMBER_MS - 1);
    peers.remember(ipv4(4), 'ge-x', 'sealed', REMEMBER_MS);
    expect([2, 3, 4].map((n) => peers.get(ipv4(n), REMEMBER_MS) !== undefined)).toEqual([true, true, true]);
    expect([peers.size, peers.evicted]).toEqual([3, 0]);
  });

  test('and so it is after one was forgotten, or all were', () => {
    const peers = new RememberedPeers(10);
    for (let i = 0; i < 8; i++) peers.remember(ipv4(i), 'ge-x', 'sealed', i);
    for (let i = 0; i < 8; i++) peers.forget(`0.0.0.${i}`);
    for (let i = 10; i < 14; i++) peers.remember(ipv4(i), 'ge-b', 'sealed', i);
    for (let i = 20; i < 40; i++) peers.remember(ipv4(i), 'ge-x', 'sealed', i);
    expect([10, 11, 12, 13].filter((n) => peers.get(ipv4(n), 50) !== undefined)).toHaveLength(4);
    peers.forget();
    for (let i = 0; i < 20; i++) peers.remember(ipv4(i), 'ge-c', 'sealed', i);
    expect(peers.size).toBe(10);
  });
});

import { expect, test } from 'vitest';
import { MAC_AGE_MS, MAC_MOVED_MS, MacTable } from '#pit/macs.ts';
import { macNumber } from '#wire/ethernet.ts';
import { PORT_INNER, PORT_OUTER } from '#wire/record.ts';
import { seeded } from './seeded.ts';

const A = Uint8Array.of(0x02, 0, 0x5e, 0xff, 0xff, 0xfe);
const B = Uint8Array.of(0x02, 1, 0x5e, 0xff, 0xff, 0xfe); /* the same low 32 bits */
const table = (capacity = 16) => new MacTable(capacity, seeded(1));

test('an address is behind the port where it was last seen', () => {
  const macs = table();
  expect(macs.lookup(A, 0, 0)).toBe(-1);
  expect(macs.learn(A, 0, PORT_INNER, 0)).toBe(true);
  expect(macs.learn(B, 0, PORT_OUTER, 0)).toBe(true);
  expect([macs.lookup(A, 0, 1), macs.lookup(B, 0, 1)]).toEqual([PORT_INNER, PORT_OUTER]);
  expect(macs.learn(A, 0, PORT_OUTER, 2)).toBe(true);
  expect(macs.lookup(A, 0, 2 + MAC_MOVED_MS)).toBe(PORT_OUTER);
});

test('an address that somebody else uses too is behind no port, and so reached on both', () => {
  const macs = table();
  for (let now = 0; now < 10_000; now += 1_000) {
    macs.learn(A, 0, PORT_INNER, now);
    if (now > 0) expect(macs.lookup(A, 0, now)).toBe(-1);
    macs.learn(A, 0, PORT_OUTER, now + 1);
    expect(macs.lookup(A, 0, now + 1)).toBe(-1);
  }
});

test('others are told of what is new or moved, and again now and then', () => {
  const macs = table();
  macs.learn(A, 0, PORT_INNER, 0);
  let told = 0;
  for (let now = 1000; now <= MAC_AGE_MS; now += 1000) told += macs.learn(A, 0, PORT_INNER, now) ? 1 : 0;
  expect(told).toBe(5);
});

test('what another worker saw counts', () => {
  const macs = table();
  macs.learnNumber(macNumber(A, 0), PORT_OUTER, 0);
  expect(macs.lookup(A, 0, 0)).toBe(PORT_OUTER);
});

test('group addresses are never learned', () => {
  const macs = table();
  expect(macs.learn(Uint8Array.of(1, 0, 0x5e, 0, 0, 1), 0, PORT_INNER, 0)).toBe(false);
  expect(macs.size).toBe(0);
});

test('an address ages out, also before it is swept', () => {
  const macs = table();
  macs.learn(A, 0, PORT_INNER, 0);
  macs.learn(B, 0, PORT_INNER, 100);
  expect(macs.lookup(A, 0, MAC_AGE_MS)).toBe(-1);
  expect(macs.sweep(MAC_AGE_MS, 100)).toBe(1);
  expect(macs.size).toBe(1);
});

test('a flood of addresses pushes out idle ones, not the one in use', () => {
  const macs = table(8);
  for (let n = 0; n < 1000; n++) {
    macs.learn(A, 0, PORT_INNER, n);
    macs.learnNumber(0x040000000000 + n, PORT_OUTER, n);
  }
  expect(macs.size).toBe(8);
  expect(macs.lookup(A, 0, 1000)).toBe(PORT_INNER);
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { HashIndex } from '#pit/index.ts';
import { seeded } from './seeded.ts';

function indexOf(capacity: number, words = 2, seed = 1): HashIndex {
  return new HashIndex(capacity, words, words + 1, seeded(seed));
}

function ask(index: HashIndex, key: readonly number[]): number {
  index.key.set(key);
  return index.find();
}

function add(index: HashIndex, key: readonly number[]): number {
  index.key.set(key);
  return index.insert();
}

describe('an index', () => {
  test('finds what was inserted and nothing else', () => {
    const index = indexOf(10);
    const row = add(index, [1, 2]);
    expect(ask(index, [1, 2])).toBe(row);
    expect(ask(index, [2, 1])).toBe(-1);
    expect(ask(index, [1, 3])).toBe(-1);
    expect([...index.records.subarray(3 * row, 3 * row + 3)]).toEqual([1, 2, 0]);
    expect(index.size).toBe(1);
  });

  test('takes as many as it has room for, and gives rows back', () => {
    const index = indexOf(3);
    const rows = [1, 2, 3].map((n) => add(index, [n, 0]));
    expect(new Set(rows)).toEqual(new Set([0, 1, 2]));
    expect(add(index, [4, 0])).toBe(-1);
    index.remove(rows[1]);
    expect([index.isUsed(rows[0]), index.isUsed(rows[1])]).toEqual([true, false]);
    expect(ask(index, [2, 0])).toBe(-1);
    index.records.fill(77, 3 * rows[1], 3 * rows[1] + 3);
    expect(add(index, [4, 0])).toBe(rows[1]);
    expect([...index.records.subarray(3 * rows[1], 3 * rows[1] + 3)]).toEqual([4, 0, 0]);
    expect(ask(index, [1, 0])).toBe(rows[0]);
    expect(ask(index, [3, 0])).toBe(rows[2]);
  });

  test('behaves as a Map through any insertions and removals, chains that wrap round included', () => {
    const step = fc.record({ remove: fc.boolean(), key: fc.nat(30) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.integer(), (steps, seed) => {
        const index = indexOf(20, 2, seed);
        const model = new Map<number, number>();
        for (const { remove, key } of steps) {
          const row = model.get(key);
          if (remove && row !== undefined) {
            index.remove(row);
            model.delete(key);
          } else if (row === undefined && model.size < 20) {
            model.set(key, add(index, [key, -key]));
          }
          expect(index.size).toBe(model.size);
          for (let k = 0; k <= 30; k++) expect(ask(index, [k, -k])).toBe(model.get(k) ?? -1);
        }
        expect(new Set(model.values()).size).toBe(model.size);
      }),
      { numRuns: 200 },
    );
  });

  test('tells keys apart by their words where all hashes are equal', () => {
    const index = new HashIndex(20, 2, 2, (into) => into.fill(0));
    const rows = Array.from({ length: 20 }, (_, n) => add(index, [n, 5]));
    expect(new Set(rows).size).toBe(20);
    for (const odd of rows.filter((_, n) => n % 2 === 1)) index.remove(odd);
    expect(rows.map((_, n) => ask(index, [n, 5]))).toEqual(rows.map((row, n) => (n % 2 === 1 ? -1 : row)));
    expect(ask(index, [5, 0])).toBe(-1);
  });

  test('offers the lowest of a few, and in the end looks at every row', () => {
    const index = indexOf(100);
    for (let n = 0; n < 100; n++) add(index, [n, n]);
    const asked = new Set<number>();
    const best = index.lowest((row) => {
      asked.add(row);
      return -row;
    });
    expect(asked.size).toBeGreaterThan(1);
    expect(best).toBe(Math.max(...asked));
    for (let turn = 0; turn < 100; turn++) index.lowest((row) => asked.add(row).size);
    expect(asked.size).toBe(100);
  });

  test('has no lowest when it is empty', () => {
    const index = indexOf(4);
    expect(index.lowest(() => 0)).toBe(-1);
    index.remove(add(index, [1, 1]));
    expect(index.lowest(() => 0)).toBe(-1);
  });
});

describe('flooding', () => {
  /** How many of the keys begin their search in the most crowded slot. */
  const crowd = (index: HashIndex, keys: readonly (readonly number[])[]) => {
    const started = new Map<number, number>();
    for (const key of keys) {
      const slot = index.homeOf(key);
      started.set(slot, (started.get(slot) ?? 0) + 1);
    }
    return Math.max(...started.values());
  };

  test('keys that collide under one seed are spread under another', () => {
    const known = indexOf(4096, 2, 7);
    const colliding: number[][] = [];
    for (let n = 0; colliding.length < 64; n++)
      if (known.homeOf([n, 3]) === known.homeOf([0, 3])) colliding.push([n, 3]);
    expect(crowd(known, colliding)).toBe(64);
    expect(crowd(indexOf(4096, 2, 8), colliding)).toBeLessThan(8);
  });

  test.each([
    ['counting addresses', (n: number) => [0, 0, 0xffff, 0x0a000000 + n]],
    ['one bit each', (n: number) => [n << 24, n << 12, n & 0xff00, n]],
    ['a stride of 65536', (n: number) => [0, 0, n << 16, 1]],
  ])('%s fills the table evenly', (_, key) => {
    const index = indexOf(10_000, 4, 3);
    const keys = Array.from({ length: 10_000 }, (_unused, n) => key(n));
    expect(crowd(index, keys)).toBeLessThan(12);
  });
});

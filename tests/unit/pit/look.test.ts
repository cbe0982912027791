import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Look, type Looked } from '#pit/look.ts';

/** A table of nothing but times; a negative one is no row. */
const tableOf = (times: readonly number[]): Looked => ({ rows: times.length, lastSeen: (row) => times[row] });

test('a look finds what a sorted list has first, whatever it goes through at once', () => {
  const times = fc.array(fc.integer({ min: -5, max: 50 }), { maxLength: 200 });
  fc.assert(
    fc.property(times, fc.nat(40), fc.integer({ min: 1, max: 70 }), (seen, limit, budget) => {
      const look = new Look(tableOf(seen), limit, (row) => seen[row] >= 0);
      let slices = 1;
      while (look.goOn(budget)) slices++;
      const used = seen.filter((at) => at >= 0).sort((x, y) => y - x);
      expect(look.total).toBe(used.length);
      expect(look.latest.map((row) => seen[row]).sort((x, y) => y - x)).toEqual(used.slice(0, limit));
      expect(new Set(look.latest).size).toBe(look.latest.length);
      expect(slices).toBe(Math.max(1, Math.ceil(seen.length / budget)));
    }),
  );
});

test('rows that come while it goes on are met as well', () => {
  const seen = [5, 4, 3];
  const look = new Look(
    {
      get rows() {
        return seen.length;
      },
      lastSeen: (row) => seen[row],
    },
    2,
    () => true,
  );
  expect(look.goOn(2)).toBe(true);
  seen.push(9);
  expect(look.goOn(2)).toBe(false);
  expect(look.total).toBe(4);
  expect([...look.latest].sort()).toEqual([0, 3]);
});

/** Figures are what was measured: medians, ranges, ratios, and nothing where nothing was measured. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addedToPlain,
  bestPeer,
  median,
  orderOf,
  ratioToBestPeer,
  ratioToPlain,
  summary,
} from '../../perf/bench/statistics.ts';

describe('the median', () => {
  test('is the middle one, whatever the order', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([10, 9, 100])).toBe(10);
  });

  test('of an even number of samples is between the middle two', () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
  });

  test('is not thrown off by one bad sample', () => {
    expect(median([1.1, 1, 400, 1.2, 1.05])).toBe(1.1);
  });

  test('has as many samples below as above, and leaves them as they are', () => {
    const samples = fc.array(fc.integer({ min: -1_000, max: 1_000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(samples, (values) => {
        const before = [...values];
        const m = median(values);
        expect(values).toEqual(before);
        const below = values.filter((v) => v < m).length;
        const above = values.filter((v) => v > m).length;
        expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });

  test.each([[[]], [[1, Number.NaN]], [[Number.POSITIVE_INFINITY]]])('of %j is refused', (values) => {
    expect(() => median(values)).toThrow(RangeError);
  });
});

describe('a summary', () => {
  test('has the median and the range', () => {
    expect(summary([3, 1, 2])).toEqual({ median: 2, minimum: 1, maximum: 3 });
  });

  test('of no samples is none', () => {
    expect(summary([])).toBeUndefined();
  });
});

describe('modes', () => {
  test('compare to plain by their medians', () => {
    const samples = { plain: [10, 8, 9], sealed: [3, 100, 2] };
    expect(ratioToPlain(samples, 'sealed')).toBeCloseTo(1 / 3);
    expect(addedToPlain(samples, 'sealed')).toBe(-6);
  });

  test('do not compare when one measured nothing', () => {
    expect(ratioToPlain({ sealed: [1] }, 'sealed')).toBeUndefined();
    expect(addedToPlain({ plain: [1] }, 'sealed')).toBeUndefined();
    expect(ratioToPlain({ plain: [0, 0], sealed: [1] }, 'sealed')).toBeUndefined();
    expect(ratioToBestPeer({ sealed: [1] }, 'sealed', 'more')).toBeUndefined();
    expect(ratioToBestPeer({ strongswan: [1] }, 'pccom', 'less')).toBeUndefined();
  });

  test('compare to the best peer so that more than 1 is better for us', () => {
    const samples = { sealed: [6], pccom: [1], 'wireguard-go': [2], strongswan: [3] };
    expect(bestPeer(samples, 'more')).toEqual({ peer: 'strongswan', median: 3 });
    expect(ratioToBestPeer(samples, 'sealed', 'more')).toBe(2);
    expect(bestPeer(samples, 'less')).toEqual({ peer: 'wireguard-go', median: 2 });
    expect(ratioToBestPeer(samples, 'pccom', 'less')).toBe(2);
    expect(ratioToBestPeer({ pccom: [4], strongswan: [2] }, 'pccom', 'less')).toBe(0.5);
  });

  test('take turns at being first', () => {
    expect([0, 1, 2, 3].map((round) => orderOf(['a', 'b', 'c'], round).join(''))).toEqual(['abc', 'bca', 'cab', 'abc']);
    expect(orderOf([], 4)).toEqual([]);
  });
});

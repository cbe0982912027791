import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReplayWindow, WINDOW_SIZE } from '#transform/replay-window.ts';
import { NUMBER_LIMIT } from '#transform/state.ts';
import { dropCode } from '#wire/drops.ts';

const REPLAY = dropCode('sealed-replay');
const TOO_OLD = dropCode('sealed-too-old');
const LIM = WINDOW_SIZE;

/* The cases of WireGuard's selftest/counter.c, with numbers that start at 1. */
const CASES: readonly (readonly [number, string, readonly (readonly [number, boolean])[]])[] = [
  [1, 'the first number', [[1, true]]],
  [
    2,
    'the same again',
    [
      [1, true],
      [1, false],
    ],
  ],
  [
    3,
    'a gap',
    [
      [1, true],
      [9, true],
    ],
  ],
  [
    4,
    'into the gap, once',
    [
      [9, true],
      [8, true],
      [8, false],
    ],
  ],
  [
    5,
    'below, in order',
    [
      [9, true],
      [7, true],
      [6, true],
      [7, false],
    ],
  ],
  [
    6,
    'the far end of the window',
    [
      [LIM, true],
      [1, true],
      [1, false],
    ],
  ],
  [
    7,
    'one beyond the far end',
    [
      [LIM + 1, true],
      [1, false],
      [2, true],
    ],
  ],
  [
    8,
    'a jump clears what it passes',
    [
      [1, true],
      [LIM * 2, true],
      [LIM + 1, true],
      [LIM, false],
    ],
  ],
  [
    9,
    'a jump of many windows',
    [
      [5, true],
      [LIM * 40 + 5, true],
      [LIM * 40 + 4, true],
      [5, false],
    ],
  ],
  [
    10,
    'a ring later the bit is free',
    [
      [33, true],
      [33 + 512 * 32, true],
      [33 + 512 * 32, false],
    ],
  ],
  [11, 'zero is nobody', [[0, false]]],
  [
    12,
    'the highest number of all',
    [
      [NUMBER_LIMIT - 1, true],
      [NUMBER_LIMIT - 2, true],
      [NUMBER_LIMIT - 1, false],
    ],
  ],
  [
    13,
    'beyond 32 bits',
    [
      [2 ** 32 + 5, true],
      [5, false],
      [2 ** 32 + 4, true],
      [2 ** 32 + 4, false],
    ],
  ],
];

describe('replay window', () => {
  it('holds at least 8192 packets', () => {
    expect(WINDOW_SIZE).toBeGreaterThanOrEqual(8192);
  });

  it.each(CASES)('case %i: %s', (_number, _what, steps) => {
    const window = new ReplayWindow();
    for (const [number, isNew] of steps) {
      expect(window.check(number) === 0, `check ${number}`).toBe(isNew);
      expect(window.mark(number), `mark ${number}`).toBe(isNew);
    }
  });

  it('names replay and age apart', () => {
    const window = new ReplayWindow();
    window.mark(LIM + 10);
    expect(window.check(LIM + 10)).toBe(REPLAY);
    expect(window.check(10)).toBe(TOO_OLD);
    expect(window.check(11)).toBe(0);
  });

  it('accepts what a set of all numbers ever marked accepts', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -300, max: 20_000 }), { maxLength: 200 }), (steps) => {
        const window = new ReplayWindow();
        const seen = new Set<number>();
        for (const step of steps) {
          const number = Math.max(0, window.top + step);
          const isNew = number > 0 && number > window.top - WINDOW_SIZE && !seen.has(number);
          expect(window.mark(number)).toBe(isNew);
          if (isNew) seen.add(number);
        }
      }),
    );
  });
});

describe('the number inferred from 30 bits', () => {
  const SPAN = 2 ** 30;
  it.each([
    [0, 1, 1],
    [0, SPAN / 2, SPAN / 2],
    [100, 99, 99],
    [SPAN - 1, 0, SPAN],
    [SPAN - 1, 5, SPAN + 5],
    [SPAN + 5, SPAN - 1, SPAN - 1],
    [SPAN, SPAN - 1, SPAN - 1],
    [7 * SPAN + 3, SPAN - 2, 7 * SPAN - 2],
    [8 * SPAN - 3, 2, 8 * SPAN + 2],
    [2 ** 47 - 1, 0, 2 ** 47],
  ])('top %d, low bits %d: %d', (top, low, number) => {
    const window = new ReplayWindow();
    if (top > 0) window.mark(top);
    expect(window.infer(low)).toBe(number);
  });

  it('finds every number within half a span of the top', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 47 }),
        fc.integer({ min: -SPAN / 2 + 1, max: SPAN / 2 }),
        (top, ahead) => {
          const number = top + ahead;
          fc.pre(number >= 1);
          const window = new ReplayWindow();
          window.mark(top);
          expect(window.infer(number % SPAN)).toBe(number);
        },
      ),
    );
  });
});

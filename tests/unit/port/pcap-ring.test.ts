import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameRing } from '#port/pcap-ring.ts';

const frame = (length: number, number: number): Uint8Array => new Uint8Array(length).fill(number);

function take(ring: FrameRing): Uint8Array {
  const into = new Uint8Array(ring.length + 2).fill(0xa5);
  ring.copy(0, ring.length, into, 1);
  ring.shift();
  expect([into[0], into.at(-1)]).toEqual([0xa5, 0xa5]);
  return into.slice(1, -1);
}

describe('frame ring', () => {
  test('is bounded in frames and in bytes', () => {
    const few = new FrameRing(1_000, 2);
    expect([1, 2, 3].map((n) => few.push(frame(10, n), 10))).toEqual([true, true, false]);
    const small = new FrameRing(25, 100);
    expect([1, 2, 3].map((n) => small.push(frame(10, n), 10))).toEqual([true, true, false]);
    expect(small.push(frame(26, 1), 26)).toBe(false);
    expect(new FrameRing(25, 1).push(frame(26, 1), 26)).toBe(false);
  });

  test('takes no empty frame, and words end with the frame', () => {
    const ring = new FrameRing(100, 4);
    expect(ring.push(frame(0, 1), 0)).toBe(false);
    ring.push(Uint8Array.of(1, 2, 3, 9), 3);
    expect([ring.word(0), ring.word(1), ring.word(2)]).toEqual([0x0102, 0x0203, 0]);
  });

  test('gives back what it took, in order, whatever the sizes, and says no only when it is full', () => {
    const step = fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant('take' as const));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const ring = new FrameRing(200, 8);
        const model: Uint8Array[] = [];
        for (const [number, what] of steps.entries()) {
          if (what === 'take') {
            if (model.length > 0) expect(take(ring)).toEqual(model.shift());
          } else if (ring.push(frame(what, number & 0xff), what)) {
            model.push(frame(what, number & 0xff));
          } else {
            const held = model.reduce((sum, f) => sum + f.length, 0);
            /* Frames lie in one piece: what is cut off at the end costs less than a frame of the largest size. */
            expect(model.length === 8 || held + what + 60 > 200).toBe(true);
          }
          expect(ring.count).toBe(model.length);
        }
        for (const expected of model) expect(take(ring)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  test('is empty after it was cleared', () => {
    const ring = new FrameRing(20, 4);
    ring.push(frame(20, 1), 20);
    ring.clear();
    expect([ring.count, ring.push(frame(20, 2), 20)]).toEqual([0, true]);
    expect(take(ring)).toEqual(frame(20, 2));
  });
});

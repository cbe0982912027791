import { expect, test } from 'vitest';
import type { Clock } from '#keys/clock.ts';
import { Retiring } from '#keys/retiring.ts';
import { Timers } from '#keys/timers.ts';
import type { KeyIndex } from '#transform/cipher.ts';

/** A clock whose timers the test lets go off. */
function handClock(): { clock: Clock; pending: Set<() => void>; fire(): void } {
  const pending = new Set<() => void>();
  const after = (_: number, call: () => void): (() => void) => {
    pending.add(call);
    return () => pending.delete(call);
  };
  const fire = (): void => {
    for (const call of [...pending]) {
      pending.delete(call);
      call();
    }
  };
  return { clock: { monotonic: () => 0, wall: () => 0, after }, pending, fire };
}

test('a timer replaces the one of its name, and is gone when it went off', () => {
  const { clock, fire } = handClock();
  const timers = new Timers(clock);
  const calls: string[] = [];
  timers.after('poll', 1, () => calls.push('first'));
  timers.after('poll', 1, () => calls.push('second'));
  timers.after('ask', 1, () => calls.push('ask'));
  timers.cancel('ask');
  expect([timers.has('poll'), timers.has('ask')]).toEqual([true, false]);
  fire();
  expect(calls).toEqual(['second']);
  expect(timers.has('poll')).toBe(false);
});

test('replaced keys are released once, after their grace or at the end', () => {
  const { clock, pending, fire } = handClock();
  const timers = new Timers(clock);
  const released: number[] = [];
  const retiring = new Retiring({ release: (key) => released.push(key) }, timers, 10);
  retiring.retire([1, 2] as unknown as KeyIndex[]);
  expect(released).toEqual([]);
  fire();
  expect(released).toEqual([1, 2]);
  retiring.retire([3] as unknown as KeyIndex[]);
  timers.cancelAll();
  retiring.releaseAll();
  retiring.releaseAll();
  expect(released).toEqual([1, 2, 3]);
  expect(pending.size).toBe(0);
});

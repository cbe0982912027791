import { expect, test } from 'vitest';
import { Backoff } from '#keys/backoff.ts';

const pauses = (of: Backoff, count: number): number[] => Array.from({ length: count }, () => of.next());

test('pauses double from a second to a minute, and begin anew after a success', () => {
  const longest = new Backoff(() => 0);
  expect(pauses(longest, 8)).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  longest.reset();
  expect(pauses(longest, 2)).toEqual([1000, 2000]);
});

test('each is shortened at random by up to a half', () => {
  expect(pauses(new Backoff(() => 0.5), 3)).toEqual([750, 1500, 3000]);
});

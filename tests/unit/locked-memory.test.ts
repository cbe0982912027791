/** What is said at the start about memory that keys need: how much, how much there is, and what to set. */
import { expect, test } from 'vitest';
import { sayIn } from '#cli/messages.ts';
import { lockedMemory, warnOfMemory } from '../../gateway/locked-memory.ts';

const MIB = 1_048_576;

/** What is logged and told of. */
function warned(name: 'locked-memory' | 'no-key-room', workers: number, cipher: 'native' | 'noble', allowed: number) {
  const said: unknown[] = [];
  const log = { warn: (details: object, message: string) => said.push([message, details]) };
  const report = { emit: (...event: unknown[]) => said.push(event) };
  warnOfMemory(name, { cipher, workers }, log as never, report as never, lockedMemory(workers, allowed));
  return said;
}

test('each worker needs as much as the one before', () => {
  const [one, two, three] = [1, 2, 3].map((workers) => lockedMemory(workers).needed);
  expect(one).toBeGreaterThanOrEqual(7);
  expect(Math.abs(three - two - (two - one))).toBeLessThanOrEqual(1);
  expect(lockedMemory(2, 8 * MIB)).toMatchObject({ allowed: 8, kib: two * 1_024 });
});

test('a limit that is too low is told in words, and what to set instead', () => {
  expect(warned('locked-memory', 2, 'native', 8 * MIB)).toEqual([
    [
      'the limit of locked memory is lower than keys may need',
      { neededMiB: 14, allowedMiB: 8, set: 'LimitMEMLOCK=14M or ulimit -l 14336' },
    ],
    ['warning', 'locked-memory', { needed: 14, kib: 14_336, allowed: 8 }],
  ]);
  for (const language of ['en', 'ja'] as const) {
    for (const name of ['event-locked-memory', 'event-no-key-room'] as const) {
      const text = sayIn(language)(name, { needed: 14, kib: 14_336, allowed: 8 });
      expect(text).toMatch(/LimitMEMLOCK=14M/);
      expect(text).toMatch(/ulimit -l 14336/);
    }
  }
});

test('what is enough, or unlimited, or not locked at all is no news', () => {
  expect(warned('locked-memory', 2, 'native', 14 * MIB)).toEqual([]);
  expect(warned('locked-memory', 64, 'native', Number.POSITIVE_INFINITY)).toEqual([]);
  expect(warned('locked-memory', 2, 'noble', 0)).toEqual([]);
});

test('that a worker had no room is told in any case', () => {
  expect(warned('no-key-room', 2, 'native', 14 * MIB)).toHaveLength(2);
});

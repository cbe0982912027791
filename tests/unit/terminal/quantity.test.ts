import { expect, test } from 'vitest';
import { bytes, count, duration, localTime } from '#terminal/quantity.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1_000, '1.0 kB'],
  [999_499, '999 kB'],
  [999_999, '1.0 MB'],
  [91_226_112, '91.2 MB'],
  [2.5e12, '2.5 TB'],
])('%d bytes', (n, text) => expect(bytes(n)).toBe(text));

test.each([
  [0.413, '0.41 ms', '0.41ミリ秒'],
  [999.9, '999 ms', '999ミリ秒'],
  [61_000, '1 min 1 s', '1分1秒'],
  [3_600_000, '1 h', '1時間'],
  [93_784_000, '1 d 2 h', '1日2時間'],
])('%d ms', (ms, english, japanese) => {
  expect(duration(ms, 'en')).toBe(english);
  expect(duration(ms, 'ja')).toBe(japanese);
});

test('counts are grouped, times are local, and what is no time is left alone', () => {
  expect(count(1_234_567)).toBe('1,234,567');
  expect(localTime('2026-01-05T03:00:00.000Z')).toMatch(/^2026-01-0[456] \d\d:\d\d:00$/);
  expect(localTime('soon')).toBe('soon');
});

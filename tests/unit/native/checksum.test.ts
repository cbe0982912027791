import fc from 'fast-check';
import { expect, test } from 'vitest';
import { native } from '#native/native.ts';
import { fold, sum } from '#wire/checksum.ts';

test('the example of RFC 1071 §3', () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  expect(native.checksum(bytes, 0, 8, 0)).toBe(0xddf2);
});

test('equals its readable twin at every offset, length and initial sum', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(40),
      fc.nat(40),
      fc.nat(0x7fffffff),
      (bytes, skip, cut, initial) => {
        const offset = Math.min(skip, bytes.length);
        const length = Math.max(0, bytes.length - offset - cut);
        expect(native.checksum(bytes, offset, length, initial)).toBe(fold(sum(bytes, offset, length, initial)));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('carries out of 64 bits are kept', () => {
  const ones = new Uint8Array(65_536).fill(0xff);
  expect(native.checksum(ones, 0, 65_535, 0)).toBe(fold(sum(ones, 0, 65_535, 0)));
  expect(native.checksum(ones, 0, 65_536, 0x7fffffff)).toBe(fold(sum(ones, 0, 65_536, 0x7fffffff)));
  expect(native.checksum(new Uint8Array(64), 0, 64, 0)).toBe(0);
});

test('a range outside the bytes is refused', () => {
  const bytes = new Uint8Array(10);
  expect(() => native.checksum(bytes, 5, 6, 0)).toThrow(RangeError);
  expect(() => native.checksum(bytes, -1, 1, 0)).toThrow(/offset/);
  expect(() => native.checksum(bytes, 0, 1.5, 0)).toThrow(/length/);
  expect(() => native.checksum(new Int32Array(4) as unknown as Uint8Array, 0, 1, 0)).toThrow(TypeError);
});

/** The sum of `checksum.c`, which sum jobs give JavaScript. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { native } from '#native/native.ts';
import { J_STATUS, OP_SUM } from '#transform/cipher.ts';
import { fold, sum } from '#wire/checksum.ts';

function nativeSum(bytes: Uint8Array, offset: number, length: number, initial: number): number {
  const job = Int32Array.of(OP_SUM, 0, offset, 0, length, initial, 0, 0, 0, 0, 0, -1);
  native.runJobs(bytes, job, 1);
  return job[J_STATUS];
}

test('the example of RFC 1071 §3', () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  expect(nativeSum(bytes, 0, 8, 0)).toBe(0xddf2);
});

test('equals its readable twin at every offset, length and initial sum', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 300 }),
      fc.nat(40),
      fc.nat(40),
      fc.nat(0xffffffff),
      (bytes, skip, cut, initial) => {
        const offset = Math.min(skip, bytes.length);
        const length = Math.max(0, bytes.length - offset - cut);
        expect(nativeSum(bytes, offset, length, initial)).toBe(fold(sum(bytes, offset, length, initial)));
      },
    ),
    { numRuns: 2_000 },
  );
});

test('carries out of 64 bits are kept', () => {
  const ones = new Uint8Array(65_536).fill(0xff);
  expect(nativeSum(ones, 0, 65_535, 0)).toBe(fold(sum(ones, 0, 65_535, 0)));
  expect(nativeSum(ones, 0, 65_536, 0xffffffff)).toBe(fold(sum(ones, 0, 65_536, 0xffffffff)));
  expect(nativeSum(new Uint8Array(64), 0, 64, 0)).toBe(0);
});

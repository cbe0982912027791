/** What length-preserving jobs and masks are refused for, before any job of the batch runs, by both providers alike. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AES_256_GCM,
  type CipherProvider,
  J_AAD,
  J_AAD_LENGTH,
  J_DST,
  J_KEY,
  J_LENGTH,
  J_OP,
  J_SEGMENT,
  J_SHORT_KEY,
  J_SRC,
  J_STATUS,
  J_STRIDE,
  type KeyIndex,
  OP_DECIPHER,
  OP_ENCIPHER,
  OP_MASK,
  OP_SEAL,
  STATUS_OK,
  TWEAK_MAX,
} from '#transform/cipher.ts';
import { type Keyed, keyed } from './length-jobs.ts';
import { PROVIDERS, text } from './providers-list.ts';

const SIZE = 4096;
const INT_MIN = -0x8000_0000;
const INT_MAX = 0x7fff_ffff;

describe.each(PROVIDERS)('%s', (_, create) => {
  let provider: CipherProvider;
  let keys: Keyed;
  let aead: KeyIndex;
  let plain: KeyIndex;
  beforeAll(() => {
    provider = create();
    keys = keyed(provider, new Uint8Array(32).fill(1));
    plain = provider.importKey(new Uint8Array(32).fill(2));
    aead = provider.expandAead(plain, text('aead'), AES_256_GCM);
  });
  afterAll(() => provider.close());

  let slab: Uint8Array;
  let job: Int32Array;
  /** Two segments of 50 bytes and tweak at 400; also right as a mask's when J_KEY is. */
  beforeEach(() => {
    slab = new Uint8Array(SIZE).fill(0xa5);
    job = Int32Array.of(OP_ENCIPHER, keys.wide, 0, 200, 100, 400, 20, keys.short, 50, 0, 0, -1);
    expect(job).toHaveLength(J_STRIDE);
  });

  /** The faulty job stands before and behind one that is right: none of the two may run. */
  function expectRefused(op: number, changes: readonly (readonly [number, number])[], message?: RegExp): void {
    job[J_OP] = op;
    job[J_KEY] = op === OP_MASK ? keys.mask : keys.wide;
    const untouched = slab.slice();
    for (const position of [0, 1]) {
      const batch = new Int32Array([...job, ...job]);
      for (const [column, value] of changes) batch[position * J_STRIDE + column] = value;
      const before = batch.slice();
      expect(() => provider.run(slab, batch, 2)).toThrow(RangeError);
      expect(() => provider.run(slab, batch, 2)).toThrow(`job ${position}: `);
      if (message !== undefined) expect(() => provider.run(slab, batch, 2)).toThrow(message);
      expect(batch).toEqual(before);
      expect(slab).toEqual(untouched);
    }
    job[J_STATUS] = -1;
    provider.run(slab, job, 1);
    expect(job[J_STATUS]).not.toBe(-1);
  }

  const ranges: readonly (readonly [string, readonly (readonly [number, number])[], RegExp])[] = [
    ['a source behind the slab', [[J_SRC, SIZE - 99]], /J_SRC/],
    ['a negative source', [[J_SRC, -1]], /J_SRC/],
    ['a source whose end overflows', [[J_SRC, INT_MAX]], /J_SRC/],
    ['a negative length', [[J_LENGTH, -1]], /J_LENGTH/],
    ['the largest length', [[J_LENGTH, INT_MAX]], /J_LENGTH/],
    ['a tweak behind the slab', [[J_AAD, SIZE - 19]], /J_AAD/],
    ['a negative tweak', [[J_AAD, -1]], /J_AAD/],
    ['a negative length of it', [[J_AAD_LENGTH, -1]], /J_AAD_LENGTH/],
    ['a length of it that overflows', [[J_AAD_LENGTH, INT_MAX]], /J_AAD_LENGTH/],
    ['a key that was never given', [[J_KEY, 0x7fff_fff0]], /J_KEY/],
    ['key 0', [[J_KEY, 0]], /J_KEY/],
    ['a negative key', [[J_KEY, INT_MIN]], /J_KEY/],
  ];
  it.each(ranges)('refuses %s', (_name, changes, message) => {
    for (const op of [OP_ENCIPHER, OP_DECIPHER, OP_MASK]) expectRefused(op, changes, message);
  });

  const faults: readonly (readonly [string, readonly (readonly [number, number])[], RegExp])[] = [
    ['a destination behind the slab', [[J_DST, SIZE - 99]], /J_DST/],
    ['a negative destination', [[J_DST, -100]], /J_DST/],
    ['a destination whose end overflows', [[J_DST, INT_MAX - 10]], /J_DST/],
    ['source and destination that overlap by one byte', [[J_DST, 99]], /overlap/],
    ['a destination inside the source', [[J_SRC, 150]], /overlap/],
    ['a tweak inside the destination', [[J_AAD, 299]], /overlap/],
    ['a tweak that ends in the destination', [[J_AAD, 181]], /overlap/],
    ['a negative segment', [[J_SEGMENT, -1]], /J_SEGMENT/],
    ['the most negative segment', [[J_SEGMENT, INT_MIN]], /J_SEGMENT/],
    ['a tweak that is too long', [[J_AAD_LENGTH, TWEAK_MAX + 1]], /TWEAK_MAX/],
    ['several segments and a tweak that ends before the sequence number does', [[J_AAD_LENGTH, 11]], /sequence/],
    ['several segments and no tweak', [[J_AAD_LENGTH, 0]], /sequence/],
  ];
  it.each(faults)('refuses %s', (_name, changes, message) => {
    for (const op of [OP_ENCIPHER, OP_DECIPHER]) expectRefused(op, changes, message);
  });

  it('asks for an FF1 key exactly where a segment has fewer than 16 bytes', () => {
    const short: readonly (readonly [number, number])[] = [
      [100, 33] /* rest of 1 */,
      [100, 85] /* rest of 15 */,
      [15, 0],
      [1, 0],
      [30, 15],
      [31, 15],
      [3, 1000],
    ];
    for (const [length, segment] of short) {
      for (const key of [0, keys.wide, keys.mask, aead, plain, 0x7fff_fff0]) {
        job.set([length, 400, 20, key, segment], J_LENGTH);
        expect(() => provider.run(slab, job, 1), `${length} by ${segment}`).toThrow(/J_SHORT_KEY/);
      }
    }
    expect(slab.every((b) => b === 0xa5)).toBe(true);
    const long: readonly (readonly [number, number])[] = [
      [0, 0],
      [0, 1],
      [16, 0],
      [32, 16],
      [33, 17],
      [100, 50],
      [100, 84],
      [100, 1000],
    ];
    for (const [length, segment] of long) {
      job.set([length, 400, 20, 0, segment], J_LENGTH);
      job[J_STATUS] = -1;
      provider.run(slab, job, 1);
      expect(job[J_STATUS], `${length} by ${segment}`).toBe(STATUS_OK);
    }
  });

  it('refuses keys of another kind, for every operation', () => {
    for (const [op, right] of [
      [OP_ENCIPHER, keys.wide],
      [OP_DECIPHER, keys.wide],
      [OP_MASK, keys.mask],
      [OP_SEAL, aead],
    ]) {
      for (const key of [keys.wide, keys.short, keys.mask, aead, plain]) {
        const made = Int32Array.of(op, key, 0, 200, 100, 400, 20, op === OP_SEAL ? 500 : keys.short, 16, 0, 0, -1);
        if (key === right) provider.run(slab, made, 1);
        else expect(() => provider.run(slab, made, 1)).toThrow(/J_KEY/);
      }
    }
  });

  it('refuses released keys', () => {
    const gone = keyed(provider, new Uint8Array(32).fill(3));
    job.set([OP_ENCIPHER, gone.wide, 0, 200, 90, 400, 20, gone.short, 80]);
    const mask = Int32Array.of(OP_MASK, gone.mask, 0, 0, 10, 400, 20, 0, 0, 0, 0, -1);
    provider.run(slab, job, 1);
    provider.run(slab, mask, 1);
    provider.release(gone.mask);
    expect(() => provider.run(slab, mask, 1)).toThrow(/released/);
    provider.release(gone.short);
    expect(() => provider.run(slab, job, 1)).toThrow(/released/);
    job[J_SHORT_KEY] = keys.short;
    provider.run(slab, job, 1);
    provider.release(gone.wide);
    expect(() => provider.run(slab, job, 1)).toThrow(/released/);
    expect(() => provider.release(gone.wide)).toThrow(RangeError);
  });

  it('these keys serve for jobs only: they are neither hashed with, nor granted, nor expanded', () => {
    for (const key of [keys.wide, keys.short, keys.mask]) {
      for (const use of [
        () => provider.mac(key, text('x')),
        () => provider.grant(key),
        () => provider.expand(key, text('x')),
        () => provider.expandWide(key, text('x')),
        () => provider.expandShort(key, text('x')),
        () => provider.expandMask(key, text('x')),
        () => provider.publicKey(key),
      ]) {
        expect(use).toThrow(/serves for something else/);
      }
    }
    expect(() => provider.expandWide(0x7fff_fff0 as KeyIndex, text('x'))).toThrow(RangeError);
    expect(() => provider.expandShort(plain, 'x' as never)).toThrow(TypeError);
    expect(() => provider.expandMask('x' as never, text('x'))).toThrow(TypeError);
  });

  it('a mask reads tweak and data that overlap, and writes nothing', () => {
    const mask = Int32Array.of(OP_MASK, keys.mask, 0, 0, 100, 50, 300, 0, 0, 0, 0, -1);
    provider.run(slab, mask, 1);
    expect(mask[J_STATUS] & 0xffff).toBe(mask[J_STATUS]);
    expect(slab.every((b) => b === 0xa5)).toBe(true);
  });

  it('empty data at the end of the slab is no special case', () => {
    job.set([OP_ENCIPHER, keys.wide, SIZE, SIZE, 0, SIZE, 0, 0, 0]);
    provider.run(slab, job, 1);
    expect(job[J_STATUS]).toBe(STATUS_OK);
    job.set([OP_MASK, keys.mask, SIZE, 0, 0, SIZE, 0]);
    provider.run(slab, job, 1);
    expect(job[J_STATUS] & 0xffff).toBe(job[J_STATUS]);
    expect(slab.every((b) => b === 0xa5)).toBe(true);
  });
});

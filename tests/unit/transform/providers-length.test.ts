/**
 * Length-preserving jobs: published values, both providers equal byte for byte at every length, and what a change does.
 */
import { randomInt } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { FF1 } from '@noble/ciphers/ff1.js';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { J_STRIDE, OP_DECIPHER, OP_ENCIPHER, TWEAK_MAX, TWEAK_SEQUENCE } from '#transform/cipher.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { decipherShort, encipherShort } from '#transform/providers/noble-short.ts';
import { decipherWide, encipherWide, hashedKey, maskOf as plainMask } from '#transform/providers/noble-wide.ts';
import { HCTR2_VECTORS, type Hctr2Vector } from './hctr2-vectors.ts';
import { decipher, encipher, type Keyed, keyed, maskOf, noise } from './length-jobs.ts';
import { bytes, hex, PROVIDERS } from './providers-list.ts';

const seed = randomInt(0x7fffffff);
const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

describe('published values, by the readable twin', () => {
  const every = new URL('../../../../shared/vectors/hctr2-aes256.json', import.meta.url);
  const vectors: readonly Hctr2Vector[] = existsSync(every)
    ? [...HCTR2_VECTORS, ...(JSON.parse(readFileSync(every, 'utf8')) as { cases: Hctr2Vector[] }).cases]
    : HCTR2_VECTORS;

  it('HCTR2-AES-256, both directions', () => {
    for (const { key, tweak, plaintext, ciphertext } of vectors) {
      const wide = { kind: 'wide' as const, ...hashedKey(bytes(key)) };
      expect(hex(encipherWide(wide, bytes(tweak), bytes(plaintext)))).toBe(ciphertext);
      expect(hex(decipherWide(wide, bytes(tweak), bytes(ciphertext)))).toBe(plaintext);
    }
  });

  it('FF1-AES-256, NIST sample 7; nibbles and bytes are its numerals, the first one first', () => {
    const key = bytes('2b7e151628aed2a6abf7158809cf4f3cef4359d8d580aa4f7f036d6f04fc6a94');
    expect(FF1(10, key).encrypt([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])).toEqual([6, 6, 5, 7, 6, 6, 7, 0, 0, 9]);
    const tweak = bytes('39383736353433323130');
    const two = encipherShort({ kind: 'short', key }, tweak, bytes('1234'));
    expect([...hex(two)].map((digit) => Number.parseInt(digit, 16))).toEqual(FF1(16, key, tweak).encrypt([1, 2, 3, 4]));
    const three = encipherShort({ kind: 'short', key }, tweak, bytes('fe1234'));
    expect([...three]).toEqual(FF1(256, key, tweak).encrypt([0xfe, 0x12, 0x34]));
    expect(hex(decipherShort({ kind: 'short', key }, tweak, two))).toBe('1234');
  });

  /* Computed by a program of its own, from the paragraph in docs/transforms.md. */
  it.each([
    ['', '', 0x1f92],
    ['', '616263', 0xa38a],
    ['616263', '', 0xbeed],
    [
      hex(Uint8Array.from({ length: 20 }, (_, i) => i)),
      hex(Uint8Array.from({ length: 37 }, (_, i) => 100 + i)),
      0xa51e,
    ],
  ])('the mask of %s and %s', (aad, data, mask) => {
    const key = hashedKey(Uint8Array.from({ length: 32 }, (_, i) => i));
    expect(plainMask({ kind: 'mask', ...key }, bytes(aad), bytes(data))).toBe(mask);
  });
});

describe('native and noble', () => {
  const prk = noise(seed, 32);
  let native: Keyed;
  let noble: Keyed;
  beforeAll(() => {
    native = keyed(createNativeProvider(), prk);
    noble = keyed(createNobleProvider(), prk);
  });
  afterAll(() => {
    native.provider.close();
    noble.provider.close();
  });

  const check = (tweak: Uint8Array, data: Uint8Array, inPlace: boolean): void => {
    const where = `length ${data.length}, tweak of ${tweak.length}, seed ${seed}`;
    const cut = { inPlace };
    const sealed = encipher(native, tweak, data, cut);
    if (!same(sealed, encipher(noble, tweak, data, cut))) expect.fail(`enciphering differs: ${where}`);
    const opened = decipher(noble, tweak, sealed, cut);
    if (!same(opened, data) || !same(opened, decipher(native, tweak, sealed, cut))) {
      expect.fail(`deciphering differs: ${where}`);
    }
  };

  it('are equal at every length from 0 to 4200, both directions', () => {
    for (let length = 0; length <= 4200; length++) {
      check(noise(seed + length, length % 61), noise(seed - length, length), (length & 1) === 0);
    }
  }, 60_000);

  it('are equal at lengths to 70,000 that leave every remainder by 16 and by 128', () => {
    const data = noise(seed, 70_000);
    for (let i = 0; i < 256; i++) {
      const about = 4200 + ((seed + i * 7919) % 65_600);
      const length = about - (about % 128) + (i % 128);
      check(noise(seed + i, 40), data.subarray(data.length - length), (i & 1) === 0);
    }
    check(noise(seed, 40), data, true);
  }, 60_000);

  it('native opens what it made at every length to 70,000', () => {
    const plain = noise(seed, 70_000);
    const slab = new Uint8Array(70_100);
    const jobs = new Int32Array(2 * J_STRIDE);
    for (let length = 4200; length <= 70_000; length++) {
      slab.set(plain.subarray(0, length), 100);
      jobs.set([OP_ENCIPHER, native.wide, 100, 100, length, 0, 40, native.short, 0, 0, 0, -1]);
      jobs.copyWithin(J_STRIDE, 0, J_STRIDE);
      jobs[J_STRIDE] = OP_DECIPHER;
      native.provider.run(slab, jobs, 1);
      if (same(slab.subarray(100, 132), plain.subarray(0, 32))) expect.fail(`not enciphered: length ${length}`);
      native.provider.run(slab, jobs.subarray(J_STRIDE), 1);
      if (!same(slab.subarray(100, 100 + length), plain.subarray(0, length))) {
        expect.fail(`length ${length}, seed ${seed}`);
      }
    }
  }, 120_000);

  it('are equal for tweaks of every length', () => {
    for (let length = 0; length <= TWEAK_MAX; length++) {
      for (const size of [1, 2, 3, 8, 15, 16, 100]) check(noise(seed + length, length), noise(length, size), true);
    }
  });

  it('are equal for every value of one byte, and it is a permutation', () => {
    for (const tweak of [noise(seed, 0), noise(seed, 40)]) {
      const images = new Set<number>();
      for (let value = 0; value < 256; value++) {
        check(tweak, Uint8Array.of(value), false);
        images.add(encipher(native, tweak, Uint8Array.of(value))[0]);
      }
      expect(images.size).toBe(256);
    }
  });

  it('are equal for jobs of several segments', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 41, max: 1500 })),
        fc.integer({ min: TWEAK_SEQUENCE + 4, max: 64 }),
        fc.boolean(),
        fc.nat(),
        (length, segment, tweakLength, inPlace, start) => {
          const data = noise(start, segment < 16 ? Math.min(length, 200) : length);
          const tweak = noise(start + 1, tweakLength);
          const sealed = encipher(native, tweak, data, { segment, inPlace });
          expect(same(sealed, encipher(noble, tweak, data, { segment, inPlace }))).toBe(true);
          expect(same(decipher(native, tweak, sealed, { segment, inPlace }), data)).toBe(true);
          expect(same(decipher(noble, tweak, sealed, { segment, inPlace }), data)).toBe(true);
        },
      ),
      { numRuns: 150, seed },
    );
  });

  it('give the same masks', () => {
    for (let length = 0; length <= 600; length++) {
      for (const aadLength of [0, length % 70]) {
        const aad = noise(seed + length, aadLength);
        const data = noise(seed - length, length);
        expect([length, maskOf(native, aad, data)]).toEqual([length, maskOf(noble, aad, data)]);
      }
    }
    const long = noise(seed, 65_535);
    expect(maskOf(native, long.subarray(0, 60), long)).toBe(maskOf(noble, long.subarray(0, 60), long));
  });
});

describe.each(PROVIDERS)('%s', (_, create) => {
  let keys: Keyed;
  let other: Keyed;
  beforeAll(() => {
    const provider = create();
    keys = keyed(provider, noise(seed, 32));
    other = keyed(provider, noise(seed, 32), 'other');
  });
  afterAll(() => keys.provider.close());

  /** A superpacket of 10 segments of 1,448 bytes and a rest. */
  const tweak = noise(seed, 40);
  const withSequence = (sequence: number): Uint8Array => {
    const out = tweak.slice();
    new DataView(out.buffer).setUint32(TWEAK_SEQUENCE, sequence);
    return out;
  };

  it.each([
    ['a rest for HCTR2', 777, 0x1000],
    ['a rest for FF1', 9, 0x1000],
    ['no rest', 0, 0x1000],
    ['a sequence number that wraps', 100, 0xffff_ff00],
  ])(
    'a job of several segments is so many jobs of one, each with its own sequence number: %s',
    (_name, rest, first) => {
      const segment = 1448;
      const data = noise(seed + rest, 10 * segment + rest);
      const whole = encipher(keys, withSequence(first), data, { segment });
      for (let at = 0; at < data.length; at += segment) {
        const one = encipher(keys, withSequence((first + at) >>> 0), data.subarray(at, at + segment));
        expect([at, same(one, whole.subarray(at, at + segment))]).toEqual([at, true]);
      }
      expect(same(decipher(keys, withSequence(first), whole, { segment }), data)).toBe(true);
    },
  );

  it('a segment as long as the data, or longer, is one segment', () => {
    const data = noise(seed, 1000);
    const one = encipher(keys, tweak, data);
    expect(same(one, encipher(keys, tweak, data, { segment: 1000 }))).toBe(true);
    expect(same(one, encipher(keys, tweak, data, { segment: 0x7fff_ffff }))).toBe(true);
    expect(same(one, encipher(keys, tweak, data, { segment: 999 }))).toBe(false);
  });

  it('in place, apart and again gives the same', () => {
    for (const length of [1, 2, 5, 15, 16, 17, 300, 1448]) {
      const data = noise(seed + length, length);
      const apart = encipher(keys, tweak, data);
      expect(same(apart, encipher(keys, tweak, data, { inPlace: true }))).toBe(true);
      expect(same(apart, encipher(keys, tweak, data))).toBe(true);
    }
  });

  /* Noise: half of all bits differ. Of 1,448 bytes that is 5792 ± 54; ten deviations fail once in 10^22 runs. For every
   * tenth part of the payload the same bound holds, so that no part is spared. */
  const expectNoise = (a: Uint8Array, b: Uint8Array): void => {
    const part = Math.ceil(a.length / 10);
    for (let from = 0; from < a.length; from += part) {
      let different = 0;
      const end = Math.min(a.length, from + part);
      for (let i = from; i < end; i++) for (let x = a[i] ^ b[i]; x !== 0; x &= x - 1) different++;
      const bits = 8 * (end - from);
      expect(Math.abs(different - bits / 2), `seed ${seed}, from ${from}`).toBeLessThan(10 * Math.sqrt(bits / 4));
    }
  };

  it('any flipped bit, of either direction, and any change of key or tweak makes noise of the whole payload', () => {
    const data = noise(seed, 1448);
    const sealed = encipher(keys, tweak, data);
    expectNoise(sealed, data);
    for (const bit of [0, 127, 128, 5000, 1447 * 8, 1448 * 8 - 1]) {
      const changed = sealed.slice();
      changed[bit >> 3] ^= 1 << (bit & 7);
      expectNoise(decipher(keys, tweak, changed), data);
      const input = data.slice();
      input[bit >> 3] ^= 1 << (bit & 7);
      expectNoise(encipher(keys, tweak, input), sealed);
    }
    expectNoise(decipher(other, tweak, sealed), data);
    for (const place of [0, 16, 39]) expectNoise(decipher(keys, tweak.with(place, tweak[place] ^ 0x80), sealed), data);
    expectNoise(decipher(keys, tweak.subarray(0, 39), sealed), data);
    expectNoise(decipher(keys, new Uint8Array([...tweak, 0]), sealed), data);
  });

  it('a short segment changes with its key, its tweak and each of its bits', () => {
    const data = noise(seed, 12);
    const sealed = encipher(keys, tweak, data);
    expect(same(encipher(other, tweak, data), sealed)).toBe(false);
    for (const place of [0, 39]) {
      expect(same(encipher(keys, tweak.with(place, tweak[place] ^ 1), data), sealed)).toBe(false);
    }
    for (let bit = 0; bit < 96; bit++) {
      const input = data.slice();
      input[bit >> 3] ^= 1 << (bit & 7);
      const differing = encipher(keys, tweak, input).filter((byte, i) => byte !== sealed[i]).length;
      expect(differing, `seed ${seed}, bit ${bit}`).toBeGreaterThan(6);
    }
  });

  it('a mask tells aad from data, takes each bit and each length into account, and fits in 16 bits', () => {
    const aad = noise(seed, 40);
    const data = noise(seed + 1, 100);
    const masks = new Map<string, number>();
    masks.set('plain', maskOf(keys, aad, data));
    for (let bit = 0; bit < 320; bit += 5) {
      masks.set(`aad ${bit}`, maskOf(keys, aad.with(bit >> 3, aad[bit >> 3] ^ (1 << (bit & 7))), data));
    }
    for (let bit = 0; bit < 800; bit += 5) {
      masks.set(`data ${bit}`, maskOf(keys, aad, data.with(bit >> 3, data[bit >> 3] ^ (1 << (bit & 7)))));
    }
    masks.set('key', maskOf(other, aad, data));
    for (const value of masks.values()) expect(value & 0xffff).toBe(value);
    /* Of 226 masks at most a few are equal by chance: 0.4 pairs are expected. */
    expect(new Set(masks.values()).size, `seed ${seed}`).toBeGreaterThan(masks.size - 8);
    /* The same bytes on the other side of the border, and zeros that padding would add. */
    const framed = Array.from({ length: 33 }, (_v, i) => maskOf(keys, new Uint8Array(i), new Uint8Array(32 - i)));
    expect(new Set(framed).size, `seed ${seed}`).toBeGreaterThan(28);
    const padded = Array.from({ length: 33 }, (_v, i) => maskOf(keys, new Uint8Array(0), new Uint8Array(i)));
    expect(new Set(padded).size, `seed ${seed}`).toBeGreaterThan(28);
  });
});

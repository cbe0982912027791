/**
 * FF1 with AES-256 (NIST SP 800-38G) for segments of 1 to 15 bytes: the readable twin of `gateway/native/ff1.c`.
 *
 * 3 bytes and more are numerals of radix 256; 1 and 2 bytes are 2 and 4 numerals of radix 16, high nibble first. So few
 * values hide nothing from whoever sees many of them: below 3 bytes this is obfuscation only.
 */
import { FF1 } from '@noble/ciphers/ff1.js';

/** 32 bytes of AES key. */
export interface ShortKey {
  readonly kind: 'short';
  readonly key: Uint8Array;
}

export function encipherShort({ key }: ShortKey, tweak: Uint8Array, plaintext: Uint8Array): Uint8Array {
  return fromNumerals(FF1(radixOf(plaintext), key, tweak).encrypt(toNumerals(plaintext)), plaintext.length);
}

export function decipherShort({ key }: ShortKey, tweak: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  return fromNumerals(FF1(radixOf(ciphertext), key, tweak).decrypt(toNumerals(ciphertext)), ciphertext.length);
}

function radixOf(data: Uint8Array): number {
  return data.length < 3 ? 16 : 256;
}

function toNumerals(data: Uint8Array): number[] {
  return data.length < 3 ? [...data].flatMap((byte) => [byte >> 4, byte & 15]) : [...data];
}

function fromNumerals(numerals: readonly number[], length: number): Uint8Array {
  if (length >= 3) return Uint8Array.from(numerals);
  return Uint8Array.from({ length }, (_, i) => (numerals[2 * i] << 4) | numerals[2 * i + 1]);
}

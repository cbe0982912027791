/**
 * HCTR2 with AES-256 (Crowley, Huckleberry, Biggers, "Length-preserving encryption with HCTR2", 2021) in plain
 * TypeScript: the readable twin of `gateway/native/hctr2.c`. The mask of a keyed checksum stands beside it, because it
 * is made of the same two parts.
 *
 *   P = M ‖ N, M the first block          MM = M ⊕ H(T, N)     UU = E(MM)     S = MM ⊕ UU ⊕ L
 *   V = N ⊕ XCTR(S)                       U = UU ⊕ H(T, V)     C = U ‖ V
 */
import { polyval } from '@noble/ciphers/_polyval.js';
import { ecb } from '@noble/ciphers/aes.js';

const BLOCK = 16;

/** What HCTR2 and the mask need beside the AES key: both are derived from it alone. */
export interface HashedKey {
  readonly key: Uint8Array;
  /** h = E(0), the key of POLYVAL. */
  readonly hash: Uint8Array;
  /** L = E(1). */
  readonly whitening: Uint8Array;
}

export interface WideKey extends HashedKey {
  readonly kind: 'wide';
}

export interface MaskKey extends HashedKey {
  readonly kind: 'mask';
}

/** h and L of a 32-byte AES key (HCTR2, figure 1). */
export function hashedKey(key: Uint8Array): HashedKey {
  return { key, hash: encrypt(key, littleEndian(0n)), whitening: encrypt(key, littleEndian(1n)) };
}

/** Ciphertext of 16 bytes or more. */
export function encipherWide(key: WideKey, tweak: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const rest = plaintext.subarray(BLOCK);
  const mm = xor(plaintext.subarray(0, BLOCK), hash(key, tweak, rest));
  const uu = encrypt(key.key, mm);
  const v = xor(rest, xctr(key.key, xor(xor(mm, uu), key.whitening), rest.length));
  return join(xor(uu, hash(key, tweak, v)), v);
}

/** The plaintext that `encipherWide` had. */
export function decipherWide(key: WideKey, tweak: Uint8Array, ciphertext: Uint8Array): Uint8Array {
  const v = ciphertext.subarray(BLOCK);
  const uu = xor(ciphertext.subarray(0, BLOCK), hash(key, tweak, v));
  const mm = decrypt(key.key, uu);
  const n = xor(v, xctr(key.key, xor(xor(mm, uu), key.whitening), v.length));
  return join(xor(mm, hash(key, tweak, n)), n);
}

/**
 * The 16 bits of OP_MASK: the first two bytes, big-endian, of E(L ⊕ POLYVAL(h, X)) with
 * X = [length of aad]64 ‖ [length of data]64 ‖ pad(aad) ‖ pad(data), lengths in bytes and little-endian.
 */
export function maskOf(key: MaskKey, aad: Uint8Array, data: Uint8Array): number {
  const lengths = littleEndian((BigInt(data.length) << 64n) | BigInt(aad.length));
  const sum = polyval(join(lengths, pad(aad), pad(data)), key.hash);
  const out = encrypt(key.key, xor(sum, key.whitening));
  return (out[0] << 8) | out[1];
}

/** H(T, M) (HCTR2, figure 1): the first block tells the tweak's length in bits and whether M fills its last block. */
function hash(key: WideKey, tweak: Uint8Array, message: Uint8Array): Uint8Array {
  const whole = message.length % BLOCK === 0;
  const first = littleEndian(BigInt(2 * 8 * tweak.length + (whole ? 2 : 3)));
  const last = whole ? message : pad(join(message, Uint8Array.of(1)));
  return polyval(join(first, pad(tweak), last), key.hash);
}

/** `length` bytes of E(S ⊕ 1) ‖ E(S ⊕ 2) ‖ …, counters little-endian (HCTR2, figure 1: XCTR). */
function xctr(key: Uint8Array, s: Uint8Array, length: number): Uint8Array {
  const blocks = Math.ceil(length / BLOCK);
  const counters = new Uint8Array(blocks * BLOCK);
  const view = new DataView(counters.buffer);
  for (let i = 0; i < blocks; i++) {
    counters.set(s, i * BLOCK);
    view.setUint32(i * BLOCK, view.getUint32(i * BLOCK, true) ^ (i + 1), true);
  }
  return ecb(key, { disablePadding: true }).encrypt(counters).subarray(0, length);
}

function encrypt(key: Uint8Array, block: Uint8Array): Uint8Array {
  return ecb(key, { disablePadding: true }).encrypt(block);
}

function decrypt(key: Uint8Array, block: Uint8Array): Uint8Array {
  return ecb(key, { disablePadding: true }).decrypt(block);
}

function xor(a: Uint8Array, b: Uint8Array): Uint8Array {
  const out = a.slice();
  for (let i = 0; i < out.length; i++) out[i] ^= b[i];
  return out;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** With zeros to a whole number of blocks. */
function pad(data: Uint8Array): Uint8Array {
  return join(data, new Uint8Array(-data.length & (BLOCK - 1)));
}

/** 128 bits. */
function littleEndian(value: bigint): Uint8Array {
  const out = new Uint8Array(BLOCK);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, value), true);
  view.setBigUint64(8, value >> 64n, true);
  return out;
}

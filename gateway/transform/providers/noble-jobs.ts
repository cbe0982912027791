/** Cipher jobs in plain TypeScript: the readable twin of `gateway/native/cipher.c`, rule for rule. */
import { ctr, gcm } from '@noble/ciphers/aes.js';
import { chacha20, chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { fold, sum } from '#wire/checksum.ts';
import {
  AES_256_GCM,
  type AeadAlgorithm,
  J_AAD,
  J_AAD_LENGTH,
  J_DST,
  J_KEY,
  J_LENGTH,
  J_NUMBER_HIGH,
  J_NUMBER_LOW,
  J_OP,
  J_SEGMENT,
  J_SHORT_KEY,
  J_SRC,
  J_STATUS,
  J_STRIDE,
  J_TAG,
  J_TAG_LENGTH,
  OP_ENCIPHER,
  OP_MASK,
  OP_OPEN,
  OP_SEAL,
  OP_SUM,
  STATUS_FORGED,
  STATUS_OK,
  TWEAK_MAX,
  TWEAK_SEQUENCE,
  WIDE_FROM,
} from '../cipher.ts';
import { decipherShort, encipherShort, type ShortKey } from './noble-short.ts';
import { decipherWide, encipherWide, type MaskKey, maskOf, type WideKey } from './noble-wide.ts';

/** An AEAD key as this provider holds it: 32 bytes key, 4 bytes salt. */
export interface AeadKey {
  readonly kind: 'aead';
  readonly algorithm: AeadAlgorithm;
  readonly key: Uint8Array;
  readonly salt: Uint8Array;
}

export type JobKey = AeadKey | WideKey | ShortKey | MaskKey;

/** The key for jobs that an index names, undefined when it names none. */
export type FindKey = (index: number) => JobKey | undefined;

/** Checks all jobs, then runs them in order. Throws RangeError or TypeError, having run none. */
export function runJobs(find: FindKey, slab: Uint8Array, jobs: Int32Array, count: number): void {
  if (!(slab instanceof Uint8Array)) throw new TypeError('slab: Uint8Array expected');
  if (!(jobs instanceof Int32Array)) throw new TypeError('jobs: Int32Array expected');
  if (typeof count !== 'number') throw new TypeError('count: number expected');
  if (!Number.isInteger(count) || count < 0) throw new RangeError('count: whole number from 0 expected');
  if (count > Math.floor(jobs.length / J_STRIDE)) throw new RangeError('count: more jobs than the array holds');
  if (count > 0 && (jobs.buffer instanceof SharedArrayBuffer || overlap(slab, jobs))) {
    throw new RangeError('jobs: memory that is neither shared nor part of the slab expected');
  }
  for (let i = 0; i < count; i++) {
    const fault = jobFault(find, slab.length, jobs.subarray(i * J_STRIDE, (i + 1) * J_STRIDE));
    if (fault !== undefined) throw new RangeError(`job ${i}: ${fault}`);
  }
  for (let i = 0; i < count; i++) runJob(find, slab, jobs.subarray(i * J_STRIDE, (i + 1) * J_STRIDE));
}

function overlap(slab: Uint8Array, jobs: Int32Array): boolean {
  return slab.buffer === jobs.buffer && !apart(slab.byteOffset, slab.byteLength, jobs.byteOffset, jobs.byteLength);
}

function fits(size: number, offset: number, length: number): boolean {
  return offset >= 0 && length >= 0 && offset + length <= size;
}

function apart(a: number, aLength: number, b: number, bLength: number): boolean {
  return aLength === 0 || bLength === 0 || a + aLength <= b || b + bLength <= a;
}

function jobFault(find: FindKey, size: number, job: Int32Array): string | undefined {
  const op = job[J_OP];
  if (op < OP_SEAL || op > OP_MASK)
    return 'J_OP is none of OP_SEAL, OP_OPEN, OP_SUM, OP_ENCIPHER, OP_DECIPHER, OP_MASK';
  const length = job[J_LENGTH];
  if (!fits(size, job[J_SRC], length)) return 'J_SRC and J_LENGTH leave the slab';
  if (op === OP_SUM) return undefined;
  if (!fits(size, job[J_AAD], job[J_AAD_LENGTH])) return 'J_AAD and J_AAD_LENGTH leave the slab';
  const key = find(job[J_KEY]);
  if (op === OP_MASK) {
    return key?.kind === 'mask' ? undefined : 'J_KEY names no mask key, or one that was released';
  }
  if (!fits(size, job[J_DST], length)) return 'J_DST and J_LENGTH leave the slab';
  if (job[J_SRC] !== job[J_DST] && !apart(job[J_SRC], length, job[J_DST], length)) {
    return 'source and destination overlap and are not equal';
  }
  if (!apart(job[J_AAD], job[J_AAD_LENGTH], job[J_DST], length)) {
    return 'authenticated data or tweak and destination overlap';
  }
  if (op === OP_SEAL || op === OP_OPEN) return aeadFault(key, size, job);
  return lengthPreservingFault(find, job);
}

function aeadFault(key: JobKey | undefined, size: number, job: Int32Array): string | undefined {
  const tagLength = job[J_TAG_LENGTH];
  if (key?.kind !== 'aead') return 'J_KEY names no AEAD key, or one that was released';
  if (tagLength !== 12 && tagLength !== 16) return 'J_TAG_LENGTH is neither 12 nor 16';
  if (!fits(size, job[J_TAG], tagLength)) return 'J_TAG and J_TAG_LENGTH leave the slab';
  if (
    !apart(job[J_TAG], tagLength, job[J_DST], job[J_LENGTH]) ||
    !apart(job[J_TAG], tagLength, job[J_AAD], job[J_AAD_LENGTH])
  ) {
    return 'tag overlaps destination or authenticated data';
  }
  return undefined;
}

function lengthPreservingFault(find: FindKey, job: Int32Array): string | undefined {
  const length = job[J_LENGTH];
  if (job[J_SEGMENT] < 0) return 'J_SEGMENT is negative';
  if (job[J_AAD_LENGTH] > TWEAK_MAX) return 'J_AAD_LENGTH is above TWEAK_MAX';
  const segment = job[J_SEGMENT] === 0 ? length : job[J_SEGMENT];
  if (length > segment && job[J_AAD_LENGTH] < TWEAK_SEQUENCE + 4) {
    return 'several segments, and J_AAD_LENGTH leaves the sequence number out of the tweak';
  }
  if (find(job[J_KEY])?.kind !== 'wide') return 'J_KEY names no HCTR2 key, or one that was released';
  const last = length > 0 ? ((length - 1) % segment) + 1 : 0;
  if (last > 0 && Math.min(last, segment) < WIDE_FROM && find(job[J_SHORT_KEY])?.kind !== 'short') {
    return 'a segment is shorter than 16 bytes, and J_SHORT_KEY names no FF1 key, or one that was released';
  }
  return undefined;
}

function runJob(find: FindKey, slab: Uint8Array, job: Int32Array): void {
  const source = slab.subarray(job[J_SRC], job[J_SRC] + job[J_LENGTH]);
  if (job[J_OP] === OP_SUM) {
    job[J_STATUS] = fold(sum(slab, job[J_SRC], job[J_LENGTH], job[J_AAD] >>> 0));
    return;
  }
  const aad = slab.subarray(job[J_AAD], job[J_AAD] + job[J_AAD_LENGTH]);
  if (job[J_OP] === OP_MASK) {
    job[J_STATUS] = maskOf(find(job[J_KEY]) as MaskKey, aad, source);
    return;
  }
  const destination = slab.subarray(job[J_DST], job[J_DST] + job[J_LENGTH]);
  if (job[J_OP] === OP_SEAL || job[J_OP] === OP_OPEN) {
    runAead(find(job[J_KEY]) as AeadKey, slab, job, source, aad, destination);
    return;
  }
  runSegments(find, job, source, aad.slice(), destination);
}

/** One segment after the other; `tweak` is a copy, whose sequence number goes along. */
function runSegments(
  find: FindKey,
  job: Int32Array,
  source: Uint8Array,
  tweak: Uint8Array,
  destination: Uint8Array,
): void {
  const wide = find(job[J_KEY]) as WideKey;
  const short = find(job[J_SHORT_KEY]) as ShortKey;
  const enciphering = job[J_OP] === OP_ENCIPHER;
  const segment = job[J_SEGMENT] === 0 ? source.length : job[J_SEGMENT];
  const view = new DataView(tweak.buffer);
  for (let at = 0; at < source.length; at += segment) {
    if (at > 0) view.setUint32(TWEAK_SEQUENCE, view.getUint32(TWEAK_SEQUENCE) + segment);
    const input = source.subarray(at, at + segment);
    if (input.length < WIDE_FROM) {
      destination.set(enciphering ? encipherShort(short, tweak, input) : decipherShort(short, tweak, input), at);
    } else {
      destination.set(enciphering ? encipherWide(wide, tweak, input) : decipherWide(wide, tweak, input), at);
    }
  }
  job[J_STATUS] = STATUS_OK;
}

function runAead(
  key: AeadKey,
  slab: Uint8Array,
  job: Int32Array,
  source: Uint8Array,
  aad: Uint8Array,
  destination: Uint8Array,
): void {
  const nonce = nonceOf(key, job[J_NUMBER_HIGH], job[J_NUMBER_LOW]);
  const tag = slab.subarray(job[J_TAG], job[J_TAG] + job[J_TAG_LENGTH]);
  if (job[J_OP] === OP_SEAL) {
    const sealed = seal(key, nonce, aad, source);
    destination.set(sealed.subarray(0, source.length));
    tag.set(sealed.subarray(source.length, source.length + tag.length));
    job[J_STATUS] = STATUS_OK;
    return;
  }
  const plaintext = open(key, nonce, aad, source, tag);
  if (plaintext === undefined) destination.fill(0);
  else destination.set(plaintext);
  job[J_STATUS] = plaintext === undefined ? STATUS_FORGED : STATUS_OK;
}

/** salt ‖ 64-bit packet number, big-endian. */
function nonceOf(key: AeadKey, high: number, low: number): Uint8Array {
  const nonce = new Uint8Array(12);
  nonce.set(key.salt);
  const view = new DataView(nonce.buffer);
  view.setInt32(4, high);
  view.setInt32(8, low);
  return nonce;
}

/** ciphertext ‖ 16-byte tag */
function seal(key: AeadKey, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
  const aead = key.algorithm === AES_256_GCM ? gcm : chacha20poly1305;
  return aead(key.key, nonce, aad).encrypt(plaintext);
}

/**
 * A library opens full tags only. A truncated one is verified by decrypting with the bare key stream, sealing again and
 * comparing the first bytes of the tag: both key streams start at block 1 of the AEAD's counter
 * (SP 800-38D 7.1: J0 + 1, with J0 = nonce ‖ 1; RFC 8439 2.8: counter 1).
 */
function open(
  key: AeadKey,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
  tag: Uint8Array,
): Uint8Array | undefined {
  const plaintext =
    key.algorithm === AES_256_GCM
      ? ctr(key.key, Uint8Array.of(...nonce, 0, 0, 0, 2)).decrypt(ciphertext)
      : chacha20(key.key, nonce, ciphertext, undefined, 1);
  const sealed = seal(key, nonce, aad, plaintext);
  let difference = 0;
  for (let i = 0; i < tag.length; i++) difference |= sealed[ciphertext.length + i] ^ tag[i];
  return difference === 0 ? plaintext : undefined;
}

/** A length-preserving job in a slab of its own, and the same job for the twin. */
import {
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
} from '#transform/cipher.ts';
import { text } from './providers-list.ts';

/** A provider with the keys of one association. */
export interface Keyed {
  readonly provider: CipherProvider;
  readonly wide: KeyIndex;
  readonly short: KeyIndex;
  readonly mask: KeyIndex;
}

/** The same `prk` gives every provider the same keys. */
export function keyed(provider: CipherProvider, prk: Uint8Array, label = 'length-preserving'): Keyed {
  const from = provider.importKey(prk.slice());
  const wide = provider.expandWide(from, text(`${label} wide`));
  const short = provider.expandShort(from, text(`${label} short`));
  const mask = provider.expandMask(from, text(`${label} mask`));
  provider.release(from);
  return { provider, wide, short, mask };
}

/** Deterministic bytes (xorshift32) that look random. */
export function noise(seed: number, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let x = (Math.imul(seed, 0x9e3779b1) ^ 0x5bd1e995) | 1;
  for (let i = 0; i < length; i++) {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    out[i] = x >>> 11;
  }
  return out;
}

const GAP = 7; /* odd: nothing is aligned */

export interface Cut {
  readonly inPlace?: boolean;
  /** J_SEGMENT */
  readonly segment?: number;
}

/** The bytes after the job. Throws when the job wrote anywhere but to its destination, or changed the tweak. */
function convert(keys: Keyed, op: number, tweak: Uint8Array, data: Uint8Array, cut: Cut): Uint8Array {
  const source = GAP + tweak.length + GAP;
  const destination = cut.inPlace === true ? source : source + data.length + GAP;
  const slab = new Uint8Array(destination + data.length + GAP).fill(0xa5);
  slab.set(tweak, GAP);
  slab.set(data, source);
  const before = slab.slice();
  const job = new Int32Array(J_STRIDE).fill(-1);
  job[J_OP] = op;
  job[J_KEY] = keys.wide;
  job[J_SHORT_KEY] = keys.short;
  job[J_SRC] = source;
  job[J_DST] = destination;
  job[J_LENGTH] = data.length;
  job[J_AAD] = GAP;
  job[J_AAD_LENGTH] = tweak.length;
  job[J_SEGMENT] = cut.segment ?? 0;
  keys.provider.run(slab, job, 1);
  if (job[J_STATUS] !== 0) throw new Error(`status ${job[J_STATUS]}`);
  const out = slab.slice(destination, destination + data.length);
  before.set(out, destination);
  if (Buffer.compare(before, slab) !== 0) throw new Error('the job wrote outside its destination');
  return out;
}

export function encipher(keys: Keyed, tweak: Uint8Array, data: Uint8Array, cut: Cut = {}): Uint8Array {
  return convert(keys, OP_ENCIPHER, tweak, data, cut);
}

export function decipher(keys: Keyed, tweak: Uint8Array, data: Uint8Array, cut: Cut = {}): Uint8Array {
  return convert(keys, OP_DECIPHER, tweak, data, cut);
}

export function maskOf(keys: Keyed, aad: Uint8Array, data: Uint8Array): number {
  const slab = new Uint8Array([...aad, ...data]);
  const job = new Int32Array(J_STRIDE).fill(-1);
  job[J_OP] = OP_MASK;
  job[J_KEY] = keys.mask;
  job[J_SRC] = aad.length;
  job[J_LENGTH] = data.length;
  job[J_AAD] = 0;
  job[J_AAD_LENGTH] = aad.length;
  keys.provider.run(slab, job, 1);
  return job[J_STATUS];
}

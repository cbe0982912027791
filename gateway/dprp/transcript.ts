/** Hashes, keys and proofs of a negotiation: docs/dprp.md § 9. */
import { hash, timingSafeEqual } from 'node:crypto';
import { FORMAT_VERSION } from '#wire/dprp.ts';
import { type DprpCrypto, type KeyHandle, NO_KEY } from './spec.ts';

const text = (label: string): Uint8Array => new TextEncoder().encode(label);

const TRANSCRIPT = text('gscip 1 transcript\0');
const CONFIRM_I = text('gscip 1 i>r confirm');
const CONFIRM_R = text('gscip 1 r>i confirm');
const STATIC_SALT = text('gscip 1 static');
const STATIC_MAC = text('gscip 1 static mac');

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export const sha256 = (...parts: readonly Uint8Array[]): Uint8Array =>
  hash('sha256', parts.length === 1 ? parts[0] : join(...parts), 'buffer');

/** In constant time; lengths are not secret. */
export const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

/** § 9.2 */
export const transcriptHash = (ddeHash: Uint8Array, rgiHash: Uint8Array, decision: Uint8Array): Uint8Array =>
  sha256(TRANSCRIPT, Uint8Array.of(FORMAT_VERSION), ddeHash, rgiHash, decision);

export interface Exchange {
  readonly groupKey: KeyHandle;
  /** Our ephemeral secret and the other end's ephemeral key. */
  readonly secret: KeyHandle;
  readonly ephemeral: Uint8Array;
  readonly nonceI: Uint8Array;
  readonly nonceR: Uint8Array;
  readonly transcript: Uint8Array;
}

export interface Derived {
  /** Belongs to the caller. */
  readonly prk: KeyHandle;
  readonly proofI: Uint8Array;
  readonly proofR: Uint8Array;
}

/** Why there is none: X25519 gives zero, or the provider has no place for a key; nothing is left behind then. */
export type Underivable = 'dprp-exchange' | 'dprp-budget';

/** § 9.3 */
export function derive(crypto: DprpCrypto, x: Exchange): Derived | Underivable {
  const prk = extractShared(crypto, x.secret, x.ephemeral, join(x.nonceI, x.nonceR), [x.groupKey]);
  if (typeof prk === 'string') return prk;
  const proofI = proofOf(crypto, prk, CONFIRM_I, x.transcript);
  const proofR = proofI && proofOf(crypto, prk, CONFIRM_R, x.transcript);
  if (proofI !== undefined && proofR !== undefined) return { prk, proofI, proofR };
  crypto.release(prk);
  return 'dprp-budget';
}

/** HKDF-Extract of `keys` and what the two ends share; the caller owns it. */
function extractShared(
  crypto: DprpCrypto,
  secret: KeyHandle,
  publicKey: Uint8Array,
  salt: Uint8Array,
  keys: readonly KeyHandle[],
): KeyHandle | Underivable {
  const shared = crypto.exchange(secret, publicKey);
  if (shared === undefined) return 'dprp-exchange';
  if (shared === NO_KEY) return 'dprp-budget';
  const prk = crypto.extract(salt, [...keys, shared]);
  crypto.release(shared);
  return prk === NO_KEY ? 'dprp-budget' : prk;
}

/** Undefined when the provider has no place for the key that it is made with. */
function proofOf(
  crypto: DprpCrypto,
  prk: KeyHandle,
  label: Uint8Array,
  transcript: Uint8Array,
): Uint8Array | undefined {
  const key = crypto.expand(prk, join(label, transcript));
  if (key === NO_KEY) return undefined;
  const proof = crypto.mac(key, transcript);
  crypto.release(key);
  return proof;
}

export interface StaticEnd {
  readonly ge: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface MacKeys {
  readonly toPeer: KeyHandle;
  readonly fromPeer: KeyHandle;
}

/** § 9.4: the MAC keys between two GEs, one per direction. The caller owns both. */
export function macKeys(
  crypto: DprpCrypto,
  staticSecret: KeyHandle,
  own: StaticEnd,
  peer: StaticEnd,
): MacKeys | Underivable {
  const prk = extractShared(crypto, staticSecret, peer.publicKey, STATIC_SALT, []);
  if (typeof prk === 'string') return prk;
  const key = (from: StaticEnd, to: StaticEnd): KeyHandle =>
    crypto.expand(prk, join(STATIC_MAC, from.ge, to.ge, from.publicKey, to.publicKey));
  const toPeer = key(own, peer);
  const fromPeer = key(peer, own);
  crypto.release(prk);
  if (toPeer !== NO_KEY && fromPeer !== NO_KEY) return { toPeer, fromPeer };
  for (const made of [toPeer, fromPeer]) if (made !== NO_KEY) crypto.release(made);
  return 'dprp-budget';
}

/** Hashes, keys and proofs of a negotiation: docs/dprp.md § 9. */
import { hash, timingSafeEqual } from 'node:crypto';
import { FORMAT_VERSION } from '#wire/dprp.ts';
import type { DprpCrypto, KeyHandle } from './spec.ts';

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

/** § 9.3. Undefined when X25519 gives zero or the provider has no place for a key; nothing is left behind then. */
export function derive(crypto: DprpCrypto, x: Exchange): Derived | undefined {
  const temporary: KeyHandle[] = [];
  let prk: KeyHandle | undefined;
  try {
    const shared = crypto.exchange(x.secret, x.ephemeral);
    if (shared === undefined) return undefined;
    temporary.push(shared);
    const extracted = crypto.extract(join(x.nonceI, x.nonceR), [x.groupKey, shared]);
    temporary.push(extracted);
    const proof = (label: Uint8Array): Uint8Array => {
      const key = crypto.expand(extracted, join(label, x.transcript));
      temporary.push(key);
      return crypto.mac(key, x.transcript);
    };
    const proofI = proof(CONFIRM_I);
    const proofR = proof(CONFIRM_R);
    prk = extracted;
    return { prk, proofI, proofR };
  } catch {
    return undefined;
  } finally {
    for (const key of temporary) if (key !== prk) crypto.release(key);
  }
}

export interface StaticEnd {
  readonly ge: Uint8Array;
  readonly publicKey: Uint8Array;
}

export interface MacKeys {
  readonly toPeer: KeyHandle;
  readonly fromPeer: KeyHandle;
}

/** § 9.4: the MAC keys between two GEs, one per direction; undefined as in `derive`. The caller owns both. */
export function macKeys(
  crypto: DprpCrypto,
  staticSecret: KeyHandle,
  own: StaticEnd,
  peer: StaticEnd,
): MacKeys | undefined {
  const temporary: KeyHandle[] = [];
  let keys: MacKeys | undefined;
  try {
    const shared = crypto.exchange(staticSecret, peer.publicKey);
    if (shared === undefined) return undefined;
    temporary.push(shared);
    const prk = crypto.extract(STATIC_SALT, [shared]);
    temporary.push(prk);
    const key = (from: StaticEnd, to: StaticEnd): KeyHandle => {
      const made = crypto.expand(prk, join(STATIC_MAC, from.ge, to.ge, from.publicKey, to.publicKey));
      temporary.push(made);
      return made;
    };
    const toPeer = key(own, peer);
    const fromPeer = key(peer, own);
    keys = { toPeer, fromPeer };
    return keys;
  } catch {
    return undefined;
  } finally {
    for (const key of temporary) if (key !== keys?.toPeer && key !== keys?.fromPeer) crypto.release(key);
  }
}

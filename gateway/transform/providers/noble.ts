/**
 * The provider in plain TypeScript: the readable twin of `native`, equal byte for byte, for machines without the addon.
 *
 * What it cannot promise: its keys are ordinary arrays on JavaScript's heap. The collector may copy them, the kernel
 * may swap them, and a memory dump of the process shows them; zeroing on release reaches only the copy at hand. Its
 * arithmetic is written to take equal time, which a just-in-time compiler does not guarantee.
 */
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { x25519 } from '@noble/curves/ed25519.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  AEAD_KEY_LENGTH,
  type AeadAlgorithm,
  type CipherProvider,
  type KeyIndex,
  MESSAGE_NONCE_LENGTH,
  MESSAGE_TAG_LENGTH,
  NO_KEY,
  PUBLIC_KEY_LENGTH,
  SYMMETRIC_KEY_LENGTH,
} from '../cipher.ts';
import { createGrantMemory, GrantTable } from './noble-grants.ts';
import { type JobKey, runJobs } from './noble-jobs.ts';
import { hashedKey } from './noble-wide.ts';

/** As many as the native slab has. */
const KEY_PLACES = 16_384;
/** Indices are not used twice. */
const LAST_INDEX = 0x7fff_ffff;

/* What a key may be used for; imported keys serve as both. */
const FOR_HASHING = 1;
const FOR_EXCHANGE = 2;

interface PlainKey {
  readonly bytes: Uint8Array;
  readonly uses: number;
}

/** Grants without a table passed: they serve providers of one thread. */
let threadGrants: SharedArrayBuffer | undefined;

class NobleProvider implements CipherProvider {
  readonly name = 'noble';
  readonly aesInHardware = false;
  readonly #keys = new Map<number, PlainKey>();
  readonly #jobKeys = new Map<number, JobKey>();
  readonly #grants: GrantTable;
  #next = 1;

  constructor(grants: SharedArrayBuffer) {
    this.#grants = new GrantTable(grants);
  }

  importKey(bytes: Uint8Array): KeyIndex {
    mustBytes('bytes', bytes, SYMMETRIC_KEY_LENGTH);
    const key = this.#keep(bytes.slice(), FOR_HASHING | FOR_EXCHANGE);
    if (key === NO_KEY) throw new Error(`all ${KEY_PLACES} key places are taken`);
    bytes.fill(0);
    return key;
  }

  generateKeyPair(): { readonly secret: KeyIndex; readonly publicKey: Uint8Array } {
    const { secretKey, publicKey } = x25519.keygen();
    return { secret: this.#keep(secretKey, FOR_EXCHANGE), publicKey };
  }

  publicKey(secret: KeyIndex): Uint8Array {
    return x25519.getPublicKey(this.#find('secret', secret, FOR_EXCHANGE).bytes);
  }

  exchange(secret: KeyIndex, peer: Uint8Array): KeyIndex | undefined {
    const { bytes } = this.#find('secret', secret, FOR_EXCHANGE);
    mustBytes('peer', peer, PUBLIC_KEY_LENGTH);
    let agreed: Uint8Array;
    try {
      agreed = x25519.getSharedSecret(bytes, peer);
    } catch {
      /* Lengths are right, so the library refused an all-zero result (RFC 7748, 6.1). */
      return undefined;
    }
    return this.#keep(agreed, FOR_HASHING);
  }

  extract(salt: Uint8Array, ikm: readonly KeyIndex[]): KeyIndex {
    mustBytes('salt', salt);
    if (ikm.length < 1 || ikm.length > 3) throw new RangeError('ikm: one to three keys expected');
    const material = new Uint8Array(ikm.length * SYMMETRIC_KEY_LENGTH);
    ikm.forEach((key, i) => {
      material.set(this.#find(`ikm[${i}]`, key, FOR_HASHING).bytes, i * SYMMETRIC_KEY_LENGTH);
    });
    const prk = extract(sha256, material, salt);
    material.fill(0);
    return this.#keep(prk, FOR_HASHING);
  }

  expand(prk: KeyIndex, info: Uint8Array): KeyIndex {
    return this.#keep(this.#expand(prk, info, SYMMETRIC_KEY_LENGTH), FOR_HASHING);
  }

  expandAead(prk: KeyIndex, info: Uint8Array, algorithm: AeadAlgorithm): KeyIndex {
    this.#find('prk', prk, FOR_HASHING);
    mustBytes('info', info);
    if (typeof algorithm !== 'number') throw new TypeError('algorithm: number expected');
    if (algorithm !== 0 && algorithm !== 1) throw new RangeError('algorithm: whole number from 0 to 1 expected');
    const both = this.#expand(prk, info, AEAD_KEY_LENGTH);
    const key = both.subarray(0, SYMMETRIC_KEY_LENGTH);
    return this.#keepForJobs({ kind: 'aead', algorithm, key, salt: both.subarray(SYMMETRIC_KEY_LENGTH) });
  }

  expandWide(prk: KeyIndex, info: Uint8Array): KeyIndex {
    return this.#keepForJobs({ kind: 'wide', ...hashedKey(this.#expand(prk, info, SYMMETRIC_KEY_LENGTH)) });
  }

  expandShort(prk: KeyIndex, info: Uint8Array): KeyIndex {
    return this.#keepForJobs({ kind: 'short', key: this.#expand(prk, info, SYMMETRIC_KEY_LENGTH) });
  }

  expandMask(prk: KeyIndex, info: Uint8Array): KeyIndex {
    return this.#keepForJobs({ kind: 'mask', ...hashedKey(this.#expand(prk, info, SYMMETRIC_KEY_LENGTH)) });
  }

  mac(key: KeyIndex, data: Uint8Array): Uint8Array {
    const { bytes } = this.#find('key', key, FOR_HASHING);
    mustBytes('data', data);
    return hmac(sha256, bytes, data);
  }

  release(key: KeyIndex): void {
    const jobKey = this.#jobKeys.get(key);
    wipe(jobKey ?? this.#find('key', key, FOR_HASHING | FOR_EXCHANGE));
    this.#keys.delete(key);
    this.#jobKeys.delete(key);
  }

  grant(key: KeyIndex): bigint {
    const { bytes, uses } = this.#find('key', key, FOR_HASHING | FOR_EXCHANGE);
    return this.#grants.post(bytes, uses);
  }

  claim(ticket: bigint): KeyIndex {
    mustTicket(ticket);
    const index = this.#index();
    if (index === NO_KEY) return NO_KEY;
    const found = this.#grants.take(ticket);
    if (found === undefined) throw new RangeError('ticket: unknown, claimed or withdrawn');
    this.#keys.set(index, { bytes: found.key, uses: found.uses });
    return index;
  }

  withdraw(ticket: bigint): void {
    mustTicket(ticket);
    this.#grants.take(ticket)?.key.fill(0);
  }

  sealMessage(key: KeyIndex, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const { bytes } = this.#find('key', key, FOR_HASHING);
    mustBytes('nonce', nonce, MESSAGE_NONCE_LENGTH);
    mustBytes('aad', aad);
    mustBytes('input', plaintext);
    return xchacha20poly1305(bytes, nonce, aad).encrypt(plaintext);
  }

  openMessage(key: KeyIndex, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    const { bytes } = this.#find('key', key, FOR_HASHING);
    mustBytes('nonce', nonce, MESSAGE_NONCE_LENGTH);
    mustBytes('aad', aad);
    mustBytes('input', sealed);
    if (sealed.length < MESSAGE_TAG_LENGTH) return undefined;
    try {
      return xchacha20poly1305(bytes, nonce, aad).decrypt(sealed);
    } catch {
      return undefined;
    }
  }

  run(slab: Uint8Array, jobs: Int32Array, count: number): void {
    runJobs((index) => this.#jobKeys.get(index), slab, jobs, count);
  }

  close(): void {
    for (const key of [...this.#keys.keys(), ...this.#jobKeys.keys()]) this.release(key as KeyIndex);
  }

  #index(): KeyIndex {
    if (this.#keys.size + this.#jobKeys.size >= KEY_PLACES) return NO_KEY;
    if (this.#next > LAST_INDEX) throw new Error('all key indices were used; start a new provider');
    return this.#next++ as KeyIndex;
  }

  #keep(bytes: Uint8Array, uses: number): KeyIndex {
    const index = this.#index();
    if (index === NO_KEY) wipe({ bytes });
    else this.#keys.set(index, { bytes, uses });
    return index;
  }

  #keepForJobs(key: JobKey): KeyIndex {
    const index = this.#index();
    if (index === NO_KEY) wipe(key);
    else this.#jobKeys.set(index, key);
    return index;
  }

  #expand(prk: KeyIndex, info: Uint8Array, length: number): Uint8Array {
    const { bytes } = this.#find('prk', prk, FOR_HASHING);
    mustBytes('info', info);
    return expand(sha256, bytes, info, length);
  }

  #find(name: string, index: KeyIndex, uses: number): PlainKey {
    if (typeof index !== 'number') throw new TypeError(`${name}: number expected`);
    const key = this.#keys.get(index);
    if (key !== undefined && (key.uses & uses) !== 0) return key;
    if (key === undefined && !this.#jobKeys.has(index)) {
      throw new RangeError(`${name}: names no key, or one that was released`);
    }
    const wanted = uses === FOR_EXCHANGE ? 'an X25519 secret' : 'a symmetric key';
    throw new RangeError(`${name}: ${wanted} expected, this key serves for something else`);
  }
}

function wipe(key: PlainKey | JobKey | { readonly bytes: Uint8Array }): void {
  for (const part of Object.values(key)) if (part instanceof Uint8Array) part.fill(0);
}

function mustBytes(name: string, value: Uint8Array, length?: number): void {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${name}: Uint8Array expected`);
  if (length !== undefined && value.length !== length) {
    throw new RangeError(`${name}: ${length} bytes expected, ${value.length} given`);
  }
}

function mustTicket(ticket: bigint): void {
  if (typeof ticket !== 'bigint') throw new TypeError('ticket: bigint expected');
  if (ticket <= 0n || ticket >= 1n << 64n) throw new RangeError('ticket: 64 bits expected, not zero');
}

/**
 * A provider whose keys live on JavaScript's heap. `grants` is the memory, made by `createGrantMemory`, that the
 * providers of several threads share; without it grants reach only providers of the same thread.
 */
export function createNobleProvider(options: { readonly grants?: SharedArrayBuffer } = {}): CipherProvider {
  if (options.grants === undefined) threadGrants ??= createGrantMemory();
  return new NobleProvider(options.grants ?? threadGrants!);
}

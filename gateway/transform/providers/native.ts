/**
 * The provider of the addon: keys in one locked slab per thread, left out of dumps, that JavaScript cannot read.
 * The only file of this room that reaches outside `wire`: it is the edge to `#native/native.ts`.
 */
import { native } from '#native/native.ts';
import {
  type AeadAlgorithm,
  type CipherProvider,
  type KeyIndex,
  MAC_LENGTH,
  MESSAGE_TAG_LENGTH,
  NO_KEY,
  PUBLIC_KEY_LENGTH,
  SYMMETRIC_KEY_LENGTH,
} from '../cipher.ts';

class NativeProvider implements CipherProvider {
  readonly name = 'native';
  readonly aesInHardware = native.aesInHardware();
  /** Providers of one thread share the slab; each closes what it took. */
  readonly #held = new Set<KeyIndex>();
  /** On a buffer of its own, outside V8's heap. */
  readonly #staging = new Uint8Array(new ArrayBuffer(SYMMETRIC_KEY_LENGTH));

  importKey(bytes: Uint8Array): KeyIndex {
    if (!(bytes instanceof Uint8Array) || bytes.length !== SYMMETRIC_KEY_LENGTH) {
      return this.#hold(native.importKey(bytes)); /* throws, naming what is wrong */
    }
    /* V8 keeps small arrays inside its heap and, when an addon asks for their memory, gives it a copy: wiping that
     * leaves the original. So the copy is made here, and each of the two is wiped where it is. */
    this.#staging.set(bytes);
    try {
      const key = this.#hold(native.importKey(this.#staging));
      bytes.fill(0);
      return key;
    } finally {
      this.#staging.fill(0);
    }
  }

  generateKeyPair(): { readonly secret: KeyIndex; readonly publicKey: Uint8Array } {
    const publicKey = new Uint8Array(PUBLIC_KEY_LENGTH);
    return { secret: this.#hold(native.generateKeyPair(publicKey)), publicKey };
  }

  publicKey(secret: KeyIndex): Uint8Array {
    const out = new Uint8Array(PUBLIC_KEY_LENGTH);
    native.publicKey(secret, out);
    return out;
  }

  exchange(secret: KeyIndex, peer: Uint8Array): KeyIndex | undefined {
    const key = native.exchange(secret, peer);
    return key === -1 ? undefined : this.#hold(key);
  }

  extract(salt: Uint8Array, ikm: readonly KeyIndex[]): KeyIndex {
    return this.#hold(native.extract(salt, ...ikm));
  }

  expand(prk: KeyIndex, info: Uint8Array): KeyIndex {
    return this.#hold(native.expand(prk, info));
  }

  expandAead(prk: KeyIndex, info: Uint8Array, algorithm: AeadAlgorithm): KeyIndex {
    return this.#hold(native.expandAead(prk, info, algorithm));
  }

  expandWide(prk: KeyIndex, info: Uint8Array): KeyIndex {
    return this.#hold(native.expandWide(prk, info));
  }

  expandShort(prk: KeyIndex, info: Uint8Array): KeyIndex {
    return this.#hold(native.expandShort(prk, info));
  }

  expandMask(prk: KeyIndex, info: Uint8Array): KeyIndex {
    return this.#hold(native.expandMask(prk, info));
  }

  mac(key: KeyIndex, data: Uint8Array): Uint8Array {
    const out = new Uint8Array(MAC_LENGTH);
    native.mac(key, data, out);
    return out;
  }

  release(key: KeyIndex): void {
    native.release(key);
    this.#held.delete(key);
  }

  grant(key: KeyIndex): bigint {
    return native.grant(key);
  }

  claim(ticket: bigint): KeyIndex {
    return this.#hold(native.claim(ticket));
  }

  withdraw(ticket: bigint): void {
    native.withdraw(ticket);
  }

  sealMessage(key: KeyIndex, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array {
    const sealed = new Uint8Array(plaintext.length + MESSAGE_TAG_LENGTH);
    native.sealMessage(key, nonce, aad, plaintext, sealed);
    return sealed;
  }

  openMessage(key: KeyIndex, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    if (sealed.length < MESSAGE_TAG_LENGTH) return undefined;
    const plaintext = new Uint8Array(sealed.length - MESSAGE_TAG_LENGTH);
    return native.openMessage(key, nonce, aad, sealed, plaintext) ? plaintext : undefined;
  }

  run(slab: Uint8Array, jobs: Int32Array, count: number): void {
    native.runJobs(slab, jobs, count);
  }

  close(): void {
    for (const key of this.#held) native.release(key);
    this.#held.clear();
  }

  #hold(key: number): KeyIndex {
    if (key !== NO_KEY) this.#held.add(key as KeyIndex);
    return key as KeyIndex;
  }
}

/**
 * A provider whose keys live in the addon. Each thread makes its own; grants cross threads of the process. Throws
 * (errno in `code`) at the first key when the limit of locked memory is below 1 MiB for every thread and 224 KiB for
 * the process; a key of HCTR2 or the mask is NO_KEY when it is below 64 KiB more for every 78 of them.
 */
export function createNativeProvider(): CipherProvider {
  return new NativeProvider();
}

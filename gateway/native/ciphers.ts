/**
 * What `keys.c`, `exchange.c`, `kdf.c`, `message.c`, `grant.c` and `cipher.c` give JavaScript. A key is a positive
 * int32, 0 stands for none (NO_KEY); every function refuses one that was released with a RangeError.
 * `#transform/providers/native.ts` is their one caller, `CipherProvider` the contract that says what they do.
 */
export interface NativeCiphers {
  /**
   * Takes 32 bytes and fills `bytes` with zeros. Throws when there is no place: these keys are asked for from inside.
   */
  importKey(bytes: Uint8Array): number;
  release(key: number): void;
  /** Writes the 32-byte public key, returns the secret. */
  generateKeyPair(publicKey: Uint8Array): number;
  publicKey(secret: number, publicKey: Uint8Array): void;
  /** -1 when the result is all zero. */
  exchange(secret: number, peer: Uint8Array): number;
  /** One to three keys. */
  extract(salt: Uint8Array, ...ikm: number[]): number;
  expand(prk: number, info: Uint8Array): number;
  expandAead(prk: number, info: Uint8Array, algorithm: number): number;
  expandWide(prk: number, info: Uint8Array): number;
  expandShort(prk: number, info: Uint8Array): number;
  expandMask(prk: number, info: Uint8Array): number;
  /**
   * Keys of HCTR2 and the mask that this thread expands from now on use at most this code: 0 portable POLYVAL, 1
   * carry-less multiplication, 2 vector AES; answers which they use. For tests and measurements: all compute the same.
   */
  cipherLevel(limit: number): number;
  /** Bytes that are locked for tickets, main and so many workers, each with so many keys of HCTR2 and the mask. */
  keyMemory(workers: number, wide: number): number;
  /** Writes 32 bytes. */
  mac(key: number, data: Uint8Array, out: Uint8Array): void;
  /** `sealed` is 16 bytes longer than `plaintext`. */
  sealMessage(key: number, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array, sealed: Uint8Array): void;
  /** `plaintext` is 16 bytes shorter than `sealed`; it holds zeros when the result is false. */
  openMessage(key: number, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array, plaintext: Uint8Array): boolean;
  grant(key: number): bigint;
  claim(ticket: bigint): number;
  withdraw(ticket: bigint): void;
  runJobs(slab: Uint8Array, jobs: Int32Array, count: number): void;
  aesInHardware(): boolean;
}

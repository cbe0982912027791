/** A provider's part that DPRP uses, with a ledger: which keys live, and every use of a key that does not. */
import { type DprpCrypto, type KeyHandle, NO_KEY } from '#dprp/spec.ts';

export interface CountingCrypto extends DprpCrypto {
  /** Keys that were made and not yet released; imported keys are not counted. */
  readonly live: ReadonlySet<KeyHandle>;
  /** Uses and releases of keys after their release: must stay empty. */
  readonly violations: string[];
  /** Calls by name. */
  readonly calls: Record<string, number>;
  /** So many keys are still made; then each is refused, as by a provider without free places. */
  room: number;
}

export function countingCrypto(inner: DprpCrypto): CountingCrypto {
  const live = new Set<KeyHandle>();
  const dead = new Set<KeyHandle>();
  const violations: string[] = [];
  const calls: Record<string, number> = {};

  const use = (what: string, ...keys: readonly KeyHandle[]): void => {
    calls[what] = (calls[what] ?? 0) + 1;
    for (const key of keys) if (dead.has(key)) violations.push(`${what} of released key ${key}`);
  };
  const made = (key: KeyHandle): KeyHandle => {
    live.add(key);
    dead.delete(key);
    return key;
  };
  const mayMake = (): boolean => crypto.room-- > 0;
  const crypto: CountingCrypto = {
    aesInHardware: inner.aesInHardware,
    live,
    violations,
    calls,
    room: Number.POSITIVE_INFINITY,
    generateKeyPair() {
      use('generateKeyPair');
      if (!mayMake()) return { secret: NO_KEY, publicKey: new Uint8Array(32) };
      const pair = inner.generateKeyPair();
      made(pair.secret);
      return pair;
    },
    exchange(secret, peer) {
      use('exchange', secret);
      if (!mayMake()) return NO_KEY;
      const key = inner.exchange(secret, peer);
      return key === undefined ? undefined : made(key);
    },
    extract(salt, ikm) {
      use('extract', ...ikm);
      return mayMake() ? made(inner.extract(salt, ikm)) : NO_KEY;
    },
    expand(prk, info) {
      use('expand', prk);
      return mayMake() ? made(inner.expand(prk, info)) : NO_KEY;
    },
    mac(key, data) {
      use('mac', key);
      return inner.mac(key, data);
    },
    release(key) {
      use('release');
      if (!live.delete(key)) violations.push(`release of key ${key}, which does not live`);
      dead.add(key);
      inner.release(key);
    },
    sealMessage(key, nonce, aad, plaintext) {
      use('seal', key);
      return inner.sealMessage(key, nonce, aad, plaintext);
    },
    openMessage(key, nonce, aad, sealed) {
      use('open', key);
      return inner.openMessage(key, nonce, aad, sealed);
    },
  };
  return crypto;
}

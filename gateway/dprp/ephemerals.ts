/** Ready X25519 key pairs, so that a negotiation does not wait for one: docs/dprp.md § 8. Owned by one machine. */
import { type DprpCrypto, type KeyHandle, NO_KEY } from './spec.ts';

export interface Ephemeral {
  /** Belongs to who took it, who releases it. Serves one negotiation. */
  readonly secret: KeyHandle;
  readonly publicKey: Uint8Array;
}

export class Ephemerals {
  readonly #crypto: DprpCrypto;
  readonly #size: number;
  readonly #ready: Ephemeral[] = [];

  constructor(crypto: DprpCrypto, size: number) {
    this.#crypto = crypto;
    this.#size = size;
  }

  get full(): boolean {
    return this.#ready.length >= this.#size;
  }

  /** Undefined when the provider has no place for another key. */
  take(): Ephemeral | undefined {
    return this.#ready.pop() ?? this.#make();
  }

  refill(count: number): void {
    for (let i = 0; i < count && !this.full; i++) {
      const made = this.#make();
      if (made === undefined) return;
      this.#ready.push(made);
    }
  }

  close(): void {
    for (const { secret } of this.#ready) this.#crypto.release(secret);
    this.#ready.length = 0;
  }

  #make(): Ephemeral | undefined {
    const made = this.#crypto.generateKeyPair();
    return made.secret === NO_KEY ? undefined : made;
  }
}

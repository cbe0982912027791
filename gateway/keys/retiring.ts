/** Keys that were replaced: whoever still takes them over has a grace to do so, then they are released. */
import type { CipherProvider, KeyIndex } from '#transform/cipher.ts';
import type { Timers } from './timers.ts';

export class Retiring {
  readonly #provider: Pick<CipherProvider, 'release'>;
  readonly #timers: Timers;
  readonly #graceMs: number;
  readonly #keys = new Set<readonly KeyIndex[]>();

  constructor(provider: Pick<CipherProvider, 'release'>, timers: Timers, graceMs: number) {
    this.#provider = provider;
    this.#timers = timers;
    this.#graceMs = graceMs;
  }

  retire(keys: readonly KeyIndex[]): void {
    this.#keys.add(keys);
    this.#timers.after(`grace ${keys[0]}`, this.#graceMs, () => this.#release(keys));
  }

  /** Without waiting for any grace. */
  releaseAll(): void {
    for (const keys of this.#keys) this.#release(keys);
  }

  #release(keys: readonly KeyIndex[]): void {
    this.#keys.delete(keys);
    for (const key of keys) this.#provider.release(key);
  }
}

/**
 * At most one of a kind per key and time, docs/dprp.md § 8. The table is bounded: when it is full, nothing new passes.
 */
import type { Millis } from './spec.ts';

export class Spacing {
  readonly #last = new Map<string, Millis>(); /* oldest first */
  readonly #every: number;
  readonly #keys: number;

  constructor(every: number, keys: number) {
    this.#every = every;
    this.#keys = keys;
  }

  /** True when the key may pass now; that is then remembered. */
  allow(key: string, now: Millis): boolean {
    for (const [old, last] of this.#last) {
      if (now - last < this.#every) break;
      this.#last.delete(old);
    }
    if (this.#last.has(key) || this.#last.size >= this.#keys) return false;
    this.#last.set(key, now);
    return true;
  }
}

/** Pauses between attempts that fail: the longer, the more of them failed. docs/gms.md § 6. */

/** First and longest, ms. Each is shortened by up to a half at random, so that gateways do not ask all at once. */
const FIRST_MS = 1000;
const LONGEST_MS = 60_000;

export class Backoff {
  readonly #random: () => number;
  #longest = FIRST_MS;

  /** `random`: 0 ≤ n < 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** ms until the next attempt, after one that failed. */
  next(): number {
    const pause = this.#longest * (1 - this.#random() / 2);
    this.#longest = Math.min(LONGEST_MS, this.#longest * 2);
    return pause;
  }

  /** An attempt was good. */
  reset(): void {
    this.#longest = FIRST_MS;
  }
}

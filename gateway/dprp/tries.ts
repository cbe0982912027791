/** When a request that nobody answered is sent again: docs/dprp.md § 7.1, § 7.2. */
import type { Limits } from './limits.ts';
import type { Millis } from './spec.ts';

export class Tries {
  readonly #limits: Limits;
  readonly #startedAt: Millis;
  readonly #endless: boolean;
  #sent = 0;

  /** `endless`: after the first tries it is sent once per `mpitEvery`, until its owner gives up. */
  constructor(limits: Limits, now: Millis, endless: boolean) {
    this.#limits = limits;
    this.#startedAt = now;
    this.#endless = endless;
  }

  /** When the next one is due; Infinity where there is none. */
  get next(): number {
    const { tries, silence, mpitEvery } = this.#limits;
    if (this.#sent < tries.length) return this.#startedAt + tries[this.#sent];
    if (!this.#endless) return Number.POSITIVE_INFINITY;
    return this.#startedAt + silence + (this.#sent - tries.length) * mpitEvery;
  }

  /** One is sent now. A late one does not make a burst. */
  sent(now: Millis): void {
    this.#sent++;
    while (this.next <= now) this.#sent++;
  }
}

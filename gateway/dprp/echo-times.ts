/** Round trips to destinations that echoed a DDE themselves, bounded; docs/dprp.md § 7.1. */
import { addressKey } from '#wire/address.ts';
import type { Limits } from './limits.ts';

export class EchoTimes {
  readonly #limits: Limits;
  readonly #times = new Map<string, number>(); /* ms by address, oldest first */

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  remember(peer: Uint8Array, ms: number): void {
    const key = addressKey(peer);
    this.#times.delete(key);
    if (this.#times.size >= this.#limits.roundTrips) {
      for (const oldest of this.#times.keys()) {
        this.#times.delete(oldest);
        break;
      }
    }
    this.#times.set(key, ms);
  }

  /** How long to wait before silence is judged, ms. */
  patience(peer: Uint8Array): number {
    const { silence, silenceKnown } = this.#limits;
    const known = this.#times.get(addressKey(peer));
    return known === undefined ? silence : Math.min(silence, Math.max(silenceKnown, 4 * known));
  }
}

/**
 * Pairs whose far end has begun a negotiation, until its MPIT is there: docs/dprp.md § 2, § 10. A DDE may be a replay:
 * whatever follows the first, devices wait for one of them once, and not for long.
 */
import type { Millis } from '#dprp/spec.ts';
import type { Pair } from '#pit/pair.ts';
import type { Association } from './associations.ts';
import { EXPECT_AGAIN_MS } from './limits.ts';

interface Expected {
  /** ms */
  readonly until: number;
  /** The far end was told that the pair receives something without a tag: nothing is protected before its CDN. */
  toldBare: boolean;
}

export class Expectations {
  /** The first ends first: another DDE makes none longer. */
  readonly #expected = new Map<Pair<Association>, Expected>();
  /** MPIT was awaited in vain: until when devices do not wait for another, ms. */
  readonly #impatient = new WeakMap<Pair<Association>, number>();

  has(pair: Pair<Association>): boolean {
    return this.#expected.size > 0 && this.#expected.has(pair);
  }

  /** The same, and what comes without a tag may be under its keys (§ 11.2, § 11.3). */
  hasBare(pair: Pair<Association>): boolean {
    return this.#expected.size > 0 && this.#expected.get(pair)?.toldBare === false;
  }

  /** `until` is the same time ahead for all. */
  add(pair: Pair<Association>, until: Millis, toldBare: boolean): void {
    const former = this.#expected.get(pair);
    if (former === undefined) this.#expected.set(pair, { until, toldBare });
    else former.toldBare &&= toldBare;
  }

  /** Whether a device may be made to wait for it, in place of a negotiation of its own. */
  holdsUp(pair: Pair<Association>, now: Millis): boolean {
    return this.has(pair) && now >= (this.#impatient.get(pair) ?? 0);
  }

  /** MPIT is there, or the pair is decided otherwise. */
  delete(pair: Pair<Association>): void {
    this.#expected.delete(pair);
  }

  /** Forgets and returns those that came to nothing. */
  end(now: Millis): Pair<Association>[] {
    const ended: Pair<Association>[] = [];
    for (const [pair, { until }] of this.#expected) {
      if (now < until) break;
      this.#expected.delete(pair);
      this.#impatient.set(pair, now + EXPECT_AGAIN_MS);
      ended.push(pair);
    }
    return ended;
  }

  /** When `end` wants to be called. */
  nextTimeout(): number {
    /* Walking through a map allocates: not in every turn. */
    return this.#expected.size === 0
      ? Number.POSITIVE_INFINITY
      : (this.#expected.values().next().value as Expected).until;
  }
}

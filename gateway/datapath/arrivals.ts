/**
 * Frames from the network for a pair that is protected or not, or that nobody spoke about yet, or under keys nobody
 * has.
 */
import type { Millis } from '#dprp/spec.ts';
import type { Pair } from '#pit/pair.ts';
import { FORM_TCP, type Frame } from '#wire/frame.ts';
import type { Association } from './associations.ts';
import type { Counters } from './counters.ts';
import type { Lane } from './lane.ts';
import type { Negotiator } from './negotiate.ts';
import { EARLY, type Protect, STILL_PLAIN, TAKEN } from './protect.ts';
import { refusalOf } from './refusals.ts';

export interface ArrivalsParts {
  /** The frame at hand. */
  readonly frame: Frame;
  readonly protect: Protect;
  readonly negotiator: Negotiator;
  readonly lane: Lane;
  readonly counters: Counters;
  /** Holds the frame at hand, on the budget of frames from outside. */
  readonly keep: (pair: Pair<Association>) => void;
  /** Sends the frame at hand to the device as it is. */
  readonly forward: () => void;
}

export class Arrivals {
  readonly #parts: ArrivalsParts;

  constructor(parts: ArrivalsParts) {
    this.#parts = parts;
  }

  /** `whole`: of a reassembled packet the last fragment alone could be held. */
  ofProtected(pair: Pair<Association>, whole: boolean, now: Millis): void {
    const { frame, protect, negotiator, counters, keep, forward } = this.#parts;
    switch (protect.inward(frame, pair, now)) {
      case TAKEN:
        negotiator.refresh(pair, now);
        break;
      case STILL_PLAIN:
        forward();
        break;
      case EARLY:
        if (negotiator.expectsWord(pair)) keep(pair);
        else counters.drop('pccom-before-switch');
        break;
      default:
        if (whole && negotiator.expects(pair)) keep(pair);
        else this.stray(pair, now);
    }
  }

  /** For a pair that passes in plaintext, or is refused. */
  ofUnprotected(pair: Pair<Association>, now: Millis): void {
    const { frame, protect, negotiator, counters, keep, forward } = this.#parts;
    const sealed = protect.looksSealed(frame);
    if (sealed ? negotiator.expects(pair) : negotiator.expectsBare(pair)) keep(pair);
    else if (sealed) this.stray(pair, now);
    else if (pair.verdict === 'discard') counters.drop(refusalOf(pair.reason));
    else {
      forward();
      negotiator.refresh(pair, now);
    }
  }

  /** For a pair nobody spoke about: it waits while we find out, on a small budget (§ 8). */
  fromStranger(pair: Pair<Association>, now: Millis): void {
    const { frame, protect, negotiator, counters, keep } = this.#parts;
    if (protect.looksSealed(frame) && !negotiator.expects(pair)) this.#notice(pair, now);
    if (now < pair.inboundNotBefore) {
      counters.drop('inbound-budget');
      return;
    }
    keep(pair);
    negotiator.beginInbound(pair, now);
  }

  /**
   * Protected traffic that no association opens. A TCP segment's sender is told, as the notice's quote proves which
   * packet is meant; of a datagram the trailer is not quoted, so this side asks itself (§ 3.8, § 6.4).
   */
  stray(pair: Pair<Association>, now: Millis): void {
    const { frame, negotiator, counters } = this.#parts;
    counters.drop('sealed-unknown-association');
    if (frame.form === FORM_TCP) this.#notice(pair, now);
    negotiator.stray(pair, now);
  }

  #notice(pair: Pair<Association>, now: Millis): void {
    const { frame, negotiator, lane } = this.#parts;
    const notice = negotiator.noAssociationNotice(frame.ipVersion as 4 | 6);
    if (notice !== undefined) lane.emitNoticeOnce(pair, notice, now);
  }
}

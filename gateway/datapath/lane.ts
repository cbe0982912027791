/**
 * What the negotiator does in the datapath: finds pairs, sends frames of its own, decides again about what was held.
 * Control path: nothing here runs for a packet of a decided pair.
 */
import type { Pair as DprpPair, Millis } from '#dprp/spec.ts';
import type { FlowTable } from '#pit/flows.ts';
import type { Pair } from '#pit/pair.ts';
import type { PairTable } from '#pit/pairs.ts';
import type { Work } from '#transform/work.ts';
import { bytesToWords, versionOfWords } from '#wire/address.ts';
import type { DropName } from '#wire/drops.ts';
import type { Frame } from '#wire/frame.ts';
import type { Association } from './associations.ts';
import type { Counters } from './counters.ts';
import type { HeldFrame, HoldQueue } from './hold.ts';
import type { FromWorker } from './messages.ts';
import type { Protect } from './protect.ts';
import { REPLY_ROOM, type Replies } from './replies.ts';

export interface LaneParts {
  readonly pairs: PairTable<Association>;
  readonly hold: HoldQueue;
  readonly flows: FlowTable;
  readonly counters: Counters;
  readonly work: Work;
  /** The frame at hand. */
  readonly frame: Frame;
  readonly replies: Replies;
  readonly protect: Protect;
  readonly flush: (now: Millis) => void;
  /** Decides about a held frame as if it came now. */
  readonly reinject: (held: HeldFrame, now: Millis) => void;
  readonly tell: (message: FromWorker) => void;
}

export class Lane {
  readonly #parts: LaneParts;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  /** The pair of these addresses, made when it is not known yet. */
  pairOf(of: DprpPair, now: Millis): Pair<Association> {
    const device = bytesToWords(of.device);
    return this.#parts.pairs.findOrAdd(device, bytesToWords(of.peer), versionOfWords(device), now);
  }

  findPair(of: DprpPair): Pair<Association> | undefined {
    const device = bytesToWords(of.device);
    return this.#parts.pairs.find(device, bytesToWords(of.peer), versionOfWords(device));
  }

  /** Sends an Echo in the pair's layer-2 way. */
  emitEcho(
    pair: Pair<Association>,
    icmp: 'request' | 'reply',
    id: number,
    sequence: number,
    payload: Uint8Array,
    now: Millis,
  ): void {
    this.#fit(payload.length, now);
    this.#parts.replies.echo(pair, icmp, id, sequence, payload);
  }

  /** Answers the frame at hand with an ICMP error that quotes it, `notice` behind the quote. */
  emitNotice(notice: Uint8Array, now: Millis): void {
    this.#fit(notice.length, now);
    this.#parts.replies.notice(this.#parts.frame, notice, now);
  }

  /** The same, at most once in PER_PAIR_MS for a pair. */
  emitNoticeOnce(pair: Pair<Association>, notice: Uint8Array, now: Millis): void {
    this.#fit(notice.length, now);
    this.#parts.replies.noticeOnce(this.#parts.frame, pair, notice, now);
  }

  #fit(bytes: number, now: Millis): void {
    if (!this.#parts.work.fits(1, REPLY_ROOM + bytes)) this.#parts.flush(now);
  }

  /** True when the packet quoted by the notice at hand was sent within the last two seconds. */
  quotedRecently(pair: Pair<Association>, now: Millis): boolean {
    return this.#parts.protect.quotedRecently(this.#parts.frame, pair, now);
  }

  /** Sends what waits, so that keys may change. */
  flush(now: Millis): void {
    this.#parts.flush(now);
  }

  /** Decides again about everything held for the pair. */
  releaseHeld(pair: Pair<Association>, now: Millis): void {
    for (const held of this.#parts.hold.take(pair.row)) this.#parts.reinject(held, now);
  }

  /** Throws away everything held for the pair. */
  dropHeld(pair: Pair<Association>, name: DropName): void {
    const held = this.#parts.hold.take(pair.row).length;
    if (held > 0) this.#parts.counters.drop(name, held);
  }

  /** Throws away what came from outside and waits: it was sent before the far end could know the keys. */
  dropHeldInbound(pair: Pair<Association>): void {
    const held = this.#parts.hold.dropInbound(pair.row);
    if (held > 0) this.#parts.counters.drop('pccom-before-switch', held);
  }

  /**
   * The TCP connections of a pair, a few more than `limit` at most: ports and the next sequence number of the device,
   * in turn.
   */
  connections(pair: Pair<Association>, limit: number): Int32Array {
    return this.#parts.flows.connectionsOf(pair, limit);
  }

  tell(message: FromWorker): void {
    this.#parts.tell(message);
  }
}

/**
 * The hold queue: frames that wait for the end of a negotiation, in order, bounded per pair and overall (§ 3.2).
 * Nothing here is on the hot path: a held frame is a copy, given back through the worker's reinject slot.
 */
import { F_LENGTH, F_OFFSET, F_STRIDE, SLOT_HEADROOM, SLOT_SIZE } from '#wire/record.ts';
import {
  HOLD_BYTES,
  HOLD_BYTES_PER_PAIR,
  HOLD_BYTES_PER_SWITCH,
  HOLD_FRAMES,
  HOLD_FRAMES_PER_PAIR,
  HOLD_FRAMES_PER_SWITCH,
  HOLD_INBOUND_SHARE,
} from './limits.ts';

export interface HeldFrame {
  readonly bytes: Uint8Array;
  readonly record: Int32Array;
  /** PORT_* it came from. */
  readonly port: number;
  /** On the budget of frames from outside. */
  readonly inbound: boolean;
}

/** Copies a frame into receive slot `slot`, as if a port had received it now. */
export function putBack(
  { bytes, record }: Pick<HeldFrame, 'bytes' | 'record'>,
  slab: Uint8Array,
  batch: Int32Array,
  slot: number,
): void {
  const offset = slot * SLOT_SIZE + SLOT_HEADROOM;
  slab.set(bytes, offset);
  batch.set(record, slot * F_STRIDE);
  batch[slot * F_STRIDE + F_OFFSET] = offset;
}

interface Amount {
  frames: number;
  bytes: number;
}

function add(amount: Amount, { bytes }: HeldFrame): void {
  amount.frames += 1;
  amount.bytes += bytes.length;
}

function subtract(amount: Amount, { bytes }: HeldFrame): void {
  amount.frames -= 1;
  amount.bytes -= bytes.length;
}

function fits(amount: Amount, length: number, frames: number, bytes: number): boolean {
  return amount.frames < frames && amount.bytes + length <= bytes;
}

const nothing = (): Amount => ({ frames: 0, bytes: 0 });

/** Each side of a pair has its own room: whoever makes up packets of the peer takes none of the device's. */
interface Queue {
  readonly frames: HeldFrame[];
  readonly inbound: Amount;
  readonly outbound: Amount;
}

const empty = (): Queue => ({ frames: [], inbound: nothing(), outbound: nothing() });

export class HoldQueue {
  readonly #queues = new Map<number, Queue>();
  readonly #all = nothing();
  readonly #inbound = nothing();

  get bytes(): number {
    return this.#all.bytes;
  }

  get frames(): number {
    return this.#all.frames;
  }

  framesOf(pair: number): number {
    return this.#queues.get(pair)?.frames.length ?? 0;
  }

  /**
   * Keeps a copy of a frame for the pair in row `pair`. `inbound`: it came from outside, on the smaller budget.
   * `switching`: it waits for a key switch, which has more room. False when there is no room; the caller counts the
   * drop.
   */
  keep(
    pair: number,
    port: number,
    inbound: boolean,
    slab: Uint8Array,
    batch: Int32Array,
    index: number,
    switching = false,
  ): boolean {
    const at = index * F_STRIDE;
    const offset = batch[at + F_OFFSET]!;
    const length = batch[at + F_LENGTH]!;
    const queue = this.#queues.get(pair) ?? empty();
    const frames = switching ? HOLD_FRAMES_PER_SWITCH : HOLD_FRAMES_PER_PAIR;
    const bytes = switching ? HOLD_BYTES_PER_SWITCH : HOLD_BYTES_PER_PAIR;
    if (
      !fits(this.#all, length, HOLD_FRAMES, HOLD_BYTES) ||
      !fits(inbound ? queue.inbound : queue.outbound, length, frames, bytes) ||
      (inbound && !fits(this.#inbound, length, HOLD_FRAMES * HOLD_INBOUND_SHARE, HOLD_BYTES * HOLD_INBOUND_SHARE))
    ) {
      return false;
    }
    this.#queues.set(pair, queue);
    this.#push(queue, {
      bytes: slab.slice(offset, offset + length),
      record: batch.slice(at, at + F_STRIDE),
      port,
      inbound,
    });
    return true;
  }

  #push(queue: Queue, frame: HeldFrame): void {
    queue.frames.push(frame);
    add(frame.inbound ? queue.inbound : queue.outbound, frame);
    add(this.#all, frame);
    if (frame.inbound) add(this.#inbound, frame);
  }

  /** Takes everything held for the pair out, in order. */
  take(pair: number): HeldFrame[] {
    const queue = this.#queues.get(pair);
    if (queue === undefined) return [];
    this.#queues.delete(pair);
    for (const frame of queue.frames) {
      subtract(this.#all, frame);
      if (frame.inbound) subtract(this.#inbound, frame);
    }
    return queue.frames;
  }

  /** Throws away what came from outside for the pair. Returns how many. */
  dropInbound(pair: number): number {
    const held = this.take(pair);
    const queue = empty();
    for (const frame of held) if (!frame.inbound) this.#push(queue, frame);
    if (queue.frames.length > 0) this.#queues.set(pair, queue);
    return held.length - queue.frames.length;
  }
}

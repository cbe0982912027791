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

interface Queue {
  readonly frames: HeldFrame[];
  bytes: number;
}

export class HoldQueue {
  readonly #queues = new Map<number, Queue>();
  #bytes = 0;
  #inboundBytes = 0;
  #frames = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get frames(): number {
    return this.#frames;
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
    const queue = this.#queues.get(pair) ?? { frames: [], bytes: 0 };
    if (
      this.#bytes + length > HOLD_BYTES ||
      this.#frames >= HOLD_FRAMES ||
      queue.bytes + length > (switching ? HOLD_BYTES_PER_SWITCH : HOLD_BYTES_PER_PAIR) ||
      queue.frames.length >= (switching ? HOLD_FRAMES_PER_SWITCH : HOLD_FRAMES_PER_PAIR) ||
      (inbound && this.#inboundBytes + length > HOLD_BYTES * HOLD_INBOUND_SHARE)
    ) {
      return false;
    }
    queue.frames.push({
      bytes: slab.slice(offset, offset + length),
      record: batch.slice(at, at + F_STRIDE),
      port,
      inbound,
    });
    queue.bytes += length;
    this.#queues.set(pair, queue);
    this.#bytes += length;
    this.#frames += 1;
    if (inbound) this.#inboundBytes += length;
    return true;
  }

  /** Takes everything held for the pair out, in order. */
  take(pair: number): HeldFrame[] {
    const queue = this.#queues.get(pair);
    if (queue === undefined) return [];
    this.#queues.delete(pair);
    this.#bytes -= queue.bytes;
    this.#frames -= queue.frames.length;
    for (const frame of queue.frames) if (frame.inbound) this.#inboundBytes -= frame.bytes.length;
    return queue.frames;
  }

  /** Throws away what came from outside for the pair. Returns how many. */
  dropInbound(pair: number): number {
    const held = this.take(pair);
    const queue: Queue = { frames: [], bytes: 0 };
    for (const frame of held) {
      if (frame.inbound) continue;
      queue.frames.push(frame);
      queue.bytes += frame.bytes.length;
    }
    if (queue.frames.length > 0) {
      this.#queues.set(pair, queue);
      this.#bytes += queue.bytes;
      this.#frames += queue.frames.length;
    }
    return held.length - queue.frames.length;
  }
}

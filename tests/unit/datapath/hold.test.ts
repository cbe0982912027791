/** The hold queue alone: copies, order, bounds, two budgets. */
import { describe, expect, it } from 'vitest';
import { HoldQueue } from '#datapath/hold.ts';
import {
  HOLD_BYTES,
  HOLD_BYTES_PER_PAIR,
  HOLD_FRAMES,
  HOLD_FRAMES_PER_PAIR,
  HOLD_INBOUND_SHARE,
} from '#datapath/limits.ts';
import { F_GSO_SIZE, F_LENGTH, F_OFFSET, F_STRIDE, PORT_INNER, PORT_OUTER } from '#wire/record.ts';

const slab = new Uint8Array(100_000).fill(0xa5);
const batch = new Int32Array(2 * F_STRIDE);

/** Offers a frame of this length, filled with `fill`, for the pair; true when it was kept. */
function offer(hold: HoldQueue, pair: number, length: number, fill = 1, inbound = false): boolean {
  slab.fill(0xa5);
  slab.fill(fill, 500, 500 + length);
  batch.fill(0);
  batch[F_STRIDE + F_OFFSET] = 500;
  batch[F_STRIDE + F_LENGTH] = length;
  batch[F_STRIDE + F_GSO_SIZE] = 1_400;
  return hold.keep(pair, inbound ? PORT_OUTER : PORT_INNER, inbound, slab, batch, 1);
}

describe('the hold queue', () => {
  it('gives back copies, in order, with their records and ports', () => {
    const hold = new HoldQueue();
    for (let i = 1; i <= 5; i++) expect(offer(hold, 7, 10 * i, i, i % 2 === 0)).toBe(true);
    slab.fill(0);
    batch.fill(0);
    const taken = hold.take(7);
    expect(taken.map((f) => [f.bytes.length, f.bytes[0], f.record[F_GSO_SIZE], f.port])).toEqual([
      [10, 1, 1_400, PORT_INNER],
      [20, 2, 1_400, PORT_OUTER],
      [30, 3, 1_400, PORT_INNER],
      [40, 4, 1_400, PORT_OUTER],
      [50, 5, 1_400, PORT_INNER],
    ]);
    expect([hold.frames, hold.bytes, hold.framesOf(7)]).toEqual([0, 0, 0]);
    expect(hold.take(7)).toEqual([]);
  });

  it('keeps pairs apart', () => {
    const hold = new HoldQueue();
    offer(hold, 1, 10, 1);
    offer(hold, 2, 20, 2);
    expect(hold.take(1).map((f) => f.bytes[0])).toEqual([1]);
    expect([hold.frames, hold.bytes, hold.framesOf(2)]).toEqual([1, 20, 1]);
  });

  it('refuses what is too much for a pair, in frames and in bytes', () => {
    const frames = new HoldQueue();
    for (let i = 0; i < HOLD_FRAMES_PER_PAIR; i++) expect(offer(frames, 1, 60)).toBe(true);
    expect(offer(frames, 1, 60)).toBe(false);
    expect(offer(frames, 2, 60)).toBe(true);
    const bytes = new HoldQueue();
    for (let i = 0; i < 4; i++) expect(offer(bytes, 1, HOLD_BYTES_PER_PAIR / 4)).toBe(true);
    expect(offer(bytes, 1, 1)).toBe(false);
    expect(offer(bytes, 2, 1)).toBe(true);
  });

  it('gives each side of a pair its own room', () => {
    const hold = new HoldQueue();
    for (let i = 0; i < HOLD_FRAMES_PER_PAIR; i++) expect(offer(hold, 1, 60, 1, true)).toBe(true);
    expect(offer(hold, 1, 60, 1, true)).toBe(false);
    for (let i = 0; i < HOLD_FRAMES_PER_PAIR; i++) expect(offer(hold, 1, 60, 2, false)).toBe(true);
    expect(offer(hold, 1, 60, 2, false)).toBe(false);
    expect(hold.dropInbound(1)).toBe(HOLD_FRAMES_PER_PAIR);
    expect(offer(hold, 1, 60, 2, false)).toBe(false);
    expect(offer(hold, 1, 60, 1, true)).toBe(true);
    expect(hold.take(1)).toHaveLength(HOLD_FRAMES_PER_PAIR + 1);
    expect([hold.frames, hold.bytes]).toEqual([0, 0]);
  });

  it('refuses what is too much in all, in bytes and in frames, and has room again afterwards', () => {
    const bytes = new HoldQueue();
    const pairs = HOLD_BYTES / HOLD_BYTES_PER_PAIR;
    for (let pair = 0; pair < pairs; pair++) {
      for (let i = 0; i < 4; i++) expect(offer(bytes, pair, HOLD_BYTES_PER_PAIR / 4)).toBe(true);
    }
    expect(offer(bytes, pairs, 1)).toBe(false);
    bytes.take(0);
    expect(offer(bytes, pairs, 1)).toBe(true);
    const frames = new HoldQueue();
    for (let i = 0; i < HOLD_FRAMES; i++) expect(offer(frames, Math.floor(i / HOLD_FRAMES_PER_PAIR), 60)).toBe(true);
    expect(offer(frames, 60_000, 60)).toBe(false);
  });

  it('gives frames from outside their share only, and takes it back when they leave', () => {
    const hold = new HoldQueue();
    const pairs = (HOLD_BYTES * HOLD_INBOUND_SHARE) / HOLD_BYTES_PER_PAIR;
    for (let pair = 0; pair < pairs; pair++) {
      for (let i = 0; i < 4; i++) expect(offer(hold, pair, HOLD_BYTES_PER_PAIR / 4, 1, true)).toBe(true);
    }
    expect(offer(hold, pairs, 1, 1, true)).toBe(false);
    expect(offer(hold, pairs, 1, 1, false)).toBe(true);
    hold.take(0);
    expect(offer(hold, pairs, 1, 1, true)).toBe(true);
  });

  it('and their share of the frames, however short they are', () => {
    const hold = new HoldQueue();
    const share = HOLD_FRAMES * HOLD_INBOUND_SHARE;
    const pairs = share / HOLD_FRAMES_PER_PAIR;
    for (let i = 0; i < share; i++) expect(offer(hold, i % pairs, 60, 1, true)).toBe(true);
    expect(offer(hold, pairs, 60, 1, true)).toBe(false);
    for (let i = 0; i < HOLD_FRAMES_PER_PAIR; i++) expect(offer(hold, pairs, 60, 1, false)).toBe(true);
    expect(offer(hold, pairs, 60, 1, true)).toBe(false);
    hold.take(pairs);
    expect(offer(hold, pairs, 60, 1, true)).toBe(false);
    expect(hold.dropInbound(0)).toBe(HOLD_FRAMES_PER_PAIR);
    for (let i = 0; i < HOLD_FRAMES_PER_PAIR; i++) expect(offer(hold, pairs, 60, 1, true)).toBe(true);
    expect(offer(hold, pairs + 1, 60, 1, true)).toBe(false);
  });
});

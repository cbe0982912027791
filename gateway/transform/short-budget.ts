/**
 * How many payloads of less than 16 bytes `pccom` takes on: FF1 costs many times what HCTR2 does, and nobody may buy
 * the worker's time with tiny packets (docs/transforms.md § pccom). One budget for each direction of a worker: nobody
 * on the network uses up what the devices send with.
 */
import { FORM_FRAGMENT, type Frame } from '#wire/frame.ts';
import { GSO_NONE } from '#wire/record.ts';
import { WIDE_FROM } from './cipher.ts';
import { clearEnd, contentEnd } from './datagram.ts';

/**
 * Payloads of one direction of a worker in one second, by provider. Measured on the 2-core development machine: FF1
 * takes 0.4 µs of `native` (HCTR2 0.04 µs for 16 bytes, 0.3 µs for 1,448) and 140 µs of `noble`, so they cost about 40
 * and 140 ms of that second.
 */
export const SHORT_PER_SECOND = { native: 100_000, noble: 1_000 } as const;
/** Pairs are told apart by so many bits of their addresses' hash, and one may take this part of the budget. */
const SHARES = 256;
const SHARE = 4;
const SECOND_MS = 1000;

/** Payloads of a frame, the segments of a superpacket each for itself, that FF1 enciphers. */
function shortPayloads(frame: Frame): number {
  if (frame.form === FORM_FRAGMENT) return 0;
  const length = contentEnd(frame) - clearEnd(frame);
  const step = frame.gsoType === GSO_NONE ? length : frame.gsoSize;
  if (length === 0) return 0;
  if (step < WIDE_FROM) return Math.ceil(length / step);
  const last = length % step;
  return last > 0 && last < WIDE_FROM ? 1 : 0;
}

export class ShortBudget {
  readonly #perSecond: number;
  readonly #used = new Int32Array(SHARES);
  #total = 0;
  #since = Number.NEGATIVE_INFINITY;

  /** `perSecond` payloads in all; one pair of addresses may take a quarter of it, and never less than one. */
  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** Takes what the frame needs; false when it is not there: drop it as 'pccom-short-budget'. `now` in ms. */
  admits(frame: Frame, now: number): boolean {
    const need = shortPayloads(frame);
    if (need === 0) return true;
    if (now - this.#since >= SECOND_MS || now < this.#since) {
      this.#since = now;
      this.#total = 0;
      this.#used.fill(0);
    }
    const share = shareOf(frame);
    if (this.#total + need > this.#perSecond) return false;
    if (this.#used[share] + need > Math.max(1, this.#perSecond / SHARE)) return false;
    this.#total += need;
    this.#used[share] += need;
    return true;
  }
}

/** The same for both directions of a pair. */
function shareOf(frame: Frame): number {
  let hash = 0;
  for (let word = 0; word < 4; word++)
    hash = Math.imul(hash ^ frame.source[word] ^ frame.destination[word], 0x9e3779b1);
  return (hash >>> 24) & (SHARES - 1);
}

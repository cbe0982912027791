/**
 * Which packet numbers of one receiving key were seen (RFC 6479): a ring of 32-bit blocks, so that moving the window
 * forward clears blocks and never shifts bits. Owner: the worker that holds the key.
 *
 *              top - WINDOW_SIZE          top
 *   too old  │  seen or not seen, bit by bit │  new
 */
import { dropCode } from '#wire/drops.ts';

const BLOCKS = 512; /* a power of two: the ring index is a mask */
const BLOCK_BITS = 32;
/** Numbers that can be told apart below the highest (docs/transforms.md § Replay; at least 8192). */
export const WINDOW_SIZE = (BLOCKS - 1) * BLOCK_BITS;

/**
 * On the wire the generation stands above so many bits of a number's first word, in both forms of `sealed`. TCP carries
 * these low bits of the number and no others: its option has no room for more.
 */
export const GENERATION_SHIFT = 30;
const LOW_SPAN = 2 ** GENERATION_SHIFT;

const REPLAY = dropCode('sealed-replay');
const TOO_OLD = dropCode('sealed-too-old');

export class ReplayWindow {
  /** Highest number marked; 0 before the first, since numbers start at 1. */
  top = 0;
  readonly #blocks = new Int32Array(BLOCKS);

  /** The number nearest to the top whose low GENERATION_SHIFT bits are `low`. */
  infer(low: number): number {
    const candidate = this.top - (this.top % LOW_SPAN) + low;
    if (candidate > this.top + LOW_SPAN / 2) return candidate >= LOW_SPAN ? candidate - LOW_SPAN : candidate;
    return candidate <= this.top - LOW_SPAN / 2 ? candidate + LOW_SPAN : candidate;
  }

  /** Before the cipher runs: 0, or the drop code of a number that cannot be new. Changes nothing. */
  check(number: number): number {
    if (number > this.top) return 0;
    if (number < 1 || number <= this.top - WINDOW_SIZE) return TOO_OLD;
    return this.#bit(number) === 0 ? 0 : REPLAY;
  }

  /** After the tag verified: marks the number. False when it was marked before or fell out of the window meanwhile. */
  mark(number: number): boolean {
    if (number <= this.top) {
      if (this.check(number) !== 0) return false;
    } else {
      this.#advance(number);
    }
    const block = Math.floor(number / BLOCK_BITS) & (BLOCKS - 1);
    this.#blocks[block] |= 1 << (number & (BLOCK_BITS - 1));
    return true;
  }

  #advance(number: number): void {
    const from = Math.floor(this.top / BLOCK_BITS);
    const steps = Math.min(Math.floor(number / BLOCK_BITS) - from, BLOCKS);
    for (let i = 1; i <= steps; i++) this.#blocks[(from + i) & (BLOCKS - 1)] = 0;
    this.top = number;
  }

  #bit(number: number): number {
    return (this.#blocks[Math.floor(number / BLOCK_BITS) & (BLOCKS - 1)] >>> (number & (BLOCK_BITS - 1))) & 1;
  }
}

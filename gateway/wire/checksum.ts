/**
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624). Sums are one's complement, big-endian, in a
 * 32-bit accumulator that is folded to 16 bits at the end; the addon's OP_SUM gives the same values.
 */
import type { Frame } from './frame.ts';

/**
 * Adds `length` bytes as 16-bit words to `initial`; an odd last byte counts as the high half of a word.
 * @returns an unfolded sum below 2^32, to be given to the next `sum` (behind an even length only) or to `fold`
 */
export function sum(slab: Uint8Array, offset: number, length: number, initial: number): number {
  let total = initial;
  const end = offset + length;
  let i = offset;
  /* 16 bytes a turn: the accumulator is below 2^53 for every length a slab can have, so it is folded once. */
  for (; i + 16 <= end; i += 16) {
    total +=
      ((slab[i] << 8) | slab[i + 1]) +
      ((slab[i + 2] << 8) | slab[i + 3]) +
      ((slab[i + 4] << 8) | slab[i + 5]) +
      ((slab[i + 6] << 8) | slab[i + 7]) +
      ((slab[i + 8] << 8) | slab[i + 9]) +
      ((slab[i + 10] << 8) | slab[i + 11]) +
      ((slab[i + 12] << 8) | slab[i + 13]) +
      ((slab[i + 14] << 8) | slab[i + 15]);
  }
  for (; i + 1 < end; i += 2) total += (slab[i] << 8) | slab[i + 1];
  if (i < end) total += slab[i] << 8;
  /* 2^32 ≡ 1 (mod 2^16 - 1): the carries come back in at the low end. */
  while (total > 0xffffffff) total = (total % 0x1_0000_0000) + Math.floor(total / 0x1_0000_0000);
  return total;
}

/** Folds an accumulator to the 16-bit one's complement sum; the checksum field holds its complement. */
export function fold(total: number): number {
  const once = (total >>> 16) + (total & 0xffff);
  return (once >>> 16) + (once & 0xffff);
}

/**
 * Sum of the pseudo-header (RFC 793, RFC 8200 §8.1) of a frame's addresses and protocol with layer-4 length `length`.
 */
export function pseudoHeaderSum(frame: Frame, length: number): number {
  const s = frame.source;
  const d = frame.destination;
  let total = frame.protocol + (length >>> 16) + (length & 0xffff);
  for (let i = frame.ipVersion === 4 ? 3 : 0; i < 4; i++) {
    total += (s[i] >>> 16) + (s[i] & 0xffff) + (d[i] >>> 16) + (d[i] & 0xffff);
  }
  return total;
}

/** RFC 1624, equation 3: the checksum after a 16-bit word changed from `before` to `after`. */
export function updateChecksum(checksum: number, before: number, after: number): number {
  return ~fold((~checksum & 0xffff) + (~before & 0xffff) + (after & 0xffff)) & 0xffff;
}

/**
 * Completes a partial checksum as VNET_NEEDS_CSUM means it: the field holds the pseudo-header's folded sum, the final
 * value is the complement of the sum from `start` to `end`.
 * @param field offset of the checksum field; both bytes lie within `start … end`
 */
export function completeChecksum(slab: Uint8Array, start: number, end: number, field: number): void {
  let value = ~fold(sum(slab, start, end - start, 0)) & 0xffff;
  /* UDP's zero means "none" (RFC 768), and for TCP 0xffff is the same value in one's complement. */
  if (value === 0) value = 0xffff;
  slab[field] = value >>> 8;
  slab[field + 1] = value & 0xff;
}

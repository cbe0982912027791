/** What the fanout program computes, in plain words. */

/** 2^32 divided by the golden ratio: odd, and its multiples spread over all bits (Knuth 3, §6.4). */
const MULTIPLIER = 0x9e3779b1;

/** Four 32-bit words, IPv4 as ::ffff:a.b.c.d. */
export interface Pair {
  readonly source: Int32Array;
  readonly destination: Int32Array;
}

/** The pair that an ICMP error from the network belongs to; `quote` is undefined where no whole header is quoted. */
export function pairOfError(error: Pair, quote: Pair | undefined): Pair {
  return quote?.source.every((word, i) => word === error.destination[i]) === true ? quote : error;
}

/** The worker of a pair of addresses, in either order. */
export function workerOf(source: Int32Array, destination: Int32Array, workers: number): number {
  let hash = hashAddress(source) + hashAddress(destination);
  hash = Math.imul(hash ^ (hash >>> 16), MULTIPLIER);
  return ((hash ^ (hash >>> 15)) >>> 0) % workers;
}

function hashAddress(words: Int32Array): number {
  let hash = 0;
  for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ words[i], MULTIPLIER);
  /* Not linear, so that a + b = c + d does not put two pairs of neighbours together. */
  return (hash ^ (hash >>> 15)) | 0;
}

/**
 * Chains: a frame whose bytes lie in several records, joined by F_NEXT (#wire/record.ts). The addon sends them by
 * scatter and gather; ports that need a frame in one piece linearise it here.
 */
import { F_FLAGS, F_LENGTH, F_NEXT, F_OFFSET, F_STATUS, F_STRIDE, JOINED_MAX, VNET_JOINED } from '#wire/record.ts';

/** True for a record that leaves as part of another's frame: a port passes it over. */
export function isJoined(batch: Int32Array, column: number): boolean {
  return (batch[column + F_FLAGS] & VNET_JOINED) !== 0;
}

/** First column of the record behind the one at `column` in its frame; -1 where F_NEXT names none. */
function nextOf(batch: Int32Array, column: number): number {
  const next = batch[column + F_NEXT];
  if (next < 1 || next * F_STRIDE > batch.length) return -1;
  const at = (next - 1) * F_STRIDE;
  return isJoined(batch, at) ? at : -1;
}

/**
 * Bytes of the whole frame whose first record begins at `column`, a single record's frame included; -1 where a range
 * leaves the slab or F_NEXT lies. A circle is a chain longer than JOINED_MAX. Runs for every frame sent.
 */
export function frameLength(slab: Uint8Array, batch: Int32Array, column: number): number {
  let total = 0;
  let at = column;
  for (let joined = 0; joined <= JOINED_MAX; joined++) {
    const offset = batch[at + F_OFFSET];
    const length = batch[at + F_LENGTH];
    if (offset < 0 || length < 0 || offset + length > slab.length) return -1;
    total += length;
    if (batch[at + F_NEXT] === 0) return total;
    at = nextOf(batch, at);
    if (at < 0) return -1;
  }
  return -1;
}

/**
 * Copies the whole frame whose first record begins at `column` to `into`, from `at` on.
 * @returns its bytes, or -1 with nothing copied: `frameLength` gives -1, or there is no room
 */
export function linearise(slab: Uint8Array, batch: Int32Array, column: number, into: Uint8Array, at: number): number {
  const total = frameLength(slab, batch, column);
  if (total < 0 || at + total > into.length) return -1;
  let to = at;
  for (let from = column; to < at + total; from = nextOf(batch, from)) {
    const offset = batch[from + F_OFFSET];
    const length = batch[from + F_LENGTH];
    into.set(slab.subarray(offset, offset + length), to);
    to += length;
  }
  return total;
}

/** Gives the records behind the first, which begins at `column`, the first's F_STATUS: one frame, one fate. */
export function tellJoined(batch: Int32Array, column: number): void {
  const status = batch[column + F_STATUS];
  let at = nextOf(batch, column);
  for (let joined = 0; joined < JOINED_MAX && at >= 0; joined++) {
    batch[at + F_STATUS] = status;
    at = nextOf(batch, at);
  }
}

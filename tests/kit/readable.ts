/** Waiting for descriptors outside of a worker's turn. */
import { native } from '#native/native.ts';

const NOTHING = new Uint8Array(0);
const NO_RECORDS = new Int32Array(0);
/** Where a worker has its event: poll(2) passes over it. */
const NONE = -1;

/**
 * Blocks the thread until one of `fds` (at most 63) is readable or in error, or `timeoutMs` passed; takes nothing from
 * them. poll(2)'s revents in the order of `fds`.
 */
export function readable(fds: Iterable<number>, timeoutMs: number): number[] {
  const polled = Int32Array.of(NONE, ...fds);
  const ready = new Int32Array(polled.length);
  const until = Number(process.hrtime.bigint()) / 1e6 + timeoutMs;
  native.next(
    polled,
    polled.length,
    ready,
    Float64Array.of(0, until),
    NOTHING,
    NO_RECORDS,
    new Int32Array(polled.length),
  );
  return [...ready.subarray(1)];
}

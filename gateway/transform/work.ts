/**
 * The work of one batch: cipher jobs, then frames to send, in the order in which they came. Owned by one worker.
 *
 * A transform reserves room in the work area of the slab, writes headers there, appends cipher jobs and frame records.
 * The datapath then runs all jobs at once, settles every record by the status of its job, and sends.
 */
import { dropCode } from '#wire/drops.ts';
import { F_PORT, F_STRIDE } from '#wire/record.ts';
import { J_OP, J_STATUS, J_STRIDE, OP_OPEN, OP_SUM, STATUS_OK } from './cipher.ts';

const BAD_CHECKSUM = dropCode('bad-checksum');
const FORGED = dropCode('sealed-forged');
const CIPHER_FAILED = dropCode('cipher-failed');

/** Columns of a record that belong to the work list. */
export const W_KIND = 12; /* KIND_* */
export const W_JOB = 13; /* index of the first job that decides about this record */
export const W_JOBS = 14; /* how many jobs decide: all must succeed */
export const W_STATE = 15; /* `slot` of the transform state; for KIND_OPENED its replay window decides, too */
export const W_MTU = 16; /* layer-3 bytes to cut at where that is less than the port's MTU; 0: the port's */
export const W_PIECES = 17; /* KIND_CUT: fragments, which lie behind each other from F_OFFSET on, 8-byte aligned */
export const W_LAST = 18; /* KIND_CUT: bytes of the last of them; the others have F_LENGTH */

/** Forwarded as it is; no job decides. */
export const KIND_PLAIN = 0;
/** A frame that was sealed, enciphered or deciphered: all its jobs must succeed (`jobsOutcome`). */
export const KIND_CIPHERED = 1;
/** A frame that OP_OPEN opened: all its jobs must succeed, and its number be new. */
export const KIND_OPENED = 2;
/** Settled: not sent. */
export const KIND_DROPPED = 3;
/** A frame whose keyed checksum is to be written: `settleKeyedOut` decides. */
export const KIND_KEYED_OUT = 4;
/** A frame whose keyed checksum is to be verified: `settleKeyedIn` decides. */
export const KIND_KEYED_IN = 5;
/** Settled and cut: `spreadFragments` puts its fragments in its place. */
export const KIND_CUT = 6;
/** A fragment: sent as it is. */
export const KIND_FRAGMENT = 7;

export class Work {
  readonly slab: Uint8Array;
  readonly view: DataView;
  readonly jobs: Int32Array;
  jobCount = 0;
  readonly records: Int32Array;
  recordCount = 0;
  /** Packet number of each record of KIND_OPENED, by record index. */
  readonly numbers: Float64Array;
  readonly #start: number;
  readonly #end: number;
  top: number;
  /**
   * Records that fragments will take beside those that they replace: at first as many as may be, then as many as are.
   */
  extra = 0;
  /** Bytes of the work area that they may take. */
  #kept = 0;

  /** `start … end` is the part of the slab that `reserve` hands out. */
  constructor(slab: Uint8Array, start: number, end: number, records: number) {
    this.slab = slab;
    this.view = new DataView(slab.buffer, slab.byteOffset, slab.byteLength);
    this.jobs = new Int32Array(records * 2 * J_STRIDE);
    this.records = new Int32Array(records * F_STRIDE);
    this.numbers = new Float64Array(records);
    this.#start = start;
    this.#end = end;
    this.top = start;
  }

  /** True when `records` more records (two jobs each) and `bytes` more bytes fit: ask before a frame is begun. */
  fits(records: number, bytes: number): boolean {
    const more = this.extra + records;
    return (
      (this.recordCount + more) * F_STRIDE <= this.records.length &&
      (this.jobCount + 2 * more) * J_STRIDE <= this.jobs.length &&
      this.top + this.#kept + bytes <= this.#end
    );
  }

  /** Keeps free what fragments of this batch need behind the cipher, of what `fits` was asked for. */
  keep(records: number, bytes: number): void {
    this.extra += records;
    this.#kept += bytes;
  }

  /** The cipher ran: fragments take what was kept. */
  release(): void {
    this.extra = 0;
    this.#kept = 0;
  }

  /** Offset of `bytes` bytes of the work area, 8-byte aligned. The caller asked `fits` first. */
  reserve(bytes: number): number {
    const at = this.top;
    this.top = (at + bytes + 7) & ~7;
    return at;
  }

  /** Appends record `index` of `batch` as it was received, to leave by `port`. The caller asked `fits` first. */
  pass(batch: Int32Array, index: number, port: number): void {
    const at = this.recordCount * F_STRIDE;
    const from = index * F_STRIDE;
    for (let column = 0; column < F_STRIDE; column++) this.records[at + column] = batch[from + column];
    this.records[at + F_PORT] = port;
    this.records[at + W_KIND] = KIND_PLAIN;
    this.recordCount += 1;
  }

  /** Everything was sent: start anew. */
  reset(): void {
    this.jobCount = 0;
    this.recordCount = 0;
    this.top = this.#start;
    this.release();
  }
}

/**
 * Makes room for a frame's work, by `flush` where the batch is full. A reassembled packet, which stands in the work
 * area alone, must stay.
 * @returns false where not even an empty work list holds it: the frame is dropped, as 'transform-no-room'
 */
export function hasRoom(work: Work, records: number, bytes: number, alone: boolean, flush: () => void): boolean {
  if (work.fits(records, bytes)) return true;
  if (alone) return false;
  flush();
  return work.fits(records, bytes);
}

/**
 * What jobs `first … first + count - 1`, which ran, say about a frame: OP_SUM must give 0xffff, everything else
 * STATUS_OK.
 * @returns 0, or the drop code of the first that failed
 */
export function jobsOutcome(jobs: Int32Array, first: number, count: number): number {
  for (let j = first * J_STRIDE; j < (first + count) * J_STRIDE; j += J_STRIDE) {
    const op = jobs[j + J_OP];
    if (jobs[j + J_STATUS] === (op === OP_SUM ? 0xffff : STATUS_OK)) continue;
    return op === OP_SUM ? BAD_CHECKSUM : op === OP_OPEN ? FORGED : CIPHER_FAILED;
  }
  return 0;
}

/**
 * The keyed checksum of `pccom` (docs/transforms.md § pccom): on the wire stands the plaintext packet's checksum plus a
 * 16-bit mask, in one's complement. Two steps behind the cipher, for records of KIND_KEYED_OUT and KIND_KEYED_IN.
 *
 *   out: jobs  OP_SUM of the plaintext, checksum field zero · OP_SUM of what came, where unverified · cipher · OP_MASK
 *   in:  jobs  OP_MASK · cipher · OP_SUM of the plaintext, checksum field as on the wire
 */
import { fold } from '#wire/checksum.ts';
import { dropCode } from '#wire/drops.ts';
import { F_CSUM_OFFSET, F_CSUM_START, F_FLAGS, F_OFFSET, F_STRIDE } from '#wire/record.ts';
import { J_STATUS, J_STRIDE } from './cipher.ts';
import { jobsOutcome, W_JOB, W_JOBS, type Work } from './work.ts';

const CIPHER_FAILED = dropCode('cipher-failed');
const FORGED = dropCode('pccom-forged-checksum');

/**
 * Writes the keyed checksum of record `record`, whose jobs ran; it is complete then.
 * @returns 0, or a drop code: what came in had a wrong checksum, or a job failed
 */
export function settleKeyedOut(work: Work, record: number): number {
  const { jobs, records, view } = work;
  const r = record * F_STRIDE;
  const first = records[r + W_JOB];
  const last = first + records[r + W_JOBS] - 1;
  const code = jobsOutcome(jobs, first + 1, last - first - 1);
  if (code < 0) return code;
  const mask = jobs[last * J_STRIDE + J_STATUS];
  if (mask < 0) return CIPHER_FAILED;
  const checksum = ~jobs[first * J_STRIDE + J_STATUS] & 0xffff;
  /* Never zero: that is UDP's "none" (RFC 768), and in one's complement 0xffff is the same. */
  const keyed = fold(checksum + mask) || 0xffff;
  view.setUint16(records[r + F_OFFSET] + records[r + F_CSUM_START] + records[r + F_CSUM_OFFSET], keyed);
  records[r + F_FLAGS] = 0;
  records[r + F_CSUM_START] = 0;
  records[r + F_CSUM_OFFSET] = 0;
  return 0;
}

/**
 * Verifies the keyed checksum of record `record`, whose jobs ran; the device's own is partial already.
 * @returns 0, or a drop code
 */
export function settleKeyedIn(work: Work, record: number): number {
  const { jobs, records } = work;
  const r = record * F_STRIDE;
  const first = records[r + W_JOB];
  const last = first + records[r + W_JOBS] - 1;
  const code = jobsOutcome(jobs, first + 1, last - first - 1);
  if (code < 0) return code;
  const mask = jobs[first * J_STRIDE + J_STATUS];
  if (mask < 0) return CIPHER_FAILED;
  return fold(jobs[last * J_STRIDE + J_STATUS] + (~mask & 0xffff)) === 0xffff ? 0 : FORGED;
}

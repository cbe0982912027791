/** How transforms append to the work list: one line per job or record, every column written. */
import type { Frame } from '#wire/frame.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_NEXT,
  F_OFFSET,
  F_PORT,
  F_STATUS,
  F_STRIDE,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_NONE,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import {
  J_AAD,
  J_AAD_LENGTH,
  J_DST,
  J_KEY,
  J_LENGTH,
  J_NUMBER_HIGH,
  J_NUMBER_LOW,
  J_OP,
  J_SRC,
  J_STATUS,
  J_STRIDE,
  J_TAG,
  J_TAG_LENGTH,
  type KeyIndex,
  OP_SUM,
} from './cipher.ts';
import { W_JOB, W_JOBS, W_KIND, W_MTU, W_STATE, type Work } from './work.ts';

/**
 * Appends a job of any kind, every column written: what the operation calls by another name is zero until the caller
 * says.
 */
export function addJob(
  work: Work,
  op: number,
  key: number,
  source: number,
  destination: number,
  length: number,
  aad: number,
  aadLength: number,
): number {
  const jobs = work.jobs;
  const j = work.jobCount++ * J_STRIDE;
  jobs[j + J_OP] = op;
  jobs[j + J_KEY] = key;
  jobs[j + J_SRC] = source;
  jobs[j + J_DST] = destination;
  jobs[j + J_LENGTH] = length;
  jobs[j + J_AAD] = aad;
  jobs[j + J_AAD_LENGTH] = aadLength;
  jobs[j + J_TAG] = 0;
  jobs[j + J_TAG_LENGTH] = 0;
  jobs[j + J_NUMBER_HIGH] = 0;
  jobs[j + J_NUMBER_LOW] = 0;
  jobs[j + J_STATUS] = 0;
  return j;
}

/** Appends an AEAD job: `op` is OP_SEAL or OP_OPEN, `number` the whole packet number. */
export function addAead(
  work: Work,
  op: number,
  key: KeyIndex,
  source: number,
  destination: number,
  length: number,
  aad: number,
  aadLength: number,
  tag: number,
  tagLength: number,
  number: number,
): void {
  const jobs = work.jobs;
  const j = addJob(work, op, key, source, destination, length, aad, aadLength);
  jobs[j + J_TAG] = tag;
  jobs[j + J_TAG_LENGTH] = tagLength;
  jobs[j + J_NUMBER_HIGH] = Math.floor(number / 0x1_0000_0000);
  jobs[j + J_NUMBER_LOW] = number | 0;
}

/** Appends a checksum job; a right checksum gives 0xffff. `initial` is an unfolded sum (#wire/checksum.ts). */
export function addSum(work: Work, source: number, length: number, initial: number): void {
  addJob(work, OP_SUM, 0, source, 0, length, initial, 0);
}

/**
 * Appends a frame to send, which is all jobs since `firstJob` decide about.
 * @param from the frame it was made of: its VLAN tag travels on
 * @param checksumStart absolute offset of a partial checksum's start, -1 when the checksums are complete or absent
 * @returns the record's index
 */
export function addRecord(
  work: Work,
  kind: number,
  from: Frame,
  offset: number,
  length: number,
  port: number,
  firstJob: number,
  stateSlot: number,
  checksumStart: number,
  checksumField: number,
): number {
  const records = work.records;
  const index = work.recordCount++;
  const r = index * F_STRIDE;
  records[r + F_OFFSET] = offset;
  records[r + F_LENGTH] = length;
  records[r + F_FLAGS] = checksumStart < 0 ? 0 : VNET_NEEDS_CSUM;
  records[r + F_GSO_TYPE] = GSO_NONE;
  records[r + F_GSO_SIZE] = 0;
  records[r + F_CSUM_START] = checksumStart < 0 ? 0 : checksumStart - offset;
  records[r + F_CSUM_OFFSET] = checksumStart < 0 ? 0 : checksumField;
  records[r + F_VLAN_TCI] = from.vlanTci;
  records[r + F_VLAN_TPID] = from.vlanTpid;
  records[r + F_STATUS] = 0;
  records[r + F_PORT] = port;
  records[r + F_NEXT] = 0;
  records[r + W_KIND] = kind;
  records[r + W_JOB] = firstJob;
  records[r + W_JOBS] = work.jobCount - firstJob;
  records[r + W_STATE] = stateSlot;
  records[r + W_MTU] = 0;
  return index;
}

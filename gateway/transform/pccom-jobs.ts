/** How `pccom` appends to the work list, and how much room that takes. */
import type { Frame } from '#wire/frame.ts';
import { F_GSO_SIZE, F_GSO_TYPE, F_STRIDE, GSO_ECN, GSO_UDP_L4 } from '#wire/record.ts';
import { J_SEGMENT, J_SHORT_KEY, type KeyIndex, OP_MASK } from './cipher.ts';
import { packetsOf } from './datagram.ts';
import { addJob } from './emit.ts';
import { TWEAK_ROOM } from './pccom-format.ts';
import type { PccomKeys } from './pccom-state.ts';
import type { Work } from './work.ts';

/**
 * Appends OP_ENCIPHER or OP_DECIPHER; nothing for a length of zero.
 * @param segment bytes of every segment but the last, 0 for one segment; only TCP's tweaks differ by segment
 */
export function addCipher(
  work: Work,
  op: number,
  keys: PccomKeys,
  source: number,
  destination: number,
  length: number,
  tweak: number,
  tweakLength: number,
  segment: number,
): void {
  if (length === 0) return;
  const j = addJob(work, op, keys.wide, source, destination, length, tweak, tweakLength);
  work.jobs[j + J_SHORT_KEY] = keys.short;
  work.jobs[j + J_SEGMENT] = segment;
}

/** Appends OP_MASK: a PRF of the tweak with the mask's bytes behind it, and of the ciphertext. */
export function addMask(
  work: Work,
  key: KeyIndex,
  source: number,
  length: number,
  tweak: number,
  tweakLength: number,
): void {
  addJob(work, OP_MASK, key, source, 0, length, tweak, tweakLength);
}

/**
 * The record is a superpacket like the frame it was made of; a port writes its vnet header anew.
 * @param first its first segment is the frame's, which alone may bear CWR
 */
export function keepSuperpacket(work: Work, record: number, frame: Frame, first: boolean): void {
  const r = record * F_STRIDE;
  work.records[r + F_GSO_TYPE] = frame.gsoType | (frame.gsoEcn && first ? GSO_ECN : 0);
  work.records[r + F_GSO_SIZE] = frame.gsoSize;
}

/**
 * What to ask `work.fits` for before `decipherTcp` and `decipherDatagram`, as records of two jobs: they append one
 * record, with up to three jobs, and one for every datagram of a UDP superpacket.
 */
export function decipherRecords(frame: Frame): number {
  return frame.gsoType === GSO_UDP_L4 ? Math.ceil(packetsOf(frame) / 2) : 2;
}

/** Bytes that both reserve. */
export const DECIPHER_BYTES = 2 * TWEAK_ROOM;

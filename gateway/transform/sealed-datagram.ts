/**
 * Transform `sealed` for everything that is not TCP (docs/transforms.md § Datagrams): a trailer inside the lengths.
 *
 *    | headers, clear | ciphertext …       | generation 2 bits, number 62 bits | tag, 16 bytes |
 *                     '--------------------'------------ 24 bytes more --------'---------------'
 *
 * Clear, and authenticated as far as aad.ts says: the UDP header; the first 8 bytes of ICMP. Of other
 * protocols the whole IP payload is encrypted. Owner: the worker; the functions stand in packet order. Checksums are
 * handled as in sealed-tcp.ts; a UDP checksum of zero stays zero on the whole way.
 */
import { fold, sum } from '#wire/checksum.ts';
import { dropCode } from '#wire/drops.ts';
import { FORM_FRAGMENT, type Frame, IP_LENGTH_MAX } from '#wire/frame.ts';
import { FRAGMENT_HEADER, IPV6_HEADER } from '#wire/ipv6.ts';
import { GSO_NONE } from '#wire/record.ts';
import { AAD_ROOM, aadLength, writeAad } from './aad.ts';
import { OP_OPEN, OP_SEAL } from './cipher.ts';
import {
  checksumField,
  clearEnd,
  contentEnd,
  packetsOf,
  pseudoSum,
  writeLengths,
  writePacketHeader,
} from './datagram.ts';
import { addAead, addRecord, addSum } from './emit.ts';
import { GENERATION_SHIFT } from './replay-window.ts';
import { fragmentsOf, mayFragment, TOO_BIG } from './size.ts';
import { NUMBER_LIMIT, type SealedState } from './state.ts';
import { KIND_CIPHERED, KIND_OPENED, type Work } from './work.ts';

export const TRAILER = 24;
const TRAILER_TAG = 8;
const TAG_LENGTH = 16;
const HIGH_MASK = 2 ** GENERATION_SHIFT - 1;
const MISSING_TAG = dropCode('sealed-missing-tag');
const GENERATION = dropCode('sealed-unknown-generation');
const FORGED = dropCode('sealed-forged');
const EXHAUSTED = dropCode('sealed-exhausted');
const TOO_LONG = dropCode('sealed-too-long');
const BAD_FRAGMENT = dropCode('fragment-bad');

/** Upper bound of the records that `sealDatagram`, and behind the cipher `fragmentRecord`, append. */
export function sealDatagramRecords(frame: Frame, mtu: number): number {
  return packetsOf(frame) * (1 + fragmentsOf(frame, mtu, TRAILER));
}

/** Upper bound of the bytes of the work area that both reserve. */
export function sealDatagramBytes(frame: Frame, mtu: number): number {
  const records = sealDatagramRecords(frame, mtu);
  const headers = clearEnd(frame) - frame.offset + FRAGMENT_HEADER + TRAILER;
  const content = contentEnd(frame) - clearEnd(frame);
  return records * (AAD_ROOM + headers + 8) + content * (fragmentsOf(frame, mtu, TRAILER) > 0 ? 2 : 1);
}

/**
 * Seals an IP packet that a device sent and that is neither TCP nor a fragment.
 * @param mtu of the path to the peer, bytes of layer 3
 * @param port F_PORT of the sealed packet
 * @param reassembled true for a packet that arrived in fragments: it may leave in fragments, too
 * @returns how many records of KIND_CIPHERED were appended, TOO_BIG, or a drop code. A record larger than `mtu` goes
 *   through `fragmentRecord` once its jobs succeeded.
 */
export function sealDatagram(
  work: Work,
  frame: Frame,
  state: SealedState,
  mtu: number,
  port: number,
  reassembled = false,
): number {
  /* A fragment within a reassembled packet: no host sends that. */
  if (frame.form === FORM_FRAGMENT) return BAD_FRAGMENT;
  const clear = clearEnd(frame);
  const total = contentEnd(frame) - clear;
  const step = frame.gsoType === GSO_NONE ? Math.max(total, 1) : frame.gsoSize;
  const packets = Math.max(1, Math.ceil(total / step));
  const packetLength = clear - frame.l3 + Math.min(step, total);
  const tooLong = packetLength + TRAILER - (frame.ipVersion === 6 ? IPV6_HEADER : 0) > IP_LENGTH_MAX;
  if (packetLength + TRAILER > mtu || tooLong) {
    if (!mayFragment(frame, packetLength, reassembled)) return TOO_BIG;
    if (tooLong) return TOO_LONG;
  }
  if (state.lacksNumbers(packets)) return EXHAUSTED;
  const field = checksumField(frame, work.view);
  for (let done = 0, index = 0; index < packets; done += step, index++) {
    sealPacket(work, frame, state, port, field, done, Math.min(step, total - done), index);
  }
  state.sealedBytes += total;
  return packets;
}

/**
 * Packet `index` of those that the frame is cut into: bytes `done` … `done + length` of its content, in the work area.
 */
function sealPacket(
  work: Work,
  frame: Frame,
  state: SealedState,
  port: number,
  field: number,
  done: number,
  length: number,
  index: number,
): void {
  const { view } = work;
  const clear = clearEnd(frame);
  const headers = clear - frame.offset;
  const aad = work.reserve(AAD_ROOM + headers + length + TRAILER);
  const at = aad + AAD_ROOM;
  const l4 = at + frame.l4 - frame.offset;
  const trailer = at + headers + length;
  const end = trailer + TRAILER;
  writePacketHeader(work, frame, at, end, index);
  if (field >= 0) view.setUint16(l4 + field, fold(pseudoSum(frame, end - l4)));
  writeAad(view, aad, frame, state, true, length);

  const number = state.nextNumber++;
  view.setInt32(trailer, (state.generation << GENERATION_SHIFT) | Math.floor(number / 0x1_0000_0000));
  view.setInt32(trailer + 4, number | 0);
  const firstJob = work.jobCount;
  if (!frame.checksumVerified && field >= 0) {
    const l4Length = contentEnd(frame) - frame.l4;
    addSum(work, frame.l4, l4Length, pseudoSum(frame, l4Length));
  }
  const tag = trailer + TRAILER_TAG;
  const from = clear + done;
  const bound = aadLength(frame);
  addAead(work, OP_SEAL, state.sendKey, from, at + headers, length, aad, bound, tag, TAG_LENGTH, number);
  const start = field < 0 ? -1 : l4;
  addRecord(work, KIND_CIPHERED, frame, at, end - at, port, firstJob, state.slot, start, field);
}

/** Where the content of the packet `index` of a frame begins. */
function packetStart(frame: Frame, index: number): number {
  return frame.gsoType === GSO_NONE ? clearEnd(frame) : frame.payload + index * frame.gsoSize;
}

/** Where its trailer begins when its content begins at `start`: in front of it when it is too short for one. */
function trailerOf(frame: Frame, start: number): number {
  const end = contentEnd(frame);
  return (frame.gsoType === GSO_NONE ? end : Math.min(end, start + frame.gsoSize)) - TRAILER;
}

/**
 * The generation that a packet from the network names in its trailer, before its state is chosen.
 * @param index of the packet, below `packetsOf(frame)`
 * @returns 0–3, or a drop code when it is too short for a trailer
 */
export function sealedDatagramGeneration(view: DataView, frame: Frame, index = 0): number {
  const start = packetStart(frame, index);
  const trailer = trailerOf(frame, start);
  return trailer < start ? MISSING_TAG : view.getUint32(trailer) >>> GENERATION_SHIFT;
}

/**
 * Bytes that `openDatagram` reserves for one packet; it appends one record. `fragmentRecord` needs `sealDatagramBytes`
 * on top.
 */
export function openDatagramBytes(frame: Frame): number {
  return frame.gsoType === GSO_NONE ? AAD_ROOM : AAD_ROOM + frame.payload - frame.offset + frame.gsoSize + 8;
}

/**
 * Opens an IP packet from the network that is neither TCP nor a fragment, otherwise like `openTcp`: in place, but for a
 * datagram of a UDP superpacket, which gets headers of its own in the work area.
 * @param index of the packet, below `packetsOf(frame)`
 * @returns 0, or a drop code with nothing changed
 */
export function openDatagram(work: Work, frame: Frame, state: SealedState, port: number, index = 0): number {
  const { view } = work;
  if (frame.form === FORM_FRAGMENT) return BAD_FRAGMENT;
  const start = packetStart(frame, index);
  const trailer = trailerOf(frame, start);
  if (trailer < start) return MISSING_TAG;
  const high = view.getUint32(trailer);
  if (high >>> GENERATION_SHIFT !== state.generation) return GENERATION;
  const number = (high & HIGH_MASK) * 0x1_0000_0000 + view.getUint32(trailer + 4);
  /* No sender numbers so high: the trailer is not one. */
  if (number >= NUMBER_LIMIT) return FORGED;
  const code = state.window.check(number);
  if (code < 0) return code;

  const merged = frame.gsoType !== GSO_NONE;
  const length = trailer - start;
  const headers = clearEnd(frame) - frame.offset;
  const aad = work.reserve(merged ? AAD_ROOM + headers + length : AAD_ROOM);
  writeAad(view, aad, frame, state, false, length);
  const field = checksumField(frame, view);
  const firstJob = work.jobCount;
  if (!frame.checksumVerified && field >= 0) addReceivedSum(work, frame, start);
  const at = merged ? aad + AAD_ROOM : frame.offset;
  const l4 = at + frame.l4 - frame.offset;
  const end = at + headers + length;
  const tag = trailer + TRAILER_TAG;
  const bound = aadLength(frame);
  addAead(work, OP_OPEN, state.receiveKey, start, at + headers, length, aad, bound, tag, TAG_LENGTH, number);
  if (merged) writePacketHeader(work, frame, at, end, index);
  else writeLengths(view, frame, frame.l3, l4, end);
  if (field >= 0) view.setUint16(l4 + field, fold(pseudoSum(frame, end - l4)));
  const checksumStart = field < 0 ? -1 : l4;
  const record = addRecord(work, KIND_OPENED, frame, at, end - at, port, firstJob, state.slot, checksumStart, field);
  work.numbers[record] = number;
  return 0;
}

/** The checksum that came: as in openTcp the header's part now, the rest in a job before the one that changes it. */
function addReceivedSum(work: Work, frame: Frame, start: number): void {
  const end = contentEnd(frame);
  const header = sum(work.slab, frame.l4, start - frame.l4, pseudoSum(frame, end - frame.l4));
  addSum(work, start, end - start, fold(header));
}

/**
 * Transform `pccom` for everything that is not TCP (docs/transforms.md § pccom). Clear are the UDP header and the first
 * 8 bytes of ICMP; of other protocols the whole IP payload is enciphered. Otherwise as in pccom-tcp.ts, whose banner
 * lists what the datapath calls. Owner: the worker; the functions stand in packet order.
 *
 * A UDP superpacket stays one in both directions. Its datagrams have one tweak, so each has a cipher job of its own: a
 * job of several segments counts a sequence number up. A UDP checksum of zero stays zero, unless checksums are keyed.
 */
import { fold, sum } from '#wire/checksum.ts';
import { dropCode } from '#wire/drops.ts';
import { FORM_FRAGMENT, FORM_UDP, type Frame } from '#wire/frame.ts';
import { GSO_NONE } from '#wire/record.ts';
import { UDP_CHECKSUM } from '#wire/udp.ts';
import { aadLength } from './aad.ts';
import { OP_DECIPHER, OP_ENCIPHER } from './cipher.ts';
import {
  checksumField,
  clearEnd,
  contentEnd,
  packetsOf,
  pseudoSum,
  writeLengths,
  writePacketHeader,
} from './datagram.ts';
import { addRecord, addSum } from './emit.ts';
import { MASK_EXTRA, TWEAK_ROOM, writeTweak } from './pccom-format.ts';
import { addCipher, addMask, keepSuperpacket } from './pccom-jobs.ts';
import type { PccomKeys, PccomState } from './pccom-state.ts';
import { fragmentsOf, mayFragment, TOO_BIG } from './size.ts';
import { KIND_CIPHERED, KIND_KEYED_IN, KIND_KEYED_OUT, type Work } from './work.ts';

const BAD_CHECKSUM = dropCode('bad-checksum');
const BAD_FRAGMENT = dropCode('fragment-bad');
const SUPERPACKET = dropCode('pccom-superpacket');

/** Where the packet's checksum is keyed: a protocol without one has none to key. */
function maskOf(frame: Frame, view: DataView, keys: PccomKeys): PccomKeys['mask'] {
  return frame.form === FORM_UDP || checksumField(frame, view) >= 0 ? keys.mask : undefined;
}

/** As `checksumField`; with keyed checksums every UDP datagram has one. */
function fieldOf(frame: Frame, view: DataView, mask: PccomKeys['mask']): number {
  return mask !== undefined && frame.form === FORM_UDP ? UDP_CHECKSUM : checksumField(frame, view);
}

/** The unfolded sum of the clear part of layer 4 and its pseudo-header, for a packet of `length` bytes of layer 4. */
function clearSum(slab: Uint8Array, l4: number, frame: Frame, length: number): number {
  return sum(slab, l4, clearEnd(frame) - frame.l4, pseudoSum(frame, length));
}

/** Bytes of one packet from the IP header on. */
function packetLength(frame: Frame): number {
  return frame.gsoType === GSO_NONE ? contentEnd(frame) - frame.l3 : frame.payload - frame.l3 + frame.gsoSize;
}

/**
 * Upper bound of the records that `encipherDatagram`, and behind the cipher `fragmentRecord`, append. One with four
 * jobs counts twice, and a superpacket once for every two datagrams.
 */
export function encipherDatagramRecords(frame: Frame, state: PccomState, mtu: number): number {
  return packetsOf(frame) * ((state.send.mask === undefined ? 1 : 2) + fragmentsOf(frame, mtu, 0));
}

/** Upper bound of the bytes of the work area that both reserve. */
export function encipherDatagramBytes(frame: Frame, state: PccomState, mtu: number): number {
  const headers = clearEnd(frame) - frame.offset + 16;
  const content = contentEnd(frame) - clearEnd(frame);
  const records = encipherDatagramRecords(frame, state, mtu);
  return records * (TWEAK_ROOM + headers) + content * (fragmentsOf(frame, mtu, 0) > 0 ? 2 : 1);
}

/**
 * Enciphers an IP packet that a device sent and that is neither TCP nor a fragment; in the receive slot, but for a
 * superpacket that has to be cut.
 * @param mtu of the path to the peer, bytes of layer 3
 * @param reassembled true for a packet that arrived in fragments: it may leave in fragments, too
 * @returns how many records of KIND_CIPHERED or KIND_KEYED_OUT were appended, TOO_BIG, or a drop code. A record without
 *   GSO that is larger than `mtu` goes through `fragmentRecord` once its jobs succeeded.
 */
export function encipherDatagram(
  work: Work,
  frame: Frame,
  state: PccomState,
  mtu: number,
  port: number,
  reassembled = false,
): number {
  const { slab, view } = work;
  if (frame.form === FORM_FRAGMENT) return BAD_FRAGMENT;
  const tooLarge = packetLength(frame) > mtu;
  if (tooLarge && !mayFragment(frame, packetLength(frame), reassembled)) return TOO_BIG;
  const clear = clearEnd(frame);
  const total = contentEnd(frame) - clear;
  const mask = maskOf(frame, view, state.send);
  const field = fieldOf(frame, view, mask);
  let received = -1;
  if (!frame.checksumVerified && checksumField(frame, view) >= 0) {
    received = fold(clearSum(slab, frame.l4, frame, clear - frame.l4 + total));
    if (total === 0 && received !== 0xffff) return BAD_CHECKSUM;
  }
  state.encipheredBytes += total;
  if (frame.gsoType !== GSO_NONE && (tooLarge || mask !== undefined)) {
    let index = 0;
    for (let done = 0; done < total; done += frame.gsoSize, index++) {
      encipherCut(work, frame, state, port, mask, done, Math.min(frame.gsoSize, total - done), index);
    }
    return index;
  }
  const tweak = work.reserve(TWEAK_ROOM);
  writeTweak(view, tweak, frame, state, true);
  if (frame.l3End !== contentEnd(frame)) writeLengths(view, frame, frame.l3, frame.l4, contentEnd(frame));
  appendEncipher(work, frame, state, port, mask, field, received, frame.offset, tweak, clear, total);
  return 1;
}

/** One datagram of a superpacket, with headers of its own in the work area. */
function encipherCut(
  work: Work,
  frame: Frame,
  state: PccomState,
  port: number,
  mask: PccomKeys['mask'],
  done: number,
  length: number,
  index: number,
): void {
  const { view } = work;
  const tweak = work.reserve(TWEAK_ROOM + frame.payload - frame.offset + length);
  const at = tweak + TWEAK_ROOM;
  writeTweak(view, tweak, frame, state, true);
  writePacketHeader(work, frame, at, at + frame.payload - frame.offset + length, index);
  appendEncipher(work, frame, state, port, mask, UDP_CHECKSUM, -1, at, tweak, frame.payload + done, length);
}

/** Jobs and record of a packet whose headers stand at `at` and whose `length` bytes of plaintext stand at `source`. */
function appendEncipher(
  work: Work,
  frame: Frame,
  state: PccomState,
  port: number,
  mask: PccomKeys['mask'],
  field: number,
  received: number,
  at: number,
  tweak: number,
  source: number,
  length: number,
): void {
  const { slab, view } = work;
  const l4 = at + frame.l4 - frame.offset;
  const destination = at + clearEnd(frame) - frame.offset;
  const tweakLength = aadLength(frame);
  const l4Length = destination - l4 + length;
  const firstJob = work.jobCount;
  if (mask !== undefined) {
    view.setUint16(l4 + field, 0);
    addSum(work, source, length, fold(clearSum(slab, l4, frame, l4Length)));
  }
  if (received >= 0 && length > 0) addSum(work, source, length, received);
  const merged = at === frame.offset && frame.gsoType !== GSO_NONE;
  addDatagrams(
    work,
    OP_ENCIPHER,
    state.send,
    source,
    destination,
    length,
    tweak,
    tweakLength,
    merged ? frame.gsoSize : 0,
  );
  if (mask !== undefined) addMask(work, mask, destination, length, tweak, tweakLength + MASK_EXTRA);
  else if (field >= 0) view.setUint16(l4 + field, fold(pseudoSum(frame, l4Length)));
  const kind = mask === undefined ? KIND_CIPHERED : KIND_KEYED_OUT;
  const start = field < 0 ? -1 : l4;
  const bytes = destination + length - at;
  const record = addRecord(work, kind, frame, at, bytes, port, firstJob, state.slot, start, field);
  if (merged) keepSuperpacket(work, record, frame, true);
}

/** One cipher job for every datagram: they have the same tweak. */
function addDatagrams(
  work: Work,
  op: number,
  keys: PccomKeys,
  source: number,
  destination: number,
  length: number,
  tweak: number,
  tweakLength: number,
  gsoSize: number,
): void {
  const step = gsoSize || length || 1;
  for (let done = 0; done < length; done += step) {
    const bytes = Math.min(step, length - done);
    addCipher(work, op, keys, source + done, destination + done, bytes, tweak, tweakLength, 0);
  }
}

/**
 * Deciphers an IP packet from the network that is neither TCP nor a fragment, in place. Appends one record of
 * KIND_CIPHERED or KIND_KEYED_IN.
 * @returns 0, or a drop code with nothing changed
 */
export function decipherDatagram(work: Work, frame: Frame, state: PccomState, port: number): number {
  const { slab, view } = work;
  if (frame.form === FORM_FRAGMENT) return BAD_FRAGMENT;
  const mask = maskOf(frame, view, state.receive);
  const merged = frame.gsoType !== GSO_NONE;
  if (merged && mask !== undefined) return SUPERPACKET;
  const clear = clearEnd(frame);
  const end = contentEnd(frame);
  const total = end - clear;
  const field = fieldOf(frame, view, mask);
  const unverified = mask === undefined && field >= 0 && !frame.checksumVerified;
  const received = unverified || mask !== undefined ? fold(clearSum(slab, frame.l4, frame, end - frame.l4)) : 0;
  if (unverified && total === 0 && received !== 0xffff) return BAD_CHECKSUM;

  const tweak = work.reserve(TWEAK_ROOM);
  const tweakLength = aadLength(frame);
  writeTweak(view, tweak, frame, state, false);
  const firstJob = work.jobCount;
  if (mask !== undefined) addMask(work, mask, clear, total, tweak, tweakLength + MASK_EXTRA);
  if (unverified && total > 0) addSum(work, clear, total, received);
  addDatagrams(work, OP_DECIPHER, state.receive, clear, clear, total, tweak, tweakLength, merged ? frame.gsoSize : 0);
  if (mask !== undefined) addSum(work, clear, total, received);
  if (frame.l3End !== end) writeLengths(view, frame, frame.l3, frame.l4, end);
  if (field >= 0) view.setUint16(frame.l4 + field, fold(pseudoSum(frame, end - frame.l4)));
  const kind = mask === undefined ? KIND_CIPHERED : KIND_KEYED_IN;
  const start = field < 0 ? -1 : frame.l4;
  const { offset } = frame;
  const record = addRecord(work, kind, frame, offset, end - offset, port, firstJob, state.slot, start, field);
  if (merged) keepSuperpacket(work, record, frame, true);
  return 0;
}

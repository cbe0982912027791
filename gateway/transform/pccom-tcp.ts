/**
 * Transform `pccom` for TCP (docs/transforms.md § pccom). Owner: the worker; the functions stand in packet order.
 *
 * encipher, from the device to the network:
 *   1. find the cut: none, unless checksums are keyed, the keys change within the frame, or a segment is too large
 *   2. not cut: one job in the receive slot, a superpacket stays one; cut: headers and payload of each part into the work
 *      area
 * decipher, from the network to the device: in the receive slot, a superpacket stays one
 *
 * Headers, options and lengths stay. Checksums of what leaves are partial as in sealed-tcp.ts; what came in unverified
 * gets an OP_SUM job in front of the cipher's, so no line error is repaired here. Keyed checksums: pccom-checksum.ts.
 *
 * What the datapath calls, of this file and its neighbours:
 *
 *   encipherTcp(work, frame, state, mtu, port, reassembled, older, sequence)   records appended, TOO_BIG, or a drop code
 *     encipherTcpRecords(frame, state, mtu, older), encipherTcpBytes(frame, state, mtu, older)     ask work.fits with these
 *   decipherTcp(work, frame, state, port, older, sequence)                                         0 or a drop code
 *   encipherDatagram(work, frame, state, mtu, port, reassembled)       pccom-datagram.ts; records, TOO_BIG, or a drop code
 *     encipherDatagramRecords(frame, state, mtu), encipherDatagramBytes(frame, state, mtu)
 *   decipherDatagram(work, frame, state, port)                                                     0 or a drop code
 *     decipherRecords(frame), DECIPHER_BYTES                           pccom-jobs.ts; for both forms
 *   raiseSegments(frame, state, mtu, older), then ShortBudget.admits(frame, now), short-budget.ts      before all of these
 *   settleKeyedOut(work, record), settleKeyedIn(work, record)          pccom-checksum.ts; behind the cipher, by W_KIND
 *   TOO_BIG is answered with tooBigMtu(frame, mtu, 0)                  size.ts
 *
 * Both directions change the frame where it lies: what still needs its bytes (a copy for another port) leaves before.
 */
import { fold, pseudoHeaderSum, sum } from '#wire/checksum.ts';
import { dropCode } from '#wire/drops.ts';
import type { Frame } from '#wire/frame.ts';
import { GSO_NONE } from '#wire/record.ts';
import { writeSegmentIp, writeSegmentTcp } from '#wire/segment.ts';
import { TCP_CHECKSUM, TCP_FLAGS, TCP_RST, TCP_SEQUENCE, TCP_SYN } from '#wire/tcp.ts';
import { aadLength } from './aad.ts';
import { OP_DECIPHER, OP_ENCIPHER } from './cipher.ts';
import { addRecord, addSum } from './emit.ts';
import { MASK_EXTRA, TWEAK_ROOM, writePartTweak, writeTweak } from './pccom-format.ts';
import { addCipher, addMask, keepSuperpacket } from './pccom-jobs.ts';
import type { PccomState } from './pccom-state.ts';
import { fragmentsOf, mayFragment, SEGMENT_MIN, TOO_BIG } from './size.ts';
import { KIND_CIPHERED, KIND_KEYED_IN, KIND_KEYED_OUT, type Work } from './work.ts';

/** A key switch cuts a superpacket into the segments before, the two halves of one, and the segments behind. */
const SWITCH_PARTS = 4;

const BAD_CHECKSUM = dropCode('bad-checksum');
const SUPERPACKET = dropCode('pccom-superpacket');

/** Payload bytes of every segment but the last. */
function stepOf(frame: Frame): number {
  return frame.gsoType === GSO_NONE ? Math.max(1, frame.payloadLength) : frame.gsoSize;
}

function isKeyed(state: PccomState, older: PccomState | undefined): boolean {
  return state.send.mask !== undefined || older?.send.mask !== undefined;
}

/** Every segment needs headers of its own: a keyed checksum, or it has to be cut into fragments. */
function exceeds(frame: Frame, mtu: number): boolean {
  return frame.payload - frame.l3 + Math.min(stepOf(frame), frame.payloadLength) > mtu;
}

/**
 * Raises the segment size of a superpacket that keyed checksums cut anyway, as `sealed` does: TCP is a byte stream, and
 * a bound on parts is needed. Called before everything that counts segments.
 */
export function raiseSegments(
  frame: Frame,
  state: PccomState,
  mtu: number,
  older: PccomState | undefined = undefined,
): void {
  if (frame.gsoType === GSO_NONE || !isKeyed(state, older)) return;
  frame.gsoSize = Math.max(frame.gsoSize, Math.min(SEGMENT_MIN, mtu - (frame.payload - frame.l3)));
  if (frame.payloadLength > frame.gsoSize) return;
  frame.gsoType = GSO_NONE;
  frame.gsoSize = 0;
}

/** Upper bound of the parts, not of their fragments. */
function partsOf(frame: Frame, state: PccomState, mtu: number, older: PccomState | undefined): number {
  const switching = older === undefined ? 0 : 1;
  if (!isKeyed(state, older) && !exceeds(frame, mtu)) return switching === 0 ? 1 : SWITCH_PARTS;
  const cut = Math.max(1, Math.ceil(frame.payloadLength / stepOf(frame)));
  return switching === 0 ? cut : cut + SWITCH_PARTS;
}

/**
 * Upper bound of the records that `encipherTcp`, and behind the cipher `fragmentRecord`, append; ask
 * `work.fits(records, bytes)` with both bounds first. A keyed part counts twice: it has four jobs.
 */
export function encipherTcpRecords(
  frame: Frame,
  state: PccomState,
  mtu: number,
  older: PccomState | undefined = undefined,
): number {
  return partsOf(frame, state, mtu, older) * ((isKeyed(state, older) ? 2 : 1) + fragmentsOf(frame, mtu, 0));
}

/** Upper bound of the bytes of the work area that both reserve. */
export function encipherTcpBytes(
  frame: Frame,
  state: PccomState,
  mtu: number,
  older: PccomState | undefined = undefined,
): number {
  const headers = frame.payload - frame.offset + 16;
  const records = encipherTcpRecords(frame, state, mtu, older);
  return records * (TWEAK_ROOM + headers) + frame.payloadLength * (fragmentsOf(frame, mtu, 0) > 0 ? 2 : 1);
}

/**
 * How many bytes of the payload are under the older keys: those whose sequence numbers, mod 2^32, lie before the
 * switch. A SYN's or a reset's data is not cut: its own sequence number decides.
 * @returns -1 when not even the segment's own sequence number is
 */
function bytesUnderOlder(frame: Frame, sequence: number): number {
  const before = (sequence - frame.sequence) | 0;
  if (before <= 0) return -1;
  return (frame.tcpFlags & (TCP_SYN | TCP_RST)) !== 0 ? frame.payloadLength : Math.min(before, frame.payloadLength);
}

/**
 * Enciphers a frame of FORM_TCP that a device sent.
 * @param mtu of the path to the peer, bytes of layer 3
 * @param port F_PORT of what leaves
 * @param reassembled true for a packet that arrived in fragments: it may leave in fragments, too
 * @param older while a connection that existed before a key switch lives: the keys of what lies before `sequence`
 * @param sequence the first TCP sequence number, unsigned, that is under `state`; nothing without `older`
 * @returns how many records of KIND_CIPHERED or KIND_KEYED_OUT were appended (1 or more), TOO_BIG, or a drop code. A
 *   record without GSO that is larger than `mtu` goes through `fragmentRecord` once its jobs succeeded.
 */
export function encipherTcp(
  work: Work,
  frame: Frame,
  state: PccomState,
  mtu: number,
  port: number,
  reassembled: boolean,
  older: PccomState | undefined = undefined,
  sequence = 0,
): number {
  const { slab } = work;
  const total = frame.payloadLength;
  const step = stepOf(frame);
  const tooLarge = exceeds(frame, mtu);
  if (tooLarge && !mayFragment(frame, frame.payload - frame.l3 + Math.min(step, total), reassembled)) return TOO_BIG;
  let received = -1;
  if (!frame.checksumVerified) {
    /* The payload's part comes from a job before the one that changes it; without payload it is known now. */
    const pseudo = pseudoHeaderSum(frame, frame.l3End - frame.l4);
    received = fold(sum(slab, frame.l4, frame.tcpHeaderLength, pseudo));
    if (total === 0 && received !== 0xffff) return BAD_CHECKSUM;
  }
  const switched = older === undefined ? -1 : bytesUnderOlder(frame, sequence);
  let count = 0;
  let index = 0;
  for (let done = 0; done < total || count === 0; count++) {
    const isOlder = older !== undefined && (switched < 0 ? false : done < switched || total === 0);
    const owner = isOlder ? older : state;
    const end = isOlder ? switched : total;
    const single = tooLarge || owner.send.mask !== undefined;
    const length = partLength(done, end, total, step, single);
    encipherPart(work, frame, owner, port, received, done, length, index);
    owner.encipheredBytes += length;
    done += length;
    index += Math.max(1, Math.ceil(length / step));
  }
  return count;
}

/**
 * Of the bytes from `done` to `end`: whole segments together, or one, or what is left of one that a key switch cuts.
 */
function partLength(done: number, end: number, total: number, step: number, single: boolean): number {
  const inSegment = done % step;
  if (single || inSegment !== 0) return Math.min(step - inSegment, end - done);
  if (end === total) return end - done;
  return Math.floor((end - done) / step) * step || end - done;
}

/** One part: in the slot when it is the whole frame, else with headers of its own in the work area. */
function encipherPart(
  work: Work,
  frame: Frame,
  owner: PccomState,
  port: number,
  received: number,
  done: number,
  length: number,
  index: number,
): void {
  const { slab, view } = work;
  const total = frame.payloadLength;
  const whole = length === total;
  const headers = frame.payload - frame.offset;
  const tweak = work.reserve(TWEAK_ROOM + (whole ? 0 : headers + length));
  const at = whole ? frame.offset : tweak + TWEAK_ROOM;
  const l4 = at + frame.l4 - frame.offset;
  writeTweak(view, tweak, frame, owner, true);
  if (!whole) {
    const l3 = at + frame.l3 - frame.offset;
    slab.copyWithin(at, frame.offset, frame.payload);
    writeSegmentIp(view, l3, at + headers + length, index);
    writeSegmentTcp(view, l4, done, done + length === total, frame.tcpFlags);
    writePartTweak(view, tweak, frame, view.getUint32(l4 + TCP_SEQUENCE), slab[l4 + TCP_FLAGS]);
  }
  const firstJob = work.jobCount;
  const source = frame.payload + done;
  const destination = at + headers;
  const pseudo = pseudoHeaderSum(frame, frame.tcpHeaderLength + length);
  const { mask } = owner.send;
  if (mask !== undefined) {
    view.setUint16(l4 + TCP_CHECKSUM, 0);
    addSum(work, source, length, fold(sum(slab, l4, frame.tcpHeaderLength, pseudo)));
  }
  if (received >= 0 && total > 0) addSum(work, frame.payload, total, received);
  const gso = frame.gsoType !== GSO_NONE && length > frame.gsoSize ? frame.gsoSize : 0;
  const tweakLength = aadLength(frame);
  addCipher(work, OP_ENCIPHER, owner.send, source, destination, length, tweak, tweakLength, gso);
  if (mask !== undefined) addMask(work, mask, destination, length, tweak, tweakLength + MASK_EXTRA);
  else view.setUint16(l4 + TCP_CHECKSUM, fold(pseudo));
  const kind = mask === undefined ? KIND_CIPHERED : KIND_KEYED_OUT;
  const bytes = headers + length;
  const record = addRecord(work, kind, frame, at, bytes, port, firstJob, owner.slot, l4, TCP_CHECKSUM);
  if (gso > 0) keepSuperpacket(work, record, frame, done === 0);
}

/**
 * Deciphers a frame of FORM_TCP that came from the network, in place. Each segment is wholly under the keys that its
 * own sequence number says; a superpacket may hold segments of both. Appends one record of KIND_CIPHERED or
 * KIND_KEYED_IN.
 * @param older, sequence as for `encipherTcp`, of the far end's switch
 * @returns 0, or a drop code with nothing changed
 */
export function decipherTcp(
  work: Work,
  frame: Frame,
  state: PccomState,
  port: number,
  older: PccomState | undefined = undefined,
  sequence = 0,
): number {
  const { slab, view } = work;
  const total = frame.payloadLength;
  const merged = frame.gsoType !== GSO_NONE;
  const step = stepOf(frame);
  const before = older === undefined ? -1 : (sequence - frame.sequence) | 0;
  const first = before > 0 && older !== undefined ? older : state;
  const switched = before > 0 ? Math.min(total, Math.ceil(before / step) * step) : total;
  const last = switched < total ? state : first;
  if (merged && (first.receive.mask !== undefined || last.receive.mask !== undefined)) return SUPERPACKET;
  const pseudo = pseudoHeaderSum(frame, frame.l3End - frame.l4);
  const received = merged ? 0 : fold(sum(slab, frame.l4, frame.tcpHeaderLength, pseudo));
  const { mask } = first.receive;
  const unverified = mask === undefined && !frame.checksumVerified;
  if (unverified && total === 0 && received !== 0xffff) return BAD_CHECKSUM;

  const tweak = work.reserve(TWEAK_ROOM);
  const tweakLength = aadLength(frame);
  writeTweak(view, tweak, frame, first, false);
  const firstJob = work.jobCount;
  const { payload } = frame;
  if (mask !== undefined) addMask(work, mask, payload, total, tweak, tweakLength + MASK_EXTRA);
  if (unverified && total > 0) addSum(work, payload, total, received);
  addCipher(work, OP_DECIPHER, first.receive, payload, payload, switched, tweak, tweakLength, merged ? step : 0);
  if (switched < total) {
    const second = work.reserve(TWEAK_ROOM);
    const at = payload + switched;
    writeTweak(view, second, frame, state, false);
    writePartTweak(view, second, frame, (frame.sequence + switched) >>> 0, frame.tcpFlags);
    addCipher(work, OP_DECIPHER, state.receive, at, at, total - switched, second, tweakLength, step);
  }
  if (mask !== undefined) addSum(work, payload, total, received);
  view.setUint16(frame.l4 + TCP_CHECKSUM, fold(pseudo));
  const kind = mask === undefined ? KIND_CIPHERED : KIND_KEYED_IN;
  const { offset, l3End, l4 } = frame;
  const record = addRecord(work, kind, frame, offset, l3End - offset, port, firstJob, first.slot, l4, TCP_CHECKSUM);
  if (merged) keepSuperpacket(work, record, frame, true);
  return 0;
}

/**
 * Transform `sealed` for TCP (docs/transforms.md § TCP). Owner: the worker; the functions stand in packet order.
 *
 * seal, from the device to the network:
 *   1. read the options; a segment that authenticates its own header cannot be changed and is refused
 *   2. find the cut: a superpacket into its segments, a segment that would exceed the MTU into pieces
 *   3. per segment: header and sealed option into the work area, a job that encrypts the payload behind them
 * open, from the network to the device:
 *   1. find the sealed option, infer the number, refuse what was seen before
 *   2. copy authenticated data and tag aside, a job that decrypts in place
 *   3. put the ordinary header directly in front of the payload
 *
 * Checksums of what leaves are partial (VNET_NEEDS_CSUM, the field holds the pseudo-header's sum): the port or the link
 * completes them. What came in unverified gets an OP_SUM job that must give 0xffff, so no line error is repaired here.
 */
import { fold, pseudoHeaderSum, sum } from '#wire/checksum.ts';
import { dropCode } from '#wire/drops.ts';
import { type Frame, IP_LENGTH_MAX } from '#wire/frame.ts';
import { GSO_NONE } from '#wire/record.ts';
import { setIpLength, writeSegmentIp, writeSegmentTcp } from '#wire/segment.ts';
import {
  TCP_CHECKSUM,
  TCP_FIN,
  TCP_HEADER,
  TCP_OPTIONS_MAX,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  tcpSetHeaderLength,
} from '#wire/tcp.ts';
import { AAD_ROOM, aadLength, writeAad, writeSegmentAad } from './aad.ts';
import { OP_OPEN, OP_SEAL } from './cipher.ts';
import { addAead, addRecord, addSum } from './emit.ts';
import { GENERATION_SHIFT } from './replay-window.ts';
import { SEGMENT_MIN } from './size.ts';
import type { SealedState } from './state.ts';
import {
  KeptOptions,
  ordinaryLength,
  readOptions,
  SEALED_OPTION,
  SEALED_OPTION_NUMBER,
  SEALED_OPTION_TAG,
  sealedLength,
  TCP_TAG_LENGTH,
  writeOrdinary,
  writeSealed,
} from './tcp-layout.ts';
import { KIND_CIPHERED, KIND_OPENED, type Work } from './work.ts';

/** A segment is cut only where its parts may be this long: bounds records where extension headers fill the path MTU. */
const CUT_ROOM_MIN = 256;
/** The MSS option is never clamped below it: Linux's own lower bound. A longer segment is cut. */
const MSS_MIN = 88;

const LOW_MASK = 2 ** GENERATION_SHIFT - 1;
const MISSING_TAG = dropCode('sealed-missing-tag');
const GENERATION = dropCode('sealed-unknown-generation');
const SUPERPACKET = dropCode('sealed-superpacket');
const AUTHENTICATED = dropCode('tcp-authenticated');
const NO_ROOM = dropCode('sealed-no-room');
const EXHAUSTED = dropCode('sealed-exhausted');

/* Scratch of the one thread that runs this module. */
const kept = new KeptOptions();

/** Upper bound of the records that `sealTcp` appends; ask `work.fits(records, bytes)` with both bounds first. */
export function sealTcpRecords(frame: Frame, mtu: number): number {
  const room = payloadRoom(frame, mtu, TCP_OPTIONS_MAX);
  return room < 1 ? 1 : Math.max(1, Math.ceil(frame.payloadLength / stepOf(frame, frame.payloadLength, room)));
}

/** Upper bound of the bytes of the work area that `sealTcp` reserves. */
export function sealTcpBytes(frame: Frame, mtu: number): number {
  const perRecord = AAD_ROOM + (frame.l4 - frame.offset) + TCP_HEADER + TCP_OPTIONS_MAX + 8;
  return sealTcpRecords(frame, mtu) * perRecord + frame.payloadLength;
}

/** Bytes that `openTcp` reserves; it appends one record. */
export const OPEN_TCP_BYTES = AAD_ROOM + 16;

function payloadRoom(frame: Frame, mtu: number, optionsLength: number): number {
  return Math.min(mtu, IP_LENGTH_MAX) - (frame.l4 - frame.l3) - TCP_HEADER - optionsLength;
}

/** Payload bytes of every segment but the last. A single segment that must be cut is cut into equal parts. */
function stepOf(frame: Frame, total: number, room: number): number {
  if ((frame.tcpFlags & (TCP_SYN | TCP_RST)) !== 0) return room;
  if (frame.gsoType !== GSO_NONE) return Math.min(Math.max(frame.gsoSize, SEGMENT_MIN), room);
  const parts = Math.ceil(total / room);
  return parts < 2 ? room : Math.ceil(total / parts);
}

/**
 * Seals a frame of FORM_TCP that a device sent.
 * @param mtu of the path to the peer, bytes of layer 3
 * @param port F_PORT of the sealed segments
 * @returns how many records of KIND_CIPHERED were appended (1 or more), or a drop code
 */
export function sealTcp(work: Work, frame: Frame, state: SealedState, mtu: number, port: number): number {
  const { slab, view } = work;
  const code = readOptions(slab, view, frame, kept);
  if (code < 0) return code;
  if (kept.authenticated) return AUTHENTICATED;
  const syn = (frame.tcpFlags & TCP_SYN) !== 0;
  const optionsLength = sealedLength(kept, syn);
  const room = payloadRoom(frame, mtu, optionsLength);
  if (room < 1) return NO_ROOM;
  let total = frame.payloadLength;
  let flags = frame.tcpFlags;
  if ((flags & (TCP_SYN | TCP_RST)) !== 0 && total > room) {
    /* A SYN's or a reset's data cannot stand in a segment of its own: the rest is left off, and SYN data comes
     * again. */
    total = room;
    flags &= ~(TCP_FIN | TCP_PSH);
  }
  if (total > room && room < CUT_ROOM_MIN) return NO_ROOM;
  const step = stepOf(frame, total, room);
  if (state.lacksNumbers(Math.max(1, Math.ceil(total / step)))) return EXHAUSTED;
  if (syn && kept.mss >= 0) kept.mss = clampMss(kept.mss, frame, mtu);
  return sealSegments(work, frame, state, total, step, flags, optionsLength, port);
}

/** The first `total` payload bytes in segments of `step`, with the options in `kept`. Returns how many. */
function sealSegments(
  work: Work,
  frame: Frame,
  state: SealedState,
  total: number,
  step: number,
  flags: number,
  optionsLength: number,
  port: number,
): number {
  const { slab, view } = work;
  const linkAndIp = frame.l4 - frame.offset;
  const tcpLength = TCP_HEADER + optionsLength;
  const headers = linkAndIp + tcpLength;
  const pseudo = pseudoHeaderSum(frame, 0);
  const authenticated = aadLength(frame);
  let template = 0;
  let count = 0;
  for (let done = 0; done < total || count === 0; done += step, count++) {
    const length = Math.min(step, total - done);
    const aad = work.reserve(AAD_ROOM + headers + length);
    const at = aad + AAD_ROOM;
    const l3 = at + frame.l3 - frame.offset;
    const l4 = at + linkAndIp;
    if (count === 0) {
      slab.copyWithin(at, frame.offset, frame.l4 + TCP_HEADER);
      writeSealed(view, l4 + TCP_HEADER, kept, (frame.tcpFlags & TCP_SYN) !== 0);
      tcpSetHeaderLength(slab, l4, tcpLength);
      writeAad(view, aad, frame, state, true, 0);
      template = aad;
    } else {
      slab.copyWithin(aad, template, template + AAD_ROOM + headers);
    }
    writeSegmentIp(view, l3, at + headers + length, count);
    writeSegmentTcp(view, l4, done, done + length === total, flags);
    view.setUint16(l4 + TCP_CHECKSUM, fold(pseudo + tcpLength + length));
    writeSegmentAad(view, aad, l4, length);

    const firstJob = work.jobCount;
    sealPayload(work, frame, state, done, length, l4, tcpLength, aad, authenticated);
    addRecord(work, KIND_CIPHERED, frame, at, headers + length, port, firstJob, state.slot, l4, TCP_CHECKSUM);
  }
  state.sealedBytes += total;
  return count;
}

/** `length` payload bytes from `done` on, behind the header at `l4`: its number, and the jobs. */
function sealPayload(
  work: Work,
  frame: Frame,
  state: SealedState,
  done: number,
  length: number,
  l4: number,
  tcpLength: number,
  aad: number,
  authenticated: number,
): void {
  const number = state.nextNumber++;
  const option = l4 + TCP_HEADER;
  work.view.setInt32(option + SEALED_OPTION_NUMBER, (state.generation << GENERATION_SHIFT) | (number & LOW_MASK));
  if (!frame.checksumVerified) {
    addSum(work, frame.l4, frame.l3End - frame.l4, pseudoHeaderSum(frame, frame.l3End - frame.l4));
  }
  addAead(
    work,
    OP_SEAL,
    state.sendKey,
    frame.payload + done,
    l4 + tcpLength,
    length,
    aad,
    authenticated,
    option + SEALED_OPTION_TAG,
    TCP_TAG_LENGTH,
    number,
  );
}

/** The device's peer is told to send segments that leave room for the sealed option, and that fit the path. */
function clampMss(mss: number, frame: Frame, mtu: number): number {
  const fits = Math.min(mss - SEALED_OPTION, mtu - (frame.l4 - frame.l3) - TCP_HEADER - SEALED_OPTION);
  return Math.max(fits, Math.min(mss, MSS_MIN));
}

/**
 * The generation that a TCP frame from the network names, before its state is chosen.
 * @returns 0–3, or a drop code
 */
export function sealedTcpGeneration(slab: Uint8Array, view: DataView, frame: Frame): number {
  const code = readOptions(slab, view, frame, kept);
  if (code < 0) return code;
  return kept.sealed < 0 ? MISSING_TAG : view.getUint32(kept.sealed + SEALED_OPTION_NUMBER) >>> GENERATION_SHIFT;
}

/**
 * Opens a frame of FORM_TCP that came from the network, in place. Appends one record of KIND_OPENED, whose number is in
 * `work.numbers`; once its jobs succeeded, `settleOpened` says whether it is new. The frame's bytes change at once:
 * they are not a packet any more until the jobs ran.
 *
 * Every sealed segment bears another option, so GRO never merges two: a superpacket here is a lie and refused.
 * @returns 0, or a drop code with nothing changed
 */
export function openTcp(work: Work, frame: Frame, state: SealedState, port: number): number {
  if (frame.gsoType !== GSO_NONE) return SUPERPACKET;
  let code = readOptions(work.slab, work.view, frame, kept);
  if (code < 0) return code;
  if (kept.sealed < 0) return MISSING_TAG;
  const word = work.view.getUint32(kept.sealed + SEALED_OPTION_NUMBER);
  if (word >>> GENERATION_SHIFT !== state.generation) return GENERATION;
  const number = state.window.infer(word & LOW_MASK);
  code = state.window.check(number);
  if (code < 0) return code;

  const firstJob = work.jobCount;
  openPayload(work, frame, state, number);
  const record = restoreHeader(work, frame, port, firstJob, state.slot);
  work.numbers[record] = number;
  return 0;
}

/** Authenticated data and tag aside, and the jobs that open the payload where it is. */
function openPayload(work: Work, frame: Frame, state: SealedState, number: number): void {
  const { slab, view } = work;
  const aad = work.reserve(OPEN_TCP_BYTES);
  const tag = aad + AAD_ROOM;
  writeAad(view, aad, frame, state, false, frame.payloadLength);
  for (let i = 0; i < TCP_TAG_LENGTH; i += 4) {
    view.setInt32(tag + i, view.getInt32(kept.sealed + SEALED_OPTION_TAG + i));
  }
  if (!frame.checksumVerified) {
    /* The header is rewritten below and the payload by the job behind this one: header here, payload there. */
    const header = sum(slab, frame.l4, frame.tcpHeaderLength, pseudoHeaderSum(frame, frame.l3End - frame.l4));
    addSum(work, frame.payload, frame.payloadLength, fold(header));
  }
  const length = frame.payloadLength;
  addAead(
    work,
    OP_OPEN,
    state.receiveKey,
    frame.payload,
    frame.payload,
    length,
    aad,
    aadLength(frame),
    tag,
    TCP_TAG_LENGTH,
    number,
  );
}

/** The ordinary header directly in front of the payload. Returns the record. */
function restoreHeader(work: Work, frame: Frame, port: number, firstJob: number, slot: number): number {
  const { slab, view } = work;
  const length = frame.payloadLength;
  const syn = (frame.tcpFlags & TCP_SYN) !== 0;
  const tcpLength = TCP_HEADER + ordinaryLength(kept, syn);
  /* Never negative: what is restored takes less than what it is restored from and the sealed option together. */
  const shift = frame.tcpHeaderLength - tcpLength;
  const at = frame.offset + shift;
  const l3 = frame.l3 + shift;
  const l4 = frame.l4 + shift;
  slab.copyWithin(at, frame.offset, frame.l4 + TCP_HEADER);
  writeOrdinary(view, l4 + TCP_HEADER, kept, syn);
  tcpSetHeaderLength(slab, l4, tcpLength);
  setIpLength(view, l3, l4 + tcpLength + length);
  view.setUint16(l4 + TCP_CHECKSUM, fold(pseudoHeaderSum(frame, tcpLength + length)));
  return addRecord(work, KIND_OPENED, frame, at, frame.l3End - at, port, firstJob, slot, l4, TCP_CHECKSUM);
}

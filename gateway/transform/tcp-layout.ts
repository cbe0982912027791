/**
 * TCP options on their two sides of a gateway. Toward the network every segment bears the sealed option, and what is
 * kept of the device's options shares the remaining 20 bytes; toward the device they stand as Linux would write them.
 *
 *    sealed option, first of all options:
 *    0       1       2               4                               8                       20
 *    +-------+-------+---------------+-------------------------------+-----------------------+
 *    |  253  |   20  | ExID 0x4753   |gen. 2 bits, number's low 30   | tag, 12 bytes         |
 *    +-------+-------+---------------+-------------------------------+-----------------------+
 *
 *    SYN, both sides:     MSS 4 · SACK-permitted 2 · timestamps 10 · NOP · window scale 3           = 20
 *    others, ordinary:    NOP NOP timestamps 10 · NOP NOP SACK 10                                  = 24
 *    others, sealed:      timestamps 10 · SACK 10, no padding when both are there                   = 20
 *
 * Kept: these. Removed, both ways: Fast Open, MPTCP and everything else; of SACK blocks one stays.
 */
import type { Frame } from '#wire/frame.ts';
import {
  O_KIND,
  O_LENGTH,
  O_OFFSET,
  O_STRIDE,
  OPT_AO,
  OPT_EXPERIMENT,
  OPT_MD5,
  OPT_MSS,
  OPT_MSS_LENGTH,
  OPT_NOP,
  OPT_SACK,
  OPT_SACK_PERMITTED,
  OPT_SACK_PERMITTED_LENGTH,
  OPT_TIMESTAMPS,
  OPT_TIMESTAMPS_LENGTH,
  OPT_WINDOW_SCALE,
  OPT_WINDOW_SCALE_LENGTH,
  OPTIONS_ROOM,
  SACK_BLOCK,
  TCP_HEADER,
  tcpOptions,
} from '#wire/tcp.ts';

export const SEALED_OPTION = 20;
const SEALED_EXID = 0x4753; /* "GS"; RFC 6994 */
export const SEALED_OPTION_NUMBER = 4;
export const SEALED_OPTION_TAG = 8;
export const TCP_TAG_LENGTH = 12;
/** 253, 20, ExID: the option's first word. */
const SEALED_WORD = (OPT_EXPERIMENT << 24) | (SEALED_OPTION << 16) | SEALED_EXID;
const NOP_NOP_TIMESTAMPS = (OPT_NOP << 24) | (OPT_NOP << 16) | (OPT_TIMESTAMPS << 8) | OPT_TIMESTAMPS_LENGTH;
const TIMESTAMPS_PADDED = OPT_TIMESTAMPS_LENGTH + 2;
const SACK_ONE = 2 + SACK_BLOCK;

/**
 * Where the sealed option stands in a TCP header that an ICMP error quotes: first of all options, as it was sent.
 * @returns its offset, or -1 when it is not there or not quoted as far as the number
 */
export function sealedOptionAt(view: DataView, l4: number, end: number): number {
  const option = l4 + TCP_HEADER;
  return option + SEALED_OPTION_TAG <= end && view.getInt32(option) === SEALED_WORD ? option : -1;
}

/** What is kept of a segment's options, copied out, so that the header may be rewritten where it lies. */
export class KeptOptions {
  /** Offset of the sealed option, -1 for none. */
  sealed = -1;
  /** TCP-MD5 or TCP-AO: the header must not be changed. */
  authenticated = false;
  mss = -1;
  windowScale = -1;
  sackPermitted = false;
  timestamps = false;
  sack = false;
  /** TSval, TSecr, left edge, right edge. */
  readonly words = new Int32Array(4);
}

/* Scratch of the one thread that runs this module. */
const listed = new Int32Array(OPTIONS_ROOM);

/** Reads the options of a frame of FORM_TCP. Returns 0 or a drop code. */
export function readOptions(slab: Uint8Array, view: DataView, frame: Frame, kept: KeptOptions): number {
  kept.sealed = -1;
  kept.authenticated = false;
  kept.mss = -1;
  kept.windowScale = -1;
  kept.sackPermitted = false;
  kept.timestamps = false;
  kept.sack = false;
  /* The two layouts that nearly all segments have; the list below gives the same answer in five times the time. */
  let at = frame.l4 + TCP_HEADER;
  let left = frame.tcpHeaderLength - TCP_HEADER;
  if (left >= SEALED_OPTION && view.getInt32(at) === SEALED_WORD) {
    kept.sealed = at;
    at += SEALED_OPTION;
    left -= SEALED_OPTION;
  }
  if (left === 0) return 0;
  if (left === TIMESTAMPS_PADDED && view.getInt32(at) === NOP_NOP_TIMESTAMPS) {
    keepTimestamps(view, at + 2, kept);
    return 0;
  }
  kept.sealed = -1;
  return readListed(slab, view, frame, kept);
}

function readListed(slab: Uint8Array, view: DataView, frame: Frame, kept: KeptOptions): number {
  const count = tcpOptions(slab, frame, listed);
  for (let i = 0; i < count; i++) {
    const at = listed[i * O_STRIDE + O_OFFSET];
    switch (listed[i * O_STRIDE + O_KIND]) {
      case OPT_TIMESTAMPS:
        keepTimestamps(view, at, kept);
        break;
      case OPT_SACK:
        keepSack(view, at, (listed[i * O_STRIDE + O_LENGTH] - 2) / SACK_BLOCK, frame.acknowledgement, kept);
        break;
      case OPT_MSS:
        kept.mss = view.getUint16(at + 2);
        break;
      case OPT_SACK_PERMITTED:
        kept.sackPermitted = true;
        break;
      case OPT_WINDOW_SCALE:
        kept.windowScale = slab[at + 2];
        break;
      case OPT_MD5:
      case OPT_AO:
        kept.authenticated = true;
        break;
      case OPT_EXPERIMENT:
        if (view.getInt32(at) === SEALED_WORD) kept.sealed = at;
        break;
    }
  }
  return count < 0 ? count : 0;
}

function keepTimestamps(view: DataView, at: number, kept: KeptOptions): void {
  kept.timestamps = true;
  kept.words[0] = view.getInt32(at + 2);
  kept.words[1] = view.getInt32(at + 6);
}

/** The first block stays, the second when the first only reports a duplicate. */
function keepSack(view: DataView, at: number, blocks: number, acknowledgement: number, kept: KeptOptions): void {
  const block = blocks > 1 && firstIsDuplicate(view, at, acknowledgement) ? at + 2 + SACK_BLOCK : at + 2;
  kept.sack = true;
  kept.words[2] = view.getInt32(block);
  kept.words[3] = view.getInt32(block + 4);
}

/** RFC 2883 §4: below the cumulative acknowledgement, or within the second block. */
function firstIsDuplicate(view: DataView, at: number, acknowledgement: number): boolean {
  const left = view.getInt32(at + 2);
  const right = view.getInt32(at + 6);
  if (((right - acknowledgement) | 0) <= 0) return true;
  return ((left - view.getInt32(at + 10)) | 0) >= 0 && ((view.getInt32(at + 14) - right) | 0) >= 0;
}

/** Bytes that the kept options take in the device's layout, a multiple of 4, at most 24. */
export function ordinaryLength(kept: KeptOptions, syn: boolean): number {
  if (!syn) return (kept.timestamps ? TIMESTAMPS_PADDED : 0) + (kept.sack ? 2 + SACK_ONE : 0);
  return (
    (kept.mss >= 0 ? OPT_MSS_LENGTH : 0) +
    (kept.timestamps ? TIMESTAMPS_PADDED : kept.sackPermitted ? 2 + OPT_SACK_PERMITTED_LENGTH : 0) +
    (kept.windowScale >= 0 ? 1 + OPT_WINDOW_SCALE_LENGTH : 0)
  );
}

/** Bytes of all options of a sealed segment, a multiple of 4, at most 40. */
export function sealedLength(kept: KeptOptions, syn: boolean): number {
  if (!syn && kept.timestamps && kept.sack) return SEALED_OPTION + OPT_TIMESTAMPS_LENGTH + SACK_ONE;
  return SEALED_OPTION + ordinaryLength(kept, syn);
}

/** Writes `ordinaryLength` bytes at `at`. */
export function writeOrdinary(view: DataView, at: number, kept: KeptOptions, syn: boolean): void {
  if (!syn) {
    const behind = kept.timestamps ? writeTimestamps(view, at, kept) : at;
    if (kept.sack) {
      view.setUint16(behind, (OPT_NOP << 8) | OPT_NOP);
      writeSack(view, behind + 2, kept);
    }
    return;
  }
  let next = at;
  if (kept.mss >= 0) {
    view.setUint16(next, (OPT_MSS << 8) | OPT_MSS_LENGTH);
    view.setUint16(next + 2, kept.mss);
    next += OPT_MSS_LENGTH;
  }
  if (kept.timestamps || kept.sackPermitted) {
    const start = next;
    next = kept.timestamps ? writeTimestamps(view, next, kept) : next + 2 + OPT_SACK_PERMITTED_LENGTH;
    if (!kept.timestamps) view.setUint16(start, (OPT_NOP << 8) | OPT_NOP);
    const permitted = kept.timestamps ? start : start + 2;
    if (kept.sackPermitted) view.setUint16(permitted, (OPT_SACK_PERMITTED << 8) | OPT_SACK_PERMITTED_LENGTH);
  }
  if (kept.windowScale >= 0) {
    view.setUint16(next, (OPT_NOP << 8) | OPT_WINDOW_SCALE);
    view.setUint16(next + 2, (OPT_WINDOW_SCALE_LENGTH << 8) | kept.windowScale);
  }
}

/** Writes `sealedLength` bytes at `at`: number and tag are left for each segment to fill in. */
export function writeSealed(view: DataView, at: number, kept: KeptOptions, syn: boolean): void {
  view.setInt32(at, SEALED_WORD);
  const behind = at + SEALED_OPTION;
  if (!syn && kept.timestamps && kept.sack) {
    view.setUint16(behind, (OPT_TIMESTAMPS << 8) | OPT_TIMESTAMPS_LENGTH);
    view.setInt32(behind + 2, kept.words[0]);
    view.setInt32(behind + 6, kept.words[1]);
    writeSack(view, behind + OPT_TIMESTAMPS_LENGTH, kept);
  } else {
    writeOrdinary(view, behind, kept, syn);
  }
}

function writeTimestamps(view: DataView, at: number, kept: KeptOptions): number {
  view.setInt32(at, NOP_NOP_TIMESTAMPS);
  view.setInt32(at + 4, kept.words[0]);
  view.setInt32(at + 8, kept.words[1]);
  return at + TIMESTAMPS_PADDED;
}

function writeSack(view: DataView, at: number, kept: KeptOptions): void {
  view.setUint16(at, (OPT_SACK << 8) | SACK_ONE);
  view.setInt32(at + 2, kept.words[2]);
  view.setInt32(at + 6, kept.words[3]);
}

/**
 * TCP (RFC 9293).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-------------------------------+-------------------------------+
 *    |          Source Port          |       Destination Port        |
 *    +-------------------------------+-------------------------------+
 *    |                        Sequence Number                        |
 *    |                     Acknowledgment Number                     |
 *    +-------+-------+---------------+-------------------------------+
 *    |Offset | Rsrvd |CEUAPRSF       |            Window             |
 *    +-------+-------+---------------+-------------------------------+
 *    |           Checksum            |        Urgent Pointer         |
 *    +-------------------------------+-------------------------------+
 *    |                   Options, up to 40 bytes                     |
 */
import { dropCode } from './drops.ts';
import { FORM_TCP, type Frame } from './frame.ts';

export const TCP_SOURCE_PORT = 0;
export const TCP_DESTINATION_PORT = 2;
export const TCP_SEQUENCE = 4;
export const TCP_ACKNOWLEDGEMENT = 8;
export const TCP_DATA_OFFSET = 12; /* high four bits, in units of 4 bytes */
export const TCP_FLAGS = 13;
export const TCP_CHECKSUM = 16;
export const TCP_URGENT = 18;
export const TCP_HEADER = 20; /* without options */
export const TCP_OPTIONS_MAX = 40;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;
export const TCP_CWR = 0x80;

/** Option kinds (IANA "TCP Parameters"). */
export const OPT_END = 0;
export const OPT_NOP = 1;
export const OPT_MSS = 2;
export const OPT_WINDOW_SCALE = 3;
export const OPT_SACK_PERMITTED = 4;
export const OPT_SACK = 5;
export const OPT_TIMESTAMPS = 8;
export const OPT_MD5 = 19; /* RFC 2385 */
export const OPT_AO = 29; /* RFC 5925 */
export const OPT_EXPERIMENT = 253; /* RFC 6994: a 16-bit ExID follows */

export const OPT_MSS_LENGTH = 4;
export const OPT_WINDOW_SCALE_LENGTH = 3;
export const OPT_SACK_PERMITTED_LENGTH = 2;
export const OPT_TIMESTAMPS_LENGTH = 10;
export const SACK_BLOCK = 8;

/** More than a SYN, or what may follow it at once (RFC 7413), has octets. */
const REPEATED_WITHIN = 2 ** 16;

/** True when a SYN numbered `sequence` repeats the one of the connection whose next sequence number is `next`. */
export function tcpRepeatsSyn(sequence: number, next: number): boolean {
  const since = (next - sequence) | 0;
  return since > 0 && since <= REPEATED_WITHIN;
}

/** Columns of an option in what `tcpOptions` writes. */
export const O_KIND = 0;
export const O_OFFSET = 1; /* of the kind byte, in the slab */
export const O_LENGTH = 2; /* kind and length bytes included */
export const O_STRIDE = 3;
/** Room for every option that fits 40 bytes (two bytes each; NOP and END are not listed). */
export const OPTIONS_ROOM = (TCP_OPTIONS_MAX / 2) * O_STRIDE;

const BAD_TCP = dropCode('tcp-bad-header');

/**
 * Lists the options of a frame of FORM_TCP, padding left out, in their order.
 * @param into Int32Array of OPTIONS_ROOM, reused by the caller
 * @returns how many, or a negative drop code when a length leads nowhere or out of the header, or when an option of
 *   fixed length has another one
 */
export function tcpOptions(slab: Uint8Array, frame: Frame, into: Int32Array): number {
  const end = frame.l4 + frame.tcpHeaderLength;
  let at = frame.l4 + TCP_HEADER;
  let count = 0;
  while (at < end) {
    const kind = slab[at];
    if (kind === OPT_END) break;
    if (kind === OPT_NOP) {
      at++;
      continue;
    }
    if (at + 2 > end) return BAD_TCP;
    const length = slab[at + 1];
    if (length < 2 || at + length > end || !optionLengthFits(kind, length)) return BAD_TCP;
    const column = count * O_STRIDE;
    into[column + O_KIND] = kind;
    into[column + O_OFFSET] = at;
    into[column + O_LENGTH] = length;
    count++;
    at += length;
  }
  return count;
}

function optionLengthFits(kind: number, length: number): boolean {
  switch (kind) {
    case OPT_MSS:
      return length === OPT_MSS_LENGTH;
    case OPT_WINDOW_SCALE:
      return length === OPT_WINDOW_SCALE_LENGTH;
    case OPT_SACK_PERMITTED:
      return length === OPT_SACK_PERMITTED_LENGTH;
    case OPT_TIMESTAMPS:
      return length === OPT_TIMESTAMPS_LENGTH;
    case OPT_SACK:
      return length > 2 && (length - 2) % SACK_BLOCK === 0;
    case OPT_EXPERIMENT:
      return length >= 4;
    default:
      return true;
  }
}

/** Sets the header length in bytes (20–60, a multiple of 4); the reserved bits keep their values. */
export function tcpSetHeaderLength(slab: Uint8Array, l4: number, length: number): void {
  slab[l4 + TCP_DATA_OFFSET] = ((length >>> 2) << 4) | (slab[l4 + TCP_DATA_OFFSET] & 0x0f);
}

/** Reads the header at `l4` into `frame`. Returns 0 or a drop code. */
export function parseTcp(slab: Uint8Array, view: DataView, frame: Frame, l4: number): number {
  if (l4 + TCP_HEADER > frame.l3End) return BAD_TCP;
  const headerLength = (slab[l4 + TCP_DATA_OFFSET] >>> 4) << 2;
  if (headerLength < TCP_HEADER || l4 + headerLength > frame.l3End) return BAD_TCP;
  frame.form = FORM_TCP;
  frame.sourcePort = view.getUint16(l4 + TCP_SOURCE_PORT);
  frame.destinationPort = view.getUint16(l4 + TCP_DESTINATION_PORT);
  frame.sequence = view.getUint32(l4 + TCP_SEQUENCE);
  frame.acknowledgement = view.getUint32(l4 + TCP_ACKNOWLEDGEMENT);
  frame.tcpFlags = slab[l4 + TCP_FLAGS];
  frame.tcpHeaderLength = headerLength;
  frame.payload = l4 + headerLength;
  frame.payloadLength = frame.l3End - frame.payload;
  return 0;
}

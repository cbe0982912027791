/**
 * UDP (RFC 768).
 *
 *    0       2       4       6       8
 *    +-------+-------+-------+-------+----------------
 *    | source| dest. |length |checks.| payload …
 *    +-------+-------+-------+-------+----------------
 */
import { dropCode } from './drops.ts';
import { FORM_UDP, type Frame } from './frame.ts';
export const UDP_SOURCE_PORT = 0;
export const UDP_DESTINATION_PORT = 2;
export const UDP_LENGTH = 4; /* header and payload; zero is for jumbograms only (RFC 2675) and is refused */
export const UDP_CHECKSUM = 6; /* zero: none (IPv4) */
export const UDP_HEADER = 8;
/** Linux's UDP_MAX_SEGMENTS; a UDP superpacket of more is a lie. */
export const UDP_SEGMENTS_MAX = 128;

const BAD_UDP = dropCode('udp-bad-length');

/** Reads the header at `l4` into `frame`. Returns 0 or a drop code. */
export function parseUdp(view: DataView, frame: Frame, l4: number): number {
  if (l4 + UDP_HEADER > frame.l3End) return BAD_UDP;
  const length = view.getUint16(l4 + UDP_LENGTH);
  if (length < UDP_HEADER || l4 + length > frame.l3End) return BAD_UDP;
  frame.form = FORM_UDP;
  frame.sourcePort = view.getUint16(l4 + UDP_SOURCE_PORT);
  frame.destinationPort = view.getUint16(l4 + UDP_DESTINATION_PORT);
  frame.payload = l4 + UDP_HEADER;
  frame.payloadLength = length - UDP_HEADER;
  return 0;
}

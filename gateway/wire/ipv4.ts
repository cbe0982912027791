/**
 * IPv4 (RFC 791).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-------+-------+---------------+-------------------------------+
 *    |Version|  IHL  |      TOS      |         Total Length          |
 *    +-------+-------+---------------+-----+-------------------------+
 *    |        Identification         |Flags|     Fragment Offset     |
 *    +---------------+---------------+-----+-------------------------+
 *    | Time to Live  |   Protocol    |        Header Checksum        |
 *    +---------------+---------------+-------------------------------+
 *    |                         Source Address                        |
 *    +---------------------------------------------------------------+
 *    |                      Destination Address                      |
 *    +---------------------------------------------------------------+
 *    |                    Options, up to 40 bytes                    |
 */

import { fold, sum, updateChecksum } from './checksum.ts';
import { dropCode } from './drops.ts';
import { parseFragment } from './fragment.ts';
import { FORM_OTHER, type Frame, setPayload } from './frame.ts';

export const IPV4_VERSION_IHL = 0;
export const IPV4_TOS = 1;
export const IPV4_TOTAL_LENGTH = 2;
export const IPV4_ID = 4;
export const IPV4_FLAGS_OFFSET = 6;
export const IPV4_TTL = 8;
export const IPV4_PROTOCOL = 9;
export const IPV4_CHECKSUM = 10;
export const IPV4_SOURCE = 12;
export const IPV4_DESTINATION = 16;
export const IPV4_HEADER = 20; /* without options */

/** Bits of the 16-bit word at IPV4_FLAGS_OFFSET. */
export const IPV4_DF = 0x4000;
export const IPV4_MF = 0x2000;
export const IPV4_OFFSET_MASK = 0x1fff; /* units of 8 bytes */

/** Every IPv4 path carries this much (RFC 791); path-MTU values below it are not believed. */
export const IPV4_MTU_MIN = 576;

/** Header length in bytes, options included, as the header at `l3` says it. */
export function ipv4HeaderLength(slab: Uint8Array, l3: number): number {
  return (slab[l3] & 0x0f) << 2;
}

/** Replaces a 16-bit word of the header at `l3 + field` and adjusts the header checksum (RFC 1624). */
export function ipv4SetWord(view: DataView, l3: number, field: number, value: number): void {
  const before = view.getUint16(l3 + field);
  view.setUint16(l3 + field, value);
  view.setUint16(l3 + IPV4_CHECKSUM, updateChecksum(view.getUint16(l3 + IPV4_CHECKSUM), before, value));
}

/** Sets the total length; a wrong header checksum stays wrong. */
export function ipv4SetTotalLength(view: DataView, l3: number, length: number): void {
  ipv4SetWord(view, l3, IPV4_TOTAL_LENGTH, length);
}

/** Sets the identification, as when a superpacket is cut. */
export function ipv4SetId(view: DataView, l3: number, id: number): void {
  ipv4SetWord(view, l3, IPV4_ID, id);
}

/** Makes the packet a fragment: `offset` in bytes, a multiple of 8. DF is cleared. */
export function ipv4SetFragment(view: DataView, l3: number, offset: number, more: boolean): void {
  ipv4SetWord(view, l3, IPV4_FLAGS_OFFSET, (more ? IPV4_MF : 0) | (offset >>> 3));
}

/** Computes the header checksum anew: for headers of our own making. */
export function ipv4WriteChecksum(slab: Uint8Array, view: DataView, l3: number): void {
  view.setUint16(l3 + IPV4_CHECKSUM, 0);
  view.setUint16(l3 + IPV4_CHECKSUM, ~fold(sum(slab, l3, ipv4HeaderLength(slab, l3), 0)) & 0xffff);
}

/** True when the header checksum is right. */
export function ipv4ChecksumIsRight(slab: Uint8Array, l3: number): boolean {
  return fold(sum(slab, l3, ipv4HeaderLength(slab, l3), 0)) === 0xffff;
}

/**
 * Writes a 20-byte header with DF set, checksum included. Addresses are 16 bytes, ::ffff:a.b.c.d.
 * @returns the header's length
 */
export function ipv4WriteHeader(
  slab: Uint8Array,
  view: DataView,
  l3: number,
  source: Uint8Array,
  destination: Uint8Array,
  protocol: number,
  totalLength: number,
  ttl: number,
): number {
  view.setUint16(l3 + IPV4_VERSION_IHL, 0x4500);
  view.setUint16(l3 + IPV4_TOTAL_LENGTH, totalLength);
  view.setUint16(l3 + IPV4_ID, 0); /* RFC 6864: meaningless with DF */
  view.setUint16(l3 + IPV4_FLAGS_OFFSET, IPV4_DF);
  slab[l3 + IPV4_TTL] = ttl;
  slab[l3 + IPV4_PROTOCOL] = protocol;
  for (let i = 0; i < 4; i++) {
    slab[l3 + IPV4_SOURCE + i] = source[12 + i];
    slab[l3 + IPV4_DESTINATION + i] = destination[12 + i];
  }
  ipv4WriteChecksum(slab, view, l3);
  return IPV4_HEADER;
}

const BAD_IP = dropCode('ip-bad-header');
const BAD_LENGTH = dropCode('ip-bad-length');

/** Reads the header at `frame.l3` into `frame`, which ends at `end` at the latest. Returns 0 or a drop code. */
export function parseIpv4(slab: Uint8Array, view: DataView, frame: Frame, end: number): number {
  const l3 = frame.l3;
  if (l3 + IPV4_HEADER > end || slab[l3] >>> 4 !== 4) return BAD_IP;
  const headerLength = ipv4HeaderLength(slab, l3);
  if (headerLength < IPV4_HEADER || l3 + headerLength > end) return BAD_IP;
  const totalLength = view.getUint16(l3 + IPV4_TOTAL_LENGTH);
  if (totalLength < headerLength || l3 + totalLength > end) return BAD_LENGTH;
  frame.ipVersion = 4;
  frame.l3End = l3 + totalLength;
  frame.ipOptions = headerLength > IPV4_HEADER;
  frame.protocol = slab[l3 + IPV4_PROTOCOL];
  frame.source[2] = 0xffff;
  frame.source[3] = view.getInt32(l3 + IPV4_SOURCE);
  frame.destination[2] = 0xffff;
  frame.destination[3] = view.getInt32(l3 + IPV4_DESTINATION);
  const flags = view.getUint16(l3 + IPV4_FLAGS_OFFSET);
  frame.dontFragment = (flags & IPV4_DF) !== 0;
  frame.fragmentId = view.getUint16(l3 + IPV4_ID);
  const l4 = l3 + headerLength;
  if ((flags & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0) {
    return parseFragment(frame, l4, (flags & IPV4_OFFSET_MASK) << 3, (flags & IPV4_MF) !== 0, headerLength);
  }
  setPayload(frame, FORM_OTHER, l4, frame.l3End);
  return 0;
}

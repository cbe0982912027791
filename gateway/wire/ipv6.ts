/**
 * IPv6 and its extension headers (RFC 8200).
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    +-------+---------------+---------------------------------------+
 *    |Version| Traffic Class |              Flow Label               |
 *    +-------+---------------+-------+---------------+---------------+
 *    |        Payload Length         |  Next Header  |   Hop Limit   |
 *    +-------------------------------+---------------+---------------+
 *    |                   Source Address, 16 bytes                    |
 *    |                 Destination Address, 16 bytes                 |
 *    +---------------------------------------------------------------+
 *
 *    Fragment header:
 *    +---------------+---------------+-------------------------+---+-+
 *    |  Next Header  |   Reserved    |     Fragment Offset     |Res|M|
 *    +---------------+---------------+-------------------------+---+-+
 *    |                         Identification                        |
 *    +---------------------------------------------------------------+
 */
import { dropCode } from './drops.ts';
import { parseFragment } from './fragment.ts';
import { FORM_OTHER, type Frame, setPayload } from './frame.ts';
export const IPV6_PAYLOAD_LENGTH = 4;
export const IPV6_NEXT_HEADER = 6;
export const IPV6_HOP_LIMIT = 7;
export const IPV6_SOURCE = 8;
export const IPV6_DESTINATION = 24;
export const IPV6_HEADER = 40;
/** Every IPv6 path carries this much (RFC 8200 §5). */
export const IPV6_MTU_MIN = 1280;

export const EXT_HOP_BY_HOP = 0;
export const EXT_ROUTING = 43;
export const EXT_FRAGMENT = 44;
export const EXT_DESTINATION = 60;
/** Extension headers that are walked; RFC 8200 §4.1 names at most five in an ordinary packet. */
const EXT_HEADERS_MAX = 8;

/** Offsets within the Fragment header. */
export const FRAGMENT_NEXT_HEADER = 0;
export const FRAGMENT_OFFSET_MORE = 2;
export const FRAGMENT_ID = 4;
export const FRAGMENT_HEADER = 8;
export const FRAGMENT_OFFSET_MASK = 0xfff8; /* the 16-bit word at FRAGMENT_OFFSET_MORE, masked, is in bytes */
export const FRAGMENT_MORE = 1;

/** True for extension headers of the form {next header, length in 8 bytes less one}; the Fragment header is not. */
export function isExtensionWithLength(protocol: number): boolean {
  return protocol === EXT_HOP_BY_HOP || protocol === EXT_ROUTING || protocol === EXT_DESTINATION;
}

/** Sets the payload length: everything behind the 40-byte header, extension headers included. */
export function ipv6SetPayloadLength(view: DataView, l3: number, length: number): void {
  view.setUint16(l3 + IPV6_PAYLOAD_LENGTH, length);
}

/**
 * Writes a 40-byte header without traffic class and flow label. Addresses are 16 bytes.
 * @returns the header's length
 */
export function ipv6WriteHeader(
  slab: Uint8Array,
  view: DataView,
  l3: number,
  source: Uint8Array,
  destination: Uint8Array,
  nextHeader: number,
  payloadLength: number,
  hopLimit: number,
): number {
  view.setUint32(l3, 0x60000000);
  view.setUint16(l3 + IPV6_PAYLOAD_LENGTH, payloadLength);
  slab[l3 + IPV6_NEXT_HEADER] = nextHeader;
  slab[l3 + IPV6_HOP_LIMIT] = hopLimit;
  for (let i = 0; i < 16; i++) {
    slab[l3 + IPV6_SOURCE + i] = source[i];
    slab[l3 + IPV6_DESTINATION + i] = destination[i];
  }
  return IPV6_HEADER;
}

/** Writes a Fragment header at `at`; `offset` in bytes, a multiple of 8. */
export function ipv6WriteFragmentHeader(
  view: DataView,
  at: number,
  nextHeader: number,
  offset: number,
  more: boolean,
  id: number,
): void {
  view.setUint16(at, nextHeader << 8);
  view.setUint16(at + FRAGMENT_OFFSET_MORE, offset | (more ? FRAGMENT_MORE : 0));
  view.setUint32(at + FRAGMENT_ID, id);
}

/**
 * Where in a parsed packet the Next Header byte lies that names the header at `target` (a Frame's `l4`, or its Fragment
 * header); -1 when no header begins there.
 */
export function nextHeaderField(slab: Uint8Array, l3: number, target: number): number {
  let field = l3 + IPV6_NEXT_HEADER;
  let at = l3 + IPV6_HEADER;
  while (at < target) {
    const isFragment = slab[field] === EXT_FRAGMENT;
    if (!isFragment && !isExtensionWithLength(slab[field])) return -1;
    field = at;
    at += isFragment ? FRAGMENT_HEADER : (slab[at + 1] + 1) << 3;
  }
  return at === target ? field : -1;
}

/**
 * Where a Fragment header goes into a parsed packet: behind hop-by-hop and routing headers, and destination options
 * in front of a routing header (RFC 8200 §4.5: the per-fragment headers).
 */
export function fragmentPoint(slab: Uint8Array, l3: number, l4: number): number {
  let protocol = slab[l3 + IPV6_NEXT_HEADER];
  let at = l3 + IPV6_HEADER;
  let point = at;
  while (at < l4 && isExtensionWithLength(protocol)) {
    const length = (slab[at + 1] + 1) << 3;
    if (protocol !== EXT_DESTINATION) point = at + length;
    protocol = slab[at];
    at += length;
  }
  return point;
}

const BAD_IP = dropCode('ip-bad-header');
const BAD_LENGTH = dropCode('ip-bad-length');

/**
 * Reads header and extension headers at `frame.l3` into `frame`, which ends at `end` at the latest. Returns 0 or a drop
 * code.
 */
export function parseIpv6(slab: Uint8Array, view: DataView, frame: Frame, end: number): number {
  const l3 = frame.l3;
  if (l3 + IPV6_HEADER > end || slab[l3] >>> 4 !== 6) return BAD_IP;
  const l3End = l3 + IPV6_HEADER + view.getUint16(l3 + IPV6_PAYLOAD_LENGTH);
  if (l3End > end) return BAD_LENGTH;
  frame.ipVersion = 6;
  frame.l3End = l3End;
  frame.dontFragment = true;
  for (let word = 0; word < 4; word++) {
    frame.source[word] = view.getInt32(l3 + IPV6_SOURCE + 4 * word);
    frame.destination[word] = view.getInt32(l3 + IPV6_DESTINATION + 4 * word);
  }
  let protocol = slab[l3 + IPV6_NEXT_HEADER];
  let at = l3 + IPV6_HEADER;
  for (let headers = 0; protocol === EXT_FRAGMENT || isExtensionWithLength(protocol); headers++) {
    /* RFC 8200 §4.1: hop-by-hop options stand first or nowhere. */
    if (headers === EXT_HEADERS_MAX || (protocol === EXT_HOP_BY_HOP && headers > 0)) return BAD_IP;
    if (at + FRAGMENT_HEADER > l3End) return BAD_IP; /* the smallest of the others has 8 bytes too */
    frame.ipOptions = true;
    if (protocol === EXT_FRAGMENT) {
      const word = view.getUint16(at + FRAGMENT_OFFSET_MORE);
      frame.fragmentId = view.getUint32(at + FRAGMENT_ID);
      protocol = slab[at + FRAGMENT_NEXT_HEADER];
      at += FRAGMENT_HEADER;
      /* An atomic fragment (RFC 6946) is a whole packet. */
      if ((word & (FRAGMENT_OFFSET_MASK | FRAGMENT_MORE)) === 0) continue;
      frame.protocol = protocol;
      const perFragment = at - FRAGMENT_HEADER - l3 - IPV6_HEADER;
      return parseFragment(frame, at, word & FRAGMENT_OFFSET_MASK, (word & FRAGMENT_MORE) !== 0, perFragment);
    }
    protocol = slab[at];
    at += (slab[at + 1] + 1) << 3;
    if (at > l3End) return BAD_IP;
  }
  frame.protocol = protocol;
  setPayload(frame, FORM_OTHER, at, l3End);
  return 0;
}

/**
 * ICMP (RFC 792) and ICMPv6 (RFC 4443).
 *
 *    0       1       2               4                               8
 *    +-------+-------+---------------+-------------------------------+----------------
 *    | type  | code  |   checksum    | Echo: identifier ‖ sequence   | data …
 *    |       |       |               | error: by type (MTU, pointer) | quoted packet …
 *    +-------+-------+---------------+-------------------------------+----------------
 */
import { ADDRESS_UNICAST, addressClass, wordsToBytes } from './address.ts';
import { fold, sum } from './checksum.ts';
import { dropCode } from './drops.ts';
import { macIsGroup } from './ethernet.ts';
import { FORM_ECHO, FORM_ICMP_ERROR, type Frame, PROTO_ICMP, PROTO_ICMPV6 } from './frame.ts';
import { IPV4_HEADER, IPV4_MTU_MIN, ipv4WriteHeader } from './ipv4.ts';
import { IPV6_HEADER, IPV6_MTU_MIN, IPV6_SOURCE, ipv6WriteHeader } from './ipv6.ts';

export const ICMP_TYPE = 0;
export const ICMP_CODE = 1;
export const ICMP_CHECKSUM = 2;
export const ICMP_HEADER = 8;

export const ECHO_ID = 4;
export const ECHO_SEQUENCE = 6;

export const ICMP4_ECHO_REPLY = 0;
export const ICMP4_UNREACHABLE = 3;
export const ICMP4_SOURCE_QUENCH = 4;
export const ICMP4_REDIRECT = 5;
export const ICMP4_ECHO_REQUEST = 8;
export const ICMP4_TIME_EXCEEDED = 11;
export const ICMP4_PARAMETER = 12;

export const ICMP6_UNREACHABLE = 1;
export const ICMP6_TOO_BIG = 2;
export const ICMP6_PARAMETER = 4;
export const ICMP6_ECHO_REQUEST = 128;
export const ICMP6_ECHO_REPLY = 129;

export const ICMP4_CODE_FRAGMENTATION_NEEDED = 4;
export const ICMP4_CODE_HOST = 1;
export const ICMP6_CODE_ADDRESS = 3;
/** Next-hop MTU: 16 bits in ICMP (RFC 1191), 32 bits in ICMPv6 (RFC 4443 §3.2). */
export const ERROR_MTU4 = 6;
export const ERROR_MTU6 = 4;

/** Bytes of a packet that an error of ours quotes: addresses, ports, sequence number and a transform's option fit. */
export const QUOTE_LENGTH = 128;
const TTL = 64; /* RFC 1700's default, for messages of our own */

/** True for Echo Request and Reply of the given IP version. */
export function icmpIsEcho(ipVersion: number, type: number): boolean {
  return ipVersion === 4
    ? type === ICMP4_ECHO_REQUEST || type === ICMP4_ECHO_REPLY
    : type === ICMP6_ECHO_REQUEST || type === ICMP6_ECHO_REPLY;
}

/** True for messages that quote the packet they are about (RFC 1122 §3.2.2; RFC 4443 §2.1: types below 128). */
export function icmpIsError(ipVersion: number, type: number): boolean {
  if (ipVersion === 6) return type < 128;
  return (
    type === ICMP4_UNREACHABLE ||
    type === ICMP4_SOURCE_QUENCH ||
    type === ICMP4_REDIRECT ||
    type === ICMP4_TIME_EXCEEDED ||
    type === ICMP4_PARAMETER
  );
}

/**
 * True for errors that tell a host what became of its packet, no longer than an error may be (RFC 1812 §4.3.2.3, RFC
 * 4443 §2.4 (c)); not for redirects and source quench, which tell it what to do.
 */
export function icmpErrorReports(frame: Frame): boolean {
  const { icmpType: type, ipVersion } = frame;
  if (frame.l3End - frame.l3 > (ipVersion === 4 ? IPV4_MTU_MIN : IPV6_MTU_MIN)) return false;
  if (ipVersion === 6) return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER;
  return type === ICMP4_UNREACHABLE || type === ICMP4_TIME_EXCEEDED || type === ICMP4_PARAMETER;
}

const BAD_ICMP = dropCode('icmp-bad-header');

/** Reads the header at `l4` into `frame`. Returns 0 or a drop code. */
export function parseIcmp(slab: Uint8Array, view: DataView, frame: Frame, l4: number): number {
  if (l4 + ICMP_HEADER > frame.l3End) return BAD_ICMP;
  frame.icmpType = slab[l4 + ICMP_TYPE];
  frame.icmpCode = slab[l4 + ICMP_CODE];
  if (icmpIsEcho(frame.ipVersion, frame.icmpType)) {
    frame.form = FORM_ECHO;
    frame.sourcePort = view.getUint16(l4 + ECHO_ID);
    frame.destinationPort = frame.sourcePort;
  } else if (icmpIsError(frame.ipVersion, frame.icmpType)) {
    frame.form = FORM_ICMP_ERROR;
  } else {
    return 0;
  }
  frame.payload = l4 + ICMP_HEADER;
  frame.payloadLength = frame.l3End - frame.payload;
  return 0;
}

/* Messages of our own: whole IP packets without a layer-2 header, for the control path. */

/**
 * Writes an Echo Request or Reply. Addresses are 16 bytes.
 * @param at where the IP header begins; the slab has room for 48 bytes and the data
 * @returns bytes of the IP packet
 */
export function writeEcho(
  slab: Uint8Array,
  view: DataView,
  at: number,
  ipVersion: number,
  source: Uint8Array,
  destination: Uint8Array,
  kind: 'request' | 'reply',
  id: number,
  sequence: number,
  data: Uint8Array,
): number {
  const length = ICMP_HEADER + data.length;
  const l4 = at + writeIpHeader(slab, view, at, ipVersion, source, destination, length);
  const request = ipVersion === 4 ? ICMP4_ECHO_REQUEST : ICMP6_ECHO_REQUEST;
  const reply = ipVersion === 4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY;
  slab[l4 + ICMP_TYPE] = kind === 'request' ? request : reply;
  slab[l4 + ICMP_CODE] = 0;
  view.setUint16(l4 + ECHO_ID, id);
  view.setUint16(l4 + ECHO_SEQUENCE, sequence);
  slab.set(data, l4 + ICMP_HEADER);
  writeIcmpChecksum(slab, view, at, l4, length, ipVersion);
  return l4 + length - at;
}

/**
 * True when an error about this frame may be sent (RFC 1122 §3.2.2, RFC 4443 §2.4): not about an error, a later
 * fragment, or a packet from or to more than one host.
 */
export function icmpErrorAllowed(slab: Uint8Array, frame: Frame): boolean {
  return (
    frame.ipVersion !== 0 &&
    frame.form !== FORM_ICMP_ERROR &&
    frame.fragmentOffset === 0 &&
    !macIsGroup(slab, frame.offset) &&
    addressClass(frame.source) === ADDRESS_UNICAST &&
    addressClass(frame.destination) === ADDRESS_UNICAST
  );
}

/**
 * Writes an ICMP error about `frame` from its destination to its source, as if the far end had sent it: that address
 * is the one a device believes. The frame's bytes are still those of the packet as its sender made it.
 * @param at where the IP header begins; does not overlap the frame; room for 48 + QUOTE_LENGTH + `behind`
 * @param mtu for "fragmentation needed" and "packet too big", else 0
 * @param behind follows the quote, which is then filled up with zeros to QUOTE_LENGTH (RFC 4884 §4)
 * @returns bytes of the IP packet
 */
export function writeIcmpError(
  slab: Uint8Array,
  view: DataView,
  at: number,
  frame: Frame,
  type: number,
  code: number,
  mtu: number,
  behind?: Uint8Array,
): number {
  const quoted = Math.min(QUOTE_LENGTH, frame.l3End - frame.l3);
  const room = behind === undefined ? quoted : QUOTE_LENGTH;
  const length = ICMP_HEADER + room + (behind?.length ?? 0);
  const source = wordsToBytes(frame.destination);
  const destination = wordsToBytes(frame.source);
  const l4 = at + writeIpHeader(slab, view, at, frame.ipVersion, source, destination, length);
  slab[l4 + ICMP_TYPE] = type;
  slab[l4 + ICMP_CODE] = code;
  view.setUint32(l4 + ICMP_HEADER - 4, mtu); /* 16 bits of it in ICMP: RFC 1191 leaves the other half zero */
  const quote = l4 + ICMP_HEADER;
  slab.copyWithin(quote, frame.l3, frame.l3 + quoted);
  slab.fill(0, quote + quoted, quote + room);
  if (behind !== undefined) slab.set(behind, quote + room);
  writeIcmpChecksum(slab, view, at, l4, length, frame.ipVersion);
  return l4 + length - at;
}

/** "Fragmentation needed" or "packet too big": the largest packet that would pass is `mtu` bytes. */
export function writeTooBig(slab: Uint8Array, view: DataView, at: number, frame: Frame, mtu: number): number {
  return frame.ipVersion === 4
    ? writeIcmpError(slab, view, at, frame, ICMP4_UNREACHABLE, ICMP4_CODE_FRAGMENTATION_NEEDED, mtu)
    : writeIcmpError(slab, view, at, frame, ICMP6_TOO_BIG, 0, mtu);
}

/**
 * "Host unreachable": what a host that gets it by mistake takes for a passing trouble. `behind` as for
 * `writeIcmpError`.
 */
export function writeUnreachable(
  slab: Uint8Array,
  view: DataView,
  at: number,
  frame: Frame,
  behind?: Uint8Array,
): number {
  return frame.ipVersion === 4
    ? writeIcmpError(slab, view, at, frame, ICMP4_UNREACHABLE, ICMP4_CODE_HOST, 0, behind)
    : writeIcmpError(slab, view, at, frame, ICMP6_UNREACHABLE, ICMP6_CODE_ADDRESS, 0, behind);
}

function writeIpHeader(
  slab: Uint8Array,
  view: DataView,
  at: number,
  ipVersion: number,
  source: Uint8Array,
  destination: Uint8Array,
  length: number,
): number {
  return ipVersion === 4
    ? ipv4WriteHeader(slab, view, at, source, destination, PROTO_ICMP, IPV4_HEADER + length, TTL)
    : ipv6WriteHeader(slab, view, at, source, destination, PROTO_ICMPV6, length, TTL);
}

/** ICMP sums the message alone, ICMPv6 the pseudo-header too (RFC 4443 §2.3). */
function writeIcmpChecksum(
  slab: Uint8Array,
  view: DataView,
  l3: number,
  l4: number,
  length: number,
  ipVersion: number,
): void {
  const pseudo = ipVersion === 4 ? 0 : sum(slab, l3 + IPV6_SOURCE, IPV6_HEADER - IPV6_SOURCE, PROTO_ICMPV6 + length);
  view.setUint16(l4 + ICMP_CHECKSUM, 0);
  view.setUint16(l4 + ICMP_CHECKSUM, ~fold(sum(slab, l4, length, pseudo)) & 0xffff);
}

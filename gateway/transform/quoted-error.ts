/**
 * ICMP errors from the network that quote a packet which left here sealed (docs/transforms.md § ICMP errors). The
 * device must see its own packet quoted and a path MTU that leaves room for what the gateway adds. Pure, off the hot
 * path.
 */
import { fold, pseudoHeaderSum, sum } from '#wire/checksum.ts';
import { dropCode } from '#wire/drops.ts';
import { type Frame, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP } from '#wire/frame.ts';
import {
  ERROR_MTU4,
  ERROR_MTU6,
  ICMP_CHECKSUM,
  ICMP_HEADER,
  ICMP4_CODE_FRAGMENTATION_NEEDED,
  ICMP4_UNREACHABLE,
  ICMP6_TOO_BIG,
} from '#wire/icmp.ts';
import {
  IPV4_DESTINATION,
  IPV4_FLAGS_OFFSET,
  IPV4_HEADER,
  IPV4_OFFSET_MASK,
  IPV4_PROTOCOL,
  IPV4_SOURCE,
  IPV4_TOTAL_LENGTH,
  ipv4HeaderLength,
  ipv4SetTotalLength,
} from '#wire/ipv4.ts';
import {
  EXT_FRAGMENT,
  FRAGMENT_HEADER,
  FRAGMENT_OFFSET_MASK,
  FRAGMENT_OFFSET_MORE,
  IPV6_DESTINATION,
  IPV6_HEADER,
  IPV6_NEXT_HEADER,
  IPV6_PAYLOAD_LENGTH,
  IPV6_SOURCE,
  ipv6SetPayloadLength,
  isExtensionWithLength,
} from '#wire/ipv6.ts';
import { UDP_LENGTH } from '#wire/udp.ts';
import { mtuFloor } from './size.ts';

/** Bytes of layer 4 that every error quotes (RFC 792): ports, and TCP's sequence number. */
const QUOTED_MIN = 8;
/** How far behind the newest sequence number sent a quoted one may be: the largest TCP window (RFC 7323 §2.3). */
const SEQUENCE_SPAN = 2 ** 30;

const UNRELATED = dropCode('icmp-error-unrelated');
const BAD_CHECKSUM = dropCode('bad-checksum');

/** The packet that an ICMP error is about. Addresses as in Frame; source is the device, as on the wire outside. */
export class Quote {
  ipVersion = 0;
  protocol = 0;
  l3 = 0;
  l4 = 0;
  /** True when a whole IP header is quoted: the addresses are there, whatever else is. */
  addressed = false;
  readonly source = new Int32Array(4);
  readonly destination = new Int32Array(4);
  /** As in Frame: an Echo's identifier in both, zero for protocols without ports. */
  sourcePort = 0;
  destinationPort = 0;
  /** TCP only. */
  sequence = 0;
  /** A fragment other than the first: ports are not there. */
  fragment = false;
  /**
   * Path MTU that the error reports, as it came; 0 when it reports none. Believe it for our own cuts, within mtuFloor.
   */
  mtu = 0;
}

/**
 * Reads what a frame of FORM_ICMP_ERROR quotes.
 * @returns 0, or a drop code when it quotes less than an IP header and 8 bytes
 */
export function readQuote(slab: Uint8Array, view: DataView, frame: Frame, quote: Quote): number {
  const l3 = frame.payload;
  const end = frame.l3End;
  quote.ipVersion = frame.ipVersion;
  quote.l3 = l3;
  quote.addressed = false;
  quote.fragment = false;
  const located = frame.ipVersion === 4 ? readIpv4(slab, view, l3, end, quote) : readIpv6(slab, view, l3, end, quote);
  if (!located || quote.l4 + QUOTED_MIN > end) return UNRELATED;
  const l4 = quote.l4;
  const ports = !quote.fragment && (quote.protocol === PROTO_TCP || quote.protocol === PROTO_UDP);
  const echo = !quote.fragment && quote.protocol === (frame.ipVersion === 4 ? PROTO_ICMP : PROTO_ICMPV6);
  quote.sourcePort = ports ? view.getUint16(l4) : echo ? view.getUint16(l4 + 4) : 0;
  quote.destinationPort = ports ? view.getUint16(l4 + 2) : quote.sourcePort;
  quote.sequence = ports && quote.protocol === PROTO_TCP ? view.getUint32(l4 + 4) : 0;
  quote.mtu = reportedMtu(view, frame);
  return 0;
}

function readIpv4(slab: Uint8Array, view: DataView, l3: number, end: number, quote: Quote): boolean {
  if (l3 + IPV4_HEADER > end || slab[l3] >>> 4 !== 4) return false;
  const length = ipv4HeaderLength(slab, l3);
  if (length < IPV4_HEADER) return false;
  for (let i = 0; i < 4; i++) {
    quote.source[i] = i < 2 ? 0 : i === 2 ? 0xffff : view.getInt32(l3 + IPV4_SOURCE);
    quote.destination[i] = i < 2 ? 0 : i === 2 ? 0xffff : view.getInt32(l3 + IPV4_DESTINATION);
  }
  quote.addressed = true;
  quote.protocol = slab[l3 + IPV4_PROTOCOL];
  quote.fragment = (view.getUint16(l3 + IPV4_FLAGS_OFFSET) & IPV4_OFFSET_MASK) !== 0;
  quote.l4 = l3 + length;
  return true;
}

function readIpv6(slab: Uint8Array, view: DataView, l3: number, end: number, quote: Quote): boolean {
  if (l3 + IPV6_HEADER > end || slab[l3] >>> 4 !== 6) return false;
  for (let i = 0; i < 4; i++) {
    quote.source[i] = view.getInt32(l3 + IPV6_SOURCE + 4 * i);
    quote.destination[i] = view.getInt32(l3 + IPV6_DESTINATION + 4 * i);
  }
  quote.addressed = true;
  let protocol = slab[l3 + IPV6_NEXT_HEADER];
  let at = l3 + IPV6_HEADER;
  while (protocol === EXT_FRAGMENT || isExtensionWithLength(protocol)) {
    if (at + FRAGMENT_HEADER > end) return false;
    const isFragment = protocol === EXT_FRAGMENT;
    if (isFragment && (view.getUint16(at + FRAGMENT_OFFSET_MORE) & FRAGMENT_OFFSET_MASK) !== 0) quote.fragment = true;
    protocol = slab[at];
    at += isFragment ? FRAGMENT_HEADER : (slab[at + 1] + 1) << 3;
  }
  quote.protocol = protocol;
  quote.l4 = at;
  return true;
}

function isTooBig(frame: Frame): boolean {
  return frame.ipVersion === 4
    ? frame.icmpType === ICMP4_UNREACHABLE && frame.icmpCode === ICMP4_CODE_FRAGMENTATION_NEEDED
    : frame.icmpType === ICMP6_TOO_BIG;
}

function reportedMtu(view: DataView, frame: Frame): number {
  if (!isTooBig(frame)) return 0;
  return frame.ipVersion === 4 ? view.getUint16(frame.l4 + ERROR_MTU4) : view.getUint32(frame.l4 + ERROR_MTU6);
}

/**
 * True when a quoted TCP sequence number can be one that was sent: not ahead of the newest, and within a window of it.
 * @param newest sequence number behind the last byte that the device sent on the flow
 */
function quotedSequencePlausible(sequence: number, newest: number): boolean {
  return (newest - sequence) >>> 0 <= SEQUENCE_SPAN;
}

/**
 * Rewrites an ICMP error, in place and without changing its length, into one about the device's own packet: quoted
 * lengths without the trailer, path MTU less our overhead, never below the floor. The
 * ICMP checksum is verified before and complete afterwards; the record needs neither VNET flag.
 *
 * @param quote what `readQuote` read from this frame
 * @param overhead bytes that the transform adds: SEALED_OPTION for TCP, TRAILER otherwise, 0 for `pccom`
 * @param newest for TCP the sequence number behind the last byte sent on the quoted flow, -1 when the flow is unknown:
 *   then the error counts for nothing. Other protocols quote nothing to check; the caller looked their flow up.
 * @returns 0, or a drop code with nothing changed
 */
export function translateQuotedError(
  slab: Uint8Array,
  view: DataView,
  frame: Frame,
  quote: Quote,
  overhead: number,
  newest: number,
): number {
  const tcp = quote.protocol === PROTO_TCP;
  if (tcp && (quote.fragment || newest < 0 || !quotedSequencePlausible(quote.sequence, newest))) return UNRELATED;
  const length = frame.l3End - frame.l4;
  const pseudo = frame.ipVersion === 4 ? 0 : pseudoHeaderSum(frame, length);
  if (fold(sum(slab, frame.l4, length, pseudo)) !== 0xffff) return BAD_CHECKSUM;

  if (!tcp && !quote.fragment) shortenQuote(view, frame, quote, overhead);
  if (isTooBig(frame) && quote.mtu > 0) {
    const floor = mtuFloor(frame.ipVersion);
    const mtu = Math.max(floor, quote.mtu - overhead);
    if (frame.ipVersion === 4) view.setUint16(frame.l4 + ERROR_MTU4, mtu);
    else view.setUint32(frame.l4 + ERROR_MTU6, mtu);
  }
  view.setUint16(frame.l4 + ICMP_CHECKSUM, 0);
  view.setUint16(frame.l4 + ICMP_CHECKSUM, ~fold(sum(slab, frame.l4, length, pseudo)) & 0xffff);
  return 0;
}

/** The quoted lengths as the device wrote them; too short ones stay, they are not ours. */
function shortenQuote(view: DataView, frame: Frame, quote: Quote, overhead: number): void {
  if (frame.ipVersion === 4) {
    const length = view.getUint16(quote.l3 + IPV4_TOTAL_LENGTH) - overhead;
    if (length >= quote.l4 - quote.l3) ipv4SetTotalLength(view, quote.l3, length);
  } else {
    const length = view.getUint16(quote.l3 + IPV6_PAYLOAD_LENGTH) - overhead;
    if (length >= quote.l4 - quote.l3 - IPV6_HEADER) ipv6SetPayloadLength(view, quote.l3, length);
  }
  if (quote.protocol !== PROTO_UDP) return;
  const udp = view.getUint16(quote.l4 + UDP_LENGTH) - overhead;
  if (udp >= ICMP_HEADER) view.setUint16(quote.l4 + UDP_LENGTH, udp);
}

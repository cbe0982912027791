/**
 * Bytes to Frame, in the order of the bytes: record, Ethernet, IP, layer 4, and last what the kernel says about the
 * frame. Every length is checked here and in the layers' own parsers, once. For any bytes the answer is 0 or a drop
 * code; nothing throws, nothing is allocated. Owner: the worker that owns the Frame.
 */
import { completeChecksum } from './checksum.ts';
import { dropCode } from './drops.ts';
import { ETHER_HEADER, ETHER_TYPE, INLINE_TAGS_MAX, isVlanType, VLAN_TAG } from './ethernet.ts';
import {
  clearFrame,
  ETHERTYPE_IPV4,
  ETHERTYPE_IPV6,
  FORM_FRAGMENT,
  FORM_NON_IP,
  FORM_TCP,
  FORM_UDP,
  type Frame,
  PROTO_ICMP,
  PROTO_ICMPV6,
  PROTO_TCP,
  PROTO_UDP,
  setPayload,
} from './frame.ts';
import { ICMP_CHECKSUM, parseIcmp } from './icmp.ts';
import { parseIpv4 } from './ipv4.ts';
import { parseIpv6 } from './ipv6.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_STATUS,
  F_STRIDE,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  VNET_DATA_VALID,
  VNET_NEEDS_CSUM,
} from './record.ts';
import { parseTcp, TCP_CHECKSUM } from './tcp.ts';
import { parseUdp, UDP_CHECKSUM, UDP_SEGMENTS_MAX } from './udp.ts';

const TRUNCATED = dropCode('frame-truncated');
const SHORT = dropCode('ethernet-short');
const TOO_DEEP = dropCode('vlan-too-deep');
const BAD_GSO = dropCode('gso-bad');
const MISPLACED = dropCode('checksum-misplaced');

/**
 * Parses record `record` of `batch` into `frame`.
 *
 * A partial checksum of anything but this packet's own TCP or UDP header (a tunnel's inner one) is completed in the
 * slab and the record's VNET_NEEDS_CSUM cleared, so that a transform never hides an unfinished checksum.
 * @param view a DataView of exactly the slab's bytes
 * @param record index of the record, not of its first column
 * @returns 0, or a drop code (`dropOfCode` gives the counter); after a drop code `frame` holds what was read so far
 */
export function parseFrame(slab: Uint8Array, view: DataView, batch: Int32Array, record: number, frame: Frame): number {
  const column = record * F_STRIDE;
  const offset = batch[column + F_OFFSET];
  const length = batch[column + F_LENGTH];
  clearFrame(frame);
  frame.offset = offset;
  frame.length = length;
  frame.vlanTci = batch[column + F_VLAN_TCI];
  frame.vlanTpid = batch[column + F_VLAN_TPID];
  if (batch[column + F_STATUS] > 0 || offset < 0 || length < 0 || offset + length > slab.length) return TRUNCATED;
  if (length < ETHER_HEADER) return SHORT;
  const end = offset + length;
  let at = offset + ETHER_TYPE;
  let type = view.getUint16(at);
  for (let tags = 0; isVlanType(type); tags++) {
    if (tags === INLINE_TAGS_MAX) return TOO_DEEP;
    at += VLAN_TAG;
    if (at + 2 > end) return SHORT;
    type = view.getUint16(at);
  }
  frame.etherType = type;
  frame.l3 = at + 2;
  frame.l3End = end;
  let code = 0;
  if (type === ETHERTYPE_IPV4) code = parseIpv4(slab, view, frame, end);
  else if (type === ETHERTYPE_IPV6) code = parseIpv6(slab, view, frame, end);
  else setPayload(frame, FORM_NON_IP, at + 2, end);
  if (code === 0 && frame.ipVersion !== 0 && frame.form !== FORM_FRAGMENT) code = parseLayer4(slab, view, frame);
  return code < 0 ? code : parseOffload(slab, view, batch, column, frame);
}

/** A protocol of the other IP version is carried like an unknown one. */
function parseLayer4(slab: Uint8Array, view: DataView, frame: Frame): number {
  switch (frame.protocol) {
    case PROTO_TCP:
      return parseTcp(slab, view, frame, frame.l4);
    case PROTO_UDP:
      return parseUdp(view, frame, frame.l4);
    case PROTO_ICMP:
      return frame.ipVersion === 4 ? parseIcmp(slab, view, frame, frame.l4) : 0;
    case PROTO_ICMPV6:
      return frame.ipVersion === 6 ? parseIcmp(slab, view, frame, frame.l4) : 0;
    default:
      return 0;
  }
}

/** What the vnet header says, believed only where it agrees with the packet's own headers. */
function parseOffload(slab: Uint8Array, view: DataView, batch: Int32Array, column: number, frame: Frame): number {
  const flags = batch[column + F_FLAGS];
  const type = batch[column + F_GSO_TYPE] & ~GSO_ECN;
  const start = frame.offset + batch[column + F_CSUM_START];
  const field = start + batch[column + F_CSUM_OFFSET];
  const ownField = frame.form === FORM_TCP ? TCP_CHECKSUM : UDP_CHECKSUM;
  const own =
    (frame.form === FORM_TCP || frame.form === FORM_UDP) && start === frame.l4 && field === frame.l4 + ownField;
  frame.checksumVerified = (flags & (VNET_NEEDS_CSUM | VNET_DATA_VALID)) !== 0;
  /* No kernel merges datagrams without checksum, and a pseudo-header's sum is never zero. */
  const partial = own && (flags & VNET_NEEDS_CSUM) !== 0;
  if (frame.form === FORM_UDP && (partial || type !== GSO_NONE) && view.getUint16(frame.l4 + UDP_CHECKSUM) === 0) {
    return BAD_GSO;
  }
  if (type !== GSO_NONE) {
    const size = batch[column + F_GSO_SIZE];
    if (!gsoAgrees(frame, type) || size < 1 || size > frame.payloadLength) return BAD_GSO;
    if (type === GSO_UDP_L4 && frame.payloadLength > size * UDP_SEGMENTS_MAX) return BAD_GSO;
    if (!frame.checksumVerified || ((flags & VNET_NEEDS_CSUM) !== 0 && !own)) return BAD_GSO;
    frame.gsoType = type;
    frame.gsoEcn = (batch[column + F_GSO_TYPE] & GSO_ECN) !== 0;
    frame.gsoSize = size;
    return 0;
  }
  if ((flags & VNET_NEEDS_CSUM) === 0 || own) return 0;
  const end = frame.offset + frame.length;
  if (!mayBePartial(frame, start, field) || field + 2 > end) return MISPLACED;
  completeChecksum(slab, start, end, field);
  batch[column + F_FLAGS] = (flags & ~VNET_NEEDS_CSUM) | VNET_DATA_VALID;
  return 0;
}

/**
 * Beside TCP's and UDP's own: a gateway's ICMP, and what a tunnel carries. A fragment's is finished before it is cut.
 */
function mayBePartial(frame: Frame, start: number, field: number): boolean {
  if (frame.ipVersion === 0 || frame.form === FORM_TCP || frame.form === FORM_FRAGMENT) return false;
  if (frame.protocol === PROTO_ICMP || frame.protocol === PROTO_ICMPV6) {
    return start === frame.l4 && field === start + ICMP_CHECKSUM;
  }
  return start >= frame.payload && field >= start;
}

function gsoAgrees(frame: Frame, type: number): boolean {
  if (type === GSO_TCPV4) return frame.form === FORM_TCP && frame.ipVersion === 4;
  if (type === GSO_TCPV6) return frame.form === FORM_TCP && frame.ipVersion === 6;
  /* A UDP superpacket is cut by its length field: nothing may lie behind it. */
  return type === GSO_UDP_L4 && frame.form === FORM_UDP && frame.payload + frame.payloadLength === frame.l3End;
}

/**
 * Where in a parsed packet the content is that both transforms encrypt, and how the packet that leaves gets its headers
 * (docs/transforms.md § Datagrams, § pccom). Clear are the UDP header and the first 8 bytes of ICMP; of other protocols
 * the whole IP payload is encrypted. Owner: the worker.
 */
import { pseudoHeaderSum } from '#wire/checksum.ts';
import { FORM_UDP, type Frame, PROTO_ICMP, PROTO_ICMPV6 } from '#wire/frame.ts';
import { ICMP_CHECKSUM, ICMP_HEADER } from '#wire/icmp.ts';
import { GSO_NONE } from '#wire/record.ts';
import { setIpLength, writeSegmentIp, writeSegmentUdp } from '#wire/segment.ts';
import { UDP_CHECKSUM } from '#wire/udp.ts';
import type { Work } from './work.ts';

/** True where the frame's protocol is the ICMP of its IP version: 8 bytes of header then stay clear. */
export function isIcmp(frame: Frame): boolean {
  return frame.protocol === (frame.ipVersion === 4 ? PROTO_ICMP : PROTO_ICMPV6);
}

/** First encrypted byte. */
export function clearEnd(frame: Frame): number {
  return frame.form !== FORM_UDP && isIcmp(frame) ? frame.l4 + ICMP_HEADER : frame.payload;
}

/** Behind the last byte that counts: what stands behind a UDP length is not carried. */
export function contentEnd(frame: Frame): number {
  return frame.form === FORM_UDP ? frame.payload + frame.payloadLength : frame.l3End;
}

/** Offset of the layer-4 checksum field from `l4`; -1 where the protocol has none that must change. */
export function checksumField(frame: Frame, view: DataView): number {
  if (frame.form === FORM_UDP) return view.getUint16(frame.l4 + UDP_CHECKSUM) === 0 ? -1 : UDP_CHECKSUM;
  return isIcmp(frame) ? ICMP_CHECKSUM : -1;
}

/** ICMP of IPv4 is summed without pseudo-header (RFC 792). */
export function pseudoSum(frame: Frame, length: number): number {
  return frame.form !== FORM_UDP && frame.ipVersion === 4 ? 0 : pseudoHeaderSum(frame, length);
}

/** Packets that a frame is on a wire. A UDP superpacket's datagrams are opened one by one. */
export function packetsOf(frame: Frame): number {
  return frame.gsoType === GSO_NONE ? 1 : Math.ceil(frame.payloadLength / frame.gsoSize);
}

/**
 * A copy at `at` of the headers in front of the content, for packet `index` of those that the frame is cut into, to end
 * at `end`.
 */
export function writePacketHeader(work: Work, frame: Frame, at: number, end: number, index: number): void {
  const { slab, view } = work;
  slab.copyWithin(at, frame.offset, clearEnd(frame));
  writeSegmentIp(view, at + frame.l3 - frame.offset, end, index);
  if (frame.form === FORM_UDP) writeSegmentUdp(view, at + frame.l4 - frame.offset, end);
}

/** Lengths of an IP packet at `l3` that ends at `end`. */
export function writeLengths(view: DataView, frame: Frame, l3: number, l4: number, end: number): void {
  setIpLength(view, l3, end);
  if (frame.form === FORM_UDP) writeSegmentUdp(view, l4, end);
}

/**
 * What Linux merged inside a tunnel. GRO joins TCP segments and datagrams inside IP-in-IP (RFC 2003, RFC 2473, RFC
 * 4213) and GRE (RFC 2784, RFC 2890) too, and a packet socket tells of the result as if it were plain TCP:
 *
 *    | link | IP | GRE | IP | … | TCP | payload of many segments |
 *             \ csum_start is the inner TCP header, gso_size the inner segments'
 *
 * No packet socket can send that, so it is cut into the packets that were merged. Off the hot path.
 */
import { completeChecksum, fold, sum } from './checksum.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, FORM_OTHER, type Frame, PROTO_TCP, PROTO_UDP } from './frame.ts';
import {
  IPV4_DESTINATION,
  IPV4_FLAGS_OFFSET,
  IPV4_HEADER,
  IPV4_MF,
  IPV4_OFFSET_MASK,
  IPV4_PROTOCOL,
  IPV4_SOURCE,
  IPV4_TOTAL_LENGTH,
  ipv4HeaderLength,
} from './ipv4.ts';
import { IPV6_HEADER, IPV6_NEXT_HEADER, IPV6_PAYLOAD_LENGTH, IPV6_SOURCE } from './ipv6.ts';
import {
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_STRIDE,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  VNET_DATA_VALID,
  VNET_NEEDS_CSUM,
} from './record.ts';
import { writeSegmentIp, writeSegmentTcp, writeSegmentUdp } from './segment.ts';
import { TCP_CHECKSUM, TCP_DATA_OFFSET, TCP_FLAGS, TCP_HEADER } from './tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER } from './udp.ts';

const PROTO_IPV4 = 4;
const PROTO_IPV6 = 41;
const PROTO_GRE = 47;
const GRE_KEY = 0x2000; /* the one field with which the kernel merges and that nothing depends on */
/** Headers that are looked through, the outer one included; the kernel merges no more than two IP headers. */
const HEADERS_MAX = 4;
/** 64 KB in segments of 64 bytes: what is cut into more was not merged by anybody. */
const PACKETS_MAX = 1_024;

/** One of the packets, with its record: its bytes stand alone, all checksums are complete. */
export interface TunnelledPacket {
  readonly bytes: Uint8Array;
  readonly record: Int32Array;
}

/**
 * The packets of record `record` of `batch`, whose `frame` was refused because it contradicts its description.
 * @returns none where it is no tunnel's, or does not agree with itself
 */
export function tunnelledPackets(
  slab: Uint8Array,
  view: DataView,
  batch: Int32Array,
  record: number,
  frame: Frame,
): TunnelledPacket[] {
  const row = batch.subarray(record * F_STRIDE, (record + 1) * F_STRIDE);
  if (frame.form !== FORM_OTHER || (row[F_FLAGS] & VNET_NEEDS_CSUM) === 0) return [];
  const gso = row[F_GSO_TYPE] & ~GSO_ECN;
  const l4 = frame.offset + row[F_CSUM_START];
  const headers = headersBefore(slab, view, frame, l4, gso);
  const size = row[F_GSO_SIZE];
  const l4Header = gso === GSO_UDP_L4 ? UDP_HEADER : tcpHeaderLength(slab, l4, frame.l3End);
  const payload = l4 + l4Header;
  const total = frame.l3End - payload;
  if (headers === undefined || l4Header === 0 || size < 1 || total < 1 || total > size * PACKETS_MAX) return [];
  const packets: TunnelledPacket[] = [];
  for (let done = 0; done < total; done += size) {
    const length = Math.min(size, total - done);
    const bytes = new Uint8Array(payload - frame.offset + length);
    bytes.set(slab.subarray(frame.offset, payload));
    bytes.set(slab.subarray(payload + done, payload + done + length), payload - frame.offset);
    for (const l3 of headers) writeSegmentIp(viewOf(bytes), l3, bytes.length, packets.length);
    const inner = headers[headers.length - 1];
    if (gso === GSO_UDP_L4) finishUdp(bytes, inner, l4 - frame.offset);
    else finishTcp(bytes, inner, l4 - frame.offset, done, done + length === total);
    packets.push({ bytes, record: single(row, bytes.length) });
  }
  return packets;
}

/** Where the IP headers are, from the frame's first byte, outermost first; undefined where they do not lead to `l4`. */
function headersBefore(slab: Uint8Array, view: DataView, frame: Frame, l4: number, gso: number): number[] | undefined {
  const end = frame.l3End;
  const found = [frame.l3 - frame.offset];
  let at = frame.l4;
  let protocol = frame.protocol;
  for (let depth = 1; depth < HEADERS_MAX && at < l4; depth++) {
    if (protocol === PROTO_GRE) {
      if (at + 8 > end || (view.getUint16(at) & ~GRE_KEY) !== 0) return undefined;
      const type = view.getUint16(at + 2);
      at += view.getUint16(at) === GRE_KEY ? 8 : 4;
      protocol = type === ETHERTYPE_IPV4 ? PROTO_IPV4 : type === ETHERTYPE_IPV6 ? PROTO_IPV6 : 0;
    }
    if (protocol === PROTO_IPV4) {
      const length = ipv4HeaderLength(slab, at);
      if (length < IPV4_HEADER || at + length > end || slab[at] >>> 4 !== 4) return undefined;
      if (at + view.getUint16(at + IPV4_TOTAL_LENGTH) !== end) return undefined;
      if ((view.getUint16(at + IPV4_FLAGS_OFFSET) & (IPV4_MF | IPV4_OFFSET_MASK)) !== 0) return undefined;
      found.push(at - frame.offset);
      protocol = slab[at + IPV4_PROTOCOL];
      at += length;
    } else if (protocol === PROTO_IPV6) {
      if (at + IPV6_HEADER > end || slab[at] >>> 4 !== 6) return undefined;
      if (at + IPV6_HEADER + view.getUint16(at + IPV6_PAYLOAD_LENGTH) !== end) return undefined;
      found.push(at - frame.offset);
      protocol = slab[at + IPV6_NEXT_HEADER];
      at += IPV6_HEADER;
    } else return undefined;
  }
  const version = slab[frame.offset + found[found.length - 1]] >>> 4;
  const wanted = gso === GSO_UDP_L4 ? PROTO_UDP : PROTO_TCP;
  const fits = gso === GSO_UDP_L4 || (gso === GSO_TCPV4 && version === 4) || (gso === GSO_TCPV6 && version === 6);
  return at === l4 && protocol === wanted && fits && l4 + UDP_HEADER <= end ? found : undefined;
}

/** 0 where it does not fit. */
function tcpHeaderLength(slab: Uint8Array, l4: number, end: number): number {
  if (l4 < 0 || l4 + TCP_HEADER > end) return 0;
  const length = (slab[l4 + TCP_DATA_OFFSET] >>> 4) << 2;
  return length < TCP_HEADER || l4 + length > end ? 0 : length;
}

/** The segment whose payload begins `done` bytes behind the first one's. */
function finishTcp(bytes: Uint8Array, inner: number, l4: number, done: number, last: boolean): void {
  writeSegmentTcp(viewOf(bytes), l4, done, last, bytes[l4 + TCP_FLAGS]);
  finishChecksum(bytes, inner, l4, l4 + TCP_CHECKSUM, PROTO_TCP);
}

function finishUdp(bytes: Uint8Array, inner: number, l4: number): void {
  writeSegmentUdp(viewOf(bytes), l4, bytes.length);
  finishChecksum(bytes, inner, l4, l4 + UDP_CHECKSUM, PROTO_UDP);
}

/** Pseudo-header and all, from the IP header at `l3`. */
function finishChecksum(bytes: Uint8Array, l3: number, l4: number, field: number, protocol: number): void {
  const four = bytes[l3] >>> 4 === 4;
  const addresses = four ? IPV4_SOURCE : IPV6_SOURCE;
  const length = four ? 2 * (IPV4_DESTINATION - IPV4_SOURCE) : 32;
  viewOf(bytes).setUint16(field, fold(sum(bytes, l3 + addresses, length, protocol + bytes.length - l4)));
  completeChecksum(bytes, l4, bytes.length, field);
}

/**
 * A single frame that differs from the merged one in its size, and whose checksums were verified by whoever merged it.
 */
function single(row: Int32Array, length: number): Int32Array {
  const record = row.slice();
  record[F_OFFSET] = 0;
  record[F_LENGTH] = length;
  record[F_FLAGS] = VNET_DATA_VALID;
  record[F_GSO_TYPE] = GSO_NONE;
  record[F_GSO_SIZE] = 0;
  record[F_CSUM_START] = 0;
  return record;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

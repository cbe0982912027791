/**
 * Which frames may stand in one superpacket: the rule of Linux's own GRO (net/ipv4/tcp_offload.c, udp_offload.c,
 * af_inet.c, net/ipv6/ip6_offload.c), and stricter where cutting would not give back every byte. Offsets are absolute.
 */
import { IPV4_FLAGS_OFFSET, IPV4_HEADER, IPV4_ID, ipv4ChecksumIsRight } from '#wire/ipv4.ts';
import { IPV6_HEADER, IPV6_NEXT_HEADER } from '#wire/ipv6.ts';
import {
  TCP_ACKNOWLEDGEMENT,
  TCP_CWR,
  TCP_DATA_OFFSET,
  TCP_FIN,
  TCP_FLAGS,
  TCP_HEADER,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  TCP_URG,
  TCP_URGENT,
} from '#wire/tcp.ts';
import { UDP_LENGTH } from '#wire/udp.ts';

/** Flags that end a run, and stand in the last segment only. */
export const LAST = TCP_FIN | TCP_PSH;
/** Never merged: they stand in the first or in every segment, or mean more than bytes of the stream. */
const ALONE = TCP_SYN | TCP_RST | TCP_URG | TCP_CWR;
/** Header length, flags and window as one word, without the flags that only the last segment may bear. */
const SAME_BITS = ~(LAST << 16);

/** True where `bytes` bytes, a multiple of 4, are equal at two places. */
export function sameWords(view: DataView, a: number, b: number, bytes: number): boolean {
  for (let i = 0; i < bytes; i += 4) if (view.getInt32(a + i) !== view.getInt32(b + i)) return false;
  return true;
}

/** True for an IP header that segmentation writes again: without options or extension headers, its checksum right. */
export function plainHeader(slab: Uint8Array, l3: number, l4: number, v4: boolean): boolean {
  return v4 ? l4 - l3 === IPV4_HEADER && ipv4ChecksumIsRight(slab, l3) : l4 - l3 === IPV6_HEADER;
}

/** True for a segment's flags that a superpacket may bear. */
export function plainFlags(slab: Uint8Array, l4: number): boolean {
  return (slab[l4 + TCP_FLAGS] & ALONE) === 0;
}

/** True for a datagram whose own length lets it end where its record ends: nothing lies behind it. */
export function endsAt(view: DataView, l4: number, end: number): boolean {
  return l4 + view.getUint16(l4 + UDP_LENGTH) === end;
}

/**
 * True where the IP header of a frame continues that of its run's first; `id` is the identification that it must have.
 */
export function continuesIp(view: DataView, l3: number, first: number, id: number, v4: boolean): boolean {
  return v4
    ? view.getUint16(l3 + IPV4_ID) === id &&
        view.getUint16(l3) === view.getUint16(first) &&
        /* Flags, offset and TTL. */
        view.getInt32(l3 + IPV4_FLAGS_OFFSET) >>> 8 === view.getInt32(first + IPV4_FLAGS_OFFSET) >>> 8
    : view.getInt32(l3) === view.getInt32(first) &&
        view.getUint16(l3 + IPV6_NEXT_HEADER) === view.getUint16(first + IPV6_NEXT_HEADER);
}

/** The same for the TCP header, which ends at `payload`, but for ports and sequence number. */
export function continuesTcp(view: DataView, l4: number, first: number, payload: number): boolean {
  return (
    view.getInt32(l4 + TCP_ACKNOWLEDGEMENT) === view.getInt32(first + TCP_ACKNOWLEDGEMENT) &&
    ((view.getInt32(l4 + TCP_DATA_OFFSET) ^ view.getInt32(first + TCP_DATA_OFFSET)) & SAME_BITS) === 0 &&
    view.getUint16(l4 + TCP_URGENT) === view.getUint16(first + TCP_URGENT) &&
    sameWords(view, l4 + TCP_HEADER, first + TCP_HEADER, payload - l4 - TCP_HEADER)
  );
}

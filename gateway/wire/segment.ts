/**
 * The headers of the segments that a superpacket, or a packet that is too large, is cut into: what Linux's GSO writes
 * (inet_gso_segment, ipv6_gso_segment, tcp_gso_segment, __udp_gso_segment). Whoever cuts puts a copy of the headers in
 * front of each segment and has it made the segment's own:
 *
 *    IP     length; IPv4: identification grows by one with every segment
 *    TCP    sequence number; FIN and PSH on the last segment only, CWR on the first only; urgent pointer
 *    UDP    length
 *
 * Other than GSO, the urgent pointer is counted anew, URG is cleared where it has been passed, and without URG the
 * pointer is zero: GSO copies both into every segment, but Linux merges nothing that bears URG. And an IPv4 header
 * checksum is updated, not computed anew: a wrong one stays wrong. The checksum of layer 4 is the caller's.
 *
 * Identification, sequence number and urgent pointer are read from the copy. The first segment has those of the whole,
 * so a copy of its headers serves as well.
 */
import { IPV4_ID, ipv4SetId, ipv4SetTotalLength } from './ipv4.ts';
import { IPV6_HEADER, ipv6SetPayloadLength } from './ipv6.ts';
import { TCP_CWR, TCP_FIN, TCP_FLAGS, TCP_PSH, TCP_SEQUENCE, TCP_URG, TCP_URGENT } from './tcp.ts';
import { UDP_LENGTH } from './udp.ts';

/** Sets the length of the IP packet at `l3`, which ends at `end`. */
export function setIpLength(view: DataView, l3: number, end: number): void {
  if (view.getUint8(l3) >>> 4 === 4) ipv4SetTotalLength(view, l3, end - l3);
  else ipv6SetPayloadLength(view, l3, end - l3 - IPV6_HEADER);
}

/**
 * Makes the IP header at `l3` that of a segment which ends at `end`.
 * @param index segments in front of it
 */
export function writeSegmentIp(view: DataView, l3: number, end: number, index: number): void {
  setIpLength(view, l3, end);
  if (index > 0 && view.getUint8(l3) >>> 4 === 4) ipv4SetId(view, l3, (view.getUint16(l3 + IPV4_ID) + index) & 0xffff);
}

/**
 * Makes the TCP header at `l4` that of a segment.
 * @param done bytes of payload in front of it
 * @param last no byte of payload is behind it
 * @param flags the TCP flags of the whole
 */
export function writeSegmentTcp(view: DataView, l4: number, done: number, last: boolean, flags: number): void {
  let own = flags;
  if (!last) own &= ~(TCP_FIN | TCP_PSH);
  if (done > 0) own &= ~TCP_CWR;
  /* The urgent pointer counts from its segment's own sequence number. */
  const urgent = (flags & TCP_URG) === 0 ? 0 : Math.max(0, view.getUint16(l4 + TCP_URGENT) - done);
  if (urgent === 0) own &= ~TCP_URG;
  view.setUint8(l4 + TCP_FLAGS, own);
  view.setUint32(l4 + TCP_SEQUENCE, (view.getUint32(l4 + TCP_SEQUENCE) + done) >>> 0);
  view.setUint16(l4 + TCP_URGENT, urgent);
}

/** Makes the UDP header at `l4` that of a datagram which ends at `end`. */
export function writeSegmentUdp(view: DataView, l4: number, end: number): void {
  view.setUint16(l4 + UDP_LENGTH, end - l4);
}

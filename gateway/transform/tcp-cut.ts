/**
 * The headers of the parts into which a TCP frame is cut, for every transform: sequence numbers advance; FIN and PSH
 * stand on the last part only, CWR on the first only; the urgent pointer is counted anew, and URG is cleared where it has
 * been passed; the IPv4 identification grows by one with every segment.
 */
import type { Frame } from '#wire/frame.ts';
import { IPV4_ID, ipv4SetId, ipv4SetTotalLength } from '#wire/ipv4.ts';
import { IPV6_HEADER, ipv6SetPayloadLength } from '#wire/ipv6.ts';
import { TCP_CWR, TCP_FIN, TCP_FLAGS, TCP_PSH, TCP_SEQUENCE, TCP_URG, TCP_URGENT } from '#wire/tcp.ts';
import type { Work } from './work.ts';

/** What the last `writePartHeader` wrote. */
export class TcpPart {
  flags = 0;
  urgent = 0;
  sequence = 0;
}

/**
 * Makes a copy of the frame's headers those of one part: bytes `done` … `done + length` of `total` bytes of payload. The
 * checksum is the caller's.
 * @param l3 the copy's IP header, `l4` its TCP header, which has `tcpLength` bytes
 * @param index segments in front of this part
 * @param flags the TCP flags of the whole
 */
export function writePartHeader(
  work: Work,
  frame: Frame,
  l3: number,
  l4: number,
  tcpLength: number,
  done: number,
  length: number,
  total: number,
  index: number,
  flags: number,
  part: TcpPart,
): void {
  const { slab, view } = work;
  const end = l4 + tcpLength + length;
  if (frame.ipVersion === 4) {
    ipv4SetTotalLength(view, l3, end - l3);
    if (index > 0) ipv4SetId(view, l3, (view.getUint16(frame.l3 + IPV4_ID) + index) & 0xffff);
  } else {
    ipv6SetPayloadLength(view, l3, end - l3 - IPV6_HEADER);
  }
  let own = flags;
  if (done + length < total) own &= ~(TCP_FIN | TCP_PSH);
  if (done > 0) own &= ~TCP_CWR;
  /* The urgent pointer counts from its segment's own sequence number. */
  const urgent = (flags & TCP_URG) === 0 ? 0 : Math.max(0, view.getUint16(frame.l4 + TCP_URGENT) - done);
  if (urgent === 0) own &= ~TCP_URG;
  part.flags = own;
  part.urgent = urgent;
  part.sequence = (frame.sequence + done) >>> 0;
  slab[l4 + TCP_FLAGS] = own;
  view.setUint32(l4 + TCP_SEQUENCE, part.sequence);
  view.setUint16(l4 + TCP_URGENT, urgent);
}

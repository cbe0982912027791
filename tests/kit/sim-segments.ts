/** What a link makes of a superpacket of TCP or UDP: independent of the gateway's own, one obvious line per field. */
import type { FakeFrame } from '#port/fake.ts';
import { completeChecksum, fold, pseudoHeaderSum } from '#wire/checksum.ts';
import { PROTO_UDP } from '#wire/frame.ts';
import { ipv4SetId, ipv4SetTotalLength } from '#wire/ipv4.ts';
import { ipv6SetPayloadLength } from '#wire/ipv6.ts';
import { GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { TCP_CHECKSUM, TCP_CWR, TCP_FIN, TCP_FLAGS, TCP_PSH, TCP_SEQUENCE } from '#wire/tcp.ts';
import { UDP_CHECKSUM, UDP_LENGTH } from '#wire/udp.ts';
import { parsed } from './sim-frames.ts';

/** The frames that leave by a link: a superpacket's segments, of any other frame itself, with complete checksums. */
export function segments(of: FakeFrame): Uint8Array[] {
  if (of.gsoType === GSO_NONE) {
    const one = Uint8Array.from(of.bytes);
    if ((of.flags & VNET_NEEDS_CSUM) !== 0) {
      completeChecksum(one, of.csumStart, one.length, of.csumStart + of.csumOffset);
    }
    return [one];
  }
  const bytes = Uint8Array.from(of.bytes);
  const whole = parsed(bytes);
  const udp = whole?.protocol === PROTO_UDP;
  const type = udp ? GSO_UDP_L4 : whole?.ipVersion === 4 ? GSO_TCPV4 : GSO_TCPV6;
  const field = udp ? UDP_CHECKSUM : TCP_CHECKSUM;
  if (whole === undefined || of.gsoType !== type) throw new Error(`no superpacket: GSO type ${of.gsoType}`);
  if (whole.l4 !== of.csumStart || of.csumOffset !== field || (of.flags & VNET_NEEDS_CSUM) === 0) {
    throw new Error('a superpacket whose partial checksum is not its layer-4 header’s');
  }
  const stated = new DataView(bytes.buffer).getUint16(whole.l4 + field);
  const right = fold(pseudoHeaderSum(whole, whole.l3End - whole.l4));
  if (stated !== right) throw new Error(`a superpacket’s pseudo-header sum is ${stated}, not ${right}`);
  const cut: Uint8Array[] = [];
  for (let at = 0; at < whole.payloadLength; at += of.gsoSize) {
    const data = bytes.subarray(whole.payload + at, Math.min(whole.payload + at + of.gsoSize, whole.l3End));
    const last = at + of.gsoSize >= whole.payloadLength;
    const one = new Uint8Array(whole.payload + data.length);
    const view = new DataView(one.buffer);
    one.set(bytes.subarray(0, whole.payload));
    one.set(data, whole.payload);
    const layer4 = one.length - whole.l4;
    if (whole.ipVersion === 4) {
      ipv4SetTotalLength(view, whole.l3, one.length - whole.l3);
      ipv4SetId(view, whole.l3, (whole.fragmentId + cut.length) & 0xffff);
    } else {
      ipv6SetPayloadLength(view, whole.l3, layer4);
    }
    if (udp) {
      view.setUint16(whole.l4 + UDP_LENGTH, layer4);
    } else {
      view.setUint32(whole.l4 + TCP_SEQUENCE, (whole.sequence + at) >>> 0);
      if (!last) one[whole.l4 + TCP_FLAGS] &= ~(TCP_FIN | TCP_PSH);
      if (at > 0) one[whole.l4 + TCP_FLAGS] &= ~TCP_CWR;
    }
    view.setUint16(whole.l4 + field, fold(pseudoHeaderSum(whole, layer4)));
    completeChecksum(one, whole.l4, one.length, whole.l4 + field);
    cut.push(one);
  }
  return cut;
}

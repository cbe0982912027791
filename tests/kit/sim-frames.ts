/** Frames as devices send them, for simulations: Ethernet, IPv4 or IPv6, Echo, UDP, TCP, with right checksums. */
import { addressFromText, bytesToWords } from '#wire/address.ts';
import { completeChecksum, fold, pseudoHeaderSum } from '#wire/checksum.ts';
import { Frame, PROTO_ICMP, PROTO_ICMPV6, PROTO_TCP, PROTO_UDP } from '#wire/frame.ts';
import { writeEcho } from '#wire/icmp.ts';
import { ipv4WriteHeader } from '#wire/ipv4.ts';
import { ipv6WriteHeader } from '#wire/ipv6.ts';
import { parseFrame } from '#wire/parse.ts';
import { F_LENGTH, F_STRIDE, F_VLAN_TCI } from '#wire/record.ts';

export const H1 = { mac: '020000000001', v4: '10.0.0.1', v6: 'fd00::1' };
export const H2 = { mac: '020000000002', v4: '10.0.0.2', v6: 'fd00::2' };

export interface Ends {
  readonly from: typeof H1;
  readonly to: typeof H1;
  readonly version?: 4 | 6;
}

const address = ({ from, to, version = 4 }: Ends): [Uint8Array, Uint8Array] => {
  const of = (host: typeof H1): Uint8Array => addressFromText(version === 4 ? host.v4 : host.v6) as Uint8Array;
  return [of(from), of(to)];
};

function withLink(
  ends: Ends,
  write: (bytes: Uint8Array, view: DataView, l3: number) => number,
  room: number,
): Uint8Array {
  const bytes = new Uint8Array(14 + 40 + room).fill(0xa5);
  bytes.set(Buffer.from(ends.to.mac + ends.from.mac + (ends.version === 6 ? '86dd' : '0800'), 'hex'));
  const length = write(bytes, new DataView(bytes.buffer), 14);
  return bytes.subarray(0, 14 + length);
}

export function echo(
  ends: Ends,
  kind: 'request' | 'reply',
  id: number,
  sequence: number,
  data: Uint8Array,
): Uint8Array {
  const [source, destination] = address(ends);
  return withLink(
    ends,
    (bytes, view, l3) => writeEcho(bytes, view, l3, ends.version ?? 4, source, destination, kind, id, sequence, data),
    data.length + 8,
  );
}

function layer4(ends: Ends, protocol: number, header: Uint8Array, checksumAt: number, data: Uint8Array): Uint8Array {
  const [source, destination] = address(ends);
  const length = header.length + data.length;
  return withLink(
    ends,
    (bytes, view, l3) => {
      const ip =
        (ends.version ?? 4) === 4
          ? ipv4WriteHeader(bytes, view, l3, source, destination, protocol, 20 + length, 64)
          : ipv6WriteHeader(bytes, view, l3, source, destination, protocol, length, 64);
      const l4 = l3 + ip;
      bytes.set(header, l4);
      bytes.set(data, l4 + header.length);
      const frame = new Frame();
      frame.ipVersion = ends.version ?? 4;
      frame.protocol = protocol;
      bytesToWords(source, frame.source);
      bytesToWords(destination, frame.destination);
      /* ICMP of IPv4 is summed without pseudo-header (RFC 792). */
      view.setUint16(l4 + checksumAt, protocol === PROTO_ICMP ? 0 : fold(pseudoHeaderSum(frame, length)));
      completeChecksum(bytes, l4, l4 + length, l4 + checksumAt);
      return ip + length;
    },
    length,
  );
}

export function udp(ends: Ends, sourcePort: number, destinationPort: number, data: Uint8Array): Uint8Array {
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, 8 + data.length);
  return layer4(ends, PROTO_UDP, header, 6, data);
}

/** Any ICMP or ICMPv6 message: `rest` is what follows type, code and checksum. */
export function icmp(ends: Ends, type: number, code: number, rest: Uint8Array): Uint8Array {
  const header = Uint8Array.of(type, code, 0, 0);
  return layer4(ends, ends.version === 6 ? PROTO_ICMPV6 : PROTO_ICMP, header, 2, rest);
}

/** A DHCP message of a client, or a DHCPv6 one, with `data` in an option. */
export function dhcp(ends: Ends, data: Uint8Array): Uint8Array {
  if (ends.version === 6) {
    const option = Buffer.concat([Buffer.from([0, 16, 0, data.length]), data]);
    return udp(ends, 546, 547, Buffer.concat([Buffer.from('01abcdef', 'hex'), option]));
  }
  const message = new Uint8Array(240);
  message.set([1, 1, 6]);
  message.set([0x63, 0x82, 0x53, 0x63], 236);
  return udp(ends, 68, 67, Buffer.concat([message, Buffer.from([60, data.length]), data, Buffer.from([255])]));
}

export interface Segment {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement?: number;
  readonly flags: number;
  readonly options?: readonly number[];
  readonly data?: Uint8Array;
}

export function tcp(ends: Ends, segment: Segment): Uint8Array {
  const { options = [], data = new Uint8Array(0) } = segment;
  const header = new Uint8Array(20 + options.length);
  const view = new DataView(header.buffer);
  view.setUint16(0, segment.sourcePort);
  view.setUint16(2, segment.destinationPort);
  view.setUint32(4, segment.sequence);
  view.setUint32(8, segment.acknowledgement ?? 0);
  header[12] = (header.length / 4) << 4;
  header[13] = segment.flags;
  view.setUint16(14, 64_240);
  header.set(options, 20);
  return layer4(ends, PROTO_TCP, header, 16, data);
}

export interface Seen {
  readonly form: number;
  readonly payload: Uint8Array;
  readonly frame: Frame;
}

/** The parsed frame at the start of `bytes`; undefined when it does not parse. */
export function parsed(bytes: Uint8Array): Frame | undefined {
  const frame = new Frame();
  const batch = new Int32Array(F_STRIDE);
  batch[F_LENGTH] = bytes.length;
  batch[F_VLAN_TCI] = -1;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return parseFrame(bytes, view, batch, 0, frame) < 0 ? undefined : frame;
}

/** A frame as whoever receives it reads it. @throws Error when it does not parse */
export function read(bytes: Uint8Array): Seen {
  const whole = Uint8Array.from(bytes);
  const frame = parsed(whole);
  if (frame === undefined) throw new Error('a device received a frame that does not parse');
  return { form: frame.form, payload: whole.slice(frame.payload, frame.payload + frame.payloadLength), frame };
}

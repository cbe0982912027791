/**
 * Packets for the transforms' tests, built the long way round: Buffers, complete checksums, one obvious line per field.
 */

export interface Ip {
  readonly version: 4 | 6;
  readonly tos?: number;
  readonly ttl?: number;
  readonly id?: number;
  readonly df?: boolean;
  /** IPv4 options or an IPv6 destination-options header, a multiple of 4 or 8 bytes. */
  readonly extra?: Buffer;
  /** Inline VLAN tag. */
  readonly tagged?: boolean;
}

export interface Tcp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  readonly options: Buffer;
  readonly payload: Buffer;
}

const ADDRESSES = {
  4: [Buffer.from([10, 0, 0, 5]), Buffer.from([192, 0, 2, 77])],
  6: [Buffer.from('20010db8000000000000000000000005', 'hex'), Buffer.from('20010db8ffff000000000000000000aa', 'hex')],
} as const;

export const word16 = (value: number): Buffer => Buffer.from([(value >>> 8) & 255, value & 255]);
export const word32 = (value: number): Buffer => Buffer.concat([word16(value >>> 16), word16(value & 0xffff)]);

/** RFC 1071, one word at a time. */
export function onesSum(...parts: Buffer[]): number {
  const all = Buffer.concat(parts);
  let total = 0;
  for (let i = 0; i < all.length; i += 2) {
    total += all[i] * 256 + (i + 1 < all.length ? all[i + 1] : 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

const checksumOf = (...parts: Buffer[]): number => ~onesSum(...parts) & 0xffff || 0xffff;

export function pseudoHeader(version: 4 | 6, back: boolean, protocol: number, length: number): Buffer {
  const [device, peer] = ADDRESSES[version];
  const pair = back ? [peer, device] : [device, peer];
  return Buffer.concat([...pair, word32(length), Buffer.from([0, 0, 0, protocol])]);
}

/** Ethernet and IP around `payload`; `back` from the peer to the device. */
export function ipPacket(ip: Ip, protocol: number, payload: Buffer, back = false): Buffer {
  const [device, peer] = ADDRESSES[ip.version];
  const [source, destination] = back ? [peer, device] : [device, peer];
  const link = [Buffer.from('020000000002020000000001', 'hex')];
  if (ip.tagged) link.push(Buffer.from('81000064', 'hex'));
  const extra = ip.extra ?? Buffer.alloc(0);
  if (ip.version === 6) {
    const next = extra.length > 0 ? 60 : protocol;
    if (extra.length > 0) extra[0] = protocol;
    return Buffer.concat([
      ...link,
      Buffer.from('86dd', 'hex'),
      word32((6 << 28) | ((ip.tos ?? 0) << 20) | 0x12345),
      word16(extra.length + payload.length),
      Buffer.from([next, ip.ttl ?? 64]),
      source,
      destination,
      extra,
      payload,
    ]);
  }
  const header = Buffer.concat([
    Buffer.from([0x40 | (5 + extra.length / 4), ip.tos ?? 0]),
    word16(20 + extra.length + payload.length),
    word16(ip.id ?? 0x1234),
    word16(ip.df === false ? 0 : 0x4000),
    Buffer.from([ip.ttl ?? 64, protocol, 0, 0]),
    source,
    destination,
    extra,
  ]);
  word16(checksumOf(header)).copy(header, 10);
  return Buffer.concat([...link, Buffer.from('0800', 'hex'), header, payload]);
}

export function tcpPacket(ip: Ip, tcp: Tcp, back = false): Buffer {
  const segment = Buffer.concat([
    word16(tcp.sourcePort),
    word16(tcp.destinationPort),
    word32(tcp.sequence),
    word32(tcp.acknowledgement),
    Buffer.from([((20 + tcp.options.length) / 4) << 4, tcp.flags]),
    word16(tcp.window),
    word16(0),
    word16(tcp.urgent),
    tcp.options,
    tcp.payload,
  ]);
  word16(checksumOf(pseudoHeader(ip.version, back, 6, segment.length), segment)).copy(segment, 16);
  return ipPacket(ip, 6, segment, back);
}

export function udpPacket(ip: Ip, sourcePort: number, destinationPort: number, payload: Buffer, noChecksum = false) {
  const datagram = Buffer.concat([
    word16(sourcePort),
    word16(destinationPort),
    word16(8 + payload.length),
    word16(0),
    payload,
  ]);
  if (!noChecksum) word16(checksumOf(pseudoHeader(ip.version, false, 17, datagram.length), datagram)).copy(datagram, 6);
  return ipPacket(ip, 17, datagram);
}

export function icmpPacket(ip: Ip, type: number, code: number, word: number, data: Buffer, back = false): Buffer {
  const message = Buffer.concat([Buffer.from([type, code, 0, 0]), word32(word), data]);
  const pseudo = ip.version === 6 ? pseudoHeader(6, back, 58, message.length) : Buffer.alloc(0);
  word16(checksumOf(pseudo, message)).copy(message, 2);
  return ipPacket(ip, ip.version === 6 ? 58 : 1, message, back);
}

/** True when IPv4 header and layer-4 checksum of an untagged, option-free packet are right. */
export function checksumsAreRight(frame: Buffer): boolean {
  const version = frame.readUInt16BE(12) === 0x0800 ? 4 : 6;
  const l4 = version === 4 ? 34 : 54;
  const protocol = version === 4 ? frame[23] : frame[20];
  if (version === 4 && onesSum(frame.subarray(14, 34)) !== 0xffff) return false;
  const addresses = version === 4 ? frame.subarray(26, 34) : frame.subarray(22, 54);
  const payload = frame.subarray(l4);
  if (protocol === 1) return onesSum(payload) === 0xffff;
  if (protocol === 17 && payload.readUInt16BE(6) === 0) return true;
  return onesSum(Buffer.from(addresses), word32(payload.length), word32(protocol), payload) === 0xffff;
}

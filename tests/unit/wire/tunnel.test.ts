import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fold, sum } from '#wire/checksum.ts';
import {
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_VLAN_TCI,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  VNET_DATA_VALID,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { tunnelledPackets } from '#wire/tunnel.ts';
import { Capture, capture, ETHERNET4, ETHERNET6, hex, ip4, ip6, tcp, udp } from './packets.ts';

const DATA = Array.from({ length: 100 }, (_, i) => (i + 1).toString(16).padStart(2, '0')).join('');
const SIZE = 30;
const L3 = 14;
const GRE4 = '0000 0800';
const GRE6_KEYED = '2000 86dd 01020304';

const TUNNELS = [
  { name: 'IPv4 in IPv4', frame: [ETHERNET4, ip4(4, ip4(6, tcp(DATA)))], gso: GSO_TCPV4, l3: [L3, L3 + 20] },
  { name: 'IPv6 in IPv4', frame: [ETHERNET4, ip4(41, ip6(6, tcp(DATA)))], gso: GSO_TCPV6, l3: [L3, L3 + 20] },
  { name: 'IPv4 in IPv6', frame: [ETHERNET6, ip6(4, ip4(6, tcp(DATA)))], gso: GSO_TCPV4, l3: [L3, L3 + 40] },
  { name: 'IPv6 in IPv6', frame: [ETHERNET6, ip6(41, ip6(6, tcp(DATA)))], gso: GSO_TCPV6, l3: [L3, L3 + 40] },
  { name: 'IPv4 in GRE', frame: [ETHERNET4, ip4(47, GRE4 + ip4(6, tcp(DATA)))], gso: GSO_TCPV4, l3: [L3, L3 + 24] },
  {
    name: 'IPv6 in GRE with a key',
    frame: [ETHERNET6, ip6(47, GRE6_KEYED + ip6(6, tcp(DATA)))],
    gso: GSO_TCPV6,
    l3: [L3, L3 + 48],
  },
  { name: 'datagrams in IPv4', frame: [ETHERNET4, ip4(4, ip4(17, udp(DATA)))], gso: GSO_UDP_L4, l3: [L3, L3 + 20] },
] as const;

type Tunnel = (typeof TUNNELS)[number];

const headerOf = (bytes: Uint8Array, l3: number): number => (bytes[l3] >>> 4 === 4 ? 20 : 40);

function merged({ frame, gso, l3 }: Tunnel): Capture {
  const bytes = hex(...frame);
  const l4 = l3[1] + headerOf(bytes, l3[1]);
  return new Capture(bytes)
    .set(F_FLAGS, VNET_NEEDS_CSUM)
    .set(F_GSO_TYPE, gso)
    .set(F_GSO_SIZE, SIZE)
    .set(F_CSUM_START, l4)
    .set(F_VLAN_TCI, 5);
}

const cut = (c: Capture) => tunnelledPackets(c.slab, c.view, c.batch, c.record, c.frame);

/** The sum of pseudo-header and layer 4, whose checksum is in it. */
function layer4Sum(bytes: Uint8Array, l3: number, l4: number): number {
  const [at, length] = bytes[l3] >>> 4 === 4 ? [l3 + 12, 8] : [l3 + 8, 32];
  const protocol = bytes[l3] >>> 4 === 4 ? bytes[l3 + 9] : bytes[l3 + 6];
  return fold(sum(bytes, l4, bytes.length - l4, sum(bytes, at, length, protocol + bytes.length - l4)));
}

describe.each(TUNNELS)('$name', (tunnel) => {
  const isTcp = tunnel.gso !== GSO_UDP_L4;

  test('is refused as a superpacket, and cut into the packets that were merged', () => {
    const c = merged(tunnel);
    expect(c.parse()).toBe('gso-bad');
    const packets = cut(c);
    expect(packets.length).toBe(4);
    const whole = hex(...tunnel.frame);
    const l4 = tunnel.l3[1] + headerOf(whole, tunnel.l3[1]);
    const payload = l4 + (isTcp ? 20 : 8);
    expect(Buffer.concat(packets.map((p) => p.bytes.subarray(payload))).toString('hex')).toBe(DATA);
    packets.forEach(({ bytes }, i) => {
      const view = new DataView(bytes.buffer);
      expect(bytes.length - payload).toBe(i < 3 ? SIZE : 100 - 3 * SIZE);
      for (const l3 of tunnel.l3) {
        const four = bytes[l3] >>> 4 === 4;
        expect(four ? view.getUint16(l3 + 2) : 40 + view.getUint16(l3 + 4)).toBe(bytes.length - l3);
        if (four) expect(view.getUint16(l3 + 4)).toBe(0x1234 + i);
      }
      expect(layer4Sum(bytes, tunnel.l3[1], l4)).toBe(0xffff);
      if (isTcp) {
        expect(view.getUint32(l4 + 4)).toBe(0x8000_0001 + i * SIZE);
        expect(bytes[l4 + 13] & 0x08).toBe(i === 3 ? 0x08 : 0);
      } else expect(view.getUint16(l4 + 4)).toBe(bytes.length - l4);
    });
  });

  test('each of them is an ordinary frame with the tag of the merged one', () => {
    const c = merged(tunnel);
    c.parse();
    for (const { bytes, record } of cut(c)) {
      const single = new Capture(bytes);
      single.batch.set(record, single.record * record.length);
      single.set(F_OFFSET, 101);
      expect(single.parse()).toBe('ok');
      expect([record[F_FLAGS], record[F_GSO_TYPE], record[F_LENGTH]]).toEqual([
        VNET_DATA_VALID,
        GSO_NONE,
        bytes.length,
      ]);
      expect(record[F_VLAN_TCI]).toBe(5);
    }
  });

  test.each([
    ['another inner IP version', F_GSO_TYPE, tunnel.gso === GSO_TCPV4 ? GSO_TCPV6 : GSO_TCPV4],
    ['no segment size', F_GSO_SIZE, 0],
    ['a checksum elsewhere', F_CSUM_START, 40],
    ['a checksum behind the frame', F_CSUM_START, 2_000_000_000],
    ['a complete checksum', F_FLAGS, VNET_DATA_VALID],
  ])('is not cut with %s', (_what, column, value) => {
    const c = merged(tunnel).set(column, value);
    c.parse();
    expect(cut(c)).toEqual([]);
  });
});

test('the first segment alone keeps CWR', () => {
  const c = merged({ ...TUNNELS[0], gso: GSO_TCPV4 }).set(F_GSO_TYPE, GSO_TCPV4 | GSO_ECN);
  const flags = c.frame.offset + 101 + L3 + 40 + 13;
  c.slab[flags] |= 0x80;
  c.parse();
  expect(cut(c).map(({ bytes }) => bytes[L3 + 40 + 13] & 0x80)).toEqual([0x80, 0, 0, 0]);
});

test.each([
  ['GRE with a checksum', ip4(47, `8000 0800 0000 0000${ip4(6, tcp(DATA))}`), L3 + 48],
  ['an inner length that ends elsewhere', ip4(4, ip4(6, tcp(DATA), { total: 100 })), L3 + 40],
  ['an inner fragment', ip4(4, ip4(6, tcp(DATA), { fragment: 0x2000 })), L3 + 40],
  ['TCP in ESP', ip4(50, ip4(6, tcp(DATA))), L3 + 40],
])('%s is not cut', (_what, packet, csumStart) => {
  const c = capture(ETHERNET4, packet).set(F_FLAGS, VNET_NEEDS_CSUM).set(F_GSO_TYPE, GSO_TCPV4);
  c.set(F_GSO_SIZE, SIZE).set(F_CSUM_START, csumStart).parse();
  expect(cut(c)).toEqual([]);
});

test('any bytes give packets or none, never an exception', () => {
  const change = fc.tuple(fc.nat(200), fc.nat(255));
  fc.assert(
    fc.property(
      fc.constantFrom(...TUNNELS),
      fc.array(change, { maxLength: 6 }),
      fc.nat(200),
      fc.integer({ min: -10, max: 300 }),
      fc.nat(200),
      (tunnel, changes, length, start, size) => {
        const c = merged(tunnel).set(F_GSO_SIZE, size);
        for (const [at, value] of changes) c.slab[101 + at] = value;
        if (start % 2 === 0) c.set(F_CSUM_START, start);
        if (length % 3 === 0) c.set(F_LENGTH, length);
        if (c.parse() === 'gso-bad') for (const { bytes } of cut(c)) expect(bytes.length).toBeLessThanOrEqual(300);
      },
    ),
  );
});

/** What Linux says about a frame: believed where the headers of the frame agree. */
import { describe, expect, test } from 'vitest';
import { FORM_TCP, FORM_UDP } from '#wire/frame.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  GSO_ECN,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  VNET_DATA_VALID,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { type Capture, capture, ETHERNET4, ETHERNET6, ip4, ip6, tcp, udp } from './packets.ts';

describe('superpackets', () => {
  const merged = (bytes: number, type = GSO_TCPV4) =>
    (type === GSO_TCPV6
      ? capture(ETHERNET6, ip6(6, tcp('5a'.repeat(bytes))))
      : capture(ETHERNET4, ip4(6, tcp('5a'.repeat(bytes))))
    )
      .set(F_FLAGS, VNET_NEEDS_CSUM)
      .set(F_GSO_TYPE, type)
      .set(F_GSO_SIZE, 1448)
      .set(F_CSUM_START, type === GSO_TCPV6 ? 54 : 34)
      .set(F_CSUM_OFFSET, 16);

  test.each([
    [GSO_TCPV4, 65_535 - 40],
    [GSO_TCPV6, 65_535 - 20],
  ])('of type %i up to the largest IP packet', (type, bytes) => {
    const c = merged(bytes, type);
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({
      form: FORM_TCP,
      gsoType: type,
      gsoSize: 1448,
      payloadLength: bytes,
      checksumVerified: true,
    });
  });

  test('the ECN bit is taken off the type', () => {
    const c = merged(3000).set(F_GSO_TYPE, GSO_TCPV4 | GSO_ECN);
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({ gsoType: GSO_TCPV4, gsoEcn: true });
  });

  const mergedUdp = (bytes: number, size: number, checksum = '1234') => {
    const c = capture(ETHERNET4, ip4(17, udp('77'.repeat(bytes)).replace('0000 ', `${checksum} `)));
    c.set(F_FLAGS, VNET_NEEDS_CSUM).set(F_GSO_TYPE, GSO_UDP_L4).set(F_GSO_SIZE, size);
    return c.set(F_CSUM_START, 34).set(F_CSUM_OFFSET, 6);
  };

  test('UDP merged by GRO', () => {
    const c = mergedUdp(3000, 1000);
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({ form: FORM_UDP, gsoType: GSO_UDP_L4, gsoSize: 1000 });
  });

  test('of UDP has at most 128 datagrams, and a checksum', () => {
    expect(mergedUdp(1280, 10).parse()).toBe('ok');
    expect(mergedUdp(1281, 10).parse()).toBe('gso-bad');
    expect(mergedUdp(1280, 10, '0000').parse()).toBe('gso-bad');
  });

  test.each([
    ['a segment size of zero', (c: Capture) => c.set(F_GSO_SIZE, 0)],
    ['a segment size above the payload', (c: Capture) => c.set(F_GSO_SIZE, 3001)],
    ['a negative segment size', (c: Capture) => c.set(F_GSO_SIZE, -1)],
    ['a checksum that starts elsewhere', (c: Capture) => c.set(F_CSUM_START, 54)],
    ['a checksum field that is not the one of TCP', (c: Capture) => c.set(F_CSUM_OFFSET, 6)],
    ['the type of the other IP version', (c: Capture) => c.set(F_GSO_TYPE, GSO_TCPV6)],
    ['the type of another protocol', (c: Capture) => c.set(F_GSO_TYPE, GSO_UDP_L4)],
    ['a type nobody knows', (c: Capture) => c.set(F_GSO_TYPE, 3)],
    ['no word about its checksum', (c: Capture) => c.set(F_FLAGS, 0)],
  ])('%s contradicts', (_, spoil) => {
    expect(merged(3000).parse()).toBe('ok');
    const c = merged(3000);
    spoil(c);
    expect(c.parse()).toBe('gso-bad');
  });

  test('neither a superpacket without data nor a merged fragment can be cut', () => {
    expect(merged(0).parse()).toBe('gso-bad');
    const c = capture(ETHERNET4, ip4(6, '00'.repeat(64), { fragment: 0x2000 }));
    c.set(F_FLAGS, VNET_NEEDS_CSUM).set(F_GSO_TYPE, GSO_TCPV4).set(F_GSO_SIZE, 8);
    expect(c.set(F_CSUM_START, 34).set(F_CSUM_OFFSET, 16).parse()).toBe('gso-bad');
  });

  test('bytes behind a UDP superpacket contradict it', () => {
    const c = capture(ETHERNET4, ip4(17, udp('77'.repeat(3000), 3000).replace('0000 ', '1234 ')));
    c.set(F_FLAGS, VNET_NEEDS_CSUM).set(F_GSO_TYPE, GSO_UDP_L4).set(F_GSO_SIZE, 1000);
    expect(c.set(F_CSUM_START, 34).set(F_CSUM_OFFSET, 6).parse()).toBe('gso-bad');
  });

  test('a tunnel that is reported as the TCP inside it', () => {
    const inner = ip4(6, tcp('77'.repeat(3000)));
    for (const outer of [ip4(4, inner), ip4(17, udp(`08000000 00000000 ${inner}`))]) {
      const c = capture(ETHERNET4, outer).set(F_FLAGS, VNET_NEEDS_CSUM).set(F_GSO_TYPE, GSO_TCPV4);
      c.set(F_GSO_SIZE, 1448).set(F_CSUM_START, 54).set(F_CSUM_OFFSET, 16);
      expect(c.parse()).toBe('gso-bad');
    }
  });
});

describe('partial checksums of single frames', () => {
  const single = () => capture(ETHERNET4, ip4(6, tcp('c0ffee'))).set(F_FLAGS, VNET_NEEDS_CSUM);

  test("the packet's own stays partial", () => {
    const c = single().set(F_CSUM_START, 34).set(F_CSUM_OFFSET, 16);
    const before = c.slab.slice();
    expect(c.parse()).toBe('ok');
    expect(c.frame.checksumVerified).toBe(true);
    expect(c.get(F_FLAGS)).toBe(VNET_NEEDS_CSUM);
    expect(c.slab).toEqual(before);
  });

  test('a UDP checksum of zero cannot be partial', () => {
    const c = capture(ETHERNET4, ip4(17, udp('c0ffee'))).set(F_FLAGS, VNET_NEEDS_CSUM);
    expect(c.set(F_CSUM_START, 34).set(F_CSUM_OFFSET, 6).parse()).toBe('gso-bad');
    expect(capture(ETHERNET4, ip4(17, udp('c0ffee'))).parse()).toBe('ok');
  });

  test("a tunnel's inner one is completed", () => {
    const c = capture(ETHERNET4, ip4(47, '0001 0203 0000 0607')).set(F_FLAGS, VNET_NEEDS_CSUM);
    expect(c.set(F_CSUM_START, 34).set(F_CSUM_OFFSET, 4).parse()).toBe('ok');
    /* 0001 + 0203 + 0607 = 080b, inverted */
    expect(c.payload).toBe('00010203f7f40607');
    expect(c.get(F_FLAGS)).toBe(VNET_DATA_VALID);
  });

  test('that of ICMP is completed: gateways send such', () => {
    const c = capture(ETHERNET4, ip4(1, '0800 0000 0001 0002')).set(F_FLAGS, VNET_NEEDS_CSUM);
    expect(c.set(F_CSUM_START, 34).set(F_CSUM_OFFSET, 2).parse()).toBe('ok');
    expect(c.get(F_FLAGS)).toBe(VNET_DATA_VALID);
    expect(Buffer.from(c.slab.subarray(c.frame.l4, c.frame.l3End)).toString('hex')).toBe('0800f7fc00010002');
  });

  test.each([
    [0, 16],
    [34, 1000],
    [34, -40],
    [2_000_000_000, 2_000_000_000],
    [-2_000_000_000, 16],
  ])('start %i and offset %i lead out of the frame', (start, offset) => {
    expect(single().set(F_CSUM_START, start).set(F_CSUM_OFFSET, offset).parse()).toBe('checksum-misplaced');
  });

  const data = 'c0ffee00'.repeat(14);
  test.each([
    ['in the IP header', [ip4(6, tcp(data))], 14, 10],
    ["in the middle of TCP's", [ip4(6, tcp(data))], 38, 2],
    ['behind the TCP header', [ip4(6, tcp(data))], 60, 16],
    ["over UDP's own, elsewhere", [ip4(17, udp(data))], 34, 16],
    ['in the data of ICMP', [ip4(1, `0800 0000 0001 0001 ${data}`)], 42, 2],
    ['in a fragment', [ip4(17, udp(data), { fragment: 0x2000 })], 34, 6],
  ] as const)('none can be unfinished %s', (_where, packet, start, offset) => {
    const c = capture(ETHERNET4, ...packet).set(F_FLAGS, VNET_NEEDS_CSUM);
    const before = c.slab.slice();
    expect(c.set(F_CSUM_START, start).set(F_CSUM_OFFSET, offset).parse()).toBe('checksum-misplaced');
    expect(c.slab).toEqual(before);
  });

  test('none can be unfinished in what is not IP', () => {
    const c = capture('020000000002 020000000001 88b5', data).set(F_FLAGS, VNET_NEEDS_CSUM);
    expect(c.set(F_CSUM_START, 34).set(F_CSUM_OFFSET, 16).parse()).toBe('checksum-misplaced');
  });
});

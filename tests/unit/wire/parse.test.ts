import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ETHERTYPE_IPV4,
  FORM_ECHO,
  FORM_FRAGMENT,
  FORM_ICMP_ERROR,
  FORM_NON_IP,
  FORM_OTHER,
  FORM_TCP,
  FORM_UDP,
  Frame,
} from '#wire/frame.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_STATUS,
  F_VLAN_TCI,
  F_VLAN_TPID,
} from '#wire/record.ts';
import { Capture, capture, ETHERNET4, ETHERNET6, hex, ip4, ip6, tcp, udp } from './packets.ts';

describe('layer 2', () => {
  test('a frame shorter than its header is dropped', () => {
    expect(capture('020000000002 020000000001 08').parse()).toBe('ethernet-short');
    expect(new Capture(new Uint8Array(0)).parse()).toBe('ethernet-short');
  });

  test('a frame that the slot cut off, or that lies outside the slab, is dropped', () => {
    expect(
      capture(ETHERNET4, ip4(17, udp('00')))
        .set(F_STATUS, 3)
        .parse(),
    ).toBe('frame-truncated');
    expect(
      capture(ETHERNET4, ip4(17, udp('00')))
        .set(F_OFFSET, -1)
        .parse(),
    ).toBe('frame-truncated');
    expect(
      capture(ETHERNET4, ip4(17, udp('00')))
        .set(F_OFFSET, 69_990)
        .parse(),
    ).toBe('frame-truncated');
    expect(
      capture(ETHERNET4, ip4(17, udp('00')))
        .set(F_LENGTH, -1)
        .parse(),
    ).toBe('frame-truncated');
  });

  test('what is not IP keeps its type and its bytes', () => {
    const arp = capture('ffffffffffff 020000000001 0806 0001 0800');
    expect(arp.parse()).toBe('ok');
    expect(arp.frame).toMatchObject({ form: FORM_NON_IP, etherType: 0x0806, ipVersion: 0, l3: 115 });
    expect(arp.payload).toBe('00010800');
  });

  test('one tag beside the frame and two inside it lead to the IP packet', () => {
    const c = capture('020000000002 020000000001 88a8 0064 8100 00c8 0800', ip4(17, udp('cafe')));
    expect(c.set(F_VLAN_TCI, 0x0fff).set(F_VLAN_TPID, 0x8100).parse()).toBe('ok');
    expect(c.frame).toMatchObject({ vlanTci: 0x0fff, vlanTpid: 0x8100, etherType: ETHERTYPE_IPV4, l3: 101 + 22 });
    expect(c.payload).toBe('cafe');
  });

  test('old tag types are looked through; a third tag is refused; a tag that the frame ends in is short', () => {
    const three = capture('020000000002 020000000001 8100 0001 8100 0002 8100 0003 0800', ip4(17, udp('cafe')));
    expect(three.parse()).toBe('vlan-too-deep');
    const old = capture('020000000002 020000000001 9100 0001 0800', ip4(17, udp('cafe')));
    expect(old.parse()).toBe('ok');
    expect(old.frame).toMatchObject({ ipVersion: 4, etherType: 0x0800 });
    expect(capture('020000000002 020000000001 8100 00').parse()).toBe('ethernet-short');
  });
});

describe('IPv4', () => {
  test('a TCP segment with Ethernet padding behind it', () => {
    const c = capture(ETHERNET4, ip4(6, tcp('c0ffee')), '00 00 00');
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({
      form: FORM_TCP,
      ipVersion: 4,
      protocol: 6,
      sourcePort: 1234,
      destinationPort: 80,
      sequence: 0x80000001,
      acknowledgement: 2,
      tcpFlags: 0x18,
      tcpHeaderLength: 20,
      dontFragment: true,
      ipOptions: false,
      l4: 101 + 34,
      l3End: 101 + 34 + 23,
    });
    expect([...c.frame.source]).toEqual([0, 0, 0xffff, 0x0a000001]);
    expect([...c.frame.destination]).toEqual([0, 0, 0xffff, 0x0a000002]);
    expect(c.payload).toBe('c0ffee');
  });

  test('options are stepped over', () => {
    const c = capture(ETHERNET4, ip4(17, udp('01'), { options: '94040000 01010101' }));
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({ ipOptions: true, l4: 101 + 14 + 28 });
    expect(c.payload).toBe('01');
  });

  test.each([
    ['version 6 behind the type of IPv4', ip6(17, udp('00')), 'ip-bad-header'],
    ['half a header', ip4(17, '').slice(0, 30), 'ip-bad-header'],
    ['a header length below 20', ip4(17, udp('00')).replace('45', '44'), 'ip-bad-header'],
    ['a header longer than the frame', ip4(17, '').replace('45', '4f'), 'ip-bad-header'],
    ['a total length beyond the frame', ip4(17, udp('00'), { total: 30 }), 'ip-bad-length'],
    ['a total length below the header', ip4(17, udp('00'), { total: 19 }), 'ip-bad-length'],
  ])('%s', (_, packet, drop) => {
    expect(capture(ETHERNET4, packet).parse()).toBe(drop);
  });

  test('a fragment is told from a packet, and its layer 4 is not looked at', () => {
    const first = capture(ETHERNET4, ip4(6, '0011223344556677', { fragment: 0x2000 }));
    expect(first.parse()).toBe('ok');
    expect(first.frame).toMatchObject({
      form: FORM_FRAGMENT,
      fragmentId: 0x1234,
      fragmentOffset: 0,
      fragmentMore: true,
      dontFragment: false,
      sourcePort: 0,
    });
    const last = capture(ETHERNET4, ip4(6, '001122', { fragment: 3 }));
    expect(last.parse()).toBe('ok');
    expect(last.frame).toMatchObject({ form: FORM_FRAGMENT, fragmentOffset: 24, fragmentMore: false });
    expect(last.payload).toBe('001122');
  });

  test.each([
    ['no data', '', 0x2000],
    ['a length that is no multiple of 8 with more to come', '001122', 0x2000],
    ['an end beyond the largest packet', '0011223344556677', 0x1fff],
  ])('a fragment with %s is dropped', (_, body, fragment) => {
    expect(capture(ETHERNET4, ip4(17, body, { fragment })).parse()).toBe('ip-bad-length');
  });
});

describe('IPv6', () => {
  test('extension headers are walked to the layer 4 behind them', () => {
    const chain = `3c 00 000000000000  2b 01 ${'00'.repeat(14)}  3c 00 000000000000  11 00 000000000000`;
    const c = capture(ETHERNET6, ip6(0, chain + udp('beef')));
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({ form: FORM_UDP, ipVersion: 6, protocol: 17, ipOptions: true, dontFragment: true });
    expect(c.frame.l4).toBe(101 + 14 + 40 + 8 + 16 + 8 + 8);
    expect([...c.frame.source]).toEqual([0x20010db8, 0, 0, 1]);
    expect(c.payload).toBe('beef');
  });

  test('a fragment, with what stands in front of its header', () => {
    const c = capture(ETHERNET6, ip6(0, '2c 00 000000000000  06 00 0011 89abcdef  0011223344556677'));
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({
      form: FORM_FRAGMENT,
      protocol: 6,
      fragmentId: 0x89abcdef,
      fragmentOffset: 16,
      fragmentMore: true,
    });
    expect(c.payload).toBe('0011223344556677');
  });

  test('an atomic fragment is a whole packet', () => {
    const c = capture(ETHERNET6, ip6(44, `11 00 0000 00000007 ${udp('aa')}`));
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({ form: FORM_UDP, sourcePort: 1234, fragmentMore: false });
  });

  test.each([
    ['half a header', ip6(17, '').slice(0, 60), 'ip-bad-header'],
    ['a payload beyond the frame', ip6(17, udp(''), 9), 'ip-bad-length'],
    [
      'hop-by-hop options in second place',
      ip6(60, `00 00 000000000000 11 00 000000000000 ${udp('')}`),
      'ip-bad-header',
    ],
    ['an extension header beyond the packet', ip6(60, '11 05 000000000000'), 'ip-bad-header'],
    ['a packet that ends within a header', ip6(60, '11 00 0000'), 'ip-bad-header'],
    [
      'nine extension headers',
      ip6(60, `${'3c 00 000000000000'.repeat(8)} 11 00 000000000000 ${udp('')}`),
      'ip-bad-header',
    ],
    ['a jumbogram', ip6(0, '06 00 c204 00010000', 0), 'ip-bad-header'],
  ])('%s', (_, packet, drop) => {
    expect(capture(ETHERNET6, packet).parse()).toBe(drop);
  });

  test('a payload length of zero is an empty packet', () => {
    const c = capture(ETHERNET6, ip6(59, '', 0), '0000');
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({ form: FORM_OTHER, protocol: 59, payloadLength: 0 });
  });
});

describe('layer 4', () => {
  test.each([
    ['a TCP header cut short', 6, tcp('').slice(0, 40), 'tcp-bad-header'],
    ['a data offset below 20', 6, tcp('', '', 4), 'tcp-bad-header'],
    ['a data offset beyond the packet', 6, tcp('00', '', 6), 'tcp-bad-header'],
    ['a UDP header cut short', 17, '04d2 0035 0008', 'udp-bad-length'],
    ['a UDP length of zero', 17, udp('00', 0), 'udp-bad-length'],
    ['a UDP length below its header', 17, udp('00', 7), 'udp-bad-length'],
    ['a UDP length beyond the packet', 17, udp('00', 10), 'udp-bad-length'],
    ['an ICMP message of seven bytes', 1, '08 00 0000 000000', 'icmp-bad-header'],
  ])('%s', (_, protocol, body, drop) => {
    expect(capture(ETHERNET4, ip4(protocol, body)).parse()).toBe(drop);
  });

  test('the UDP length ends the payload, the IP length the packet', () => {
    const c = capture(ETHERNET4, ip4(17, udp('0102 0304', 10)));
    expect(c.parse()).toBe('ok');
    expect(c.payload).toBe('0102');
    expect(c.frame.l3End).toBe(c.frame.payload + 4);
  });

  test('Echo messages have their identifier in both ports', () => {
    const four = capture(ETHERNET4, ip4(1, '08 00 0000 beef 0001 aabb'));
    expect(four.parse()).toBe('ok');
    expect(four.frame).toMatchObject({ form: FORM_ECHO, icmpType: 8, sourcePort: 0xbeef, destinationPort: 0xbeef });
    expect(four.payload).toBe('aabb');
    const six = capture(ETHERNET6, ip6(58, '81 00 0000 beef 0001 aabb'));
    expect(six.parse()).toBe('ok');
    expect(six.frame).toMatchObject({ form: FORM_ECHO, icmpType: 129, sourcePort: 0xbeef });
  });

  test('errors have the quoted packet as payload; other ICMP is carried whole', () => {
    const error = capture(ETHERNET4, ip4(1, '03 04 0000 0000 05dc 4500'));
    expect(error.parse()).toBe('ok');
    expect(error.frame).toMatchObject({ form: FORM_ICMP_ERROR, icmpType: 3, icmpCode: 4 });
    expect(error.payload).toBe('4500');
    const timestamp = capture(ETHERNET4, ip4(1, '0d 00 0000 0001 0002'));
    expect(timestamp.parse()).toBe('ok');
    expect(timestamp.frame.form).toBe(FORM_OTHER);
    expect(timestamp.payload).toBe('0d00000000010002');
    const neighbour = capture(ETHERNET6, ip6(58, '87 00 0000 00000000'));
    expect(neighbour.parse()).toBe('ok');
    expect(neighbour.frame.form).toBe(FORM_OTHER);
  });

  test("ICMPv6 in IPv4 and ICMP in IPv6 are nobody's", () => {
    const c = capture(ETHERNET4, ip4(58, '80 00'));
    expect(c.parse()).toBe('ok');
    expect(c.frame.form).toBe(FORM_OTHER);
    const d = capture(ETHERNET6, ip6(1, '08 00'));
    expect(d.parse()).toBe('ok');
    expect(d.frame.form).toBe(FORM_OTHER);
  });
});

describe('any bytes', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const start = fc.constantFrom(ETHERNET4, ETHERNET6, '020000000002 020000000001 8100 0001 0800');
  const packet = fc.constantFrom(
    ip4(6, tcp('00'.repeat(40), '0204 05b4 0101 0402')),
    ip4(17, udp('11'.repeat(30)), { options: '01010101' }),
    ip4(1, '0304 0000 0000 0400 4500'),
    ip6(0, `2c 00 000000000000 11 00 0000 00000001 ${udp('22'.repeat(9))}`),
    ip6(58, '80 00 0000 1234 0001 33'),
  );

  const checkBounds = (c: Capture, outcome: string) => {
    const { frame } = c;
    if (outcome !== 'ok') return;
    const end = frame.offset + frame.length;
    expect(frame.l3).toBeLessThanOrEqual(frame.l3End);
    expect(frame.l3End).toBeLessThanOrEqual(end);
    expect(frame.l4).toBeGreaterThanOrEqual(frame.l3);
    expect(frame.payload).toBeGreaterThanOrEqual(frame.l4);
    expect(frame.payloadLength).toBeGreaterThanOrEqual(0);
    expect(frame.payload + frame.payloadLength).toBeLessThanOrEqual(frame.l3End);
    if (frame.form === FORM_TCP) expect(frame.l4 + frame.tcpHeaderLength).toBe(frame.payload);
  };

  test('give offsets within the frame or a drop, never an exception', () => {
    fc.assert(
      fc.property(start, bytes, (ethernet, tail) => {
        const c = new Capture(new Uint8Array([...hex(ethernet), ...tail]));
        checkBounds(c, c.parse());
      }),
      { numRuns: 2000 },
    );
  });

  test('so does a real packet with a few bytes, its length and its record changed', () => {
    const change = fc.tuple(fc.nat(120), fc.nat(255));
    const columns = fc.array(
      fc.tuple(
        fc.constantFrom(F_FLAGS, F_GSO_TYPE, F_GSO_SIZE, F_CSUM_START, F_CSUM_OFFSET),
        fc.integer({ min: -4, max: 200 }),
      ),
    );
    const lengths = fc.option(fc.nat(150));
    fc.assert(
      fc.property(packet, fc.array(change, { maxLength: 4 }), columns, lengths, (text, changes, record, length) => {
        const frame = hex(text.startsWith('4') ? ETHERNET4 : ETHERNET6, text);
        for (const [at, value] of changes) frame[at % frame.length] = value;
        const c = new Capture(frame.subarray(0, length ?? frame.length));
        for (const [column, value] of record) c.set(column, value);
        checkBounds(c, c.parse());
      }),
      { numRuns: 5000 },
    );
  });

  test('a Frame keeps nothing of the frame before', () => {
    fc.assert(
      fc.property(packet, packet, (before, after) => {
        const of = (text: string) => capture(text.startsWith('4') ? ETHERNET4 : ETHERNET6, text);
        const used = of(before);
        used.parse();
        const again = of(after);
        const fresh = new Frame();
        Object.assign(again, { frame: used.frame });
        again.parse();
        const clean = of(after);
        Object.assign(clean, { frame: fresh });
        clean.parse();
        expect(again.frame).toEqual(fresh);
      }),
    );
  });
});

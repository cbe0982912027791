import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { copyLinkHeader, macFromText, macIsBroadcast, macIsGroup, macNumber, macSwap } from '#wire/ethernet.ts';
import {
  IPV4_CHECKSUM,
  ipv4ChecksumIsRight,
  ipv4SetFragment,
  ipv4SetId,
  ipv4SetTotalLength,
  ipv4WriteChecksum,
} from '#wire/ipv4.ts';
import { fragmentPoint, ipv6SetPayloadLength, ipv6WriteFragmentHeader, nextHeaderField } from '#wire/ipv6.ts';
import { O_STRIDE, OPTIONS_ROOM, tcpOptions, tcpSetHeaderLength } from '#wire/tcp.ts';
import { capture, ETHERNET4, ETHERNET6, hex, ip4, ip6, tcp, udp } from './packets.ts';

describe('Ethernet', () => {
  test('addresses as text and number', () => {
    const mac = hex('a5 02005e1000fe');
    expect(macNumber(mac, 1)).toBe(0x02005e1000fe);
    expect(macFromText('02:00:5E:10:00:fe')).toEqual(hex('02005e1000fe'));
    expect(macFromText('02-00-5e-10-00-fe')).toEqual(hex('02005e1000fe'));
  });

  test.each(['', '02:00:5e:10:00', '02:00:5e:10:00:fe:00', '02:00-5e:10:00:fe', '2:0:5e:10:0:fe', '02005e1000fe'])(
    '"%s" is none',
    (text) => {
      expect(macFromText(text)).toBeUndefined();
    },
  );

  test('group, broadcast', () => {
    const addresses = hex('ffffffffffff 01005e000001 020000000001 fffffffffffe');
    expect([0, 6, 12, 18].map((at) => macIsGroup(addresses, at))).toEqual([true, true, false, true]);
    expect([0, 6, 12, 18].map((at) => macIsBroadcast(addresses, at))).toEqual([true, false, false, false]);
  });

  test('turning a header round leaves what follows', () => {
    const header = hex('020000000002 020000000001 0800');
    macSwap(header, 0);
    expect(header).toEqual(hex('020000000001 020000000002 0800'));
  });

  test('a link header is copied up to the IP packet', () => {
    const into = new Uint8Array(22).fill(0xa5);
    expect(copyLinkHeader(hex('020000000002 020000000001 8100 0064 0800 4500'), 0, 18, into, 0)).toBe(18);
    expect(into).toEqual(hex('020000000002 020000000001 8100 0064 0800 a5a5a5a5'));
  });
});

describe('IPv4', () => {
  test('changes keep a right header checksum right', () => {
    fc.assert(
      fc.property(fc.nat(0xffff), fc.nat(0xffff), fc.nat(8191), fc.boolean(), (length, id, block, more) => {
        const c = capture(ETHERNET4, ip4(17, udp('00'), { options: '94040000' }));
        const l3 = 115;
        ipv4WriteChecksum(c.slab, c.view, l3);
        expect(ipv4ChecksumIsRight(c.slab, l3)).toBe(true);
        ipv4SetTotalLength(c.view, l3, length);
        ipv4SetId(c.view, l3, id);
        ipv4SetFragment(c.view, l3, 8 * block, more);
        expect([c.view.getUint16(l3 + 2), c.view.getUint16(l3 + 4)]).toEqual([length, id]);
        expect(c.view.getUint16(l3 + 6)).toBe((more ? 0x2000 : 0) + block);
        expect(ipv4ChecksumIsRight(c.slab, l3)).toBe(true);
      }),
    );
  });

  test('a wrong one stays wrong', () => {
    const c = capture(ETHERNET4, ip4(17, udp('00')));
    ipv4WriteChecksum(c.slab, c.view, 115);
    c.view.setUint16(115 + IPV4_CHECKSUM, c.view.getUint16(115 + IPV4_CHECKSUM) ^ 0x0100);
    ipv4SetTotalLength(c.view, 115, 1000);
    expect(ipv4ChecksumIsRight(c.slab, 115)).toBe(false);
  });
});

describe('IPv6', () => {
  const options = '000000000000';

  test('the byte that names a header is found behind any chain', () => {
    const c = capture(ETHERNET6, ip6(0, `2c 00 ${options} 3c 00 0000 00000007 11 00 ${options} ${udp('')}`));
    expect(c.parse()).toBe('ok');
    const l3 = c.frame.l3;
    expect(nextHeaderField(c.slab, l3, l3 + 40)).toBe(l3 + 6);
    expect(nextHeaderField(c.slab, l3, l3 + 48)).toBe(l3 + 40);
    expect(nextHeaderField(c.slab, l3, l3 + 56)).toBe(l3 + 48);
    expect(nextHeaderField(c.slab, l3, c.frame.l4)).toBe(l3 + 56);
    expect(nextHeaderField(c.slab, l3, l3 + 50)).toBe(-1);
    expect(nextHeaderField(c.slab, l3, c.frame.l4 + 8)).toBe(-1);
  });

  test.each([
    ['no extension header', ip6(17, udp('')), 40],
    ['hop-by-hop options', ip6(0, `11 00 ${options} ${udp('')}`), 48],
    ['destination options for the last host', ip6(60, `11 00 ${options} ${udp('')}`), 40],
    ['destination options before a routing header', ip6(60, `2b 00 ${options} 11 00 ${options} ${udp('')}`), 56],
  ])('with %s the fragmentable part begins where RFC 8200 says', (_, packet, at) => {
    const c = capture(ETHERNET6, packet);
    expect(c.parse()).toBe('ok');
    expect(fragmentPoint(c.slab, c.frame.l3, c.frame.l4) - c.frame.l3).toBe(at);
  });

  test('a written fragment parses', () => {
    const c = capture(ETHERNET6, ip6(44, 'a5a5a5a5a5a5a5a5 0011223344556677'));
    ipv6WriteFragmentHeader(c.view, 115 + 40, 17, 1448, true, 0xfedcba98);
    ipv6SetPayloadLength(c.view, 115, 16);
    expect(c.parse()).toBe('ok');
    expect(c.frame).toMatchObject({ protocol: 17, fragmentOffset: 1448, fragmentMore: true, fragmentId: 0xfedcba98 });
  });
});

describe('TCP options', () => {
  function list(options: string): (readonly [kind: number, at: number, length: number])[] | number {
    const c = capture(ETHERNET4, ip4(6, tcp('ffff', options)));
    expect(c.parse()).toBe('ok');
    const into = new Int32Array(OPTIONS_ROOM).fill(-1);
    const count = tcpOptions(c.slab, c.frame, into);
    if (count < 0) return count;
    return Array.from({ length: count }, (_, i) => {
      const [kind, at, length] = into.subarray(i * O_STRIDE);
      return [kind, at - c.frame.l4 - 20, length] as const;
    });
  }

  test('of a SYN', () => {
    expect(list('020405b4 0402080a 0000000100000002 01030307')).toEqual([
      [2, 0, 4],
      [4, 4, 2],
      [8, 6, 10],
      [3, 17, 3],
    ]);
  });

  test('none, padding only, and what follows the end is not looked at', () => {
    expect(list('')).toEqual([]);
    expect(list('01010101')).toEqual([]);
    expect(list('00ffff00')).toEqual([]);
  });

  test('as many as fit fill the room', () => {
    expect(list('1e02'.repeat(20))).toHaveLength(20);
  });

  test.each([
    ['a length of zero', '1e000101'],
    ['a length of one', '1e010101'],
    ['a length beyond the header', '1e050101'],
    ['a kind at the very end', '0101011e'],
    ['an MSS of three bytes', '02030001'],
    ['a window scale of four bytes', '03040001'],
    ['a SACK-permitted of four bytes', '04040000'],
    ['timestamps of eight bytes', '080800000000 0101 '],
    ['half a SACK block', '050600000001 0101'],
    ['a SACK option without block', '05020101'],
    ['an experiment without its identifier', 'fd020101'],
  ])('%s is refused', (_, options) => {
    expect(list(options)).toBeLessThan(0);
  });

  test('any bytes give options within the header or a drop', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 40, maxLength: 40 }), (bytes) => {
        const options = list(Buffer.from(bytes).toString('hex'));
        if (typeof options === 'number') return;
        for (const [, at, length] of options) expect(at + length).toBeLessThanOrEqual(40);
      }),
      { numRuns: 2000 },
    );
  });

  test('the header length is set, the reserved bits stay', () => {
    const header = hex(tcp('')).fill(0x51, 12, 13);
    tcpSetHeaderLength(header, 0, 60);
    expect(header[12]).toBe(0xf1);
  });
});

import { describe, expect, test } from 'vitest';
import { addressFromText, wordsText } from '#wire/address.ts';
import { fold, pseudoHeaderSum, sum } from '#wire/checksum.ts';
import { FORM_ECHO, FORM_ICMP_ERROR, Frame } from '#wire/frame.ts';
import {
  icmpErrorAllowed,
  QUOTE_LENGTH,
  writeEcho,
  writeIcmpError,
  writeTooBig,
  writeUnreachable,
} from '#wire/icmp.ts';
import { ipv4ChecksumIsRight } from '#wire/ipv4.ts';
import { Capture, capture, ETHERNET4, ETHERNET6, hex, ip4, ip6, tcp, udp } from './packets.ts';

const AT = 50_000; /* where messages are written: far from the frame they are about */

/** Parses what was written at AT as a frame of its own, and checks every checksum on the way. */
function reread(slab: Uint8Array, length: number): Capture {
  const version = slab[AT] >>> 4;
  const c = new Capture(
    new Uint8Array([...hex(version === 4 ? ETHERNET4 : ETHERNET6), ...slab.subarray(AT, AT + length)]),
  );
  expect(c.parse()).toBe('ok');
  const { frame } = c;
  expect(frame.l3End).toBe(frame.offset + frame.length);
  const icmpLength = frame.l3End - frame.l4;
  const pseudo = version === 4 ? 0 : pseudoHeaderSum(frame, icmpLength);
  expect(fold(sum(c.slab, frame.l4, icmpLength, pseudo))).toBe(0xffff);
  if (version === 4) expect(ipv4ChecksumIsRight(c.slab, frame.l3)).toBe(true);
  expect(slab[AT - 1]).toBe(0xa5);
  expect(slab[AT + length]).toBe(0xa5);
  return c;
}

describe('Echo', () => {
  test.each([
    [4, 'request', '10.0.0.1', '10.0.0.2', 8],
    [4, 'reply', '10.0.0.1', '10.0.0.2', 0],
    [6, 'request', '2001:db8::1', '2001:db8::2', 128],
    [6, 'reply', '2001:db8::1', '2001:db8::2', 129],
  ] as const)('IPv%i %s', (version, kind, from, to, type) => {
    const slab = new Uint8Array(70_000).fill(0xa5);
    const source = addressFromText(from) as Uint8Array;
    const destination = addressFromText(to) as Uint8Array;
    const data = hex('0102030405');
    const length = writeEcho(slab, new DataView(slab.buffer), AT, version, source, destination, kind, 0xbeef, 7, data);
    const c = reread(slab, length);
    expect(c.frame).toMatchObject({ form: FORM_ECHO, icmpType: type, icmpCode: 0, sourcePort: 0xbeef });
    expect(c.view.getUint16(c.frame.l4 + 6)).toBe(7);
    expect([wordsText(c.frame.source), wordsText(c.frame.destination)]).toEqual([from, to]);
    expect(c.payload).toBe('0102030405');
  });
});

describe('errors about a packet', () => {
  const long4 = () => capture(ETHERNET4, ip4(6, tcp('5a'.repeat(1400))));
  const long6 = () => capture(ETHERNET6, ip6(6, tcp('5a'.repeat(1400))));

  test.each([
    ['fragmentation needed', long4, 3, 4],
    ['packet too big', long6, 2, 0],
  ])('"%s" bears the far address, the MTU and 128 bytes of the packet', (_, make, type, code) => {
    const c = make();
    expect(c.parse()).toBe('ok');
    const error = reread(c.slab, writeTooBig(c.slab, c.view, AT, c.frame, 1380));
    expect(error.frame).toMatchObject({ form: FORM_ICMP_ERROR, icmpType: type, icmpCode: code });
    expect(wordsText(error.frame.source)).toBe(wordsText(c.frame.destination));
    expect(wordsText(error.frame.destination)).toBe(wordsText(c.frame.source));
    expect(error.view.getUint32(error.frame.l4 + 4)).toBe(1380);
    const { l3 } = c.frame;
    expect(error.payload).toBe(Buffer.from(c.slab.subarray(l3, l3 + QUOTE_LENGTH)).toString('hex'));
  });

  test('a short packet is quoted whole, without its Ethernet padding', () => {
    const c = capture(ETHERNET4, ip4(17, udp('cafe')), '000000000000');
    expect(c.parse()).toBe('ok');
    const error = reread(c.slab, writeUnreachable(c.slab, c.view, AT, c.frame));
    expect(error.frame).toMatchObject({ icmpType: 3, icmpCode: 1, payloadLength: 30 });
  });

  test.each([
    ['IPv4', () => capture(ETHERNET4, ip4(17, udp('cafe')))],
    ['IPv6', () => capture(ETHERNET6, ip6(17, udp('cafe')))],
  ])('%s: what stands behind the quote is found at a fixed place', (_, make) => {
    const c = make();
    expect(c.parse()).toBe('ok');
    const quoted = c.frame.l3End - c.frame.l3;
    const error = reread(c.slab, writeUnreachable(c.slab, c.view, AT, c.frame, hex('0badcafe')));
    expect(error.frame.payloadLength).toBe(QUOTE_LENGTH + 4);
    expect(error.payload.slice(2 * quoted)).toBe(`${'00'.repeat(QUOTE_LENGTH - quoted)}0badcafe`);
  });

  test('any type and code', () => {
    const c = long4();
    expect(c.parse()).toBe('ok');
    const error = reread(c.slab, writeIcmpError(c.slab, c.view, AT, c.frame, 3, 1, 0));
    expect(error.frame).toMatchObject({ icmpType: 3, icmpCode: 1 });
  });
});

describe('which packets an error may be about', () => {
  const allowed = (...parts: string[]) => {
    const c = capture(...parts);
    expect(c.parse()).toBe('ok');
    return icmpErrorAllowed(c.slab, c.frame);
  };

  test('an ordinary packet and a first fragment', () => {
    expect(allowed(ETHERNET4, ip4(17, udp('00')))).toBe(true);
    expect(allowed(ETHERNET4, ip4(17, '0011223344556677', { fragment: 0x2000 }))).toBe(true);
    expect(allowed(ETHERNET6, ip6(17, udp('00')))).toBe(true);
  });

  test.each([
    ['an error', ETHERNET4, ip4(1, '0304 0000 0000 0400 4500')],
    ['a later fragment', ETHERNET4, ip4(17, '00', { fragment: 1 })],
    ['a frame to many', 'ffffffffffff 020000000001 0800', ip4(17, udp('00'))],
    ['a packet to many', ETHERNET4, ip4(17, udp('00')).replace('0a000002', 'e0000001')],
    ['a packet from nobody', ETHERNET4, ip4(17, udp('00')).replace('0a000001', '00000000')],
    ['what is not IP', '020000000002 020000000001 0806', '0001'],
  ])('not %s', (_, ...parts) => {
    expect(allowed(...parts)).toBe(false);
  });

  test('nor a frame that was never parsed', () => {
    expect(icmpErrorAllowed(new Uint8Array(14), new Frame())).toBe(false);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { completeChecksum, fold, pseudoHeaderSum, sum, updateChecksum } from '#wire/checksum.ts';
import { capture, ETHERNET4, ETHERNET6, hex, ip4, ip6, tcp, udp } from './packets.ts';

/** RFC 1071 as it is written: word by word, the carry added at once. */
function slowSum(bytes: Uint8Array): number {
  let total = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    total += bytes[i] * 256 + (i + 1 < bytes.length ? bytes[i + 1] : 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

const bytes = fc.uint8Array({ maxLength: 200 });

describe('sum and fold', () => {
  test('the example of RFC 1071 §3', () => {
    expect(fold(sum(hex('0001 f203 f4f5 f6f7'), 0, 8, 0))).toBe(0xddf2);
  });

  test('equal the slow sum for every length and place', () => {
    fc.assert(
      fc.property(bytes, fc.nat(7), (data, at) => {
        const slab = new Uint8Array(at + data.length + 3).fill(0xa5);
        slab.set(data, at);
        expect(fold(sum(slab, at, data.length, 0))).toBe(slowSum(data));
      }),
    );
  });

  test('a sum goes on where another ended', () => {
    fc.assert(
      fc.property(bytes, fc.nat(50), (data, half) => {
        const cut = Math.min(2 * half, data.length & ~1);
        expect(fold(sum(data, cut, data.length - cut, sum(data, 0, cut, 0)))).toBe(slowSum(data));
      }),
    );
  });

  test('64 KB of ones behind the largest initial sum do not overflow', () => {
    const data = new Uint8Array(65_536).fill(0xff);
    expect(fold(sum(data, 0, data.length, 0xffffffff))).toBe(0xffff);
  });
});

describe('the pseudo-header', () => {
  test.each([
    ['IPv4', ETHERNET4, ip4(17, udp('00')), '0a000001 0a000002 0011 2345'],
    [
      'IPv6',
      ETHERNET6,
      ip6(6, tcp('')),
      `20010db8${'00'.repeat(11)}01 20010db8${'00'.repeat(11)}02 0000 2345 0000 0006`,
    ],
  ])('of %s sums as its bytes', (_, ethernet, packet, bytesOfIt) => {
    const c = capture(ethernet, packet);
    expect(c.parse()).toBe('ok');
    expect(fold(pseudoHeaderSum(c.frame, 0x2345))).toBe(slowSum(hex(bytesOfIt)));
  });
});

describe('the incremental update', () => {
  test('the example of RFC 1624 §4, where equation 2 fails', () => {
    expect(updateChecksum(0xdd2f, 0x5555, 0x3285)).toBe(0x0000);
  });

  test('equals computing anew', () => {
    const word = fc.nat(0xffff);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(8), word, (header, at, after) => {
        fc.pre(header.some((byte, i) => byte !== 0 && i >> 1 !== at));
        const view = new DataView(header.buffer, header.byteOffset, 20);
        const checksum = ~slowSum(header) & 0xffff;
        const before = view.getUint16(2 * at);
        view.setUint16(2 * at, after);
        expect(updateChecksum(checksum, before, after)).toBe(~slowSum(header) & 0xffff);
      }),
    );
  });
});

describe('completing', () => {
  test('a completed checksum verifies', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 99 }), (segment) => {
        const pseudo = fold(0x1234 + segment.length);
        segment[6] = pseudo >>> 8;
        segment[7] = pseudo & 0xff;
        completeChecksum(segment, 0, segment.length, 6);
        expect(fold(sum(segment, 0, segment.length, pseudo))).toBe(0xffff);
      }),
    );
  });

  test('it is never zero, which UDP would read as none', () => {
    const segment = hex('ffff 0000');
    completeChecksum(segment, 0, 4, 2);
    expect(segment).toEqual(hex('ffff ffff'));
  });
});

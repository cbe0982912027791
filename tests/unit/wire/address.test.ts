import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ADDRESS_BROADCAST,
  ADDRESS_LINK_LOCAL,
  ADDRESS_LOOPBACK,
  ADDRESS_MULTICAST,
  ADDRESS_UNICAST,
  ADDRESS_UNSPECIFIED,
  addressClass,
  addressFromText,
  addressKey,
  addressText,
  bytesToWords,
  PrefixTable,
  pairKey,
  prefixFromText,
  versionOfWords,
  wordsEqual,
  wordsText,
  wordsToBytes,
} from '#wire/address.ts';

function words(text: string): Int32Array {
  const bytes = addressFromText(text);
  if (bytes === undefined) throw new Error(`${text} is no address`);
  return bytesToWords(bytes);
}

describe('text, bytes, words', () => {
  test('IPv4 lies in ::ffff:0:0/96', () => {
    expect(words('10.0.0.1')).toEqual(Int32Array.of(0, 0, 0xffff, 0x0a000001));
    expect(words('::ffff:10.0.0.1')).toEqual(words('10.0.0.1'));
    expect(versionOfWords(words('10.0.0.1'))).toBe(4);
    expect(versionOfWords(words('::1'))).toBe(6);
  });

  test.each([
    ['2001:db8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:DB8::0:1', '2001:db8::1'],
    ['::', '::'],
    ['255.255.255.255', '255.255.255.255'],
  ])('%s is written %s', (typed, written) => {
    expect(wordsText(words(typed))).toBe(written);
  });

  test.each(['', '10.0.0', '10.0.0.01', '10.0.0.256', 'fe80::1%eth0', '1::2::3', '10.0.0.1/8', 'host'])(
    '"%s" is none',
    (text) => {
      expect(addressFromText(text)).toBeUndefined();
    },
  );

  test('the forms lead back to each other', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        expect(wordsToBytes(bytesToWords(bytes), new Uint8Array(16).fill(0xa5))).toEqual(bytes);
        expect(addressFromText(addressText(bytes))).toEqual(bytes);
        expect(wordsEqual(bytesToWords(bytes), bytesToWords(bytes))).toBe(true);
      }),
    );
  });

  test('one different word makes a different address', () => {
    for (let word = 0; word < 4; word++) {
      const other = words('2001:db8::1');
      other[word] ^= 1;
      expect(wordsEqual(other, words('2001:db8::1'))).toBe(false);
    }
  });

  test('keys differ where pairs differ, also by order', () => {
    const a = wordsToBytes(words('10.0.0.1'));
    const b = wordsToBytes(words('10.0.0.2'));
    expect(new Set([addressKey(a), addressKey(b), pairKey(a, b), pairKey(b, a)]).size).toBe(4);
  });
});

describe('prefixes', () => {
  test.each([
    ['10.1.0.0/16', '10.1.255.255', true],
    ['10.1.0.0/16', '10.2.0.0', false],
    ['10.1.2.3/16', '10.1.9.9', true],
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.6', false],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '8.8.8.8', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['128.0.0.0/1', '200.0.0.1', true],
  ])('%s and %s: %s', (prefix, address, inside) => {
    expect(PrefixTable.fromTexts([prefix]).matches(words(address))).toBe(inside);
  });

  test.each([
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/',
    '10.0.0.0/08',
    '::/129',
    '10.0.0.0/8/8',
    '::ffff:10.0.0.0/104',
    'x/8',
  ])('"%s" is none', (text) => {
    expect(prefixFromText(text)).toBeUndefined();
    expect(() => PrefixTable.fromTexts(['10.0.0.0/8', text])).toThrow(`"${text}"`);
  });

  test('the first that matches is named', () => {
    const table = PrefixTable.fromTexts(['2001:db8::/32', '10.0.0.0/8', '10.1.0.0/16']);
    expect(table.indexOf(words('10.1.0.1'))).toBe(1);
    expect(table.indexOf(words('11.0.0.1'))).toBe(-1);
    expect(PrefixTable.fromTexts([]).matches(words('10.0.0.1'))).toBe(false);
  });

  test('matching equals comparing the first bits as text', () => {
    const bits = (w: Int32Array) => Array.from(w, (x) => (x >>> 0).toString(2).padStart(32, '0')).join('');
    fc.assert(
      fc.property(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(32), (network, address, length) => {
        const v4 = (n: number) => `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
        /* An address of the same network, as random ones hardly ever meet. */
        const host = length === 32 ? 0 : 0xffffffff >>> length;
        const near = (network & ~host) | (address & host);
        for (const candidate of [address, near >>> 0]) {
          const inside =
            bits(words(v4(candidate))).slice(0, 96 + length) === bits(words(v4(network))).slice(0, 96 + length);
          expect(PrefixTable.fromTexts([`${v4(network)}/${length}`]).matches(words(v4(candidate)))).toBe(inside);
        }
      }),
    );
  });
});

describe('what an address is good for', () => {
  test.each([
    ['192.0.2.1', ADDRESS_UNICAST],
    ['224.0.0.1', ADDRESS_MULTICAST],
    ['239.255.255.255', ADDRESS_MULTICAST],
    ['240.0.0.1', ADDRESS_UNICAST],
    ['255.255.255.255', ADDRESS_BROADCAST],
    ['169.254.1.1', ADDRESS_LINK_LOCAL],
    ['169.255.0.1', ADDRESS_UNICAST],
    ['0.0.0.0', ADDRESS_UNSPECIFIED],
    ['127.0.0.1', ADDRESS_LOOPBACK],
    ['2001:db8::1', ADDRESS_UNICAST],
    ['ff02::1', ADDRESS_MULTICAST],
    ['fe80::1', ADDRESS_LINK_LOCAL],
    ['febf::1', ADDRESS_LINK_LOCAL],
    ['fec0::1', ADDRESS_UNICAST],
    ['::', ADDRESS_UNSPECIFIED],
    ['::1', ADDRESS_LOOPBACK],
    ['::2', ADDRESS_UNICAST],
  ])('%s', (address, kind) => {
    expect(addressClass(words(address))).toBe(kind);
  });
});

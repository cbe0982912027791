import { expect, test } from 'vitest';
import { contains, parseAddress, parsePrefix } from '#config/address.ts';

test('addresses are read strictly and written canonically', () => {
  expect(parseAddress('192.0.2.1')).toMatchObject({ version: 4, text: '192.0.2.1' });
  expect(parseAddress('2001:0DB8:0:0::1')).toMatchObject({ version: 6, text: '2001:db8::1' });
  expect(parseAddress('::ffff:192.0.2.1')).toMatchObject({ version: 4, text: '192.0.2.1' });
  for (const text of [
    '',
    '192.0.2',
    '010.0.0.1',
    '0x7f.1',
    '192.0.2.1 ',
    'fe80::1%eth0',
    '1',
    'eth0',
    '192.0.2.1/32',
  ]) {
    expect(parseAddress(text), text).toBeUndefined();
  }
});

test('prefixes need a length that fits their version', () => {
  expect(parsePrefix('192.0.2.77/25')).toMatchObject({ version: 4, length: 25, network: '192.0.2.0' });
  expect(parsePrefix('2001:db8::f00/120')).toMatchObject({ version: 6, length: 120, network: '2001:db8::f00' });
  expect(parsePrefix('0.0.0.0/0')).toMatchObject({ length: 0 });
  for (const text of [
    '192.0.2.0',
    '192.0.2.0/',
    '192.0.2.0/33',
    '192.0.2.0/024',
    '::/129',
    '::ffff:192.0.2.1/120',
    '::/0/0',
    '/8',
    '10.0.0.0/-1',
  ]) {
    expect(parsePrefix(text), text).toBeUndefined();
  }
});

test('a prefix contains the addresses of its own version only', () => {
  const inside = (prefix: string, address: string) => contains(parsePrefix(prefix)!, parseAddress(address)!);
  expect(inside('192.0.2.5/24', '192.0.2.254')).toBe(true);
  expect(inside('192.0.2.5/24', '192.0.3.1')).toBe(false);
  expect(inside('2001:db8::/32', '2001:db8:ffff::1')).toBe(true);
  expect(inside('::/0', '192.0.2.1')).toBe(false);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEndpoint, parseEndpoint } from '#gms/endpoint.ts';
import { GmsError } from '#gms/errors.ts';
import { decodeToken, type EnrolmentToken, encodeToken } from '#gms/token.ts';

const bytes = (n: number) => fc.uint8Array({ minLength: n, maxLength: n });
/* IPv4 in IPv6's notation is refused. */
const ipV6 = fc.ipV6().filter((text) => !text.includes('.') && !/^[0:]*:ffff:/i.test(text));
const endpoint = fc.record({
  address: fc.oneof(fc.ipV4(), ipV6).map((text) => parseEndpoint(text.includes(':') ? `[${text}]` : text).address),
  port: fc.integer({ min: 1, max: 65_535 }),
});
const token: fc.Arbitrary<EnrolmentToken> = fc.record({
  expiry: fc.nat(0xffff_ffff),
  fingerprint: bytes(32),
  secret: bytes(16),
  endpoints: fc.array(endpoint, { minLength: 1, maxLength: 8 }),
});

const codeOf = (text: string): string => {
  try {
    decodeToken(text);
    return 'accepted';
  } catch (error) {
    return error instanceof GmsError ? error.code : `threw ${error}`;
  }
};

describe('an enrolment token', () => {
  it('says after decoding what was encoded', () => {
    fc.assert(
      fc.property(token, (value) => {
        expect(decodeToken(encodeToken(value))).toEqual(value);
      }),
    );
  });

  it('survives line breaks and spaces that a mail program adds', () => {
    fc.assert(
      fc.property(token, fc.integer({ min: 5, max: 60 }), (value, width) => {
        const wrapped = ` ${encodeToken(value).replace(new RegExp(`.{${width}}`, 'g'), '$&\r\n ')}\n`;
        expect(decodeToken(wrapped)).toEqual(value);
      }),
    );
  });

  it('is told to be mistyped when one character is wrong, missing or doubled', () => {
    fc.assert(
      fc.property(token, fc.nat(), fc.constantFrom('A', 'b', '7', '_', '-'), (value, place, other) => {
        const text = encodeToken(value);
        const at = 'gscip1.'.length + (place % (text.length - 'gscip1.'.length));
        const [before, after] = [text.slice(0, at), text.slice(at + 1)];
        fc.pre(text[at] !== other);
        for (const wrong of [before + other + after, before + after, before + text[at] + text[at] + after]) {
          if (wrong !== text) expect(codeOf(wrong)).toBe('token-mistyped');
        }
      }),
    );
  });

  it('is told to be of a newer GMS when its format is', () => {
    expect(codeOf('gscip2.AAAA')).toBe('token-newer');
    expect(codeOf('gscip.AAAA')).toBe('token-mistyped');
    expect(codeOf('')).toBe('token-mistyped');
  });

  it('does not name IPv4 addresses in IPv6’s notation, which no gateway could except', () => {
    const endpoints = [{ address: '::ffff:192.0.2.1', port: 7443 }];
    const text = encodeToken({ expiry: 1, fingerprint: new Uint8Array(32), secret: new Uint8Array(16), endpoints });
    expect(codeOf(text)).toBe('token-mistyped');
  });
});

describe('an endpoint', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1:7443'],
    ['192.0.2.1:8443', '192.0.2.1:8443'],
    ['2001:db8:0::1', '[2001:db8::1]:7443'],
    ['[2001:db8::1]:9', '[2001:db8::1]:9'],
  ])('%s is %s', (text, canonical) => {
    expect(formatEndpoint(parseEndpoint(text))).toBe(canonical);
  });

  it.each([
    'gms.example',
    '192.0.2',
    '192.0.2.1:0',
    '192.0.2.1:65536',
    '[fe80::1%eth0]:1',
    '[::ffff:192.0.2.1]:1',
    '[::1',
    '',
  ])('“%s” is refused by name', (text) => {
    expect(() => parseEndpoint(text)).toThrow(/is not an IP address/);
  });
});

import { generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeStatement,
  encodeStatementBody,
  joinStatement,
  STATEMENT_CONTEXT,
  STATEMENT_GROUPS,
  STATEMENT_MAX,
  type StatementFields,
  statementToSign,
} from '#wire/statement.ts';

const fields: StatementFields = {
  mode: 'closed',
  kind: 'router',
  geId: Uint8Array.of(0xa1, 2, 3, 4, 5, 6, 7, 8),
  staticKey: new Uint8Array(32).fill(0x5c),
  notAfter: 1_900_000_000,
  groups: [7, 0x8000_0001],
};

const gms = generateKeyPairSync('ed25519');
const signed = (f: StatementFields): Uint8Array => {
  const body = encodeStatementBody(f);
  return joinStatement(body, sign(null, statementToSign(body), gms.privateKey));
};

describe('a statement', () => {
  it('has the bytes of docs/dprp.md § 3.4', () => {
    expect(Buffer.from(encodeStatementBody(fields)).toString('hex')).toBe(
      `4753535401010102a102030405060708${'5c'.repeat(32)}00000000713fb300${'00000007'}${'80000001'}`,
    );
    expect(Buffer.from(STATEMENT_CONTEXT).toString()).toBe('gscip statement 1\0');
  });

  it('comes back with the fields it was made from, and its signature verifies', () => {
    const statement = decodeStatement(signed(fields))!;
    expect(statement).toMatchObject(fields);
    expect(verify(null, statement.signed, gms.publicKey, statement.signature)).toBe(true);
  });

  it('does not verify after any change of one bit that it survives', () => {
    const bytes = signed(fields);
    for (let i = 0; i < bytes.length; i++) {
      const changed = Uint8Array.from(bytes);
      changed[i] ^= 1 << (i % 8);
      const statement = decodeStatement(changed);
      if (statement)
        expect(verify(null, statement.signed, gms.publicKey, statement.signature), `byte ${i}`).toBe(false);
    }
  });

  it('is refused at every other length', () => {
    const bytes = signed(fields);
    for (let n = 0; n < bytes.length; n++) expect(decodeStatement(bytes.subarray(0, n)), `length ${n}`).toBeUndefined();
    expect(decodeStatement(Uint8Array.of(...bytes, 0))).toBeUndefined();
  });

  it('may name 64 groups, which is its longest form', () => {
    const groups = Array.from({ length: STATEMENT_GROUPS }, (_, i) => i);
    const bytes = signed({ ...fields, groups });
    expect(bytes.length).toBe(STATEMENT_MAX);
    expect(decodeStatement(bytes)?.groups).toEqual(groups);
  });

  it.each([
    ['groups', { groups: [2, 1] }],
    ['groups', { groups: [1, 1] }],
    ['groups', { groups: [-1] }],
    ['groups', { groups: Array.from({ length: 65 }, (_, i) => i) }],
    ['geId', { geId: new Uint8Array(7) }],
    ['staticKey', { staticKey: new Uint8Array(31) }],
    ['notAfter', { notAfter: 1.5 }],
    ['notAfter', { notAfter: -1 }],
  ])('with a wrong %s is not made, and the error says which field', (field, wrong) => {
    expect(() => encodeStatementBody({ ...fields, ...wrong })).toThrow(new RegExp(`statement: ${field} must be`));
  });

  it('reads anything without an exception, and what it accepts has exactly that encoding', () => {
    const base = signed(fields);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: STATEMENT_MAX + 8 }),
      fc.tuple(fc.nat(base.length - 1), fc.nat(255)).map(([at, value]) => {
        const b = Uint8Array.from(base);
        b[at] = value;
        return b;
      }),
    );
    fc.assert(
      fc.property(bytes, (b) => {
        const statement = decodeStatement(b);
        if (statement) expect(joinStatement(encodeStatementBody(statement), statement.signature)).toEqual(b);
      }),
      { numRuns: 2000 },
    );
  });
});

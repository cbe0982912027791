import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  DDE_MIN,
  decodeCdn,
  decodeDde,
  decodeHeader,
  decodeMpit,
  decodeRgi,
  encodeCdn,
  encodeDde,
  encodeHeader,
  encodeMpit,
  encodeRgi,
  isDprp,
  MESSAGE_MAX,
  SEALED_AT,
  TAG_LENGTH,
  TYPE_DDE,
} from '#wire/dprp.ts';
import { decodeGeInfo, encodeGeInfo, type GeInfo, GROUPS_MAX } from '#wire/ge-info.ts';
import { STATEMENT_MAX } from '#wire/statement.ts';

const fill = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

const info: GeInfo = {
  aesInHardware: true,
  ephemeral: fill(32, 0xee),
  entries: [
    { group: 7, version: 3, transform: 'sealed' },
    { group: 7, version: 2, transform: 'sealed' },
    { group: 0x8000_0000, version: 1, transform: 'pccom' },
  ],
  statement: fill(120, 0x55),
};
const infoHex = `01${'ee'.repeat(32)}03000000070000000300000000070000000200800000000000000101${'0078'}${'55'.repeat(120)}`;

describe('the clear header', () => {
  const header = { type: TYPE_DDE, domainKeyVersion: 0x01020304, negotiation: fill(8, 0x4e), sealedLength: 300 };
  const message = Uint8Array.of(...encodeHeader(header), ...fill(24, 1), ...fill(300, 2));

  it('has the bytes of docs/dprp.md § 2', () => {
    expect(hex(encodeHeader(header))).toBe(`475343500101012c01020304${'4e'.repeat(8)}`);
    expect(decodeHeader(message, false)).toEqual(header);
  });

  it('is refused by name for every length but its own', () => {
    for (let n = 0; n < message.length; n++)
      expect(typeof decodeHeader(message.subarray(0, n), false), `${n}`).toBe('string');
    expect(decodeHeader(Uint8Array.of(...message, 0), false)).toBe('dprp-length');
    expect(decodeHeader(Uint8Array.of(...message, 0), true)).toEqual(header);
  });

  it('names another format version before it looks at anything behind it', () => {
    expect(decodeHeader(Uint8Array.of(0x47, 0x53, 0x43, 0x50, 2), false)).toBe('dprp-version');
  });

  it('says no to a message of more than 1,000 bytes', () => {
    const sealedLength = MESSAGE_MAX - SEALED_AT;
    const long = Uint8Array.of(...encodeHeader({ ...header, sealedLength }), ...fill(24 + sealedLength, 0));
    expect(decodeHeader(long, false)).toMatchObject({ sealedLength });
    const longer = Uint8Array.of(
      ...encodeHeader({ ...header, sealedLength: sealedLength + 1 }),
      ...fill(25 + sealedLength, 0),
    );
    expect(decodeHeader(longer, false)).toBe('dprp-length');
  });

  it('is recognized in a slab without an object', () => {
    const slab = Uint8Array.of(0xa5, 0xa5, ...message);
    expect(isDprp(slab, 2, message.length)).toBe(true);
    expect(isDprp(slab, 1, message.length)).toBe(false);
    expect(isDprp(slab, 2, 4)).toBe(false);
  });
});

describe('GE information', () => {
  it('has the bytes of docs/dprp.md § 3.3', () => {
    expect(hex(encodeGeInfo(info))).toBe(infoHex);
    expect(decodeGeInfo(encodeGeInfo(info))).toEqual(info);
  });

  it.each([
    ['groups that do not ascend', [2, 1], [1, 1]],
    ['versions that do not descend', [1, 1], [1, 2]],
    ['a version twice', [1, 1], [2, 2]],
    ['three versions of a group', [1, 1, 1], [3, 2, 1]],
    [
      'thirteen groups',
      Array.from({ length: GROUPS_MAX + 1 }, (_, i) => i),
      Array.from({ length: GROUPS_MAX + 1 }, () => 1),
    ],
  ])('with %s is refused', (_, groups, versions) => {
    const entries = groups.map((group, i) => ({ group, version: versions[i], transform: 'sealed' as const }));
    expect(decodeGeInfo(encodeGeInfo({ ...info, entries }))).toBeUndefined();
  });

  it('with two transforms of one group, an unknown one, or an unknown flag is refused', () => {
    const two = [info.entries[0], { ...info.entries[1], transform: 'pccom' as const }];
    expect(decodeGeInfo(encodeGeInfo({ ...info, entries: two }))).toBeUndefined();
    for (const [at, value] of [
      [0, 2],
      [42, 3],
    ]) {
      const bytes = encodeGeInfo(info);
      bytes[at] = value;
      expect(decodeGeInfo(bytes)).toBeUndefined();
    }
  });

  it('fits a message at its largest', () => {
    const entries = Array.from({ length: 2 * GROUPS_MAX }, (_, i) => ({
      group: i >> 1,
      version: 2 - (i & 1),
      transform: 'sealed' as const,
    }));
    const largest = { ...info, entries, statement: fill(STATEMENT_MAX, 1) };
    const rgi = encodeRgi({
      ddeHash: fill(32, 0),
      nonce: fill(32, 0),
      addresses: fill(32, 0),
      held: 0,
      receives: false,
      refuses: false,
      info: largest,
    });
    expect(decodeGeInfo(encodeGeInfo(largest))).toEqual(largest);
    expect(SEALED_AT + rgi.length + 16 + TAG_LENGTH).toBeLessThanOrEqual(MESSAGE_MAX);
  });
});

describe('bodies', () => {
  const dde = { nonce: fill(32, 1), addresses: fill(32, 2), held: 5, receives: true, after: fill(8, 3), info };
  const rgi = {
    ddeHash: fill(32, 1),
    nonce: fill(32, 2),
    addresses: fill(32, 3),
    held: 10,
    receives: false,
    refuses: true,
    info,
  };
  const mpit = { rgiHash: fill(32, 1), decision: fill(12, 2), proof: fill(32, 3), sends: true };
  const cdn = { mpitHash: fill(32, 1), proof: fill(32, 2), sends: false };
  const mac = fill(16, 0xac);
  const withMac = (body: Uint8Array): Uint8Array => Uint8Array.of(...body, ...mac);

  it('have the bytes of docs/dprp.md § 3', () => {
    expect(hex(encodeDde(dde))).toBe(`${'01'.repeat(32)}${'02'.repeat(32)}15${'03'.repeat(8)}01${infoHex}`);
    expect(hex(encodeRgi(rgi))).toBe(`${'01'.repeat(32)}${'02'.repeat(32)}${'03'.repeat(32)}0a0101${infoHex}`);
    expect(hex(encodeMpit(mpit))).toBe(`${'01'.repeat(32)}${'02'.repeat(12)}${'03'.repeat(32)}01`);
    expect(hex(encodeCdn(cdn))).toBe(`${'01'.repeat(32)}${'02'.repeat(32)}00`);
  });

  it('come back as they were', () => {
    expect(decodeDde(encodeDde(dde))).toEqual(dde);
    expect(decodeRgi(withMac(encodeRgi(rgi)))).toEqual({ ...rgi, mac });
    expect(decodeMpit(withMac(encodeMpit(mpit)))).toEqual({ ...mpit, mac });
    expect(decodeCdn(withMac(encodeCdn(cdn)))).toEqual({ ...cdn, mac });
  });

  it('of the shortest DDE are as long as DDE_MIN says', () => {
    const shortest = { ...dde, info: { ...info, entries: [] } };
    expect(SEALED_AT + encodeDde(shortest).length + TAG_LENGTH).toBe(DDE_MIN);
  });

  it('with more than one GE on a side are refused by that name', () => {
    const several = encodeDde(dde);
    several[73] = 2;
    expect(decodeDde(several)).toBe('dprp-path');
    const list = withMac(encodeRgi(rgi));
    list[98] = 0;
    expect(decodeRgi(list)).toBe('dprp-path');
  });

  it('are refused at every other length', () => {
    for (const [decode, bytes] of [
      [decodeDde, encodeDde(dde)],
      [decodeRgi, withMac(encodeRgi(rgi))],
      [decodeMpit, withMac(encodeMpit(mpit))],
      [decodeCdn, withMac(encodeCdn(cdn))],
    ] as const) {
      for (let n = 0; n < bytes.length; n++) expect(typeof decode(bytes.subarray(0, n)), `${n}`).toBe('string');
      expect(typeof decode(Uint8Array.of(...bytes, 0))).toBe('string');
    }
  });

  it('read anything without an exception, and what they accept has exactly that encoding', () => {
    const near = fc.tuple(fc.nat(300), fc.nat(255)).map(([at, value]) => {
      const bytes = encodeDde(dde);
      bytes[at % bytes.length] = value;
      return bytes;
    });
    fc.assert(
      fc.property(fc.oneof(near, fc.uint8Array({ maxLength: 400 })), (bytes) => {
        const read = decodeDde(bytes);
        if (typeof read === 'object') expect(encodeDde(read)).toEqual(bytes);
        const list = decodeRgi(bytes);
        if (typeof list === 'object') expect(Uint8Array.of(...encodeRgi(list), ...list.mac)).toEqual(bytes);
      }),
      { numRuns: 2_000 },
    );
  });
});

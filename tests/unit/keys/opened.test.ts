/** Which bundles are taken, apart from how they come. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type BundleMetadata, contentToSign, envelope, joinContent, joinSigned } from '#gms/bundle.ts';
import { generateRaw, secretObject, signWith } from '#gms/raw-keys.ts';
import {
  compareBundles,
  importKeys,
  makeRing,
  nextExpiry,
  openBundle,
  type Recipient,
  type VerifiedBundle,
} from '#keys/opened.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { VERSIONS_MAX } from '#wire/ge-info.ts';
import { encodeStatementBody, joinStatement, STATEMENT_GROUPS } from '#wire/statement.ts';

const provider = createNobleProvider();
const root = generateRaw('ed25519');
const other = generateRaw('ed25519');
const GE = '0011223344556677';
const recipient: Recipient = {
  ge: GE,
  bundleKey: provider.importKey(new Uint8Array(32).fill(5)),
  staticSecret: provider.generateKeyPair().secret,
  signingRoot: root.publicKey,
};

const body = encodeStatementBody({
  mode: 'open',
  kind: 'bridge',
  geId: Buffer.from(GE, 'hex'),
  staticKey: new Uint8Array(32),
  notAfter: 1,
  groups: [7],
});
const metadata: BundleMetadata = {
  ge: GE,
  name: 'press',
  kind: 'bridge',
  mode: 'open',
  sequence: { incarnation: 1, counter: 3 },
  statement: Buffer.from(joinStatement(body, new Uint8Array(64))).toString('base64url'),
  domainKeys: [{ version: 4, material: 0, notBefore: 1, notAfter: 0 }],
  groups: [
    {
      number: 7,
      name: 'plant',
      transform: 'sealed',
      checksum: 'ordinary',
      keys: [
        { version: 2, material: 1, notBefore: 100, notAfter: 0 },
        { version: 1, material: 2, notBefore: 1, notAfter: 190 },
      ],
    },
  ],
  revoked: [],
  protectedPrefixes: [],
  exceptions: [],
  gms: [{ address: '192.0.2.9', port: 7443 }],
  offlineHours: 0,
  forgetPeers: 0,
};

/** Delivered to the recipient: whatever it says, and whoever signed it. */
function deliver(values: Partial<BundleMetadata> = {}, signer = root.secret, aadByte = 1, materials = 3): Uint8Array {
  const content = joinContent(
    { ...metadata, ...values },
    Array.from({ length: materials }, (_, i) => new Uint8Array(32).fill(i + 1)),
  );
  const signature = signWith(secretObject('ed25519', signer), contentToSign(content));
  const delivered = envelope(joinSigned(5000, content, signature), (nonce, aad, plaintext) =>
    provider.sealMessage(recipient.bundleKey, nonce, aad, plaintext),
  );
  delivered[4] = aadByte;
  return delivered;
}

/** One domain key, and so many groups with so many versions each. */
function withKeys(groups: number, versions: number): Uint8Array {
  const keys = (group: number) =>
    Array.from({ length: versions }, (_, i) => ({
      version: versions - i,
      material: 1 + group * versions + i,
      notBefore: 1,
      notAfter: i === 0 ? 0 : 190,
    }));
  const all = Array.from({ length: groups }, (_, i) => ({ ...metadata.groups[0], number: i + 1, keys: keys(i) }));
  return deliver({ groups: all }, root.secret, 1, 1 + groups * versions);
}

const open = (delivered: Uint8Array) => openBundle(delivered, provider, recipient);

describe('a bundle is', () => {
  it('taken when the GMS signed it for this gateway', () => {
    expect(open(deliver())).toMatchObject({ time: 5000, metadata: { name: 'press' } });
  });

  it('taken with as many keys as there may be', () => {
    expect(open(withKeys(STATEMENT_GROUPS, VERSIONS_MAX))).toMatchObject({ materials: { length: 129 } });
  });

  it('taken when it does not say whether a revoked gateway was removed altogether: then it was not', () => {
    const left = { ge: '8899aabbccddeeff', group: 7 };
    const delivered = deliver({ revoked: [left, { ...left, group: 8, removed: true }] as BundleMetadata['revoked'] });
    expect(open(delivered)).toMatchObject({ metadata: { revoked: [{ removed: false }, { removed: true }] } });
  });

  it.each([
    ['signed by another root', deliver({}, other.secret), 'bundle-signature'],
    ['for another gateway', deliver({ ge: '8899aabbccddeeff' }), 'bundle-unreadable'],
    ['of another format version', deliver({}, root.secret, 2), 'bundle-unreadable'],
    ['without a statement that can be read', deliver({ statement: 'AAAA' }), 'bundle-unreadable'],
    /* Each of these would end a datapath worker, now and at every start. */
    ['of another mode than its statement', deliver({ mode: 'closed' }), 'bundle-unreadable'],
    ['of another kind than its statement', deliver({ kind: 'router' }), 'bundle-unreadable'],
    ['with key material that nothing names', deliver({ groups: [] }), 'bundle-unreadable'],
    ['with more versions of a key than two', withKeys(1, 3), 'bundle-unreadable'],
    ['with more groups than a statement names', withKeys(STATEMENT_GROUPS + 1, 1), 'bundle-unreadable'],
    [
      'without a current domain key',
      deliver({ domainKeys: [{ version: 4, material: 0, notBefore: 1, notAfter: 9 }] }),
      'bundle-unreadable',
    ],
    ['protecting what is no prefix', deliver({ protectedPrefixes: ['::ffff:192.0.2.1/128'] }), 'bundle-unreadable'],
    [
      'excepting what is no prefix',
      deliver({ exceptions: [{ address: 'gms.example', direction: 'out' }] }),
      'bundle-unreadable',
    ],
    [
      'naming a GMS without an address',
      deliver({ gms: [{ address: 'gms.example', port: 7443 }] }),
      'bundle-unreadable',
    ],
  ])('refused when it is %s', (_, delivered, code) => {
    expect(open(delivered)).toBe(code);
  });

  it('newer, the same, lower or a lie', () => {
    const at = (incarnation: number, counter: number, content = 'x') => ({
      sequence: { incarnation, counter },
      content: createHash('sha256').update(content).digest('hex'),
    });
    expect(compareBundles(undefined, at(1, 0))).toBe('newer');
    expect(compareBundles(at(1, 5), at(1, 6, 'y'))).toBe('newer');
    expect(compareBundles(at(1, 5), at(2, 0))).toBe('newer');
    expect(compareBundles(at(1, 5), at(1, 5))).toBe('same');
    expect(compareBundles(at(1, 5), at(1, 5, 'y'))).toBe('differs');
    expect(compareBundles(at(1, 5), at(1, 4))).toBe('lower');
    expect(compareBundles(at(2, 0), at(1, 9))).toBe('lower');
  });
});

describe('its keys', () => {
  it('are in the provider afterwards, and nowhere else', () => {
    const bundle = open(deliver()) as VerifiedBundle;
    const { materials } = bundle;
    expect(materials.map((m) => m[0])).toEqual([1, 2, 3]);
    const loaded = importKeys(provider, bundle);
    expect(materials.every((m) => m.every((byte) => byte === 0))).toBe(true);
    expect(new Set(loaded.keys).size).toBe(3);
  });

  it('count until their overlap ends; the current one counts until it is replaced', () => {
    const loaded = importKeys(provider, open(deliver()) as VerifiedBundle);
    const versions = (now: number) => makeRing(loaded, recipient, now, 0).groups[0].keys.map((key) => key.version);
    expect(versions(189)).toEqual([2, 1]);
    expect(nextExpiry(loaded, 189)).toBe(190);
    expect(versions(190)).toEqual([2]);
    expect(nextExpiry(loaded, 190)).toBe(Number.POSITIVE_INFINITY);
    expect(makeRing(loaded, recipient, 1e12, 0).domainKeys).toHaveLength(1);
  });
});

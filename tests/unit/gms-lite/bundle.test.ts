import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type BundleMetadata,
  envelope,
  joinContent,
  joinSigned,
  splitContent,
  splitEnvelope,
  splitSigned,
} from '#gms/bundle.ts';

const metadata: BundleMetadata = {
  ge: '0011223344556677',
  name: 'プレス 1',
  kind: 'bridge',
  mode: 'open',
  sequence: { incarnation: 1, counter: 3 },
  statement: 'AAAA',
  domainKeys: [{ version: 1, material: 0, notBefore: 1, notAfter: 0 }],
  groups: [
    {
      number: 7,
      name: 'plant',
      transform: 'sealed',
      checksum: 'ordinary',
      keys: [
        { version: 2, material: 2, notBefore: 5, notAfter: 0 },
        { version: 1, material: 1, notBefore: 1, notAfter: 95 },
      ],
    },
  ],
  revoked: [],
  protectedPrefixes: ['10.0.0.0/8'],
  exceptions: [{ address: '192.0.2.1/32', protocol: 'udp', port: 123, direction: 'out' }],
  gms: [{ address: '192.0.2.9', port: 7443 }],
  offlineHours: 720,
  forgetPeers: 0,
};
const materials = [1, 2, 3].map((fill) => new Uint8Array(32).fill(fill));
const signature = new Uint8Array(64).fill(9);

describe('a bundle', () => {
  it('says after opening what was sealed', () => {
    const key = new Uint8Array(32).fill(5);
    const plaintext = joinSigned(1_800_000_000_123, joinContent(metadata, materials), signature);
    const delivered = envelope(plaintext, (nonce, aad, data) => xchacha20poly1305(key, nonce, aad).encrypt(data));

    const parts = splitEnvelope(delivered)!;
    const signed = splitSigned(xchacha20poly1305(key, parts.nonce, parts.aad).decrypt(parts.sealed))!;
    expect(signed.time).toBe(1_800_000_000_123);
    expect(signed.signature).toEqual(signature);
    const content = splitContent(signed.content)!;
    expect(content.metadata).toEqual(metadata);
    expect(content.materials.map((m) => m[0])).toEqual([1, 2, 3]);
  });

  it('never has key bytes in its metadata', () => {
    const content = Buffer.from(joinContent(metadata, materials));
    const json = content.subarray(4, 4 + content.readUInt32BE(0)).toString();
    expect(JSON.parse(json)).toEqual(metadata);
    expect(content.length).toBe(4 + Buffer.byteLength(json) + 96);
  });

  it('is refused when two keys share a place, or a place does not exist', () => {
    const domain = (material: number): BundleMetadata => ({
      ...metadata,
      domainKeys: [{ version: 1, material, notBefore: 1, notAfter: 0 }],
    });
    expect(splitContent(joinContent(domain(0), materials))).toBeDefined();
    expect(splitContent(joinContent(domain(1), materials))).toBeUndefined();
    expect(splitContent(joinContent(domain(3), materials))).toBeUndefined();
  });

  it('is refused, never thrown about, whatever its bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(splitContent(bytes)).toBeUndefined();
        splitEnvelope(bytes);
        splitSigned(bytes);
      }),
    );
    const content = joinContent(metadata, materials);
    fc.assert(
      fc.property(fc.nat(content.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = content.slice();
        changed[at] ^= change;
        splitContent(changed);
        splitContent(changed.subarray(0, at));
      }),
    );
  });
});

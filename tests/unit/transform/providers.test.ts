/** What a provider promises about keys, on both: derivation by the published vectors, use, wiping, bounds, grants. */
import { createCipheriv, createHash, createHmac, diffieHellman, generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  AES_256_GCM,
  type AeadAlgorithm,
  CHACHA20_POLY1305,
  type CipherProvider,
  J_DST,
  J_KEY,
  J_LENGTH,
  J_NUMBER_HIGH,
  J_NUMBER_LOW,
  J_OP,
  J_STATUS,
  J_STRIDE,
  J_TAG,
  J_TAG_LENGTH,
  type KeyIndex,
  NO_KEY,
  OP_SEAL,
  STATUS_OK,
} from '#transform/cipher.ts';
import { bytes, hex, PROVIDERS, text } from './providers-list.ts';

const ZERO = '00'.repeat(32);
const PROBE = text('probe');

/* RFC 7748, 6.1 */
const ALICE = '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a';
const ALICE_PUBLIC = '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a';
const BOB = '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb';
const BOB_PUBLIC = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
const SHARED = '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742';

describe.each(PROVIDERS)('%s', (_, create) => {
  let provider: CipherProvider;
  beforeEach(() => {
    provider = create();
  });
  afterEach(() => provider.close());

  const keyOf = (value: string): KeyIndex => provider.importKey(bytes(value));

  /** No provider shows a key; that it equals `value` is seen by what it computes. */
  const expectKey = (key: KeyIndex, value: string): void => {
    expect(hex(provider.mac(key, PROBE))).toBe(createHmac('sha256', bytes(value)).update(PROBE).digest('hex'));
  };

  /** An AEAD key equals key ‖ salt when it seals as OpenSSL does with them. */
  const expectAead = (index: KeyIndex, algorithm: AeadAlgorithm, value: string): void => {
    const slab = new Uint8Array(64).fill(0xa5);
    const jobs = new Int32Array(J_STRIDE);
    jobs[J_OP] = OP_SEAL;
    jobs[J_KEY] = index;
    jobs[J_DST] = 16;
    jobs[J_LENGTH] = 16;
    jobs[J_TAG] = 32;
    jobs[J_TAG_LENGTH] = 16;
    jobs[J_NUMBER_HIGH] = 0x01020304;
    jobs[J_NUMBER_LOW] = -2;
    provider.run(slab, jobs, 1);
    const nonce = Buffer.concat([bytes(value).subarray(32), bytes('01020304fffffffe')]);
    const name = algorithm === AES_256_GCM ? 'aes-256-gcm' : 'chacha20-poly1305';
    const twin = createCipheriv(name as 'aes-256-gcm', bytes(value).subarray(0, 32), nonce);
    const sealed = Buffer.concat([twin.update(slab.subarray(0, 16)), twin.final(), twin.getAuthTag()]);
    expect(jobs[J_STATUS]).toBe(STATUS_OK);
    expect(hex(slab.subarray(16, 48))).toBe(sealed.toString('hex'));
    expect(hex(slab.subarray(48))).toBe('a5'.repeat(16));
  };

  describe('HKDF-SHA-256 by RFC 5869, appendix A', () => {
    const ramp = (from: number, length: number): string => hex(Uint8Array.from({ length }, (_v, i) => from + i));
    const cases = [
      {
        name: 'A.1',
        ikm: '0b'.repeat(22),
        salt: ramp(0, 13),
        info: ramp(0xf0, 10),
        prk: '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
        okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
      },
      {
        name: 'A.2',
        ikm: ramp(0, 80),
        salt: ramp(0x60, 80),
        info: ramp(0xb0, 80),
        prk: '06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244',
        okm: 'b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09',
      },
      {
        name: 'A.3',
        ikm: '0b'.repeat(22),
        salt: '',
        info: '',
        prk: '19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04',
        okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
      },
    ];

    it.each(cases)('$name: expands to a key and to an AEAD key with salt', ({ prk, info, okm }) => {
      const from = keyOf(prk);
      expectKey(provider.expand(from, bytes(info)), okm.slice(0, 64));
      for (const algorithm of [AES_256_GCM, CHACHA20_POLY1305] as const) {
        expectAead(provider.expandAead(from, bytes(info), algorithm), algorithm, okm.slice(0, 72));
      }
    });

    /* Extract is HMAC(salt, ikm), and the vectors' ikm is no multiple of a key. HMAC pads a short salt with zeros and
     * hashes one above 64 bytes, so `mac` computes it with a 32-byte key. */
    it.each(cases)('$name: the pseudorandom key is the HMAC of the input under the salt', ({ ikm, salt, prk }) => {
      const key = salt.length > 128 ? createHash('sha256').update(bytes(salt)).digest('hex') : salt.padEnd(64, '0');
      expect(hex(provider.mac(keyOf(key), bytes(ikm)))).toBe(prk);
    });

    it('extracts from one, two and three keys, under salts of every length to 100', () => {
      const parts = ['11', '22', '33'].map((b) => b.repeat(32));
      for (let length = 0; length <= 100; length++) {
        const count = 1 + (length % 3);
        const salt = new Uint8Array(length).fill(length);
        const ikm = parts.slice(0, count);
        const prk = provider.extract(salt, ikm.map(keyOf));
        expectKey(
          prk,
          createHmac('sha256', salt)
            .update(bytes(ikm.join('')))
            .digest('hex'),
        );
      }
    });

    it('refuses no key and four keys', () => {
      const key = keyOf(ZERO);
      expect(() => provider.extract(PROBE, [])).toThrow(RangeError);
      expect(() => provider.extract(PROBE, [key, key, key, key])).toThrow(RangeError);
    });
  });

  describe('X25519', () => {
    it.each([
      [
        'RFC 7748, 5.2, first',
        'a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4',
        'e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c',
        'c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552',
      ],
      [
        'RFC 7748, 5.2, second',
        '4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d',
        'e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493',
        '95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957',
      ],
    ])('%s', (_name, scalar, u, result) => {
      expectKey(provider.exchange(keyOf(scalar), bytes(u))!, result);
    });

    it('RFC 7748, 6.1', () => {
      const alice = keyOf(ALICE);
      const bob = keyOf(BOB);
      expect(hex(provider.publicKey(alice))).toBe(ALICE_PUBLIC);
      expect(hex(provider.publicKey(bob))).toBe(BOB_PUBLIC);
      expectKey(provider.exchange(alice, bytes(BOB_PUBLIC))!, SHARED);
      expectKey(provider.exchange(bob, bytes(ALICE_PUBLIC))!, SHARED);
    });

    it('a generated pair agrees with OpenSSL, and with its own public key', () => {
      const { secret, publicKey } = provider.generateKeyPair();
      const other = generateKeyPairSync('x25519');
      const raw = other.publicKey.export({ format: 'jwk' }).x as string;
      const mine = { kty: 'OKP', crv: 'X25519', x: Buffer.from(publicKey).toString('base64url') };
      const agreed = provider.exchange(secret, new Uint8Array(Buffer.from(raw, 'base64url')))!;
      const theirs = diffieHellman({ privateKey: other.privateKey, publicKey: { key: mine, format: 'jwk' } as never });
      expectKey(agreed, theirs.toString('hex'));
      expect(hex(provider.publicKey(secret))).toBe(hex(publicKey));
    });

    it('is undefined for every point of small order, and the place is free again', () => {
      const { secret } = provider.generateKeyPair();
      const small = [
        ZERO,
        `01${'00'.repeat(31)}`,
        'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
        '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
        `ec${'ff'.repeat(30)}7f`,
        `ed${'ff'.repeat(30)}7f`,
        `ee${'ff'.repeat(30)}7f`,
      ];
      for (const point of small) expect(provider.exchange(secret, bytes(point)), point).toBeUndefined();
      expect(provider.exchange(secret, bytes(`09${'00'.repeat(31)}`))).toBeDefined();
    });

    it('refuses a peer of another length and a key that is no secret', () => {
      const { secret } = provider.generateKeyPair();
      expect(() => provider.exchange(secret, new Uint8Array(31))).toThrow(RangeError);
      const derived = provider.expand(keyOf(ZERO), PROBE);
      expect(() => provider.exchange(derived, new Uint8Array(32))).toThrow(/X25519 secret/);
      expect(() => provider.publicKey(derived)).toThrow(RangeError);
      expect(() => provider.mac(secret, PROBE)).toThrow(/symmetric key/);
    });
  });

  describe('messages', () => {
    const key = '808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f';
    const nonce = bytes('404142434445464748494a4b4c4d4e4f5051525354555657');
    const aad = bytes('50515253c0c1c2c3c4c5c6c7');
    const plaintext = text(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    );
    const sealed =
      'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39' +
      'ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9' +
      '21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49';

    it('seals and opens draft-irtf-cfrg-xchacha-03, A.3.1', () => {
      const index = keyOf(key);
      expect(hex(provider.sealMessage(index, nonce, aad, plaintext))).toBe(sealed);
      expect(provider.openMessage(index, nonce, aad, bytes(sealed))).toEqual(plaintext);
    });

    it('is undefined when any bit of anything differs', () => {
      const index = keyOf(key);
      for (let bit = 0; bit < sealed.length * 4; bit += 7) {
        const changed = bytes(sealed);
        changed[bit >> 3] ^= 1 << (bit & 7);
        expect(provider.openMessage(index, nonce, aad, changed)).toBeUndefined();
      }
      expect(provider.openMessage(index, nonce.with(0, 0), aad, bytes(sealed))).toBeUndefined();
      expect(provider.openMessage(index, nonce.with(23, 0), aad, bytes(sealed))).toBeUndefined();
      expect(provider.openMessage(index, nonce, aad.with(0, 0), bytes(sealed))).toBeUndefined();
      expect(provider.openMessage(keyOf(ZERO), nonce, aad, bytes(sealed))).toBeUndefined();
    });

    it('is undefined for what is shorter than a tag, and carries an empty message', () => {
      const index = keyOf(key);
      for (let length = 0; length < 16; length++) {
        expect(provider.openMessage(index, nonce, aad, new Uint8Array(length))).toBeUndefined();
      }
      const empty = provider.sealMessage(index, nonce, new Uint8Array(0), new Uint8Array(0));
      expect(empty).toHaveLength(16);
      expect(provider.openMessage(index, nonce, new Uint8Array(0), empty)).toEqual(new Uint8Array(0));
    });

    it('refuses a nonce of another length', () => {
      const index = keyOf(key);
      expect(() => provider.sealMessage(index, nonce.subarray(1), aad, plaintext)).toThrow(RangeError);
      expect(() => provider.openMessage(index, nonce.subarray(1), aad, bytes(sealed))).toThrow(RangeError);
    });
  });

  describe('the life of a key', () => {
    it('importing wipes the source', () => {
      const source = new Uint8Array(32).fill(0x5a);
      expectKey(provider.importKey(source), '5a'.repeat(32));
      expect(hex(source)).toBe(ZERO);
    });

    it('an import that is refused leaves the source alone', () => {
      const source = new Uint8Array(31).fill(0x5a);
      expect(() => provider.importKey(source)).toThrow(RangeError);
      expect(source.every((b) => b === 0x5a)).toBe(true);
      expect(() => provider.importKey('key' as never)).toThrow(TypeError);
    });

    it('a released key is refused everywhere, also when its place is taken again', () => {
      const stale = keyOf(ZERO);
      provider.release(stale);
      for (let i = 0; i < 20_000; i++) {
        const key = keyOf(ZERO);
        expect(key).not.toBe(stale);
        provider.release(key);
      }
      const uses: (() => unknown)[] = [
        () => provider.mac(stale, PROBE),
        () => provider.release(stale),
        () => provider.expand(stale, PROBE),
        () => provider.expandAead(stale, PROBE, AES_256_GCM),
        () => provider.extract(PROBE, [stale]),
        () => provider.exchange(stale, bytes(`09${'00'.repeat(31)}`)),
        () => provider.publicKey(stale),
        () => provider.grant(stale),
        () => provider.sealMessage(stale, new Uint8Array(24), PROBE, PROBE),
        () => provider.openMessage(stale, new Uint8Array(24), PROBE, new Uint8Array(16)),
      ];
      for (const use of uses) expect(use).toThrow(RangeError);
    });

    it.each([0, -1, 0x7fffffff, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 32])('%d names no key', (index) => {
      expect(() => provider.mac(index as KeyIndex, PROBE)).toThrow(RangeError);
      expect(() => provider.release(index as KeyIndex)).toThrow(RangeError);
    });

    it.each([undefined, null, '1', 1n, {}])('%s is no index', (index) => {
      expect(() => provider.mac(index as never, PROBE)).toThrow(TypeError);
    });

    it('an AEAD key serves for jobs only', () => {
      const aead = provider.expandAead(keyOf(ZERO), PROBE, CHACHA20_POLY1305);
      expect(() => provider.mac(aead, PROBE)).toThrow(RangeError);
      expect(() => provider.grant(aead)).toThrow(RangeError);
      expect(() => provider.expandAead(keyOf(ZERO), PROBE, 2 as AeadAlgorithm)).toThrow(RangeError);
    });

    it('has no key when all places are taken, and serves again when one is free', () => {
      const { secret, publicKey } = provider.generateKeyPair();
      const ticket = provider.grant(secret);
      const taken: KeyIndex[] = [];
      expect(() => {
        for (;;) taken.push(keyOf(ZERO));
      }).toThrow(/all 16384 key places are taken/);
      expect(taken.length).toBeLessThanOrEqual(16_384);
      for (const none of [
        provider.generateKeyPair().secret,
        provider.exchange(secret, publicKey),
        provider.extract(PROBE, [taken[0]]),
        provider.expand(taken[0], PROBE),
        provider.expandAead(taken[0], PROBE, AES_256_GCM),
        provider.expandWide(taken[0], PROBE),
        provider.expandShort(taken[0], PROBE),
        provider.expandMask(taken[0], PROBE),
        provider.claim(ticket),
      ]) {
        expect(none).toBe(NO_KEY);
      }
      expect(() => provider.mac(NO_KEY, PROBE)).toThrow(RangeError);
      expect(() => provider.release(NO_KEY)).toThrow(RangeError);
      provider.release(taken[1]);
      const claimed = provider.claim(ticket);
      expect(provider.publicKey(claimed)).toEqual(publicKey);
      provider.release(claimed);
      expectKey(keyOf('01'.repeat(32)), '01'.repeat(32));
    });

    it('closing releases what this provider took, and nothing else', () => {
      const other = create();
      const kept = other.importKey(bytes('07'.repeat(32)));
      const key = keyOf(ZERO);
      const aead = provider.expandAead(key, PROBE, AES_256_GCM);
      provider.close();
      expect(() => provider.mac(key, PROBE)).toThrow(RangeError);
      expect(() => provider.release(aead)).toThrow(RangeError);
      expect(other.mac(kept, PROBE)).toHaveLength(32);
      other.close();
    });
  });

  describe('grants', () => {
    it('a ticket gives a copy, once', () => {
      const other = create();
      const ticket = provider.grant(keyOf('42'.repeat(32)));
      const copy = other.claim(ticket);
      expect(hex(other.mac(copy, PROBE))).toBe(
        createHmac('sha256', bytes('42'.repeat(32)))
          .update(PROBE)
          .digest('hex'),
      );
      expect(() => other.claim(ticket)).toThrow(RangeError);
      other.close();
    });

    it('a secret stays a secret and a derived key a derived key', () => {
      const { secret, publicKey } = provider.generateKeyPair();
      expect(hex(provider.publicKey(provider.claim(provider.grant(secret))))).toBe(hex(publicKey));
      const derived = provider.claim(provider.grant(provider.expand(keyOf(ZERO), PROBE)));
      expect(() => provider.publicKey(derived)).toThrow(RangeError);
    });

    it('a withdrawn ticket is worthless; withdrawing an unknown one does nothing', () => {
      const ticket = provider.grant(keyOf(ZERO));
      provider.withdraw(ticket);
      provider.withdraw(ticket);
      expect(() => provider.claim(ticket)).toThrow(RangeError);
    });

    it('the key may be released before the ticket is claimed', () => {
      const key = keyOf('03'.repeat(32));
      const ticket = provider.grant(key);
      provider.release(key);
      expectKey(provider.claim(ticket), '03'.repeat(32));
    });

    it('refuses what is no ticket', () => {
      for (const ticket of [0n, -1n, 1n << 64n]) expect(() => provider.claim(ticket)).toThrow(RangeError);
      expect(() => provider.claim(5 as never)).toThrow(TypeError);
      expect(() => provider.withdraw(5 as never)).toThrow(TypeError);
    });

    it('outstanding tickets are bounded, and withdrawing frees a place', () => {
      const key = keyOf(ZERO);
      const tickets: bigint[] = [];
      expect(() => {
        for (;;) tickets.push(provider.grant(key));
      }).toThrow(/4096 tickets/);
      expect(new Set(tickets).size).toBe(tickets.length);
      provider.withdraw(tickets.pop()!);
      tickets.push(provider.grant(key));
      for (const ticket of tickets) provider.withdraw(ticket);
    });
  });
});

/** Cipher jobs: published vectors, both providers equal byte for byte, forgery, and what is refused before any runs. */
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  AES_256_GCM,
  type AeadAlgorithm,
  CHACHA20_POLY1305,
  type CipherProvider,
  J_AAD,
  J_AAD_LENGTH,
  J_DST,
  J_KEY,
  J_LENGTH,
  J_NUMBER_HIGH,
  J_NUMBER_LOW,
  J_OP,
  J_SRC,
  J_STATUS,
  J_STRIDE,
  J_TAG,
  J_TAG_LENGTH,
  type KeyIndex,
  OP_OPEN,
  OP_SEAL,
  OP_SUM,
  STATUS_FORGED,
  STATUS_OK,
} from '#transform/cipher.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { runJobs } from '#transform/providers/noble-jobs.ts';
import { bytes, hex, PROVIDERS, text } from './providers-list.ts';

const ALGORITHMS = [
  ['AES-256-GCM', AES_256_GCM],
  ['ChaCha20-Poly1305', CHACHA20_POLY1305],
] as const;

/** One packet in a slab: aad, gap, source, gap, destination, gap, tag; all around is 0xa5. */
interface Packet {
  readonly length: number;
  readonly aadLength: number;
  readonly tagLength: number;
  readonly inPlace: boolean;
  readonly high: number;
  readonly low: number;
}

const GAP = 5; /* odd: nothing is aligned */

function layOut(packet: Packet, fill: (i: number) => number): { slab: Uint8Array; jobs: Int32Array } {
  const aad = GAP;
  const source = aad + packet.aadLength + GAP;
  const destination = packet.inPlace ? source : source + packet.length + GAP;
  const tag = destination + packet.length + GAP;
  const slab = new Uint8Array(tag + packet.tagLength + GAP).fill(0xa5);
  for (let i = 0; i < packet.aadLength; i++) slab[aad + i] = fill(i);
  for (let i = 0; i < packet.length; i++) slab[source + i] = fill(1000 + i);
  const jobs = new Int32Array(J_STRIDE).fill(-1);
  jobs[J_OP] = OP_SEAL;
  jobs[J_SRC] = source;
  jobs[J_DST] = destination;
  jobs[J_LENGTH] = packet.length;
  jobs[J_AAD] = aad;
  jobs[J_AAD_LENGTH] = packet.aadLength;
  jobs[J_TAG] = tag;
  jobs[J_TAG_LENGTH] = packet.tagLength;
  jobs[J_NUMBER_HIGH] = packet.high;
  jobs[J_NUMBER_LOW] = packet.low;
  return { slab, jobs };
}

/** The job that opens what `seal` made, into the place that it came from. */
function opening(seal: Int32Array): Int32Array {
  const job = seal.slice();
  job[J_OP] = OP_OPEN;
  job[J_SRC] = seal[J_DST];
  job[J_DST] = seal[J_SRC];
  return job;
}

describe('published vectors', () => {
  const sunscreen =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
  const mcgrew = 'feffe9928665731c6d6a8f9467308308'.repeat(2);
  const p =
    'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
    '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255';
  const c =
    '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
    '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad';
  const vectors = [
    {
      name: 'McGrew and Viega, The Galois/Counter Mode, test case 13',
      algorithm: AES_256_GCM,
      key: '00'.repeat(32),
      iv: '00'.repeat(12),
      aad: '',
      plaintext: '',
      ciphertext: '',
      tag: '530f8afbc74536b9a963b4f1c4cb738b',
    },
    {
      name: 'test case 14',
      algorithm: AES_256_GCM,
      key: '00'.repeat(32),
      iv: '00'.repeat(12),
      aad: '',
      plaintext: '00'.repeat(16),
      ciphertext: 'cea7403d4d606b6e074ec5d3baf39d18',
      tag: 'd0d1c8a799996bf0265b98b5d48ab919',
    },
    {
      name: 'test case 15',
      algorithm: AES_256_GCM,
      key: mcgrew,
      iv: 'cafebabefacedbaddecaf888',
      aad: '',
      plaintext: p,
      ciphertext: c,
      tag: 'b094dac5d93471bdec1a502270e3cc6c',
    },
    {
      name: 'test case 16',
      algorithm: AES_256_GCM,
      key: mcgrew,
      iv: 'cafebabefacedbaddecaf888',
      aad: 'feedfacedeadbeeffeedfacedeadbeefabaddad2',
      plaintext: p.slice(0, 120),
      ciphertext: c.slice(0, 120),
      tag: '76fc6ece0f4e1768cddf8853bb2d551b',
    },
    {
      name: 'RFC 8439, 2.8.2',
      algorithm: CHACHA20_POLY1305,
      key: hex(Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i)),
      iv: '070000004041424344454647',
      aad: '50515253c0c1c2c3c4c5c6c7',
      plaintext: hex(text(sunscreen)),
      ciphertext:
        'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b' +
        '1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc' +
        '3ff4def08e4b7a9de576d26586cec64b6116',
      tag: '1ae10b594f09e26a7e902ecbd0600691',
    },
  ] as const;

  /* A provider derives its AEAD keys, so a vector's key is given to the readable twin's jobs; that the addon computes
   * the same is the next suite's business. */
  it.each(vectors)('$name', ({ algorithm, key, iv, aad, plaintext, ciphertext, tag }) => {
    const material = { kind: 'aead', algorithm, key: bytes(key), salt: bytes(iv).subarray(0, 4) } as const;
    const number = Buffer.from(iv, 'hex');
    for (const tagLength of [12, 16]) {
      const { slab, jobs } = layOut(
        {
          length: plaintext.length / 2,
          aadLength: aad.length / 2,
          tagLength,
          inPlace: false,
          high: number.readInt32BE(4),
          low: number.readInt32BE(8),
        },
        () => 0,
      );
      slab.set(bytes(aad), jobs[J_AAD]);
      slab.set(bytes(plaintext), jobs[J_SRC]);
      runJobs(() => material, slab, jobs, 1);
      expect(hex(slab.subarray(jobs[J_DST], jobs[J_DST] + jobs[J_LENGTH]))).toBe(ciphertext);
      expect(hex(slab.subarray(jobs[J_TAG], jobs[J_TAG] + tagLength))).toBe(tag.slice(0, 2 * tagLength));
      slab.fill(0xa5, jobs[J_SRC], jobs[J_SRC] + jobs[J_LENGTH]);
      const open = opening(jobs);
      runJobs(() => material, slab, open, 1);
      expect(open[J_STATUS]).toBe(STATUS_OK);
      expect(hex(slab.subarray(jobs[J_SRC], jobs[J_SRC] + jobs[J_LENGTH]))).toBe(plaintext);
    }
  });
});

describe('native and noble', () => {
  const native = createNativeProvider();
  const noble = createNobleProvider();
  const prk = new Uint8Array(32).map(() => randomInt(256));
  const seed = randomInt(0x7fffffff);
  const keys = new Map<AeadAlgorithm, readonly [KeyIndex, KeyIndex]>();
  beforeAll(() => {
    const a = native.importKey(prk.slice());
    const b = noble.importKey(prk.slice());
    for (const [name, algorithm] of ALGORITHMS) {
      keys.set(algorithm, [native.expandAead(a, text(name), algorithm), noble.expandAead(b, text(name), algorithm)]);
    }
  });
  afterAll(() => {
    native.close();
    noble.close();
  });

  /** Both seal to the same slab, each opens what the other sealed, and a flipped bit is refused by both alike. */
  function compare(algorithm: AeadAlgorithm, packet: Packet, fill: (i: number) => number, flip: number): void {
    const [a, b] = keys.get(algorithm)!;
    const { slab: slabA, jobs: jobsA } = layOut(packet, fill);
    const slabB = slabA.slice();
    const jobsB = jobsA.slice();
    const before = slabA.slice();
    jobsA[J_KEY] = a;
    jobsB[J_KEY] = b;
    native.run(slabA, jobsA, 1);
    noble.run(slabB, jobsB, 1);
    expect(Buffer.compare(slabA, slabB)).toBe(0);
    expect(jobsA[J_STATUS]).toBe(STATUS_OK);
    expect(jobsB[J_STATUS]).toBe(STATUS_OK);

    const openA = opening(jobsA);
    const openB = opening(jobsB);
    const forgedA = slabA.slice();
    /* Any byte of aad, ciphertext or tag, or a bit of the packet number. */
    const parts = [
      [openA[J_AAD], packet.aadLength],
      [openA[J_SRC], packet.length],
      [openA[J_TAG], packet.tagLength],
    ].filter(([, length]) => length > 0);
    const target = flip % (parts.length + 1);
    const forgeA = openA.slice();
    if (target === parts.length) forgeA[flip & 1 ? J_NUMBER_HIGH : J_NUMBER_LOW] ^= 1 << (flip % 31);
    else forgedA[parts[target][0] + (flip % parts[target][1])] ^= 1 << (flip & 7);
    const forgedB = forgedA.slice();
    const forgeB = forgeA.slice();
    forgeB[J_KEY] = b;

    slabB.set(slabA);
    native.run(slabA, openA, 1);
    noble.run(slabB, openB, 1);
    expect([openA[J_STATUS], openB[J_STATUS]]).toEqual([STATUS_OK, STATUS_OK]);
    expect(Buffer.compare(slabA, slabB)).toBe(0);
    const end = jobsA[J_SRC] + packet.length;
    expect(Buffer.compare(slabA.subarray(jobsA[J_SRC], end), before.subarray(jobsA[J_SRC], end))).toBe(0);

    native.run(forgedA, forgeA, 1);
    noble.run(forgedB, forgeB, 1);
    expect([forgeA[J_STATUS], forgeB[J_STATUS]]).toEqual([STATUS_FORGED, STATUS_FORGED]);
    expect(Buffer.compare(forgedA, forgedB)).toBe(0);
    expect(forgedA.subarray(forgeA[J_DST], forgeA[J_DST] + packet.length).every((v) => v === 0)).toBe(true);
  }

  it.each(ALGORITHMS)('%s: every length from 0 to 300', (_, algorithm) => {
    for (let length = 0; length <= 300; length++) {
      const packet = {
        length,
        aadLength: length % 65,
        tagLength: length & 1 ? 12 : 16,
        inPlace: (length & 2) !== 0,
        high: length,
        low: -length,
      };
      compare(algorithm, packet, (i) => (i * 7 + length) & 0xff, seed + length);
    }
  });

  it.each(ALGORITHMS)('%s: random packets, forged in a random place', (_, algorithm) => {
    fc.assert(
      fc.property(
        fc.record({
          length: fc.integer({ min: 0, max: 3000 }),
          aadLength: fc.integer({ min: 0, max: 64 }),
          tagLength: fc.constantFrom(12, 16),
          inPlace: fc.boolean(),
          high: fc.integer(),
          low: fc.integer(),
        }),
        fc.nat(),
        fc.nat(),
        (packet, start, flip) => compare(algorithm, packet, (i) => Math.imul(i + start, 2654435761) >>> 24, flip),
      ),
      { numRuns: 60, seed },
    );
  });

  it.each(ALGORITHMS)('%s: superpackets', (_, algorithm) => {
    for (const length of [4096, 16_383, 65_535, 65_536, 70_000]) {
      const packet = { length, aadLength: 40, tagLength: 12, inPlace: true, high: 0, low: seed };
      compare(algorithm, packet, (i) => Math.imul(i + seed, 2654435761) >>> 24, seed + length);
    }
  });

  it('give the same sums', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), fc.integer(), fc.nat(40), (slab, initial, skip) => {
        const job = new Int32Array(J_STRIDE);
        job[J_OP] = OP_SUM;
        job[J_SRC] = Math.min(skip, slab.length);
        job[J_LENGTH] = slab.length - job[J_SRC];
        job[J_AAD] = initial;
        const twin = job.slice();
        native.run(slab, job, 1);
        noble.run(slab, twin, 1);
        expect(job).toEqual(twin);
      }),
      { numRuns: 300, seed },
    );
  });
});

describe.each(PROVIDERS)('%s', (_, create) => {
  let provider: CipherProvider;
  let aead: KeyIndex;
  let plain: KeyIndex;
  beforeAll(() => {
    provider = create();
    plain = provider.importKey(new Uint8Array(32).fill(1));
    aead = provider.expandAead(plain, text('jobs'), AES_256_GCM);
  });
  afterAll(() => provider.close());

  const SIZE = 4096;
  let slab: Uint8Array;
  let jobs: Int32Array;

  /** Three jobs that are right: seal, open of it, sum. */
  beforeEach(() => {
    slab = new Uint8Array(SIZE).fill(0xa5);
    jobs = new Int32Array(3 * J_STRIDE);
    const seal = jobs.subarray(0, J_STRIDE);
    seal.set([OP_SEAL, aead, 0, 200, 100, 400, 20, 500, 12, 0, 1, -1]);
    jobs.set(seal, J_STRIDE);
    jobs.set([OP_OPEN, aead, 200, 200], J_STRIDE);
    jobs.set([OP_SUM, 0, 200, 0, 100, 0, 0, 0, 0, 0, 0, -1], 2 * J_STRIDE);
  });

  it('runs jobs in order, and only as many as asked', () => {
    provider.run(slab, jobs, 0);
    expect(slab.every((b) => b === 0xa5)).toBe(true);
    provider.run(slab, jobs, 1);
    expect(hex(slab.subarray(200, 300))).not.toBe('a5'.repeat(100));
    expect(jobs[J_STRIDE + J_STATUS]).toBe(-1);
    slab.fill(0xa5);
    provider.run(slab, jobs, 3);
    expect([0, 1, 2].map((i) => jobs[i * J_STRIDE + J_STATUS])).toEqual([STATUS_OK, STATUS_OK, (0xa5a5 * 50) % 0xffff]);
    expect(hex(slab.subarray(200, 300))).toBe('a5'.repeat(100));
  });

  it('writes destination and tag, and nothing else', () => {
    provider.run(slab, jobs, 1);
    const written = new Set(
      [...Array(100).keys()].map((i) => 200 + i).concat([...Array(12).keys()].map((i) => 500 + i)),
    );
    expect(slab.every((b, i) => written.has(i) || b === 0xa5)).toBe(true);
    expect(hex(slab.subarray(500, 512))).not.toBe('a5'.repeat(12));
  });

  const INT_MIN = -0x8000_0000;
  const INT_MAX = 0x7fff_ffff;
  const faults: readonly (readonly [string, readonly (readonly [number, number])[]])[] = [
    ['an unknown operation', [[J_OP, 6]]],
    ['a negative operation', [[J_OP, -1]]],
    ['a key that was never given', [[J_KEY, 0x7fff_fff0]]],
    ['key 0', [[J_KEY, 0]]],
    ['a negative key', [[J_KEY, INT_MIN]]],
    ['a source behind the slab', [[J_SRC, SIZE - 99]]],
    ['a negative source', [[J_SRC, -1]]],
    ['a source whose end overflows', [[J_SRC, INT_MAX]]],
    ['a destination behind the slab', [[J_DST, SIZE - 99]]],
    ['a negative destination', [[J_DST, -100]]],
    ['a destination whose end overflows', [[J_DST, INT_MAX - 10]]],
    ['a negative length', [[J_LENGTH, -1]]],
    ['the largest length', [[J_LENGTH, INT_MAX]]],
    ['authenticated data behind the slab', [[J_AAD, SIZE - 19]]],
    ['negative authenticated data', [[J_AAD, -1]]],
    ['a negative length of it', [[J_AAD_LENGTH, -1]]],
    ['a length of it that overflows', [[J_AAD_LENGTH, INT_MAX]]],
    ['a tag behind the slab', [[J_TAG, SIZE - 11]]],
    ['a negative tag', [[J_TAG, -1]]],
    ['a tag of 0 bytes', [[J_TAG_LENGTH, 0]]],
    ['a tag of 11 bytes', [[J_TAG_LENGTH, 11]]],
    ['a tag of 17 bytes', [[J_TAG_LENGTH, 17]]],
    ['source and destination that overlap by one byte', [[J_DST, 99]]],
    ['a destination inside the source', [[J_SRC, 150]]],
    ['a tag inside the destination', [[J_TAG, 299]]],
    ['a tag inside the authenticated data', [[J_TAG, 419]]],
    ['authenticated data inside the destination', [[J_AAD, 181]]],
  ];

  it.each(faults)('refuses %s, having run none', (_name, changes) => {
    for (const position of [0, 1]) {
      /* The faulty job stands before and behind a job that is right. */
      const batch = new Int32Array(2 * J_STRIDE);
      batch.set(jobs.subarray(0, J_STRIDE), 0);
      batch.set(jobs.subarray(0, J_STRIDE), J_STRIDE);
      for (const [column, value] of changes) batch[position * J_STRIDE + column] = value;
      const before = batch.slice();
      expect(() => provider.run(slab, batch, 2)).toThrow(RangeError);
      expect(() => provider.run(slab, batch, 2)).toThrow(`job ${position}: `);
      expect(batch).toEqual(before);
      expect(slab.every((b) => b === 0xa5)).toBe(true);
    }
  });

  it('refuses a sum that leaves the slab', () => {
    jobs[2 * J_STRIDE + J_LENGTH] = SIZE - 199;
    expect(() => provider.run(slab, jobs, 3)).toThrow(RangeError);
    expect(slab.every((b) => b === 0xa5)).toBe(true);
  });

  it('refuses keys of another kind, and released ones', () => {
    jobs[J_KEY] = plain;
    expect(() => provider.run(slab, jobs, 1)).toThrow(RangeError);
    const gone = provider.expandAead(plain, text('gone'), CHACHA20_POLY1305);
    jobs[J_KEY] = gone;
    provider.run(slab, jobs, 1);
    provider.release(gone);
    expect(() => provider.run(slab, jobs, 1)).toThrow(RangeError);
  });

  it.each([4, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31])('refuses a count of %d', (count) => {
    expect(() => provider.run(slab, jobs, count)).toThrow(RangeError);
    expect(slab.every((b) => b === 0xa5)).toBe(true);
  });

  it('refuses arguments of other types', () => {
    expect(() => provider.run(slab, jobs, '1' as never)).toThrow(TypeError);
    expect(() => provider.run(jobs as never, jobs, 1)).toThrow(TypeError);
    expect(() => provider.run(slab, slab as never, 1)).toThrow(TypeError);
    expect(() => provider.run(slab, undefined as never, 1)).toThrow(TypeError);
  });

  it('refuses jobs that a job could rewrite: inside the slab, or in shared memory', () => {
    const memory = new ArrayBuffer(SIZE);
    const inside = new Int32Array(memory, 1024, J_STRIDE);
    inside.set(jobs.subarray(0, J_STRIDE));
    expect(() => provider.run(new Uint8Array(memory), inside, 1)).toThrow(/jobs/);
    const beside = new Uint8Array(memory, 0, 1024);
    provider.run(beside, inside, 1);
    expect(inside[J_STATUS]).toBe(STATUS_OK);
    const shared = new Int32Array(new SharedArrayBuffer(4 * J_STRIDE));
    shared.set(jobs.subarray(0, J_STRIDE));
    expect(() => provider.run(slab, shared, 1)).toThrow(/jobs/);
  });

  it('an empty slab and an empty packet are no special case', () => {
    const job = jobs.slice(0, J_STRIDE);
    job.set([OP_SEAL, aead, 16, 16, 0, 16, 0, 0, 16]);
    const small = new Uint8Array(16);
    provider.run(small, job, 1);
    expect(small.some((b) => b !== 0)).toBe(true);
    job[J_OP] = OP_OPEN;
    provider.run(small, job, 1);
    expect(job[J_STATUS]).toBe(STATUS_OK);
    expect(() => provider.run(new Uint8Array(0), job, 1)).toThrow(RangeError);
  });
});

/**
 * What the ciphers of the datapath cost in the addon: nanoseconds per segment, and as a ratio to AES-256-GCM in the
 * same run, printed, never asserted. Levels are those of `gateway/native/ciphers.ts`; a processor may not have all.
 * Run: node_modules/.bin/node tests/perf/ciphers.ts
 */
import { native } from '#native/native.ts';
import {
  AES_256_GCM,
  J_DST,
  J_NUMBER_LOW,
  J_SRC,
  J_STRIDE,
  OP_DECIPHER,
  OP_ENCIPHER,
  OP_MASK,
  OP_SEAL,
} from '#transform/cipher.ts';
import { createNativeProvider } from '#transform/providers/native.ts';

const TWEAK = 40; /* as long as one of pccom over IPv4 or IPv6 */
const SPACING = 1600;
const SEGMENTS = 45;
const provider = createNativeProvider();
const prk = provider.importKey(new Uint8Array(32).fill(1));
const label = new Uint8Array([1]);
const slab = new Uint8Array(1000 + SEGMENTS * SPACING);

/** `SEGMENTS` equal jobs, each on bytes of its own. */
function batch(job: readonly number[]): Int32Array {
  const jobs = new Int32Array(SEGMENTS * J_STRIDE);
  for (let i = 0; i < SEGMENTS; i++) {
    jobs.set(job, i * J_STRIDE);
    jobs[i * J_STRIDE + J_SRC] += i * SPACING;
    jobs[i * J_STRIDE + J_DST] += i * SPACING;
    if (job[0] === OP_SEAL) jobs[i * J_STRIDE + J_NUMBER_LOW] = i;
  }
  return jobs;
}

interface Row {
  readonly name: string;
  readonly jobs: Int32Array;
  readonly count: number;
}

/** Rows take turns, so that a slow moment of the machine meets all; the median of 15 turns, nanoseconds per segment. */
function measure(rows: readonly Row[]): number[] {
  const times = rows.map((): number[] => []);
  for (let turn = 0; turn < 15; turn++) {
    rows.forEach((row, r) => {
      const start = process.hrtime.bigint();
      for (let i = 0; i < 150; i++) provider.run(slab, row.jobs, row.count);
      times[r].push(Number(process.hrtime.bigint() - start) / 150 / SEGMENTS);
    });
  }
  return times.map((list) => list.sort((a, b) => a - b)[7]);
}

const levels = [...new Set([0, 1, 2].map((limit) => native.cipherLevel(limit)))];
const names = ['portable', 'carry-less + OpenSSL', 'vector'];
const aead = provider.expandAead(prk, label, AES_256_GCM);
const short = provider.expandShort(prk, label);
const keys = levels.map((level) => {
  native.cipherLevel(level);
  return { name: names[level], wide: provider.expandWide(prk, label), mask: provider.expandMask(prk, label) };
});

for (const length of [2, 12, 64, 512, 1448]) {
  const rows: Row[] = [
    { name: 'AES-256-GCM', jobs: batch([OP_SEAL, aead, 1000, 1000, length, 0, TWEAK, 500, 12]), count: SEGMENTS },
  ];
  for (const { name, wide, mask } of length < 16 ? keys.slice(-1) : keys) {
    const job = [OP_ENCIPHER, wide, 1000, 1000, length, 0, TWEAK, short, 0];
    rows.push({ name: length < 16 ? 'FF1' : `HCTR2, ${name}`, jobs: batch(job), count: SEGMENTS });
    rows.push({ name: `    deciphering`, jobs: batch([OP_DECIPHER, ...job.slice(1)]), count: SEGMENTS });
    if (length === 1448) {
      const whole = Int32Array.from({ length: J_STRIDE }, (_, i) => job[i] ?? 0);
      whole.set([SEGMENTS * length], 4);
      whole.set([length], 8);
      rows.push({ name: '    one job of 45 segments', jobs: whole, count: 1 });
    }
    rows.push({ name: '    mask', jobs: batch([OP_MASK, mask, 1000, 0, length, 0, TWEAK]), count: SEGMENTS });
  }
  const times = measure(rows);
  console.log(`\n${length} bytes per segment`);
  rows.forEach(({ name }, i) => {
    const ratio = (times[i] / times[0]).toFixed(2);
    console.log(`${name.padEnd(36)} ${times[i].toFixed(0).padStart(6)} ns per segment   ${ratio.padStart(6)}`);
  });
}
provider.close();

/** The addon's three ways to compute HCTR2 and the mask, and where their keys are. */
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { native } from '#native/native.ts';
import { J_STATUS, J_STRIDE, OP_DECIPHER, OP_ENCIPHER, OP_MASK } from '#transform/cipher.ts';

const PORTABLE = 0;
const VECTOR = 2;
const seed = randomInt(0x7fffffff);
const label = new Uint8Array([1]);

afterEach(() => {
  native.cipherLevel(VECTOR);
});

function bytesOf(from: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Math.imul(from + i, 2654435761) >>> 23);
}

describe('levels', () => {
  /** Levels that this processor has, with the same keys for each. */
  const levels = [...new Set([0, 1, 2].map((limit) => native.cipherLevel(limit)))];
  const prk = native.importKey(bytesOf(seed, 32));
  const keys = levels.map((level) => {
    native.cipherLevel(level);
    return { level, wide: native.expandWide(prk, label), mask: native.expandMask(prk, label) };
  });
  const short = native.expandShort(prk, label);

  it('the portable one is everywhere, and the processor decides on the others', () => {
    const cpu = readFileSync('/proc/cpuinfo', 'utf8');
    expect(levels[0]).toBe(PORTABLE);
    expect(levels.length > 1).toBe(/^(flags|Features)\s*:.*\b(pclmulqdq|pmull)\b/m.test(cpu));
    const vector = ['vaes', 'vpclmulqdq', 'avx512bw', 'avx512vl', 'bmi2'];
    expect(levels.includes(VECTOR)).toBe(
      vector.every((flag) => new RegExp(`^flags\\s*:.*\\b${flag}\\b`, 'm').test(cpu)),
    );
  });

  const run = (op: number, key: number, slab: Uint8Array, length: number, tweak: number, segment: number): number => {
    const job = Int32Array.of(op, key, 300, 300, length, 3, tweak, short, segment, 0, 0, -1);
    expect(job).toHaveLength(J_STRIDE);
    native.runJobs(slab, job, 1);
    return job[J_STATUS];
  };

  const compare = (length: number, tweak: number, segment: number): void => {
    const before = bytesOf(seed + length, 300 + length + 70);
    for (const op of [OP_ENCIPHER, OP_DECIPHER, OP_MASK]) {
      const first = before.slice();
      const status = run(op, op === OP_MASK ? keys[0].mask : keys[0].wide, first, length, tweak, segment);
      for (const { level, wide, mask } of keys.slice(1)) {
        const slab = before.slice();
        const where = `level ${level}, op ${op}, length ${length}, tweak ${tweak}, segment ${segment}, seed ${seed}`;
        expect(run(op, op === OP_MASK ? mask : wide, slab, length, tweak, segment), where).toBe(status);
        expect(Buffer.compare(slab, first), where).toBe(0);
      }
    }
  };

  it('compute the same at every length to 1,600, and write nothing around it', () => {
    for (let length = 0; length <= 1600; length++) compare(length, length % 97, 0);
  });

  it('compute the same for long segments and for many', () => {
    for (const length of [4096, 4111, 4112, 8208, 65_535, 70_000]) compare(length, 40, 0);
    for (const segment of [1, 16, 17, 100, 272, 536, 1448, 1460]) compare(segment < 16 ? 300 : 20_001, 40, segment);
    for (let tweak = 12; tweak <= 256; tweak++) compare(500, tweak, 200);
  });

  it('a limit that is no level is refused', () => {
    for (const limit of [-1, 3, 0.5]) expect(() => native.cipherLevel(limit)).toThrow(RangeError);
    expect(() => native.cipherLevel('1' as never)).toThrow(TypeError);
    expect(() => (native.cipherLevel as () => number)()).toThrow(TypeError);
  });
});

describe('the keys', () => {
  /** Kilobytes of memory that is locked, not dumped, and zero in a child. */
  function guarded(): number {
    let sum = 0;
    for (const entry of readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)) {
      const flags = (/^VmFlags: (.*)$/m.exec(entry)?.[1] ?? '').split(' ');
      if (!['lo', 'dd', 'wf'].every((flag) => flags.includes(flag))) continue;
      sum += Number(/^Size:\s+(\d+) kB/m.exec(entry)?.[1]);
    }
    return sum;
  }

  it('take locked memory as their number grows, a little at a time, and use it again', () => {
    const prk = native.importKey(bytesOf(seed, 32));
    const before = guarded();
    const grow = (count: number): number[] => Array.from({ length: count }, () => native.expandWide(prk, label));
    const some = grow(100);
    const after = guarded();
    expect(after - before).toBeGreaterThan(0);
    expect(after - before).toBeLessThanOrEqual(128);
    for (const key of some) native.release(key);
    const many = grow(100);
    expect(guarded()).toBe(after);
    const more = grow(900);
    expect(guarded() - after).toBeGreaterThan(600);
    expect(guarded() - after).toBeLessThan(1000);
    for (const key of [...many, ...more, prk]) native.release(key);
  });
});

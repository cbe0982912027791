/** The addon's own side of the keys: where they live, and what it says to arguments that no provider would pass. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { native } from '#native/native.ts';

const key32 = (fill: number): Uint8Array => new Uint8Array(32).fill(fill);

/** VmFlags of every mapping of the process, from smaps. */
function mappings(): { readonly size: number; readonly locked: number; readonly flags: readonly string[] }[] {
  const kilobytes = (entry: string, name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(entry)?.[1] ?? 0);
  return readFileSync('/proc/self/smaps', 'utf8')
    .split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m)
    .map((entry) => ({
      size: kilobytes(entry, 'Size'),
      locked: kilobytes(entry, 'Locked'),
      flags: (/^VmFlags: (.*)$/m.exec(entry)?.[1] ?? '').trim().split(' '),
    }));
}

describe('the slab', () => {
  it('is locked, left out of dumps and wiped in a child', () => {
    const guarded = (): number =>
      mappings()
        .filter((m) => ['lo', 'dd', 'wf'].every((flag) => m.flags.includes(flag)))
        .reduce((sum, m) => sum + Math.min(m.size, m.locked), 0);
    const key = native.importKey(key32(1));
    expect(guarded()).toBeGreaterThanOrEqual(1024);
    const ticket = native.grant(key);
    expect(guarded()).toBeGreaterThanOrEqual(1024 + 192);
    native.withdraw(ticket);
    native.release(key);
  });

  it('gives a released place back last, under another index', () => {
    const first = native.importKey(key32(1));
    native.release(first);
    const seen = new Set<number>();
    for (let i = 0; i < 40_000; i++) {
      const key = native.importKey(key32(2));
      expect(seen.has(key)).toBe(false);
      seen.add(key);
      native.release(key);
    }
    expect(seen.has(first)).toBe(false);
    expect(() => native.release(first)).toThrow(RangeError);
  });
});

describe('arguments', () => {
  const bad: readonly unknown[] = [
    undefined,
    null,
    true,
    'text',
    1n,
    {},
    [],
    Symbol('s'),
    () => 0,
    new ArrayBuffer(32),
  ];
  const functions = [
    ['importKey', 1],
    ['release', 1],
    ['generateKeyPair', 1],
    ['publicKey', 2],
    ['exchange', 2],
    ['extract', 2],
    ['expand', 2],
    ['expandAead', 3],
    ['expandWide', 2],
    ['expandShort', 2],
    ['expandMask', 2],
    ['mac', 3],
    ['sealMessage', 5],
    ['openMessage', 5],
    ['grant', 1],
    ['claim', 1],
    ['withdraw', 1],
    ['runJobs', 3],
  ] as const;

  it.each(functions)('%s refuses wrong types and missing arguments', (name, count) => {
    const call = native[name] as unknown as (...args: unknown[]) => unknown;
    expect(() => call()).toThrow();
    for (const value of bad) {
      if (typeof value === 'bigint' && (name === 'claim' || name === 'withdraw')) continue;
      expect(() => call(...Array(count).fill(value)), String(value)).toThrow(TypeError);
    }
  });

  it('refuses other typed arrays, DataView and detached memory', () => {
    expect(() => native.importKey(new Int8Array(32) as never)).toThrow(TypeError);
    expect(() => native.importKey(new DataView(new ArrayBuffer(32)) as never)).toThrow(TypeError);
    const gone = new Uint8Array(new ArrayBuffer(32));
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    expect(() => native.importKey(gone)).toThrow(RangeError);
    expect(() => native.runJobs(new Uint8Array(8), new Int32Array(gone.buffer.byteLength), 1)).toThrow(RangeError);
  });

  it('refuses outputs of another size', () => {
    const key = native.importKey(key32(1));
    const none = new Uint8Array(0);
    const nonce = new Uint8Array(24);
    expect(() => native.mac(key, none, new Uint8Array(31))).toThrow(RangeError);
    expect(() => native.publicKey(key, new Uint8Array(33))).toThrow(RangeError);
    expect(() => native.generateKeyPair(none)).toThrow(RangeError);
    expect(() => native.sealMessage(key, nonce, none, none, new Uint8Array(15))).toThrow(RangeError);
    expect(() => native.sealMessage(key, nonce, none, none, new Uint8Array(17))).toThrow(RangeError);
    expect(() => native.openMessage(key, nonce, none, new Uint8Array(15), none)).toThrow(RangeError);
    expect(() => native.openMessage(key, nonce, none, new Uint8Array(17), none)).toThrow(RangeError);
    native.release(key);
  });

  it('a refused message leaves zeros in the output', () => {
    const key = native.importKey(key32(1));
    const out = new Uint8Array(100).fill(0xa5);
    expect(native.openMessage(key, new Uint8Array(24), new Uint8Array(0), new Uint8Array(116), out)).toBe(false);
    expect(out.every((b) => b === 0)).toBe(true);
    native.release(key);
  });
});

it('says whether the processor has AES and carry-less multiplication', () => {
  const cpu = readFileSync('/proc/cpuinfo', 'utf8');
  const listed =
    /^(flags|Features)\s*:.*\baes\b/m.test(cpu) && /^(flags|Features)\s*:.*\b(pclmulqdq|pmull)\b/m.test(cpu);
  expect(native.aesInHardware()).toBe(listed);
});

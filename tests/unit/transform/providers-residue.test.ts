/**
 * What is left of a key in the whole memory of this process. The test searches for inverted bytes in inverted memory,
 * so that neither its patterns nor its own buffer are what it finds.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileFunction } from 'node:vm';
import { expect, it } from 'vitest';
import { native } from '#native/native.ts';
import {
  AES_256_GCM,
  CHACHA20_POLY1305,
  type CipherProvider,
  J_STRIDE,
  type KeyIndex,
  OP_DECIPHER,
  OP_ENCIPHER,
  OP_MASK,
  OP_SEAL,
} from '#transform/cipher.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { text } from './providers-list.ts';
import type { Patterns } from './residue-patterns.ts';

const printed = execFileSync(process.execPath, [fileURLToPath(new URL('residue-patterns.ts', import.meta.url))]);
const patterns = JSON.parse(printed.toString()) as Patterns;

function importKnownKey(provider: CipherProvider): KeyIndex {
  const source = new Uint8Array(32);
  for (let i = 0; i < 32; i++) source[i] = 7 * i * i + 13 * i + 101;
  return provider.importKey(source);
}

/** How often each inverted pattern occurs in memory that can be written, at a multiple of four bytes. */
function occurrences(hex: readonly string[]): number[] {
  const list = hex.map((pattern) => Buffer.from(pattern, 'hex'));
  /* One look for each word of memory: does any pattern begin with its lower half? */
  const begins = new Uint8Array(0x10000);
  for (const pattern of list) begins[pattern.readUInt16LE()] = 1;
  const counts = list.map(() => 0);
  const untouched = Buffer.alloc(1 << 20);
  const chunk = Buffer.alloc(1 << 20);
  const words = new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length / 4);
  const memory = openSync('/proc/self/mem', 'r');
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined) continue;
    const end = Number.parseInt(to, 16);
    if (end - Number.parseInt(from, 16) > 2 ** 32) continue; /* a sanitizer's shadow, terabytes of nothing */
    /* Chunks overlap by a pattern; one that begins in the overlap is of the second chunk. */
    for (let at = Number.parseInt(from, 16); at < end; at += chunk.length - 32) {
      let length: number;
      try {
        length = readSync(memory, chunk, 0, Math.min(chunk.length, end - at), at);
      } catch {
        break; /* a mapping of the kernel's that cannot be read, or one that just went away */
      }
      const last = at + length >= end;
      const starts = chunk.equals(untouched) ? 0 : (last ? length : chunk.length - 32) / 4;
      for (let i = 0; starts > 0 && i < words.length; i++) words[i] = ~words[i];
      for (let i = 0; i < starts; i++) {
        if (begins[words[i] & 0xffff] === 0) continue;
        list.forEach((pattern, p) => {
          if (pattern.equals(chunk.subarray(4 * i, 4 * i + pattern.length))) counts[p]++;
        });
      }
      if (last) break;
    }
  }
  closeSync(memory);
  chunk.fill(0);
  return counts;
}

/** Runs jobs so far down the stack that the search's own calls do not overwrite what they leave there. */
function runFarDown(provider: CipherProvider, slab: Uint8Array, jobs: Int32Array, depth = 500): void {
  if (depth > 0) runFarDown(provider, slab, jobs, depth - 1);
  else provider.run(slab, jobs, jobs.length / J_STRIDE);
}

let spills = 0;

/**
 * Runs jobs in a function that V8 has compiled for another kind of argument, and that therefore saves the processor's
 * registers to its heap right behind them: what a job leaves in one is then found.
 */
function runAndSpill(provider: CipherProvider, slab: Uint8Array, jobs: Int32Array): void {
  /* A text of its own: V8 remembers for a text what it was called with. */
  const body = `provider.run(slab, jobs, count); return a + ${++spills};`;
  const run = compileFunction(body, ['provider', 'slab', 'jobs', 'count', 'a']) as (...args: unknown[]) => unknown;
  for (let i = 0; i < 300_000; i++) run(provider, slab, jobs, 0, i);
  expect(run(provider, slab, jobs, jobs.length / J_STRIDE, 'text')).toBe(`text${spills}`);
}

/** Expects none of the patterns; twice, as one search does not see what is moved behind it. */
function expectNowhere(hex: readonly string[]): void {
  for (let again = 0; again < 2; again++) expect(occurrences(hex)).toEqual(hex.map(() => 0));
}

it('native: a held key is in one place; a released one is nowhere, whatever was done with it', () => {
  const provider = createNativeProvider();
  const key = importKnownKey(provider);
  const derived = provider.expand(key, text('derived'));
  expect(occurrences(patterns.keys)).toEqual([1, 1]);
  expect(occurrences(patterns.keys)).toEqual([1, 1]);

  const nonce = new Uint8Array(24);
  const aead = ([AES_256_GCM, CHACHA20_POLY1305] as const).map((a) => provider.expandAead(key, text('aead'), a));
  provider.exchange(key, provider.publicKey(key));
  provider.extract(nonce, [key, derived]);
  provider.mac(key, nonce);
  const sealed = provider.sealMessage(key, nonce, nonce, new Uint8Array(100));
  expect(provider.openMessage(key, nonce, nonce, sealed)).toHaveLength(100);
  const tickets = [provider.grant(key), provider.grant(derived)]; /* both at once: two entries */
  provider.claim(tickets[0]);
  provider.withdraw(tickets[1]);
  const slab = new Uint8Array(256);
  const jobs = new Int32Array(J_STRIDE);
  for (const index of [...aead].reverse()) {
    jobs.set([OP_SEAL, index, 0, 0, 128, 0, 0, 128, 16]);
    runFarDown(provider, slab, jobs);
    runAndSpill(provider, slab, jobs);
  }
  /* Where OpenSSL keeps them. */
  for (const count of occurrences([...patterns.aead, ...patterns.aeadRounds])) expect(count).toBeGreaterThan(0);
  provider.close();
  expectNowhere([...patterns.keys, ...patterns.aead, ...patterns.aeadRounds]);
}, 60_000);

it.each([2, 1, 0])(
  'native: nor is a key of HCTR2, FF1 or the mask, at level %i',
  (level) => {
    const provider = createNativeProvider();
    const used = native.cipherLevel(level);
    const prk = importKnownKey(provider);
    const wide = provider.expandWide(prk, text('wide'));
    const mask = provider.expandMask(prk, text('wide'));
    const short = provider.expandShort(prk, text('short'));
    const slab = new Uint8Array(10_000);
    const jobs = new Int32Array(4 * J_STRIDE);
    jobs.set([OP_ENCIPHER, wide, 100, 100, 9000, 0, 40, short, 1448]);
    jobs.set([OP_MASK, mask, 100, 0, 9000, 0, 40], J_STRIDE);
    jobs.set([OP_DECIPHER, wide, 100, 100, 9, 0, 40, short, 0], 2 * J_STRIDE);
    jobs.set([OP_DECIPHER, wide, 100, 100, 6 * 1448, 0, 40, short, 1448], 3 * J_STRIDE);
    const rounds = [...patterns.wideEnds, ...patterns.wideInner];
    for (const run of [runFarDown, runAndSpill]) {
      run(provider, slab, jobs);
      /* Two places of ours and nothing else, although the keys are in use. */
      expect(occurrences(patterns.wideHash)).toEqual(patterns.wideHash.map(() => 2));
      if (used === 2) {
        expect(occurrences(patterns.wideEnds)).toEqual(patterns.wideEnds.map(() => 4)); /* one in both schedules */
        expect(occurrences(patterns.wideInner)).toEqual(patterns.wideInner.map(() => 2));
      }
    }
    /* Where OpenSSL keeps them. */
    for (const count of occurrences([...rounds, ...patterns.shortRounds])) expect(count).toBeGreaterThan(0);
    provider.close();
    const whole = [...patterns.keys.slice(0, 1), ...patterns.wide, ...patterns.short];
    expectNowhere([...whole, ...rounds, ...patterns.wideHash, ...patterns.shortRounds]);
  },
  60_000,
);

/**
 * What is left of a key in the whole memory of this process. The test searches for inverted bytes in inverted memory, so
 * that neither its patterns nor its own buffer are what it finds.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
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

/* The inverse of the 32 bytes i → 7i² + 13i + 101, and of HKDF-Expand under them to `derived` and to `aead`. */
const KEY = Buffer.from('9a866434f6aa50e872ee5cbc0e5288b0cad6d4c4a67a40f8a23ecc4cbe2278c0', 'hex');
const DERIVED = Buffer.from('bbe57e7f21066227527268caf326c20c40900b140a90e6afe695b14e30107009', 'hex');
const AEAD = Buffer.from('c77eeb637b5cd22361c05a46ee8af5bf8ec929f621cfda9befe34015f4a48c6e', 'hex');
/* The same of the key of HCTR2 and the mask: whole, as it also begins the schedule of AES; and its halves, which are two round
 * keys, as vector registers hold them. FF1's key. */
const WIDE = Buffer.from('3b96b3cd1522c6a2331a49a6c37c1e12014744328bfbe3a2f68fd46dc18cb5ab', 'hex');
const ROUND_KEYS = [WIDE.subarray(0, 16), WIDE.subarray(16)].map((half) => Buffer.concat([half, half]));
const SHORT = Buffer.from('a9684e3dadf24bb1e7b2bc4d1ddc695504ecd671fb16bcc1ae7cf269da0bd6ac', 'hex');

function importKnownKey(provider: CipherProvider): KeyIndex {
  const source = new Uint8Array(32);
  for (let i = 0; i < 32; i++) source[i] = 7 * i * i + 13 * i + 101;
  return provider.importKey(source);
}

/** How often each inverted pattern occurs in memory that can be written. */
function occurrences(patterns: readonly Buffer[]): number[] {
  const counts = patterns.map(() => 0);
  const chunk = Buffer.alloc(1 << 20);
  const words = new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length / 4);
  const memory = openSync('/proc/self/mem', 'r');
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? [];
    if (from === undefined) continue;
    const end = Number.parseInt(to, 16);
    if (end - Number.parseInt(from, 16) > 2 ** 32) continue; /* a sanitizer's shadow, terabytes of nothing */
    /* Chunks overlap by a pattern less one byte: none is missed between two, or counted twice. */
    for (let at = Number.parseInt(from, 16); at < end; at += chunk.length - 31) {
      let length: number;
      try {
        length = readSync(memory, chunk, 0, Math.min(chunk.length, end - at), at);
      } catch {
        break; /* a mapping of the kernel's that cannot be read, or one that just went away */
      }
      for (let i = 0; i < words.length; i++) words[i] = ~words[i];
      patterns.forEach((pattern, p) => {
        let found = chunk.indexOf(pattern);
        for (; found >= 0 && found + pattern.length <= length; found = chunk.indexOf(pattern, found + 1)) counts[p]++;
      });
      if (at + length >= end) break;
    }
  }
  closeSync(memory);
  chunk.fill(0);
  return counts;
}

it('native: a held key is in one place; a released one is nowhere, whatever was done with it', () => {
  const provider = createNativeProvider();
  const key = importKnownKey(provider);
  const derived = provider.expand(key, text('derived'));
  expect(occurrences([KEY, DERIVED])).toEqual([1, 1]);

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
  for (const index of aead) {
    jobs.set([OP_SEAL, index, 0, 0, 128, 0, 0, 128, 16]);
    provider.run(slab, jobs, 1);
  }
  expect(occurrences([AEAD])[0]).toBeGreaterThan(0); /* where OpenSSL keeps it */
  provider.close();
  expect(occurrences([KEY, DERIVED, AEAD])).toEqual([0, 0, 0]);
});

it('native: nor is a key of HCTR2, FF1 or the mask, at any level', () => {
  for (const level of [2, 1, 0]) {
    const provider = createNativeProvider();
    const used = native.cipherLevel(level);
    const prk = importKnownKey(provider);
    const wide = provider.expandWide(prk, text('wide'));
    const mask = provider.expandMask(prk, text('wide'));
    const short = provider.expandShort(prk, text('short'));
    const slab = new Uint8Array(10_000);
    const jobs = new Int32Array(3 * J_STRIDE);
    jobs.set([OP_ENCIPHER, wide, 100, 100, 9000, 0, 40, short, 1448]);
    jobs.set([OP_DECIPHER, wide, 100, 100, 9000, 0, 40, short, 899], J_STRIDE);
    jobs.set([OP_MASK, mask, 100, 0, 9000, 0, 40], 2 * J_STRIDE);
    provider.run(slab, jobs, 3);
    const [first, second, whole, short32] = occurrences([...ROUND_KEYS, WIDE, SHORT]);
    expect([first, second]).toEqual([0, 0]);
    if (used === 2) expect(whole).toBe(2); /* two places of ours and nothing else */
    expect(short32).toBeGreaterThan(0);
    provider.close();
    expect(occurrences([KEY, WIDE, SHORT, ...ROUND_KEYS])).toEqual([0, 0, 0, 0, 0]);
  }
}, 60_000);

/**
 * Prints what providers-residue.test.ts searches for, as JSON of inverted hex: a process of its own, so that none of it
 * is in the memory that is searched.
 */
import { createHmac } from 'node:crypto';
import { polyval } from '@noble/ciphers/_polyval.js';
import { ecb, unsafe } from '@noble/ciphers/aes.js';

/** The key under which all others are expanded: byte i is 7i² + 13i + 101. */
const root = Uint8Array.from({ length: 32 }, (_, i) => 7 * i * i + 13 * i + 101);

/** The first block of HKDF-Expand (RFC 5869, 2.3). */
const expand = (label: string): Uint8Array =>
  new Uint8Array(createHmac('sha256', root).update(label).update(Uint8Array.of(1)).digest());

const encrypt = (key: Uint8Array, block: number): Uint8Array =>
  ecb(key, { disablePadding: true }).encrypt(Uint8Array.of(block, ...new Uint8Array(15)));

function blocks(words: Uint32Array): Uint8Array[] {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  return Array.from({ length: bytes.length / 16 }, (_, i) => bytes.slice(16 * i, 16 * i + 16));
}

/** Both schedules of AES-256; the ends of one are those of the other. */
const roundKeys = (key: Uint8Array): { readonly ends: Uint8Array[]; readonly inner: Uint8Array[] } => {
  const forth = blocks(unsafe.expandKeyLE(key));
  const back = blocks(unsafe.expandKeyDecLE(key));
  return { ends: [forth[0], forth[14]], inner: [...forth.slice(1, -1), ...back.slice(1, -1)] };
};

/** What HCTR2 derives beside the round keys: L, and h to h^16. */
function hashKeys(key: Uint8Array): Uint8Array[] {
  const h = encrypt(key, 0);
  const powers = [h];
  while (powers.length < 16) powers.push(polyval(powers[powers.length - 1], h));
  return [encrypt(key, 1), ...powers];
}

const wide = expand('wide');
const short = expand('short');
const aead = expand('aead');
const inverted = (list: readonly Uint8Array[]): string[] =>
  list.map((bytes) => Buffer.from(bytes.map((byte) => ~byte)).toString('hex'));

/** Each 32 bytes, or 16. */
export interface Patterns {
  readonly keys: readonly string[] /* the root, and what is expanded to `derived` */;
  readonly aead: readonly string[];
  readonly aeadRounds: readonly string[];
  readonly wide: readonly string[];
  readonly wideEnds: readonly string[];
  readonly wideInner: readonly string[];
  readonly wideHash: readonly string[];
  readonly short: readonly string[];
  readonly shortRounds: readonly string[];
}

const patterns: Patterns = {
  keys: inverted([root, expand('derived')]),
  aead: inverted([aead]),
  aeadRounds: inverted(blocks(unsafe.expandKeyLE(aead))),
  wide: inverted([wide]),
  wideEnds: inverted(roundKeys(wide).ends),
  wideInner: inverted(roundKeys(wide).inner),
  wideHash: inverted(hashKeys(wide)),
  short: inverted([short]),
  shortRounds: inverted(blocks(unsafe.expandKeyLE(short))),
};
console.log(JSON.stringify(patterns));

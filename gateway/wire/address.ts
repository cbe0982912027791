/**
 * IP addresses in three forms: 16 bytes (IPv4 as ::ffff:a.b.c.d), four 32-bit words of the same bytes (what a Frame
 * holds and tables are keyed by), and text. Text is for the control path; matching words is for every packet.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

const ADDRESS_LENGTH = 16;
const MAPPED = 0x0000ffff; /* word 2 of ::ffff:0:0/96 (RFC 4291 §2.5.5.2) */

/** Words of 16 bytes. Without `into` a new array: not for the hot path. */
export function bytesToWords(bytes: Uint8Array, into: Int32Array = new Int32Array(4)): Int32Array {
  for (let word = 0; word < 4; word++) {
    const at = 4 * word;
    into[word] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
  }
  return into;
}

/** 16 bytes of four words. Without `into` a new array: not for the hot path. */
export function wordsToBytes(words: Int32Array, into: Uint8Array = new Uint8Array(ADDRESS_LENGTH)): Uint8Array {
  for (let at = 0; at < ADDRESS_LENGTH; at++) into[at] = words[at >>> 2] >>> (24 - 8 * (at & 3));
  return into;
}

/** 4 for ::ffff:a.b.c.d, else 6. */
export function versionOfWords(words: Int32Array): 4 | 6 {
  return words[0] === 0 && words[1] === 0 && words[2] === MAPPED ? 4 : 6;
}

export function wordsEqual(a: Int32Array, b: Int32Array): boolean {
  return a[3] === b[3] && a[2] === b[2] && a[1] === b[1] && a[0] === b[0];
}

/** `192.0.2.1` or `2001:db8::1` (RFC 5952) of 16 bytes. */
export function addressText(bytes: Uint8Array): string {
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return ipaddr.fromByteArray([...bytes.subarray(mapped ? 12 : 0, ADDRESS_LENGTH)]).toString();
}

export function wordsText(words: Int32Array): string {
  return addressText(wordsToBytes(words));
}

/** 16 bytes; undefined for anything but one complete address without zone. */
export function addressFromText(text: string): Uint8Array | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined;
  const address = ipaddr.process(text);
  const wide = address.kind() === 'ipv4' ? (address as ipaddr.IPv4).toIPv4MappedAddress() : address;
  return Uint8Array.from(wide.toByteArray());
}

/** Key of one address in a control-path Map. */
export function addressKey(bytes: Uint8Array): string {
  let key = '';
  for (let at = 0; at < ADDRESS_LENGTH; at++) key += String.fromCharCode(bytes[at]);
  return key;
}

/** Key of an ordered pair of addresses in a control-path Map. */
export function pairKey(device: Uint8Array, peer: Uint8Array): string {
  return addressKey(device) + addressKey(peer);
}

/** A CIDR prefix ready for matching; host bits are zero. */
export interface Prefix {
  readonly version: 4 | 6;
  /** Counted in 128 bits: an IPv4 /24 is a /120 of ::ffff:0:0/96. */
  readonly bits: number;
  readonly words: Int32Array;
}

/**
 * `192.0.2.0/24`, `2001:db8::/32`, or an address alone, which counts as its whole length; undefined for anything else.
 */
export function prefixFromText(text: string): Prefix | undefined {
  const [left, right, ...rest] = text.split('/');
  const bytes = addressFromText(left);
  if (bytes === undefined || rest.length > 0) return undefined;
  const version = isIP(left) === 4 ? 4 : 6;
  const widest = version === 4 ? 32 : 128;
  const length = right === undefined ? widest : /^(0|[1-9]\d{0,2})$/.test(right) ? Number(right) : -1;
  if (length < 0 || length > widest) return undefined;
  const words = bytesToWords(bytes);
  /* A mapped address in IPv6's notation names an IPv4 host; as a network it would be a riddle. */
  if (version === 6 && versionOfWords(words) === 4) return undefined;
  const bits = length + 128 - widest;
  for (let word = 0; word < 4; word++) words[word] &= maskWord(bits - 32 * word);
  return { version, bits, words };
}

/** The mask of a word of which the first `bits` count. */
function maskWord(bits: number): number {
  return bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits);
}

/** Prefixes asked about every packet: a list, as there are tens of them. IPv6 prefixes never match IPv4 addresses. */
export class PrefixTable {
  /** Per prefix: four mask words, four address words. */
  readonly #columns: Int32Array;
  readonly #versions: Uint8Array;
  readonly size: number;

  constructor(prefixes: readonly Prefix[]) {
    this.size = prefixes.length;
    this.#columns = new Int32Array(8 * prefixes.length);
    this.#versions = Uint8Array.from(prefixes, (prefix) => prefix.version);
    for (let i = 0; i < prefixes.length; i++) {
      for (let word = 0; word < 4; word++) this.#columns[8 * i + word] = maskWord(prefixes[i].bits - 32 * word);
      this.#columns.set(prefixes[i].words, 8 * i + 4);
    }
  }

  /** @throws RangeError naming the first text that is no prefix: texts are checked where they come in */
  static fromTexts(texts: readonly string[]): PrefixTable {
    return new PrefixTable(
      texts.map((text) => {
        const prefix = prefixFromText(text);
        if (prefix === undefined) throw new RangeError(`prefix "${text}": write it as 192.0.2.0/24 or 2001:db8::/32`);
        return prefix;
      }),
    );
  }

  matches(words: Int32Array): boolean {
    return this.indexOf(words) >= 0;
  }

  /** Index of the first prefix that contains the address, -1 for none. */
  indexOf(words: Int32Array): number {
    const columns = this.#columns;
    const version = versionOfWords(words);
    for (let i = 0, at = 0; i < this.size; i++, at += 8) {
      if (
        this.#versions[i] === version &&
        (words[3] & columns[at + 3]) === columns[at + 7] &&
        (words[2] & columns[at + 2]) === columns[at + 6] &&
        (words[1] & columns[at + 1]) === columns[at + 5] &&
        (words[0] & columns[at]) === columns[at + 4]
      ) {
        return i;
      }
    }
    return -1;
  }
}

/** What an address is good for. Only ADDRESS_UNICAST is ever negotiated (docs/dprp.md: what is never negotiated). */
export const ADDRESS_UNICAST = 0;
export const ADDRESS_MULTICAST = 1;
export const ADDRESS_BROADCAST = 2; /* 255.255.255.255; a subnet's own is known by its MAC address only */
export const ADDRESS_LINK_LOCAL = 3;
export const ADDRESS_UNSPECIFIED = 4; /* 0.0.0.0/8 and :: */
export const ADDRESS_LOOPBACK = 5;

export function addressClass(words: Int32Array): number {
  if (versionOfWords(words) === 4) {
    const address = words[3];
    if (address === -1) return ADDRESS_BROADCAST;
    if (address >>> 28 === 0xe) return ADDRESS_MULTICAST;
    if (address >>> 16 === 0xa9fe) return ADDRESS_LINK_LOCAL; /* 169.254.0.0/16 */
    if (address >>> 24 === 0) return ADDRESS_UNSPECIFIED;
    return address >>> 24 === 127 ? ADDRESS_LOOPBACK : ADDRESS_UNICAST;
  }
  if (words[0] >>> 24 === 0xff) return ADDRESS_MULTICAST;
  if (words[0] >>> 22 === 0xfe80 >>> 6) return ADDRESS_LINK_LOCAL; /* fe80::/10 */
  if (words[0] !== 0 || words[1] !== 0 || words[2] !== 0) return ADDRESS_UNICAST;
  return words[3] === 0 ? ADDRESS_UNSPECIFIED : words[3] === 1 ? ADDRESS_LOOPBACK : ADDRESS_UNICAST;
}

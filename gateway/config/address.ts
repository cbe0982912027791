/**
 * Addresses and prefixes as people type them, on top of #wire/address.ts: with the texts and classes that a check
 * needs.
 */
import {
  ADDRESS_LINK_LOCAL,
  ADDRESS_UNICAST,
  addressClass,
  addressFromText,
  addressText,
  bytesToWords,
  prefixFromText,
  versionOfWords,
  wordsText,
} from '#wire/address.ts';

export interface Address {
  readonly version: 4 | 6;
  /** The canonical text (RFC 5952 for IPv6). */
  readonly text: string;
  /** A machine can have it: unicast or link-local. */
  readonly machine: boolean;
  readonly linkLocal: boolean;
}

export interface Prefix extends Address {
  /** Bits, 0 to 32 or 128. */
  readonly length: number;
  /** The address with all host bits zero. */
  readonly network: string;
}

/** undefined for anything but one complete IPv4 or IPv6 address. An IPv4-mapped IPv6 address is that IPv4 address. */
export function parseAddress(text: string): Address | undefined {
  const bytes = addressFromText(text);
  if (bytes === undefined) return undefined;
  const words = bytesToWords(bytes);
  const kind = addressClass(words);
  const linkLocal = kind === ADDRESS_LINK_LOCAL;
  return {
    version: versionOfWords(words),
    text: addressText(bytes),
    machine: linkLocal || kind === ADDRESS_UNICAST,
    linkLocal,
  };
}

/** `address/length`; undefined for anything else. A missing length is not filled in. */
export function parsePrefix(text: string): Prefix | undefined {
  const prefix = text.includes('/') ? prefixFromText(text) : undefined;
  const address = parseAddress(text.split('/', 1)[0]);
  if (prefix === undefined || address === undefined) return undefined;
  const length = prefix.version === 4 ? prefix.bits - 96 : prefix.bits;
  return { ...address, version: prefix.version, length, network: wordsText(prefix.words) };
}

/** True when `address` lies in `prefix`. */
export function contains(prefix: Prefix, address: Address): boolean {
  return (
    prefix.version === address.version && parsePrefix(`${address.text}/${prefix.length}`)?.network === prefix.network
  );
}

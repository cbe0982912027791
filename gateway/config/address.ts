/** Addresses and prefixes as people type them: strict where others guess (no octal bytes, no zones, no short forms). */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface Address {
  readonly version: 4 | 6;
  /** The canonical text (RFC 5952 for IPv6). */
  readonly text: string;
  /** What RFC 6890 says about it: `unicast`, `private`, `multicast`, `loopback`, … (names of ipaddr.js). */
  readonly range: string;
}

export interface Prefix extends Address {
  readonly length: number;
  /** The address with all host bits zero. */
  readonly network: string;
}

/** undefined for anything but one complete IPv4 or IPv6 address. An IPv4-mapped IPv6 address is that IPv4 address. */
export function parseAddress(text: string): Address | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined;
  const address = ipaddr.process(text);
  return { version: address.kind() === 'ipv4' ? 4 : 6, text: address.toString(), range: address.range() };
}

/** `address/length`; undefined for anything else, a mapped address included. A missing length is not filled in. */
export function parsePrefix(text: string): Prefix | undefined {
  const [left = '', right = '', ...rest] = text.split('/');
  const address = parseAddress(left);
  if (address === undefined || rest.length > 0 || !/^(0|[1-9]\d{0,2})$/.test(right)) return undefined;
  const length = Number(right);
  if (length > (address.version === 4 ? 32 : 128) || isIP(left) !== address.version) return undefined;
  const cidr = `${address.text}/${length}`;
  const network =
    address.version === 4 ? ipaddr.IPv4.networkAddressFromCIDR(cidr) : ipaddr.IPv6.networkAddressFromCIDR(cidr);
  return { ...address, length, network: network.toString() };
}

/** True when `address` lies in `prefix`. */
export function contains(prefix: Prefix, address: Address): boolean {
  if (prefix.version !== address.version) return false;
  const inside = ipaddr.parse(address.text);
  return inside.kind() === 'ipv4'
    ? (inside as ipaddr.IPv4).match(ipaddr.IPv4.parse(prefix.network), prefix.length)
    : (inside as ipaddr.IPv6).match(ipaddr.IPv6.parse(prefix.network), prefix.length);
}

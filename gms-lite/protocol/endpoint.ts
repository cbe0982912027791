/** Where a GMS is reached: an IP address and a TCP port. Names are not used: a gateway excepts exactly these pairs. */
import ipaddr from 'ipaddr.js';
import { prefixFromText } from '#wire/address.ts';
import { GmsError } from './errors.ts';

export interface Endpoint {
  /** IPv4 dotted, or IPv6 as RFC 5952 writes it, without brackets. */
  readonly address: string;
  readonly port: number;
}

export const DEFAULT_PORT = 7443;

/** Reads `192.0.2.1`, `192.0.2.1:7443`, `2001:db8::1`, `[2001:db8::1]:7443`. @throws GmsError bad-address */
export function parseEndpoint(text: string): Endpoint {
  const fail = (): never => {
    throw new GmsError('bad-address', { text: text.slice(0, 80) });
  };
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const plain = /^([^:]+)(?::(\d{1,5}))?$/.exec(text);
  const host = bracketed?.[1] ?? plain?.[1] ?? text;
  const port = Number(bracketed?.[2] ?? plain?.[2] ?? DEFAULT_PORT);
  const valid = ipaddr.IPv6.isValid(host) || ipaddr.IPv4.isValidFourPartDecimal(host);
  if (!valid || host.includes('%') || prefixFromText(host) === undefined || port < 1 || port > 65_535) return fail();
  return { address: ipaddr.parse(host).toString(), port };
}

export function formatEndpoint({ address, port }: Endpoint): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** 4 or 16 address bytes. */
export function addressBytes(address: string): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray());
}

/** The address of 4 or 16 bytes. */
export function addressText(bytes: Uint8Array): string {
  return ipaddr.fromByteArray([...bytes]).toString();
}

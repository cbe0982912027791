/** What every GE is told beside its groups. */
import ipaddr from 'ipaddr.js';
import type { BundleException } from '#gms/bundle.ts';
import { GmsError } from '#gms/errors.ts';
import { prefixFromText } from '#wire/address.ts';
import { type Policy, SITE } from '../store/records.ts';
import { activeElements, audit, type Change, policyOf, touch } from './change.ts';

/** Prefixes and exceptions that a policy can name, each. */
export const POLICY_ENTRIES = 256;

/** The prefix in its one spelling, host bits zero. A bare address is the prefix of one. @throws GmsError bad-prefix */
export function canonicalPrefix(text: string): string {
  const [address, length, ...rest] = text.trim().split('/');
  const fail = (): never => {
    throw new GmsError('bad-prefix', { text: text.slice(0, 80) });
  };
  if (rest.length > 0 || !(ipaddr.IPv4.isValidFourPartDecimal(address) || ipaddr.IPv6.isValid(address))) return fail();
  const parsed = ipaddr.parse(address);
  const bits = parsed.kind() === 'ipv4' ? 32 : 128;
  const given = length === undefined ? bits : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (given < 0 || given > bits) return fail();
  const network = parsed.toByteArray().map((byte, i) => {
    const kept = Math.min(8, Math.max(0, given - 8 * i));
    return byte & (0xff00 >> kept) & 0xff;
  });
  const canonical = `${ipaddr.fromByteArray(network).toString()}/${given}`;
  /* Gateways know IPv4 addresses in IPv4's notation only. */
  return prefixFromText(canonical) === undefined ? fail() : canonical;
}

/** Reads `PREFIX[,PROTOCOL[,PORT]][,in|out|both]`. @throws GmsError bad-exception, bad-prefix */
export function parseException(text: string): BundleException {
  const fail = (): never => {
    throw new GmsError('bad-exception', { text: text.slice(0, 80) });
  };
  const parts = text.split(',').map((part) => part.trim());
  const last = parts.at(-1);
  const direction = last === 'in' || last === 'out' || last === 'both' ? last : 'out';
  const [address, protocol, port, ...rest] = direction === last ? parts.slice(0, -1) : parts;
  if (address === undefined || rest.length > 0) return fail();
  const named = protocol === 'tcp' || protocol === 'udp' || protocol === 'icmp' ? protocol : undefined;
  if (protocol !== undefined && named === undefined && !(/^\d{1,3}$/.test(protocol) && Number(protocol) < 256)) fail();
  if (port !== undefined) {
    const possible = named === 'tcp' || named === 'udp';
    if (!possible || !/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) fail();
  }
  return {
    address: canonicalPrefix(address),
    ...(protocol === undefined ? {} : { protocol: named ?? Number(protocol) }),
    ...(port === undefined ? {} : { port: Number(port) }),
    direction,
  };
}

/** Replaces what is given; every GE gets a new bundle. */
export function setPolicy(change: Change, values: Partial<Omit<Policy, 'forgetPeers'>>, forgetPeers: boolean): Policy {
  const before = policyOf(change.tx);
  for (const [what, entries] of [
    ['protected prefixes', values.protectedPrefixes],
    ['exceptions', values.exceptions],
  ] as const) {
    if ((entries?.length ?? 0) > POLICY_ENTRIES) throw new GmsError('too-many', { limit: POLICY_ENTRIES, what });
  }
  const after = { ...before, ...values, forgetPeers: before.forgetPeers + (forgetPeers ? 1 : 0) };
  change.tx.put('policy', SITE, after);
  for (const element of activeElements(change.tx)) touch(change, element.id);
  audit(change, 'set policy', 'policy', before, after);
  return after;
}

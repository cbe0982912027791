/**
 * The one schema of the configuration file: what each field may be, and what it is when nobody says.
 * A rule that needs words of its own puts them into the issue (`params.text`); problems of the plain kinds (type,
 * range, choice, unknown name) are worded by `parse.ts`. What concerns two fields at once stands in `together.ts`.
 */
import { z } from 'zod';
import { parseAddress, parsePrefix } from './address.ts';
import { LANGUAGES, type Text } from './text.ts';

/** Linux: IFNAMSIZ is 16 with the closing zero. */
const INTERFACE_NAME_BYTES = 15;
/** sysctl uses these two as names of its own; `lo` never carries other machines' frames. */
const RESERVED_INTERFACES = ['lo', 'all', 'default'];
/** More threads than this would only take the processors from each other. */
export const MAX_WORKERS = 64;
/** The management port is named after its task unless the file says otherwise. */
export const DEFAULT_MANAGEMENT_NAME = 'mgmt';
/** Exceptions are read by a person and looked through in order for every new pair. */
const MAX_EXCEPTIONS = 256;
/** A management port has few addresses; each costs a look-up per frame. */
const MAX_MANAGEMENT_ADDRESSES = 16;

type Rule = (value: string) => Text | undefined;

/** A text field that keeps one rule with words of its own. */
const text = (rule: Rule) =>
  z.string().superRefine((value, context) => {
    const wrong = rule(value);
    if (wrong !== undefined) context.addIssue({ code: 'custom', params: { text: wrong }, input: value });
  });

const quoted = (value: string): string => JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);

const interfaceName = text((name) => {
  if (RESERVED_INTERFACES.includes(name)) {
    return {
      en: `${quoted(name)} cannot be a port of a gateway; name a network interface such as eth0`,
      ja: `${quoted(name)}はゲートウェイのポートにできません。eth0などのネットワークインタフェース名を指定してください`,
    };
  }
  if (/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name) && name.length <= INTERFACE_NAME_BYTES) return undefined;
  return {
    en: `must be the name of a network interface: 1 to ${INTERFACE_NAME_BYTES} letters, digits, ".", "_" or "-", for example eth0; is ${quoted(name)}`,
    ja: `ネットワークインタフェース名(英数字と「.」「_」「-」で1～${INTERFACE_NAME_BYTES}文字、例: eth0)を指定してください。現在の値: ${quoted(name)}`,
  };
});

const hostAddress = text((value) => {
  const prefix = parsePrefix(value);
  if (prefix === undefined) {
    return {
      en: `must be an address with its prefix length, for example 192.0.2.5/24 or 2001:db8::5/64; is ${quoted(value)}`,
      ja: `プレフィックス長付きのアドレス(例: 192.0.2.5/24、2001:db8::5/64)を指定してください。現在の値: ${quoted(value)}`,
    };
  }
  if (!prefix.machine || prefix.length === 0) {
    return {
      en: `${quoted(value)} cannot be the address of a machine`,
      ja: `${quoted(value)}は機器のアドレスとして使えません`,
    };
  }
  if (prefix.version === 4 && prefix.length < 31 && prefix.text === prefix.network) {
    return {
      en: `${quoted(value)} is the network itself; give the machine's own address in it`,
      ja: `${quoted(value)}はネットワークアドレスです。その中の本機のアドレスを指定してください`,
    };
  }
  return undefined;
});

const defaultGateway = text((value) => {
  const address = parseAddress(value);
  if (address?.machine) return undefined;
  return {
    en: `must be the address of a router, for example 192.0.2.1 or fe80::1; is ${quoted(value)}`,
    ja: `ルータのアドレス(例: 192.0.2.1、fe80::1)を指定してください。現在の値: ${quoted(value)}`,
  };
});

const farAddress = text((value) => {
  const prefix = parsePrefix(value);
  if (prefix === undefined && (value.includes('/') || parseAddress(value) === undefined)) {
    return {
      en: `must be an address or a prefix, for example 192.0.2.10, 192.0.2.0/24 or 2001:db8::/32; is ${quoted(value)}`,
      ja: `アドレスまたはプレフィックス(例: 192.0.2.10、192.0.2.0/24、2001:db8::/32)を指定してください。現在の値: ${quoted(value)}`,
    };
  }
  if (prefix !== undefined && prefix.network !== prefix.text) {
    const network = `${prefix.network}/${prefix.length}`;
    return {
      en: `${quoted(value)} has host bits; write ${network} for the network or the address alone for one machine`,
      ja: `${quoted(value)}にはホスト部が含まれています。ネットワークなら${network}、1台ならアドレスだけを書いてください`,
    };
  }
  return undefined;
});

export const exception = z.strictObject({
  address: farAddress,
  protocol: z.union([z.enum(['tcp', 'udp', 'icmp']), z.int().min(0).max(255)]).optional(),
  port: z.int().min(1).max(65_535).optional(),
  /** The devices open the connection: the least that helps a legacy device reach a server. */
  direction: z.enum(['out', 'in', 'both']).default('out'),
});

export const management = z.strictObject({
  name: interfaceName.default(DEFAULT_MANAGEMENT_NAME),
  addresses: z.array(hostAddress).min(1).max(MAX_MANAGEMENT_ADDRESSES),
  gateways: z.array(defaultGateway).max(2).default([]),
});

const base = {
  outer: interfaceName,
  workers: z.int().min(1).max(MAX_WORKERS).default(1),
  port: z.enum(['packet', 'pcap']).default('packet'),
  cipher: z.enum(['native', 'noble']).default('native'),
  withoutKeys: z.enum(['closed', 'open']).default('closed'),
  nonIp: z.enum(['by-mode', 'pass', 'refuse']).default('by-mode'),
  exceptions: z.array(exception).max(MAX_EXCEPTIONS).default([]),
  language: z.enum(LANGUAGES).optional(),
};

export const bridgeFile = z.strictObject({
  kind: z.literal('bridge'),
  inner: interfaceName,
  management: management.optional(),
  ...base,
});

export const routerFile = z.strictObject({ kind: z.literal('router'), ...base });

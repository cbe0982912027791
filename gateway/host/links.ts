/** Interfaces as `ip -j -d link` tells them, their names, and the marks by which we know our own. */
import { z } from 'zod';
import type { System } from './system.ts';

/** Names of what we make. One gateway per network namespace, so they are fixed and easy to find with `ip link`. */
export const OUTER_PORT = 'gscip-outer'; /* router: the NIC while the kernel's end bears its name */
export const INNER_PORT = 'gscip-inner'; /* router: the datapath's end of the kernel's veth */
export const KERNEL_END = 'gscip-kernel'; /* router: the kernel's end until it takes the NIC's name */
export const MGMT_PORT = 'gscip-mgmt'; /* bridge: the datapath's end of the management veth */
export const OPEN_BRIDGE = 'gscip-open'; /* bridge: the kernel bridge of a released gateway */

/** IFNAMSIZ less the terminating zero; the letters that /proc paths, nft and ip take without quoting. */
const NAME = /^[A-Za-z0-9._-]{1,15}$/;

/** True for an interface name that we hand to programs. `-x` would be an option, `.` and `..` are paths. */
export function isLinkName(name: string): boolean {
  return NAME.test(name) && !name.startsWith('-') && name !== '.' && name !== '..';
}

export type PortRole = 'outer' | 'inner' | 'mgmt';

/** Our mark in a link's alias: `gscip <role> <real MTU>[:<offloads>][ <the alias it had before>]`. */
export interface Mark {
  readonly role: PortRole | 'kernel';
  /** MTU the link had before ports got room for VLAN tags, bytes of layer 3. */
  readonly mtu: number;
  readonly before: string;
  /** Offloads that we switched, by ethtool's names: off, or on where a `+` stands in front; absent for none. */
  readonly switched?: readonly string[];
}

const MARK = /^gscip (outer|inner|mgmt|kernel) (\d{1,5})(?::([a-z,+-]+))?(?: (.*))?$/s;
const ALIAS_LIMIT = 255; /* bytes, IFALIASZ - 1 */

export function parseMark(alias: string): Mark | undefined {
  const found = MARK.exec(alias);
  if (!found) return undefined;
  const mark = { role: found[1] as Mark['role'], mtu: Number(found[2]), before: found[4] ?? '' };
  return found[3] === undefined ? mark : { ...mark, switched: found[3].split(',') };
}

export function formatMark(mark: Mark): string {
  const { switched = [] } = mark;
  const own = `gscip ${mark.role} ${mark.mtu}${switched.length === 0 ? '' : `:${switched.join(',')}`}`;
  const text = `${own}${mark.before === '' ? '' : ` ${mark.before}`}`;
  return Buffer.byteLength(text) <= ALIAS_LIMIT ? text : own;
}

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `veth`, `bridge`, …; empty for hardware. */
  readonly kind: string;
  /** `ether`, `loopback`, … */
  readonly type: string;
  readonly mac: string;
  /** Bytes of layer 3 now, and the most the driver takes. */
  readonly mtu: number;
  readonly maxMtu: number;
  /** Switched on by an administrator. */
  readonly up: boolean;
  /** Switched on, and the other end of the cable is there. */
  readonly carrier: boolean;
  /** Bridge or bond that it belongs to. */
  readonly master: string | undefined;
  /** veth: the other end, when it is in the same namespace. */
  readonly peer: string | undefined;
  readonly alias: string;
  readonly mark: Mark | undefined;
}

const linkJson = z.array(
  z.object({
    ifindex: z.number().optional(),
    ifname: z.string().optional(),
    link: z.string().nullish(),
    flags: z.array(z.string()).default([]),
    mtu: z.number().default(0),
    max_mtu: z.number().default(0),
    master: z.string().optional(),
    link_type: z.string().default(''),
    address: z.string().default(''),
    ifalias: z.string().default(''),
    linkinfo: z.object({ info_kind: z.string().default('') }).optional(),
  }),
);

/** Parses `ip -j -d link show`. Throws when it is not that. */
export function parseLinks(json: string): Link[] {
  const links: Link[] = [];
  for (const l of linkJson.parse(JSON.parse(json.trim() === '' ? '[]' : json))) {
    if (l.ifindex === undefined || l.ifname === undefined) continue; /* ip prints {} for what a filter left out */
    links.push({
      index: l.ifindex,
      name: l.ifname,
      kind: l.linkinfo?.info_kind ?? '',
      type: l.link_type,
      mac: l.address,
      mtu: l.mtu,
      maxMtu: l.max_mtu === 0 ? 65_535 : l.max_mtu,
      up: l.flags.includes('UP'),
      carrier: l.flags.includes('LOWER_UP'),
      master: l.master,
      peer: l.link ?? undefined,
      alias: l.ifalias,
      mark: parseMark(l.ifalias),
    });
  }
  return links;
}

/**
 * The kernel's end of one of our veths: known by its other end, which a crash before the mark is set leaves as well.
 */
export function isEndOf(link: Link, port: typeof INNER_PORT | typeof MGMT_PORT): boolean {
  return link.peer === port || link.mark?.role === (port === MGMT_PORT ? 'mgmt' : 'kernel');
}

export async function readLinks(system: System): Promise<Link[]> {
  return parseLinks(await system.run('ip', ['-j', '-d', 'link', 'show']));
}

export function findLink(links: readonly Link[], name: string): Link | undefined {
  return links.find((l) => l.name === name);
}

/**
 * A fixed MAC address for the management end, made from the outer NIC's: locally administered, unicast, and different
 * from the NIC's own even where that one is locally administered already.
 */
export function managementMac(mac: string): string {
  const bytes = mac.split(':').map((b) => Number.parseInt(b, 16));
  bytes[0] = ((bytes[0] & 0xfe) | 0x02) ^ 0x04;
  return bytes.map((b) => b.toString(16).padStart(2, '0')).join(':');
}

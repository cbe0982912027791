/**
 * What the NIC of a `router` owned before its place was taken: addresses, routes, settings. It is on disk (/run, so it
 * ends with the kernel it describes) from before the first address is touched until the last one stands again:
 * a process killed between the two leaves them to its successor.
 */
import { z } from 'zod';
import { addressSchema, parseAddresses, parseRoutes, routeSchema } from './addresses.ts';
import type { Link } from './links.ts';
import type { System } from './system.ts';

const DIRECTORY = '/run/gscip';

/** Settings that belong to the name rather than to the device. */
const SETTINGS = {
  ipv4: [
    'forwarding',
    'rp_filter',
    'accept_redirects',
    'secure_redirects',
    'send_redirects',
    'accept_source_route',
    'proxy_arp',
    'arp_accept',
    'arp_announce',
    'arp_filter',
    'arp_ignore',
    'arp_notify',
    'ignore_routes_with_linkdown',
    'log_martians',
    'promote_secondaries',
    'route_localnet',
    'src_valid_mark',
  ],
  ipv6: [
    'addr_gen_mode',
    'disable_ipv6',
    'forwarding',
    'accept_ra',
    'accept_ra_defrtr',
    'accept_ra_min_hop_limit',
    'accept_ra_pinfo',
    'accept_ra_rt_info_max_plen',
    'accept_redirects',
    'accept_dad',
    'autoconf',
    'dad_transmits',
    'hop_limit',
    'max_addresses',
    'proxy_ndp',
    'router_solicitations',
    'use_tempaddr',
  ],
} as const;

export type Family = keyof typeof SETTINGS;

export function settingPath(family: Family, link: string, setting: string): string {
  return `/proc/sys/net/${family}/conf/${link}/${setting}`;
}

const snapshotSchema = z.object({
  /** The kernel it is about: a file of another boot or another device says nothing. */
  boot: z.string(),
  device: z.number(),
  /** Where the addresses are on the way to; `settled`: they stand on the kernel's end of the veth. */
  phase: z.enum(['taking', 'settled', 'returning']),
  name: z.string(),
  mtu: z.number(),
  mac: z.string(),
  wasUp: z.boolean(),
  alias: z.string(),
  addresses: z.array(addressSchema),
  routes: z.array(routeSchema),
  /** `ipv4/forwarding` → value; of the NIC before anything was changed. */
  settings: z.record(z.string(), z.string()),
});
export type Snapshot = z.infer<typeof snapshotSchema>;

async function boot(system: System): Promise<string> {
  return (await system.read('/proc/sys/kernel/random/boot_id'))?.trim() ?? '';
}

/** One file per network namespace: its name bears what makes the namespace's identity. */
async function place(system: System): Promise<string> {
  return `${DIRECTORY}/outer-${await system.namespace()}.json`;
}

/**
 * The file's content when it is about this boot and an interface that is here; undefined otherwise. A namespace's
 * number is given again once it is free, so the number alone says nothing.
 */
export async function loadSnapshot(system: System, links: readonly Link[]): Promise<Snapshot | undefined> {
  const text = await system.read(await place(system));
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = snapshotSchema.safeParse(json);
  if (!parsed.success || parsed.data.boot !== (await boot(system))) return undefined;
  return links.some((l) => l.mac === parsed.data.mac) ? parsed.data : undefined;
}

export async function saveSnapshot(system: System, snapshot: Snapshot): Promise<void> {
  await system.save(await place(system), `${JSON.stringify(snapshot)}\n`);
}

export async function removeSnapshot(system: System): Promise<void> {
  await system.remove(await place(system));
}

/** Reads addresses and routes of `link`. */
export async function readNetwork(system: System, link: string): Promise<Pick<Snapshot, 'addresses' | 'routes'>> {
  const addresses = parseAddresses(await system.run('ip', ['-j', '-d', 'addr', 'show', 'dev', link]), link);
  const routes = [];
  for (const version of [4, 6] as const) {
    const json = await system.run('ip', ['-j', '-d', `-${version}`, 'route', 'show', 'table', 'all']);
    routes.push(...parseRoutes(json, version, link));
  }
  return { addresses, routes };
}

/** Reads the settings of `link`, by `family/setting`. */
export async function readSettings(system: System, link: string): Promise<Record<string, string>> {
  const settings: Record<string, string> = {};
  for (const family of ['ipv4', 'ipv6'] as const) {
    for (const setting of SETTINGS[family]) {
      const value = (await system.read(settingPath(family, link, setting)))?.trim();
      if (value !== undefined && value !== '') settings[`${family}/${setting}`] = value;
    }
  }
  return settings;
}

/** The boot that a snapshot taken now belongs to. */
export const currentBoot = boot;

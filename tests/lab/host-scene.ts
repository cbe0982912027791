/**
 *   h1 eth0 ── inner [g: gateway/host] outer ── eth0 h2          real namespaces, real nftables, no datapath
 *
 * Nothing moves frames here, so nothing may arrive: what the labs look for is the frame that gets out all the same.
 * The sentinel, a ping that bears the datapath's mark, shows at the end of each capture that it could have seen one.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { BridgeConfig, RouterConfig } from '#config/config.ts';
import { DATAPATH_MARK } from '#host/drops.ts';
import { removeLeftovers } from '#kit/leftovers.ts';
import { type Capture, capture, Gateway, HostLab, run } from './host-lab.ts';

const common = {
  outer: 'outer',
  workers: 1,
  port: 'packet',
  cipher: 'native',
  withoutKeys: 'closed',
  nonIp: 'by-mode',
  exceptions: [],
  language: undefined,
} as const;
export const bridge: BridgeConfig = {
  ...common,
  kind: 'bridge',
  inner: 'inner',
  management: { name: 'mgmt', addresses: ['10.66.0.9/24', 'fd66::9/64'], gateways: ['10.66.0.2', 'fd66::2'] },
};
export const router: RouterConfig = { ...common, kind: 'router' };

/** What the kernel sends by itself when an interface comes up. */
export const NOISE = /ICMP6|IP6|ARP|BOOTP|igmp/i;

/** One ping out of a port of the gateway, past routing and neighbours; `mark` as the datapath would set it. */
export async function pingFrom(lab: HostLab, port: string, host: string, size: number, mark?: number): Promise<void> {
  const mac = JSON.parse(await lab.ip(host, '-j', 'link', 'show', 'dev', 'eth0'))[0].address as string;
  const to = '203.0.113.7';
  await lab.ip(lab.g, 'neigh', 'replace', to, 'lladdr', mac, 'dev', port, 'nud', 'permanent');
  await lab.ip(lab.g, 'route', 'replace', to, 'dev', port, 'src', '192.0.2.77', 'onlink').catch(() => '');
  const marked = mark === undefined ? [] : ['-m', String(mark)];
  await lab.in(lab.g, 'ping', '-c', '1', '-W', '0.05', '-s', String(size), ...marked, '-I', port, to).catch(() => '');
}

/** The kernel tries to send, in vain; then a marked frame gets out, and is the only one that was seen. */
export async function onlySentinel(lab: HostLab, seen: Capture, port: string, host: string, since = 0): Promise<void> {
  await pingFrom(lab, port, host, 111);
  await pingFrom(lab, port, host, 222, DATAPATH_MARK);
  await seen.until((f) => f.includes('length 230'));
  expect(seen.frames.filter((f) => Number.parseFloat(f) > since && !f.includes('length 230'))).toEqual([]);
}

export const lab = new HostLab();
let gateways: Gateway[] = [];
let captures: Capture[] = [];

export function start(): Gateway {
  const g = new Gateway(lab.g);
  gateways.push(g);
  return g;
}

export async function listen(host: string): Promise<Capture> {
  const c = await capture(host, 'eth0');
  captures.push(c);
  return c;
}

interface LinkJson {
  ifname: string;
  mtu: number;
  flags: string[];
  ifalias?: string;
  addr_info: { local: string; prefixlen: number; scope: string }[];
}

/** Names, aliases, MTU, up, addresses; not what is random in a new namespace. */
export async function linkState(): Promise<string[]> {
  const links = JSON.parse(await lab.ip(lab.g, '-j', 'addr')) as LinkJson[];
  const aliases = JSON.parse(await lab.ip(lab.g, '-j', 'link')) as LinkJson[];
  return links
    .filter((l) => l.ifname !== 'lo')
    .map((l) => {
      const alias = aliases.find((a) => a.ifname === l.ifname)?.ifalias;
      const addresses = l.addr_info.filter((a) => a.scope !== 'link').map((a) => `${a.local}/${a.prefixlen}`);
      return `${l.ifname} (${alias}) mtu ${l.mtu} ${l.flags.includes('UP') ? 'up' : 'down'} ${addresses.sort().join(' ')}`;
    })
    .sort();
}

/** Makes the lab anew for every test of the file that calls it, and leaves nothing behind. */
export function everyTestInItsLab(): void {
  beforeAll(async () => {
    const id = await run('id', '-u');
    if (id.trim() !== '0') throw new Error('the lab needs root: it makes network namespaces');
    await removeLeftovers();
  });

  beforeEach(async () => {
    await lab.make();
    /* A source address for the pings, on no port. */
    await lab.ip(lab.g, 'addr', 'add', '192.0.2.77/32', 'dev', 'lo');
  });

  afterEach(async () => {
    for (const c of captures) await c.stop();
    for (const g of gateways) await g.kill();
    gateways = [];
    captures = [];
    await lab.remove();
  });

  afterAll(async () => {
    await lab.remove();
  });
}

/**
 * Kind `bridge`: two NICs are the ports, and a veth pair is the third:
 *
 *   outer NIC ── datapath ── inner NIC
 *                   │
 *               gscip-mgmt ── mgmt (the kernel's end: the box's own addresses)
 */
import ipaddr from 'ipaddr.js';
import type { ManagementPort } from '#config/config.ts';
import type { Text } from '#config/text.ts';
import { parseAddresses } from './addresses.ts';
import { protect, unprotectAll } from './drops.ts';
import { findLink, type Link, MGMT_PORT, managementMac, OPEN_BRIDGE, readLinks } from './links.ts';
import type { HostPlan, Survey } from './plan.ts';
import { markOffloads, quieten, raise, realMtu, restoreMtu, restoreOffloads, setSetting } from './ports.ts';
import { blame, HostFault } from './problem.ts';
import { settingPath } from './snapshot.ts';
import type { System } from './system.ts';

/** Default routes of the management end: behind those that a person set by hand on another interface. */
const ROUTE_METRIC = '100';

/** What to do, last first, when a later step fails. */
export type Undo = (() => Promise<void>)[];

/** The names that packet sockets open, and the largest layer-3 packet that passes all of them. */
export interface HostPorts {
  readonly outer: string;
  readonly inner: string;
  readonly mgmt: string | undefined;
  /** Bytes; the interfaces themselves are set larger to leave room for VLAN tags. */
  readonly mtu: number;
}

/** Ports that must have drops, in the order of their roles. */
export function bridgePorts(plan: HostPlan): string[] {
  const ports = [plan.outer, plan.inner ?? ''];
  if (plan.management !== undefined) ports.push(MGMT_PORT);
  return ports;
}

/** The ports stand behind their drops already (apply's first step). Idempotent. */
export async function establishBridge(system: System, plan: HostPlan, now: Survey, undo: Undo): Promise<HostPorts> {
  await blame('outer', REMOVE_BRIDGE, () => closeBridge(system));
  await establishManagement(system, plan, now, undo);
  let links = await readLinks(system);
  const outer = need(links, plan.outer);
  const inner = need(links, plan.inner ?? '');
  await blame('outer', CHECK_DRIVER, () => quieten(system, outer, 'outer', plan.port));
  await blame('inner', CHECK_DRIVER, () => quieten(system, inner, 'inner', plan.port));
  const mgmt = findLink(links, MGMT_PORT);
  links = await readLinks(system);
  await blame('outer', CHECK_DRIVER, () => raise(system, [need(links, plan.outer)]));
  await blame('inner', CHECK_DRIVER, () => raise(system, [need(links, plan.inner ?? '')]));
  return {
    outer: outer.name,
    inner: inner.name,
    mgmt: plan.management && mgmt ? mgmt.name : undefined,
    mtu: bridgeMtu(outer, inner),
  };
}

/** What passes both ports. */
export function bridgeMtu(outer: Link, inner: Link): number {
  return Math.min(realMtu(outer), realMtu(inner));
}

const REMOVE_BRIDGE: Text = {
  en: `remove it by hand: ip link del dev ${OPEN_BRIDGE}`,
  ja: `「ip link del dev ${OPEN_BRIDGE}」で手動で削除してください`,
};
const CHECK_DRIVER: Text = {
  en: 'see what the kernel says about the interface with dmesg, then start again',
  ja: 'dmesgでこのインタフェースについてのカーネルのメッセージを確認し、もう一度起動してください',
};

function need(links: readonly Link[], name: string): Link {
  const link = findLink(links, name);
  if (link === undefined) {
    throw new HostFault({ en: `interface "${name}" is gone`, ja: `インタフェース「${name}」がなくなりました` });
  }
  return link;
}

const OTHER_NAME: Text = { en: 'choose another name', ja: '別の名前を指定してください' };
const CORRECT_ADDRESS: Text = { en: 'correct the address', ja: 'アドレスを修正してください' };
const CORRECT_GATEWAY: Text = {
  en: 'correct the gateway',
  ja: 'デフォルトゲートウェイのアドレスを修正してください',
};

/** Makes, changes or removes the management veth until it is as configured. */
export async function establishManagement(system: System, plan: HostPlan, now: Survey, undo: Undo): Promise<void> {
  const wanted = plan.management;
  let links = await readLinks(system);
  const port = findLink(links, MGMT_PORT);
  const mac = managementMac(need(links, plan.outer).mac);
  const end = wanted && findLink(links, wanted.name);
  const fits = port !== undefined && end?.peer === MGMT_PORT && end.mac === mac;
  if (port !== undefined && !fits) await system.run('ip', ['link', 'del', 'dev', MGMT_PORT]);
  if (wanted === undefined) return;
  await blame('management.name', OTHER_NAME, async () => {
    if (!fits) {
      if (now.byName) await protect(system, [MGMT_PORT]);
      await system.run('ip', managementLink(wanted.name, mac));
      undo.push(async () => {
        await system.run('ip', ['link', 'del', 'dev', MGMT_PORT]);
      });
    }
    await protect(system, [MGMT_PORT]);
    links = await readLinks(system);
    await quieten(system, need(links, MGMT_PORT), 'mgmt', plan.port);
    await raise(system, [need(links, MGMT_PORT)]);
    const kernel = need(links, wanted.name);
    await markOffloads(system, kernel, { role: 'mgmt', mtu: kernel.mtu, before: '' }, plan.port);
    if (!kernel.up) await system.run('ip', ['link', 'set', 'dev', wanted.name, 'up']);
  });
  await address(system, wanted);
}

function managementLink(name: string, mac: string): string[] {
  return ['link', 'add', 'name', name, 'address', mac, 'type', 'veth', 'peer', 'name', MGMT_PORT];
}

const canonical = (cidr: string) => {
  const [ip, bits] = ipaddr.parseCIDR(cidr);
  return `${ip.toString()}/${bits}`;
};

/** Gives the kernel's end exactly the configured addresses and default routes. */
async function address(system: System, m: ManagementPort): Promise<void> {
  const wanted = new Set(m.addresses.map(canonical));
  const held = parseAddresses(await system.run('ip', ['-j', 'addr', 'show', 'dev', m.name]), m.name);
  for (const a of held) {
    if (a.scope !== 'global' || a.dynamic || wanted.has(canonical(`${a.local}/${a.prefixlen}`))) continue;
    await system.run('ip', ['addr', 'del', `${a.local}/${a.prefixlen}`, 'dev', m.name]);
  }
  await blame('management.addresses', CORRECT_ADDRESS, async () => {
    for (const a of wanted) await system.run('ip', ['addr', 'replace', a, 'dev', m.name]);
  });
  await blame('management.gateways', CORRECT_GATEWAY, async () => {
    for (const version of [4, 6] as const) {
      const gateway = m.gateways.find((g) => ipaddr.parse(g).kind() === `ipv${version}`);
      const route = ['dev', m.name, 'metric', ROUTE_METRIC, 'proto', 'static'];
      if (gateway !== undefined) {
        await system.run('ip', [`-${version}`, 'route', 'replace', 'default', 'via', gateway, ...route]);
      } else await system.run('ip', [`-${version}`, 'route', 'flush', 'default', ...route]);
    }
  });
}

/** Takes a released gateway's kernel bridge apart; the drops stand already, so nothing passes meanwhile. */
async function closeBridge(system: System): Promise<void> {
  const bridge = findLink(await readLinks(system), OPEN_BRIDGE);
  if (bridge !== undefined) await system.run('ip', ['link', 'del', 'dev', OPEN_BRIDGE]);
}

/** A machine that becomes a router needs neither the management veth nor a released bridge. */
export async function removeBridge(system: System, links: readonly Link[]): Promise<void> {
  for (const name of [OPEN_BRIDGE, MGMT_PORT]) {
    if (findLink(links, name)) await system.run('ip', ['link', 'del', 'dev', name]);
  }
}

/** Every frame that is not the bridge's own business passes; bits 0 to 2 cannot be set, the kernel keeps those. */
const FORWARD_ALL = '0xfff8';

/** Joins the ports by a kernel bridge, then takes the drops away: plain traffic passes. Idempotent. */
export async function openBridge(system: System, plan: HostPlan): Promise<void> {
  const links = await readLinks(system);
  if (!findLink(links, OPEN_BRIDGE)) {
    const options = ['forward_delay', '0', 'stp_state', '0', 'mcast_snooping', '0', 'group_fwd_mask', FORWARD_ALL];
    await system.run('ip', ['link', 'add', 'name', OPEN_BRIDGE, 'type', 'bridge', ...options]);
  }
  await setSetting(system, settingPath('ipv6', OPEN_BRIDGE, 'disable_ipv6'), '1');
  for (const [field, name] of [
    ['outer', plan.outer],
    ['inner', plan.inner ?? ''],
    ['management.name', MGMT_PORT],
  ] as const) {
    const link = findLink(links, name);
    /* A port that is not plugged in does not keep the others closed. */
    if (link === undefined) continue;
    const fix: Text = {
      en: `see what belongs to "${name}" with ip -d link`,
      ja: `「ip -d link」で「${name}」の状態を確認してください`,
    };
    await blame(field, fix, async () => {
      await setSetting(system, settingPath('ipv6', name, 'disable_ipv6'), '1');
      if (link.master !== OPEN_BRIDGE) await system.run('ip', ['link', 'set', 'dev', name, 'master', OPEN_BRIDGE]);
      /* The mark stays: it says that the settings of this port are ours, not an administrator's. */
      await restoreMtu(system, link);
      await restoreOffloads(system, link);
      if (!link.up) await system.run('ip', ['link', 'set', 'dev', name, 'up']);
    });
  }
  await system.run('ip', ['link', 'set', 'dev', OPEN_BRIDGE, 'up']);
  await unprotectAll(system);
}

/**
 * Kind `router`: the NIC's place in the kernel is taken by a veth that bears its name, MAC address and MTU:
 *
 *   NIC, now gscip-outer ── datapath ── gscip-inner ── wan0 (the kernel's end, with the NIC's addresses and routes)
 *
 * Every step looks at what is there, so a later run completes what a killed one began. The NIC is down from before it
 * loses its name until its drops stand under the new one.
 */
import type { Text } from '#config/text.ts';
import { addressArguments, routeArguments } from './addresses.ts';
import type { HostPorts, Undo } from './bridge.ts';
import { protect, unprotect, unprotectOthers } from './drops.ts';
import { findLink, INNER_PORT, isEndOf, KERNEL_END, type Link, OUTER_PORT, readLinks } from './links.ts';
import type { HostPlan, Survey } from './plan.ts';
import { markOffloads, quieten, raise, realMtu, setSetting, unmark } from './ports.ts';
import { blame, CommandError, HostError, HostFault } from './problem.ts';
import {
  currentBoot,
  type Family,
  loadSnapshot,
  readNetwork,
  readSettings,
  removeSnapshot,
  type Snapshot,
  saveSnapshot,
  settingPath,
} from './snapshot.ts';
import type { System } from './system.ts';

export interface RouterLinks {
  /** Under its own name, or as gscip-outer. */
  readonly nic: Link | undefined;
  /** The kernel's end, whatever its name is by now. */
  readonly kernel: Link | undefined;
  readonly inner: Link | undefined;
}

/** Finds the parts. A NIC that was unplugged and comes back under a new name is known by its MAC address. */
export function findRouter(links: readonly Link[], outer: string): RouterLinks {
  const kernel = links.find((l) => l.name === KERNEL_END || isEndOf(l, INNER_PORT));
  const ours = (l: Link) => l === kernel || l.name === INNER_PORT;
  const named = links.find((l) => l.name === outer && !ours(l));
  const returned =
    kernel && links.find((l) => l.mac === kernel.mac && l.type === 'ether' && l.kind !== 'vlan' && !ours(l));
  return { nic: findLink(links, OUTER_PORT) ?? named ?? returned, kernel, inner: findLink(links, INNER_PORT) };
}

/** What passes the NIC and the veth that stands in its place; somebody may have given either end another MTU. */
export function routerMtu(nic: Link, inner: Link, kernel: Link): number {
  return Math.min(realMtu(nic), realMtu(inner), kernel.mtu);
}

/** Ports that must have drops, in the order of their roles. */
export const ROUTER_PORTS: readonly string[] = [OUTER_PORT, INNER_PORT];

const PLUG_IN: Text = {
  en: 'plug the network interface in, or correct the name',
  ja: 'ネットワークインタフェースを接続するか、名前を修正してください',
};
const ROOM_IN_RUN: Text = { en: 'make room in /run', ja: '/runの空き容量を確保してください' };
const FREE_OUTER: Text = {
  en: `free the name "${OUTER_PORT}"`,
  ja: `「${OUTER_PORT}」という名前のインタフェースを取り除いてください`,
};
const FREE_VETH: Text = {
  en: `free the names "${KERNEL_END}" and "${INNER_PORT}"`,
  ja: `「${KERNEL_END}」と「${INNER_PORT}」という名前のインタフェースを取り除いてください`,
};
const SEE_ROUTES: Text = {
  en: 'see ip addr and ip route',
  ja: '「ip addr」と「ip route」を確認してください',
};
const SEE_DMESG: Text = {
  en: 'see dmesg, then start again',
  ja: 'dmesgを確認し、もう一度起動してください',
};

/**
 * The NIC stands behind its drops already (apply's first step). Idempotent. Routes that could not be restored are told.
 */
export async function establishRouter(
  system: System,
  plan: HostPlan,
  now: Survey,
  undo: Undo,
): Promise<HostPorts & { readonly warnings: readonly string[] }> {
  let found = findRouter(await readLinks(system), plan.outer);
  const nic = found.nic;
  if (nic === undefined) {
    const problem: Text = {
      en: `interface "${plan.outer}" does not exist`,
      ja: `インタフェース「${plan.outer}」がありません`,
    };
    throw new HostError([{ field: 'outer', problem, fix: PLUG_IN }]);
  }
  undo.push(() => returnNic(system, plan.outer));
  const snapshot = await blame('outer', ROOM_IN_RUN, () => takeSnapshot(system, plan.outer, nic, found.kernel));
  await blame('outer', FREE_OUTER, () => renameNic(system, nic, now, plan.port));
  if (found.kernel === undefined || found.inner === undefined) {
    if (found.kernel !== undefined) await system.run('ip', ['link', 'del', 'dev', found.kernel.name]);
    if (now.byName) await protect(system, [INNER_PORT]);
    await blame('outer', FREE_VETH, () => makeVeth(system, snapshot));
  }
  await protect(system, ROUTER_PORTS);
  /* Drops that went by the NIC's old name would close the kernel's end. */
  await unprotectOthers(system, ROUTER_PORTS);
  const warnings = await blame('outer', SEE_ROUTES, () => settle(system, plan, snapshot));

  found = findRouter(await readLinks(system), plan.outer);
  if (!found.nic || !found.inner || !found.kernel) {
    throw new HostFault({ en: 'a port of the router is gone', ja: 'ルータのポートがなくなりました' });
  }
  const ports = [
    [found.nic, 'outer'],
    [found.inner, 'inner'],
  ] as const;
  for (const [link, role] of ports) await blame('outer', SEE_DMESG, () => quieten(system, link, role, plan.port));
  await blame('outer', SEE_DMESG, () => raise(system, [ports[0][0], ports[1][0]]));
  return {
    outer: OUTER_PORT,
    inner: INNER_PORT,
    mgmt: undefined,
    mtu: routerMtu(found.nic, found.inner, found.kernel),
    warnings,
  };
}

/**
 * The snapshot that is to be restored: the one on disk while it is unfinished, else a new one of whoever has the
 * addresses.
 */
async function takeSnapshot(system: System, name: string, nic: Link, kernel: Link | undefined): Promise<Snapshot> {
  const stored = await loadSnapshot(system, kernel ? [nic, kernel] : [nic]);
  const fits = stored !== undefined && stored.name === name;
  const settled = kernel !== undefined && kernel.name === name;
  if (fits && stored.phase !== 'settled' && (stored.device === nic.index || settled || nic.name === OUTER_PORT)) {
    return stored;
  }
  /* Somebody deleted the veth, and with it the only holder of the addresses: what was last known is better than
   * none. */
  if (fits && !settled && nic.name === OUTER_PORT) return stored;
  const holder = settled ? kernel : nic;
  const quiet = !settled && nic.mark !== undefined;
  const snapshot: Snapshot = {
    boot: await currentBoot(system),
    device: nic.index,
    phase: settled ? 'settled' : 'taking',
    name,
    mtu: settled ? kernel.mtu : realMtu(nic),
    mac: nic.mac,
    wasUp: holder.up,
    alias: nic.mark ? nic.mark.before : nic.alias,
    ...(await readNetwork(system, holder.name)),
    /* A NIC that was a port of a bridge has our settings, not its own. */
    settings: fits && settled ? stored.settings : await readSettings(system, quiet ? 'default' : holder.name),
  };
  await saveSnapshot(system, snapshot);
  return snapshot;
}

async function renameNic(system: System, nic: Link, now: Survey, port: HostPlan['port']): Promise<void> {
  if (nic.name === OUTER_PORT) return;
  if (now.byName) await protect(system, [OUTER_PORT]);
  await system.run('ip', ['link', 'set', 'dev', nic.name, 'down']);
  await quieten(system, nic, 'outer', port);
  await system.run('ip', ['link', 'set', 'dev', nic.name, 'name', OUTER_PORT]);
  await protect(system, [OUTER_PORT]);
}

async function makeVeth(system: System, s: Snapshot): Promise<void> {
  const kernel = ['name', KERNEL_END, 'address', s.mac, 'mtu', String(s.mtu)];
  await system.run('ip', ['link', 'add', ...kernel, 'type', 'veth', 'peer', 'name', INNER_PORT, 'mtu', String(s.mtu)]);
}

/** The kernel's end takes the name, the settings, the addresses and the routes. */
async function settle(system: System, { outer: name, port }: HostPlan, s: Snapshot): Promise<string[]> {
  const { kernel } = findRouter(await readLinks(system), name);
  if (kernel === undefined) {
    throw new HostFault({ en: `the veth end for "${name}" is gone`, ja: `「${name}」用のvethがなくなりました` });
  }
  await markOffloads(system, kernel, { role: 'kernel', mtu: kernel.mtu, before: s.alias }, port);
  if (kernel.name !== name) await system.run('ip', ['link', 'set', 'dev', kernel.name, 'name', name]);
  else if (s.phase === 'settled') return [];
  /* Behind forwarding, router advertisements count only with 2; the NIC needed no forwarding for that before. */
  const accepts = Number(s.settings['ipv6/accept_ra'] ?? '0') > 0;
  await restoreSettings(system, name, { ...s.settings, ...(accepts ? { 'ipv6/accept_ra': '2' } : {}) });
  if (s.wasUp) await system.run('ip', ['link', 'set', 'dev', name, 'up']);
  const warnings = await restoreNetwork(system, name, s);
  await saveSnapshot(system, { ...s, phase: 'settled' });
  return warnings;
}

async function restoreSettings(
  system: System,
  name: string,
  settings: Readonly<Record<string, string>>,
): Promise<void> {
  for (const [key, value] of Object.entries(settings)) {
    const [family, setting] = key.split('/') as [Family, string];
    /* Some settings have values that the kernel shows and does not take; the address is worth more than they are. */
    await setSetting(system, settingPath(family, name, setting), value).catch(() => {});
  }
}

/** Addresses must come back; a route may have become impossible (its interface is gone), which is told, not fatal. */
async function restoreNetwork(system: System, name: string, s: Snapshot): Promise<string[]> {
  for (const a of s.addresses) await system.run('ip', addressArguments(a, name));
  const warnings: string[] = [];
  for (const r of s.routes) {
    try {
      await system.run('ip', routeArguments(r));
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      warnings.push(error.message);
    }
  }
  return warnings;
}

/**
 * Gives the NIC its name, MTU, settings, addresses and routes back, behind drops that stand under either name. Does
 * nothing where the NIC's place was never taken. Idempotent.
 */
export async function returnNic(system: System, outer: string): Promise<void> {
  const links = await readLinks(system);
  const stored = await loadSnapshot(system, links);
  const name = stored?.name ?? outer;
  const found = findRouter(links, name);
  const { nic, kernel } = found;
  if (nic === undefined || (stored === undefined && nic.name === name && kernel === undefined)) return;
  const unfinished = stored !== undefined && stored.phase !== 'settled';
  const base = stored ?? (await takeSnapshot(system, name, nic, kernel));
  const holder = kernel?.name === name && !unfinished ? kernel : undefined;
  const snapshot: Snapshot = {
    ...base,
    phase: 'returning',
    ...(holder ? { ...(await readNetwork(system, name)), wasUp: holder.up } : {}),
  };
  await saveSnapshot(system, snapshot);
  if (kernel !== undefined) await system.run('ip', ['link', 'del', 'dev', kernel.name]);
  await protect(system, [nic.name]);
  if (nic.name !== name) {
    await system.run('ip', ['link', 'set', 'dev', nic.name, 'down']);
    await system.run('ip', ['link', 'set', 'dev', nic.name, 'name', name]);
  }
  await protect(system, [name]);
  await unprotect(system, ROUTER_PORTS);
  const returned = findLink(await readLinks(system), name);
  if (returned !== undefined) await unmark(system, returned);
  await restoreSettings(system, name, snapshot.settings);
  await system.run('ip', ['link', 'set', 'dev', name, snapshot.wasUp ? 'up' : 'down']);
  await restoreNetwork(system, name, snapshot);
  await removeSnapshot(system);
}

/** The NIC's carrier is the kernel's: without it the inner end goes down, with it up. True when something changed. */
export async function followCarrier(system: System, links: readonly Link[]): Promise<boolean> {
  const nic = findLink(links, OUTER_PORT);
  const inner = findLink(links, INNER_PORT);
  if (inner === undefined) return false;
  const carrier = nic?.carrier ?? false;
  if (inner.up === carrier) return false;
  if (carrier) await raise(system, [inner]);
  else await system.run('ip', ['link', 'set', 'dev', INNER_PORT, 'down']);
  return true;
}

/** One datapath port: quiet (no address, no IPv6, no answer), the right offloads, and up only behind its drops. */
import type { GatewayConfig } from '#config/config.ts';
import { carriesDatagrams } from '#port/datagrams.ts';
import { findUnprotected, protect } from './drops.ts';
import { formatMark, type Link, type Mark, type PortRole } from './links.ts';
import { settingPath } from './snapshot.ts';
import type { System } from './system.ts';

/**
 * Room for two VLAN tags inside the frame. A tagged superpacket leaves with inline tags, and the kernel counts a second
 * one against the MTU.
 */
export const TAG_ROOM = 8;

/**
 * Off on every port: GRO lists cannot be sent again as they came, and LRO forgets the segment size. What else the NIC
 * merges or computes stays as it is.
 */
const UNWANTED = [
  { shown: 'rx-gro-list', set: 'rx-gro-list' },
  { shown: 'large-receive-offload', set: 'lro' },
] as const;

/**
 * Off as well where libpcap is the port: it hands over frames without what the kernel says about them, and takes single
 * frames with complete checksums.
 */
const MERGING = [
  { shown: 'generic-receive-offload', set: 'gro' },
  { shown: 'tx-udp-segmentation', set: 'tx-udp-segmentation' },
  { shown: 'tcp-segmentation-offload', set: 'tso' },
  { shown: 'generic-segmentation-offload', set: 'gso' },
  { shown: 'tx-checksumming', set: 'tx' },
] as const;

/**
 * On where the port is a packet socket: datagrams of one flow come merged, as TCP's segments do. Only kernels whose
 * packet sockets know such superpackets can hand them over and send them.
 */
const DATAGRAMS = 'rx-udp-gro-forwarding';

/** True when merging of datagrams is off and can be switched on, from the text of `ethtool -k`. */
export function lacksDatagrams(text: string): boolean {
  return new RegExp(`^\\s*${DATAGRAMS}: off\\s*$`, 'm').test(text);
}

type Offloads = readonly { readonly shown: string; readonly set: string }[];

/** Which of `offloads` are on and can be switched, from the text of `ethtool -k`, by their names for `ethtool -K`. */
function switchedOn(text: string, offloads: Offloads): string[] {
  return offloads.filter((o) => new RegExp(`^\\s*${o.shown}: on\\s*$`, 'm').test(text)).map((o) => o.set);
}

/** Ethernet features of `ethtool -k` that are on, unwanted and can be switched. */
export function unwantedOffloads(text: string): string[] {
  return switchedOn(text, UNWANTED);
}

/** The same for what a port of libpcap does without. */
export function mergingOffloads(text: string): string[] {
  return switchedOn(text, MERGING);
}

/** The MTU that the link has for its users: an MTU that is not the one we gave it is an administrator's new wish. */
export function realMtu(link: Link): number {
  const mark = link.mark;
  return mark !== undefined && link.mtu === withRoom(mark.mtu, link) ? mark.mtu : link.mtu;
}

/** The MTU that a port is given, so that the network's has room for tags. */
const withRoom = (mtu: number, link: Link) => Math.min(mtu + TAG_ROOM, link.maxMtu);

/** True when somebody gave a port of ours another MTU: `quieten` makes it the port's own. */
export function hasOtherMtu(link: Link): boolean {
  return link.mark !== undefined && link.mtu !== withRoom(realMtu(link), link);
}

export async function writeMark(system: System, link: Link, mark: Mark): Promise<void> {
  const alias = formatMark(mark);
  if (link.alias !== alias) await system.run('ip', ['link', 'set', 'dev', link.name, 'alias', alias]);
}

/**
 * Marks the link as `mark` says and gives it the offloads that fit the port. What is switched is in the mark before, so
 * that whoever opens the machine gives it back.
 */
export async function markOffloads(
  system: System,
  link: Link,
  mark: Omit<Mark, 'switched'>,
  port: GatewayConfig['port'],
): Promise<void> {
  /* What the other kind of port needed and this one does not. */
  const always: readonly string[] = UNWANTED.map((o) => o.set);
  const ours = (name: string) => always.includes(name) || name.startsWith('+') === (port === 'packet');
  const former = link.mark?.switched ?? [];
  await switchBack(
    system,
    link,
    former.filter((name) => !ours(name)),
  );
  const features = await featuresOf(system, link);
  const fitting = port === 'packet' ? datagramsOn(mark, features) : mergingOffloads(features);
  const now = [...unwantedOffloads(features), ...fitting];
  await writeMark(system, link, { ...mark, switched: [...new Set([...former.filter(ours), ...now])] });
  for (const name of now) await system.run('ethtool', ['-K', link.name, ...switching(name)]);
}

function datagramsOn({ role }: Pick<Mark, 'role'>, features: string): string[] {
  if ((role !== 'outer' && role !== 'inner') || !lacksDatagrams(features)) return [];
  return carriesDatagrams() ? [`+${DATAGRAMS}`] : [];
}

const switching = (name: string): [string, 'on' | 'off'] =>
  name.startsWith('+') ? [name.slice(1), 'on'] : [name, 'off'];

/** Gives a link back the offloads that its mark names. */
export async function restoreOffloads(system: System, link: Link): Promise<void> {
  await switchBack(system, link, link.mark?.switched ?? []);
}

async function switchBack(system: System, link: Link, names: readonly string[]): Promise<void> {
  /* Last off, first on. One that the driver refuses keeps nobody from opening a machine. */
  for (const name of names.toReversed()) {
    const [feature, state] = switching(name);
    await system.run('ethtool', ['-K', link.name, feature, state === 'on' ? 'off' : 'on']).catch(() => '');
  }
}

async function featuresOf(system: System, link: Link): Promise<string> {
  return await system.run('ethtool', ['-k', link.name]).catch(() => '');
}

/** Writes a setting where it differs. A kernel without the setting (IPv6 off at boot) needs none. */
export async function setSetting(system: System, path: string, value: string): Promise<void> {
  const now = (await system.read(path))?.trim();
  if (now !== undefined && now !== value) await system.set(path, value);
}

/** Marks the port, takes its addresses and its voice, sets offloads and MTU. The drops stand already. */
export async function quieten(system: System, link: Link, role: PortRole, port: GatewayConfig['port']): Promise<void> {
  const mtu = realMtu(link);
  await markOffloads(system, link, { role, mtu, before: link.mark ? link.mark.before : link.alias }, port);
  await setSetting(system, settingPath('ipv6', link.name, 'disable_ipv6'), '1');
  /* Should somebody flush the rules, the kernel still does not route, answer ARP or accept what arrives here. */
  await setSetting(system, settingPath('ipv4', link.name, 'forwarding'), '0');
  await setSetting(system, settingPath('ipv4', link.name, 'arp_ignore'), '8');
  await setSetting(system, settingPath('ipv4', link.name, 'rp_filter'), '1');
  const held = await system.run('ip', ['-o', 'addr', 'show', 'dev', link.name]);
  if (held.trim() !== '') await system.run('ip', ['addr', 'flush', 'dev', link.name]);
  const room = withRoom(mtu, link);
  if (link.mtu !== room) await system.run('ip', ['link', 'set', 'dev', link.name, 'mtu', String(room)]);
}

/** Brings ports up, after the drops of all of them were read back once more. */
export async function raise(system: System, links: readonly Link[]): Promise<void> {
  await protect(
    system,
    links.map((l) => l.name),
  );
  for (const l of links) if (!l.up) await system.run('ip', ['link', 'set', 'dev', l.name, 'up']);
}

/** Takes down those of `names` that have no drops, at once, and tells which they were. */
export async function lowerUnprotected(system: System, names: readonly string[]): Promise<string[]> {
  const naked = await findUnprotected(system, names);
  if (naked.length > 0) {
    const batch = naked.map((n) => `link set dev ${n} down\n`).join('');
    /* One that is gone needs no taking down: -force goes on with the others, and then ip reports failure. */
    await system.run('ip', ['-force', '-batch', '-'], batch).catch(() => '');
  }
  return naked;
}

export async function restoreMtu(system: System, link: Link): Promise<void> {
  const mtu = realMtu(link);
  if (link.mtu !== mtu) await system.run('ip', ['link', 'set', 'dev', link.name, 'mtu', String(mtu)]);
}

/** Gives a link back the MTU, the offloads and the alias that it had before it became a port. */
export async function unmark(system: System, link: Link): Promise<void> {
  if (link.mark === undefined) return;
  await restoreMtu(system, link);
  await restoreOffloads(system, link);
  await system.run('ip', ['link', 'set', 'dev', link.name, 'alias', link.mark.before]);
}

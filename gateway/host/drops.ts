/**
 * The drops that make a port fail closed: nftables `netdev` chains at ingress (everything) and egress (everything
 * without the datapath's mark) of each port. They are the kernel's: they stay when our process ends, however it ends.
 *
 * Kernels before 6.16 bind such a chain to a device that exists, carry it along when the device is renamed and delete
 * it with the device; later ones bind it to the name, device or not. On the older ones a second belt (tables `inet`
 * and `arp`, which always go by name) stands between a device that comes back and our chains on it.
 */
import { isLinkName } from './links.ts';
import { HostFault } from './problem.ts';
import type { System } from './system.ts';

/** SO_MARK of every frame that the datapath sends, and of the offload program's: "GSCP". */
export const DATAPATH_MARK = 0x47534350;

export const TABLE = 'gscip';

const INGRESS_PRIORITY = -500; /* before flowtables and everybody's filters */
const EGRESS_PRIORITY = 500; /* behind everybody's, so that nobody marks a frame after us */
const MARK_RULE = `meta mark 0x${DATAPATH_MARK.toString(16)} accept`;

const ingressChain = (port: string) => `in_${port}`;
const egressChain = (port: string) => `out_${port}`;

interface Chain {
  readonly header: string;
  readonly rules: readonly string[];
}

/** Chains by name, from the text of `nft list table netdev gscip`: its JSON names no device in nft 1.0.6. */
export function parseTable(text: string): Map<string, Chain> {
  const chains = new Map<string, Chain>();
  let name = '';
  let header = '';
  let rules: string[] = [];
  for (const raw of text.split('\n')) {
    const line = raw.trim();
    const opened = /^chain (\S+) \{$/.exec(line);
    if (opened) {
      name = opened[1];
      header = '';
      rules = [];
    } else if (line === '}' && name !== '') {
      chains.set(name, { header, rules });
      name = '';
    } else if (name !== '' && line.startsWith('type ')) header = line;
    else if (name !== '' && line !== '' && !line.startsWith('comment ')) rules.push(line);
  }
  return chains;
}

const DEVICE = /\bdevices? (?:= \{ )?"?([A-Za-z0-9._-]+)"?/;

function stands(chain: Chain | undefined, hook: 'ingress' | 'egress', port: string): boolean {
  if (!chain?.header.startsWith(`type filter hook ${hook} `) || !chain.header.endsWith('policy drop;')) return false;
  if (DEVICE.exec(chain.header)?.[1] !== port) return false;
  return hook === 'ingress' ? chain.rules.length === 0 : chain.rules.length === 1 && chain.rules[0] === MARK_RULE;
}

/** Ports of `ports` that do not have both chains, exactly as we write them. */
export function unprotectedPorts(text: string, ports: readonly string[]): string[] {
  const chains = parseTable(text);
  return ports.filter(
    (p) => !stands(chains.get(ingressChain(p)), 'ingress', p) || !stands(chains.get(egressChain(p)), 'egress', p),
  );
}

/** The nft script that gives `ports` their chains; what is there under these names is replaced in the same instant. */
export function protectScript(text: string, ports: readonly string[]): string {
  const chains = parseTable(text);
  const lines = [`add table netdev ${TABLE}`];
  for (const port of ports) {
    const spec = (hook: string, priority: number) =>
      `{ type filter hook ${hook} device "${port}" priority ${priority}; policy drop; }`;
    for (const [chain, hook, priority] of [
      [ingressChain(port), 'ingress', INGRESS_PRIORITY],
      [egressChain(port), 'egress', EGRESS_PRIORITY],
    ] as const) {
      if (chains.has(chain)) {
        if (stands(chains.get(chain), hook, port)) continue;
        lines.push(`flush chain netdev ${TABLE} ${chain}`, `delete chain netdev ${TABLE} ${chain}`);
      }
      lines.push(`add chain netdev ${TABLE} ${chain} ${spec(hook, priority)}`);
      if (hook === 'egress') lines.push(`add rule netdev ${TABLE} ${chain} ${MARK_RULE}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Chains of the second belt, by family. */
const BELT = {
  inet: [
    { name: 'arrive', hook: 'prerouting', direction: 'iifname' },
    { name: 'own', hook: 'output', direction: 'oifname' },
    { name: 'leave', hook: 'postrouting', direction: 'oifname' },
  ],
  arp: [
    { name: 'arrive', hook: 'input', direction: 'iifname' },
    { name: 'own', hook: 'output', direction: 'oifname' },
  ],
} as const;
type BeltFamily = keyof typeof BELT;
const BELT_FAMILIES: readonly BeltFamily[] = ['inet', 'arp'];
const beltHeader = (hook: string) => `type filter hook ${hook} priority ${INGRESS_PRIORITY}; policy accept;`;

/** The second belt for kernels whose netdev chains die with the device; replaces itself whole. */
export function beltScript(ports: readonly string[]): string {
  const set = `{ ${ports.map((p) => `"${p}"`).join(', ')} }`;
  const table = (family: BeltFamily) => [
    `add table ${family} ${TABLE}`,
    `delete table ${family} ${TABLE}`,
    `add table ${family} ${TABLE}`,
    ...BELT[family].flatMap(({ name, hook, direction }) => [
      `add chain ${family} ${TABLE} ${name} { ${beltHeader(hook)} }`,
      `add rule ${family} ${TABLE} ${name} ${direction} ${set} drop`,
    ]),
  ];
  return [...BELT_FAMILIES.flatMap(table), ''].join('\n');
}

/** True when a family's table, as nft lists it, is the belt around these ports and nothing else. */
export function isBelt(family: BeltFamily, text: string, ports: readonly string[]): boolean {
  const chains = parseTable(text);
  const named = (rule: string) => [...rule.matchAll(/"([^"]*)"/g)].map(([, name]) => name).sort();
  const wanted = JSON.stringify([...ports].sort());
  return (
    chains.size === BELT[family].length &&
    BELT[family].every(({ name, hook, direction }) => {
      const { header, rules } = chains.get(name) ?? { header: '', rules: [] };
      if (header !== beltHeader(hook) || rules.length !== 1) return false;
      const [, list] = new RegExp(`^${direction} ((?:"[^"]*")|\\{.*\\}) drop$`).exec(rules[0]) ?? [];
      return list !== undefined && JSON.stringify(named(list)) === wanted;
    })
  );
}

async function listTable(system: System, family: 'netdev' | BeltFamily = 'netdev'): Promise<string> {
  /* Without the table nft fails; then nothing stands, which is what the empty text says. */
  return await system.run('nft', ['list', 'table', family, TABLE]).catch(() => '');
}

/** True where chains may name a device that does not exist: asked from the kernel without changing anything. */
export async function bindsByName(system: System): Promise<boolean> {
  const probe =
    'table netdev gscip_probe {\n chain p {\n type filter hook ingress device "gscip-nobody" priority 0\n }\n}\n';
  return await system.run('nft', ['-c', '-f', '-'], probe).then(
    () => true,
    () => false,
  );
}

/** Ports that are not protected as read back from the kernel. */
export async function findUnprotected(system: System, ports: readonly string[]): Promise<string[]> {
  return unprotectedPorts(await listTable(system), ports);
}

/** Puts both chains on each port and reads them back. Throws when one does not stand afterwards. */
export async function protect(system: System, ports: readonly string[]): Promise<void> {
  for (const port of ports) if (!isLinkName(port)) throw new Error(`"${port}" is not an interface name`);
  const text = await listTable(system);
  const missing = unprotectedPorts(text, ports);
  if (missing.length === 0) return;
  await system.run('nft', ['-f', '-'], protectScript(text, missing));
  const still = await findUnprotected(system, ports);
  if (still.length > 0) {
    const names = still.join(', ');
    throw new HostFault({
      en: `the drop rules of ${names} do not stand after installing them`,
      ja: `${names}の遮断規則を設定しましたが、反映されていません`,
    });
  }
}

async function hasBelt(system: System, ports: readonly string[]): Promise<boolean> {
  for (const family of BELT_FAMILIES) {
    if (!isBelt(family, await listTable(system, family), ports)) return false;
  }
  return true;
}

/**
 * Puts the second belt around `ports` where it does not stand already, and reads it back. True when it did not: who
 * looks after every change of the rules must find an end. Throws when it does not stand afterwards.
 */
export async function belt(system: System, ports: readonly string[]): Promise<boolean> {
  if (await hasBelt(system, ports)) return false;
  await system.run('nft', ['-f', '-'], beltScript(ports));
  if (await hasBelt(system, ports)) return true;
  const names = ports.join(', ');
  throw new HostFault({
    en: `the drop rules by name of ${names} do not stand after installing them`,
    ja: `${names}の名前による遮断規則を設定しましたが、反映されていません`,
  });
}

/** Takes the chains away from `ports`. */
export async function unprotect(system: System, ports: readonly string[]): Promise<void> {
  await removeChains(system, new Set(ports.flatMap((p) => [ingressChain(p), egressChain(p)])), true);
}

/** Takes the chains away from every port but `keep`. */
export async function unprotectOthers(system: System, keep: readonly string[]): Promise<void> {
  await removeChains(system, new Set(keep.flatMap((p) => [ingressChain(p), egressChain(p)])), false);
}

async function removeChains(system: System, names: ReadonlySet<string>, named: boolean): Promise<void> {
  const gone = [...parseTable(await listTable(system)).keys()].filter((c) => names.has(c) === named);
  if (gone.length === 0) return;
  const script = gone.map((c) => `flush chain netdev ${TABLE} ${c}\ndelete chain netdev ${TABLE} ${c}\n`).join('');
  await system.run('nft', ['-f', '-'], script);
}

/** Takes all of our tables away: whatever the ports are joined by passes from now on. */
export async function unprotectAll(system: System): Promise<void> {
  const script = ['netdev', 'inet', 'arp'].map((f) => `add table ${f} ${TABLE}\ndelete table ${f} ${TABLE}\n`).join('');
  await system.run('nft', ['-f', '-'], script);
}

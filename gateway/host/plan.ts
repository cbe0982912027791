/** Validates a configuration against the machine as it is now. Touches nothing. */
import ipaddr from 'ipaddr.js';
import type { GatewayConfig, ManagementPort } from '#config/config.ts';
import type { Text } from '#config/text.ts';
import { bindsByName } from './drops.ts';
import {
  findLink,
  INNER_PORT,
  isEndOf,
  isLinkName,
  KERNEL_END,
  type Link,
  MGMT_PORT,
  OPEN_BRIDGE,
  OUTER_PORT,
  readLinks,
} from './links.ts';
import type { Problem } from './problem.ts';
import type { System } from './system.ts';

/** The machine as it is. */
export interface Survey {
  readonly links: readonly Link[];
  /** Drop rules may be installed for a device that does not exist yet. */
  readonly byName: boolean;
}

export async function survey(system: System): Promise<Survey> {
  return { links: await readLinks(system), byName: await bindsByName(system) };
}

/** What is to be made of the machine, and what stands in the way. */
export interface HostPlan {
  readonly kind: GatewayConfig['kind'];
  /** As configured: for `router` the name that the kernel keeps using. */
  readonly outer: string;
  /** `bridge` only. */
  readonly inner: string | undefined;
  readonly management: ManagementPort | undefined;
  readonly port: GatewayConfig['port'];
  /** Empty, or nothing is touched. */
  readonly problems: readonly Problem[];
}

const RESERVED: readonly string[] = [OUTER_PORT, INNER_PORT, KERNEL_END, MGMT_PORT, OPEN_BRIDGE];

/** Pure: the same configuration on the same machine gives the same plan. */
export function plan(config: GatewayConfig, now: Survey): HostPlan {
  const inner = config.kind === 'bridge' ? config.inner : undefined;
  const management = config.kind === 'bridge' ? config.management : undefined;
  const problems = [...outerProblems(config, now.links)];
  if (inner !== undefined) {
    problems.push(...nicProblems('inner', inner, now.links));
    if (inner === config.outer) {
      problems.push({
        field: 'inner',
        problem: {
          en: `"${inner}" is also the outer port`,
          ja: `「${inner}」はネットワーク側のポートにも指定されています`,
        },
        fix: { en: 'name two different interfaces', ja: '異なる2つのインタフェースを指定してください' },
      });
    }
  }
  if (management !== undefined) problems.push(...managementProblems(management, config.outer, inner, now.links));
  return { kind: config.kind, outer: config.outer, inner, management, port: config.port, problems };
}

function outerProblems(config: GatewayConfig, links: readonly Link[]): Problem[] {
  const taken = findLink(links, OUTER_PORT);
  /* The place of the NIC was taken before: its name is the kernel's end now, or nobody's after a crash. */
  if (taken !== undefined) return nameProblems('outer', config.outer);
  return nicProblems('outer', config.outer, links);
}

function nameProblems(field: string, name: string): Problem[] {
  if (!isLinkName(name)) {
    const quoted = JSON.stringify(name);
    const problem = { en: `${quoted} is not an interface name`, ja: `${quoted}はインタフェース名として使えません` };
    const fix = {
      en: 'use 1 to 15 letters, digits, dots, dashes and underscores, as `ip link` shows the interface',
      ja: '「ip link」に表示される名前(英数字と「.」「-」「_」で1～15文字)を指定してください',
    };
    return [{ field, problem, fix }];
  }
  if (RESERVED.includes(name)) {
    const problem = {
      en: `"${name}" is a name that the gateway uses itself`,
      ja: `「${name}」はゲートウェイ自身が使用する名前です`,
    };
    const fix = { en: 'choose another interface', ja: '別のインタフェースを指定してください' };
    return [{ field, problem, fix }];
  }
  return [];
}

function nicProblems(field: string, name: string, links: readonly Link[]): Problem[] {
  const wrong = nameProblems(field, name);
  if (wrong.length > 0) return wrong;
  const link = findLink(links, name);
  if (link === undefined) {
    const there = links.filter((l) => l.type === 'ether' && !RESERVED.includes(l.name)).map((l) => l.name);
    const problem = { en: `interface "${name}" does not exist`, ja: `インタフェース「${name}」がありません` };
    const fix: Text =
      there.length > 0
        ? { en: `choose one of: ${there.join(', ')}`, ja: `次のいずれかを指定してください: ${there.join(', ')}` }
        : { en: 'plug the network interface in', ja: 'ネットワークインタフェースを接続してください' };
    return [{ field, problem, fix }];
  }
  if (link.type !== 'ether') {
    const problem = {
      en: `"${name}" is not an Ethernet interface`,
      ja: `「${name}」はEthernetインタフェースではありません`,
    };
    const fix = { en: 'choose an Ethernet interface', ja: 'Ethernetインタフェースを指定してください' };
    return [{ field, problem, fix }];
  }
  if (link.kind === 'bridge' || link.kind === 'bond') {
    const kind = link.kind === 'bridge' ? 'ブリッジ' : 'ボンディング';
    const problem = { en: `"${name}" is a ${link.kind}`, ja: `「${name}」は${kind}インタフェースです` };
    const fix = {
      en: 'name the network interface itself',
      ja: '物理的なネットワークインタフェースを指定してください',
    };
    return [{ field, problem, fix }];
  }
  if (link.master !== undefined && link.master !== OPEN_BRIDGE) {
    const problem = {
      en: `"${name}" belongs to "${link.master}"`,
      ja: `「${name}」は「${link.master}」に属しています`,
    };
    const fix = {
      en: `take it out: ip link set dev ${name} nomaster`,
      ja: `「ip link set dev ${name} nomaster」で外してください`,
    };
    return [{ field, problem, fix }];
  }
  return [];
}

function managementProblems(
  management: ManagementPort,
  outer: string,
  inner: string | undefined,
  links: readonly Link[],
): Problem[] {
  const field = 'management.name';
  const { name } = management;
  const problems = nameProblems(field, name);
  if (problems.length === 0 && (name === outer || name === inner)) {
    problems.push({
      field,
      problem: { en: `"${name}" is a port of the datapath`, ja: `「${name}」はネットワーク側または機器側のポートです` },
      fix: { en: 'choose another name, such as mgmt', ja: 'mgmtなど別の名前を指定してください' },
    });
  }
  const there = findLink(links, name);
  if (problems.length === 0 && there !== undefined && !isEndOf(there, MGMT_PORT) && !isEndOf(there, INNER_PORT)) {
    problems.push({
      field,
      problem: { en: `an interface "${name}" exists already`, ja: `インタフェース「${name}」がすでに存在します` },
      fix: {
        en: 'choose another name, or remove that interface',
        ja: '別の名前を指定するか、そのインタフェースを削除してください',
      },
    });
  }
  const networks: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const text of management.addresses) {
    if (ipaddr.isValidCIDR(text)) networks.push(ipaddr.parseCIDR(text));
    else {
      const fix = {
        en: 'write address and prefix length, such as 192.0.2.10/24',
        ja: 'アドレスとプレフィックス長を指定してください(例: 192.0.2.10/24)',
      };
      problems.push({ field: 'management.addresses', problem: notAnAddress(text), fix });
    }
  }
  problems.push(...gatewayProblems(management.gateways, networks));
  return problems;
}

const notAnAddress = (text: string): Text => ({
  en: `${JSON.stringify(text)} is not an address`,
  ja: `${JSON.stringify(text)}はアドレスではありません`,
});

function gatewayProblems(gateways: readonly string[], networks: [ipaddr.IPv4 | ipaddr.IPv6, number][]): Problem[] {
  const field = 'management.gateways';
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const text of gateways) {
    if (!ipaddr.isValid(text)) {
      const fix = { en: 'write the router’s address', ja: 'ルータのアドレスを指定してください' };
      problems.push({ field, problem: notAnAddress(text), fix });
      continue;
    }
    const gateway = ipaddr.parse(text);
    if (seen.has(gateway.kind())) {
      const version = gateway.kind() === 'ipv4' ? 'IPv4' : 'IPv6';
      problems.push({
        field,
        problem: { en: `two gateways for ${version}`, ja: `${version}のデフォルトゲートウェイが2つあります` },
        fix: { en: 'leave one for each IP version', ja: 'IPバージョンごとに1つだけにしてください' },
      });
    }
    seen.add(gateway.kind());
    const near =
      gateway.range() === 'linkLocal' ||
      networks.some(([n, bits]) => n.kind() === gateway.kind() && gateway.match(n, bits));
    if (!near) {
      problems.push({
        field,
        problem: {
          en: `gateway ${text} is in none of the management networks`,
          ja: `デフォルトゲートウェイ${text}は管理用アドレスのどのネットワークにも含まれていません`,
        },
        fix: {
          en: 'correct the gateway, or the prefix length of the address',
          ja: 'デフォルトゲートウェイか、アドレスのプレフィックス長を修正してください',
        },
      });
    }
  }
  return problems;
}

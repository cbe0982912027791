/** Validates a configuration against the machine as it is now. Touches nothing. */
import ipaddr from 'ipaddr.js';
import type { GatewayConfig, ManagementPort } from '#config/config.ts';
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
import type { Problem, System } from './system.ts';

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
      const fix = 'name two different interfaces';
      problems.push({ field: 'inner', problem: `"${inner}" is also the outer port`, fix });
    }
  }
  if (management !== undefined) problems.push(...managementProblems(management, config.outer, inner, now.links));
  return { kind: config.kind, outer: config.outer, inner, management, problems };
}

function outerProblems(config: GatewayConfig, links: readonly Link[]): Problem[] {
  const taken = findLink(links, OUTER_PORT);
  /* The place of the NIC was taken before: its name is the kernel's end now, or nobody's after a crash. */
  if (taken !== undefined) return nameProblems('outer', config.outer);
  return nicProblems('outer', config.outer, links);
}

function nameProblems(field: string, name: string): Problem[] {
  if (!isLinkName(name)) {
    const fix = 'use 1 to 15 letters, digits, dots, dashes and underscores, as `ip link` shows the interface';
    return [{ field, problem: `${JSON.stringify(name)} is not an interface name`, fix }];
  }
  if (RESERVED.includes(name)) {
    return [{ field, problem: `"${name}" is a name that the gateway uses itself`, fix: 'choose another interface' }];
  }
  return [];
}

function nicProblems(field: string, name: string, links: readonly Link[]): Problem[] {
  const wrong = nameProblems(field, name);
  if (wrong.length > 0) return wrong;
  const link = findLink(links, name);
  if (link === undefined) {
    const there = links.filter((l) => l.type === 'ether' && !RESERVED.includes(l.name)).map((l) => l.name);
    const fix = there.length > 0 ? `choose one of: ${there.join(', ')}` : 'plug the network interface in';
    return [{ field, problem: `interface "${name}" does not exist`, fix }];
  }
  if (link.type !== 'ether') {
    return [{ field, problem: `"${name}" is not an Ethernet interface`, fix: 'choose an Ethernet interface' }];
  }
  if (link.kind === 'bridge' || link.kind === 'bond') {
    return [{ field, problem: `"${name}" is a ${link.kind}`, fix: 'name the network interface itself' }];
  }
  if (link.master !== undefined && link.master !== OPEN_BRIDGE) {
    const fix = `take it out: ip link set dev ${name} nomaster`;
    return [{ field, problem: `"${name}" belongs to "${link.master}"`, fix }];
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
    problems.push({ field, problem: `"${name}" is a port of the datapath`, fix: 'choose another name, such as mgmt' });
  }
  const there = findLink(links, name);
  if (problems.length === 0 && there !== undefined && !isEndOf(there, MGMT_PORT) && !isEndOf(there, INNER_PORT)) {
    const fix = 'choose another name, or remove that interface';
    problems.push({ field, problem: `an interface "${name}" exists already`, fix });
  }
  const networks: [ipaddr.IPv4 | ipaddr.IPv6, number][] = [];
  for (const text of management.addresses) {
    if (ipaddr.isValidCIDR(text)) networks.push(ipaddr.parseCIDR(text));
    else {
      const fix = 'write address and prefix length, such as 192.0.2.10/24';
      problems.push({ field: 'management.addresses', problem: `${JSON.stringify(text)} is not an address`, fix });
    }
  }
  problems.push(...gatewayProblems(management.gateways, networks));
  return problems;
}

function gatewayProblems(gateways: readonly string[], networks: [ipaddr.IPv4 | ipaddr.IPv6, number][]): Problem[] {
  const field = 'management.gateways';
  const problems: Problem[] = [];
  const seen = new Set<string>();
  for (const text of gateways) {
    if (!ipaddr.isValid(text)) {
      problems.push({ field, problem: `${JSON.stringify(text)} is not an address`, fix: 'write the router’s address' });
      continue;
    }
    const gateway = ipaddr.parse(text);
    if (seen.has(gateway.kind())) {
      problems.push({ field, problem: `two gateways for ${gateway.kind()}`, fix: 'leave one for each IP version' });
    }
    seen.add(gateway.kind());
    const near =
      gateway.range() === 'linkLocal' ||
      networks.some(([n, bits]) => n.kind() === gateway.kind() && gateway.match(n, bits));
    if (!near) {
      const fix = 'correct the gateway, or the prefix length of the address';
      problems.push({ field, problem: `gateway ${text} is in none of the management networks`, fix });
    }
  }
  return problems;
}

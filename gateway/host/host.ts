/**
 * Makes a machine into a gateway and back. The way in: validate all (plan), then touch, drops first, ports up last.
 * The ways out: stop and crash leave the drops where they are; only `release` opens, and the caller audits it.
 *
 *   system     programs and files            links      interfaces, names, our marks
 *   problem    what went wrong, in words
 *   plan       what stands in the way        drops      nftables: fail closed
 *   ports      quiet, offloads, up           bridge, router   the kinds (router: addresses, snapshot)
 *   watch      what happens behind our back
 */
import type { Text } from '#config/text.ts';
import {
  bridgeMtu,
  bridgePorts,
  establishBridge,
  type HostPorts,
  openBridge,
  removeBridge,
  type Undo,
} from './bridge.ts';
import { belt, protect, unprotectAll, unprotectOthers } from './drops.ts';
import { findLink, INNER_PORT, isEndOf, KERNEL_END, type Link, OUTER_PORT, readLinks } from './links.ts';
import { type HostPlan, type Survey, survey } from './plan.ts';
import { blame, HostError, wordsOf } from './problem.ts';
import { establishRouter, findRouter, ROUTER_PORTS, returnNic, routerMtu } from './router.ts';
import { loadSnapshot } from './snapshot.ts';
import { linux, type System } from './system.ts';

export interface Applied {
  readonly ports: HostPorts;
  /** Routes that could not be restored, in the words of `ip`. */
  readonly warnings: readonly string[];
}

const TRY_AGAIN: Text = {
  en: 'see dmesg and ip link, then start again; what is protected stays protected',
  ja: 'dmesgと「ip link」を確認し、もう一度起動してください。遮断済みのポートは遮断されたままです',
};
const NO_NFTABLES: Text = {
  en: 'install nftables, with a kernel that has netdev ingress and egress hooks (5.16 or later)',
  ja: 'nftablesと、netdevのingressおよびegressフックを備えたカーネル(5.16以降)を用意してください',
};
const RELEASE_AGAIN: Text = {
  en: 'see ip link and ip addr, then release again',
  ja: '「ip link」と「ip addr」を確認し、もう一度releaseを実行してください',
};

/** Interfaces that must have drops once the plan stands. */
export function protectedPorts(plan: HostPlan): readonly string[] {
  return plan.kind === 'bridge' ? bridgePorts(plan) : ROUTER_PORTS;
}

/** The largest layer-3 packet that passes all ports; undefined while one is not there, or not ours. */
export function sharedMtu(plan: HostPlan, links: readonly Link[]): number | undefined {
  const { nic, kernel, inner } = findRouter(links, plan.outer);
  const ports = plan.kind === 'router' ? [nic, inner] : [plan.outer, plan.inner ?? ''].map((n) => findLink(links, n));
  const [first, second] = ports;
  if (first?.mark === undefined || second?.mark === undefined) return undefined;
  if (plan.kind === 'bridge') return bridgeMtu(first, second);
  return kernel && routerMtu(first, second, kernel);
}

/**
 * Brings the machine into the planned state from whatever state it is in: untouched, half made by a run that was
 * killed, released, or made for another configuration. Throws HostError; then what was done is undone in reverse,
 * except the drops, which stay.
 */
export async function apply(plan: HostPlan, system: System = linux): Promise<Applied> {
  if (plan.problems.length > 0) throw new HostError(plan.problems);
  const undo: Undo = [];
  try {
    return await blame('outer', TRY_AGAIN, () => applyAll(plan, system, undo));
  } catch (error) {
    const problems = error instanceof HostError ? [...error.problems] : [];
    for (const step of undo.reverse()) {
      await step().catch((failure: unknown) => {
        const { en, ja } = wordsOf(failure);
        const problem = { en: `undoing failed: ${en}`, ja: `変更を元に戻せませんでした: ${ja}` };
        problems.push({ field: 'outer', problem, fix: TRY_AGAIN });
      });
    }
    throw new HostError(problems, error);
  }
}

async function applyAll(plan: HostPlan, system: System, undo: Undo): Promise<Applied> {
  const now = await survey(system);
  await blame('outer', NO_NFTABLES, () => protectFirst(system, plan, now));
  await leaveOtherKind(system, plan);
  const applied =
    plan.kind === 'bridge'
      ? { ports: await establishBridge(system, plan, now, undo), warnings: [] }
      : await applyRouter(system, plan, now, undo);
  await unprotectOthers(system, protectedPorts(plan));
  return applied;
}

async function applyRouter(system: System, plan: HostPlan, now: Survey, undo: Undo): Promise<Applied> {
  const { warnings, ...ports } = await establishRouter(system, plan, now, undo);
  return { ports, warnings };
}

/** Everything that is or becomes a port is closed, under the name that it has now. */
async function protectFirst(system: System, plan: HostPlan, now: Survey): Promise<void> {
  const wanted = [...protectedPorts(plan)];
  if (plan.kind === 'router') {
    const { nic } = findRouter(now.links, plan.outer);
    if (nic !== undefined) wanted.push(nic.name);
  }
  const old = now.links.filter((l) => l.name === OUTER_PORT || l.name === INNER_PORT).map((l) => l.name);
  const names = [...new Set([...wanted, ...old])];
  const present = names.filter((n) => now.byName || findLink(now.links, n) !== undefined);
  await protect(system, present);
  if (!now.byName) await belt(system, protectedPorts(plan));
}

/**
 * A machine that was a router, or a router by way of another NIC, gives that NIC back before it becomes something else.
 */
async function leaveOtherKind(system: System, plan: HostPlan): Promise<void> {
  const links = await readLinks(system);
  if (plan.kind === 'router') {
    await removeBridge(system, links);
  }
  const stored = await loadSnapshot(system, links);
  const kernel = links.find((l) => l.name === KERNEL_END || isEndOf(l, INNER_PORT));
  const name = stored?.name ?? (kernel?.name === KERNEL_END ? undefined : kernel?.name);
  if (name === undefined || (plan.kind === 'router' && name === plan.outer)) return;
  const fix: Text = {
    en: `see ip link and ip addr of "${name}"`,
    ja: `「${name}」の状態を「ip link」と「ip addr」で確認してください`,
  };
  await blame('outer', fix, () => returnNic(system, name));
}

/** Closed for good until somebody opens it: the drops are read back, and put back where one is missing. */
export async function shutdown(plan: HostPlan, system: System = linux): Promise<void> {
  const links = await readLinks(system);
  const present = protectedPorts(plan).filter((p) => findLink(links, p) !== undefined);
  await blame('outer', NO_NFTABLES, () => protect(system, present));
}

/**
 * Opens the machine: plain traffic passes, unprotected and unseen, until the next `apply`. For `bridge` a kernel bridge
 * joins the ports, for `router` the NIC gets its place back. The caller has asked a person, and audits.
 */
export async function release(plan: HostPlan, system: System = linux): Promise<void> {
  await blame('outer', RELEASE_AGAIN, async () => {
    if (plan.kind === 'bridge') {
      await leaveOtherKind(system, plan);
      await openBridge(system, plan);
    } else {
      await returnNic(system, plan.outer);
      await unprotectAll(system);
    }
  });
}

/**
 * Two labs side by side, equal but for what stands between the hosts. Only one of them is loaded at a time; an idle
 * gateway takes no measurable CPU time.
 *
 *   plain    h1 .1 ── [kernel bridge] ── [kernel bridge] ── h2 .2
 *   sealed   h1 .1 ── [   ge-a      ] ── [   ge-b      ] ── h2 .2       group with `sealed`, the GMS on cables of its own
 */
import type { Lab } from '#kit/lab.ts';
import type { Machine, Profile } from '#kit/machine.ts';
import { startIperfServer } from '#kit/programs/iperf3.ts';
import { type BridgeLab, bridge } from '../../lab/topologies/bridge.ts';
import { Connector } from './connector.ts';
import type { Side } from './statistics.ts';

export interface BenchLab extends BridgeLab {
  readonly side: Side;
  readonly connector: Connector;
  /** Addresses besides the usual ones; every pair of them is fresh until it is used. */
  readonly addresses: { readonly h1: readonly string[]; readonly h2: readonly string[] };
}

export interface SideBySide extends Readonly<Record<Side, BenchLab>> {
  readonly profile: Profile;
}

const ADDRESSES = 16;
const WORKERS = 1;

/** Builds both labs; `lab.remove()` of each removes it. */
export async function sideBySide(plain: Lab, sealed: Lab): Promise<SideBySide> {
  return { plain: await build(plain, 'plain'), sealed: await build(sealed, 'sealed'), profile: plain.profile };
}

async function build(lab: Lab, side: Side): Promise<BenchLab> {
  const gateways = side === 'plain' ? 'kernel' : 'gscip';
  const net = await bridge(lab, { gateways, wan: 'cable', workers: WORKERS });
  const addresses = { h1: fresh(100), h2: fresh(200) };
  await addAddresses(net.h1, addresses.h1);
  await addAddresses(net.h2, addresses.h2);
  await knowNeighbours(net.h1, net.h2, addresses.h2);
  await knowNeighbours(net.h2, net.h1, addresses.h1);
  await startIperfServer(net.h2);
  return { ...net, side, addresses, connector: await Connector.start(net.h1, net.h2) };
}

const fresh = (from: number): string[] => Array.from({ length: ADDRESSES }, (_, i) => `10.70.0.${from + i}`);

const addAddresses = (machine: Machine, addresses: readonly string[]): Promise<void> =>
  machine.address('eth0', ...addresses.map((a) => `${a}/24`));

/** Address resolution is no part of a negotiation, and would be paid by both sides. */
async function knowNeighbours(machine: Machine, neighbour: Machine, addresses: readonly string[]): Promise<void> {
  const [link] = JSON.parse(await neighbour.ip('-j', 'link', 'show', 'dev', 'eth0')) as [{ address: string }];
  for (const a of addresses) {
    await machine.ip('neigh', 'replace', a, 'lladdr', link.address, 'dev', 'eth0', 'nud', 'permanent');
  }
}

/** Starts both gateways anew: nothing is compiled and no pair is known. */
export async function restartGateways({ a, b }: BenchLab): Promise<void> {
  const boxes = [a, b];
  await Promise.all(boxes.map((box) => box.stop()));
  await Promise.all(boxes.map((box) => box.start()));
  await Promise.all(boxes.map((box) => box.reaches('running')));
}

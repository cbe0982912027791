/**
 * Labs side by side, equal but for what stands between the hosts. Only one of them is loaded at a time; an idle gateway
 * takes no measurable CPU time.
 *
 *   plain                     h1 .1 ── [kernel bridge] ── [kernel bridge] ── h2 .2
 *   sealed, pccom             h1 .1 ── [   ge-a      ] ── [   ge-b      ] ── h2 .2     a group with that transform
 *   verdict                   h1 .1 ── [   ge-a      ] ── [   ge-b      ] ── h2 .2     no common group: plaintext passes
 *   wireguard-go, strongswan  h1 ── [gw-a] ── [gw-b] ── h2                             peers/lab.ts
 *
 * The GMS of a lab is on cables of its own.
 */
import type { GatewayBox } from '#kit/gateway-box.ts';
import { type End, Lab } from '#kit/lab.ts';
import { type Machine, PROFILE_FEATURES, type Profile } from '#kit/machine.ts';
import { startIperfServer } from '#kit/programs/iperf3.ts';
import { bridge, H1, H2 } from '../../lab/topologies/bridge.ts';
import { Connector } from './connector.ts';
import { isPeer, type Mode } from './modes.ts';
import { peerLab } from './peers/lab.ts';
import type { Tunnel } from './peers/tunnel.ts';

export interface BenchLab {
  readonly mode: Mode;
  readonly lab: Lab;
  readonly h1: Machine;
  readonly h2: Machine;
  readonly connector: Connector;
  /** What h1 and h2 call themselves. */
  readonly near: string;
  readonly far: string;
  /** Both ends of the cable between what stands between the hosts. */
  readonly between: readonly Pick<End, 'machine' | 'link'>[];
  /** Addresses besides the usual ones; every pair of them is fresh until it is used. None where a tunnel stands. */
  readonly addresses: { readonly h1: readonly string[]; readonly h2: readonly string[] };
  /** Ours: h1's and h2's. */
  readonly gateways: readonly GatewayBox[];
  readonly tunnel?: Tunnel;
}

const ADDRESSES = 16;
const WORKERS = 1;

/** Makes a lab of its own; the caller removes `lab`, which `made` is told of before anything can fail. */
export async function build(mode: Mode, profile: Profile, made: (lab: Lab) => void): Promise<BenchLab> {
  const lab = await Lab.make(profile);
  made(lab);
  const net = isPeer(mode) ? await peerLab(lab, mode) : await ourLab(lab, mode);
  await startIperfServer(net.h2);
  return { ...net, mode, lab, connector: await Connector.start(net.h1, net.h2) };
}

async function ourLab(lab: Lab, mode: Mode): Promise<Omit<BenchLab, 'mode' | 'lab' | 'connector'>> {
  const gateways = mode === 'plain' ? 'kernel' : 'gscip';
  const net = await bridge(lab, {
    gateways,
    wan: 'cable',
    workers: WORKERS,
    ...(mode === 'pccom' && { transform: mode }),
    ...(mode === 'verdict' && { b: { groups: [] } }),
  });
  const addresses = { h1: fresh(100), h2: fresh(200) };
  await addAddresses(net.h1, addresses.h1);
  await addAddresses(net.h2, addresses.h2);
  await knowNeighbours(net.h1, net.h2, [H2.v4, ...addresses.h2]);
  await knowNeighbours(net.h2, net.h1, [H1.v4, ...addresses.h1]);
  const [a, b] = [net.a, net.b];
  return {
    h1: net.h1,
    h2: net.h2,
    near: H1.v4,
    far: H2.v4,
    between: [a, b].map(({ machine }) => ({ machine, link: 'outer' })),
    addresses,
    gateways: mode === 'plain' ? [] : [a, b],
  };
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
export async function restartGateways({ gateways }: BenchLab): Promise<void> {
  await Promise.all(gateways.map((box) => box.stop()));
  await Promise.all(gateways.map((box) => box.start()));
  await Promise.all(gateways.map((box) => box.reaches('running')));
}

/** Every cable of a lab changes to `profile`. Features are only taken away: `offload` stands first in a run. */
export async function changeProfile({ lab }: BenchLab, profile: Profile): Promise<void> {
  if (PROFILE_FEATURES[profile].length === 0) return;
  for (const machine of lab.machines) {
    const links = JSON.parse(await machine.ip('-j', 'link', 'show', 'type', 'veth')) as { ifname?: string }[];
    for (const { ifname } of links) if (ifname !== undefined) await lab.applyProfile(machine, ifname, profile);
  }
}

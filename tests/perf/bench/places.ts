/**
 * Where the benchmark measures: the same network twice, side by side, so that plain and protected samples alternate and
 * neither has to be rebuilt for the other.
 *
 *   h1 ── [ge-a] ──── cable ──── [ge-b] ── h2        plain: kernel bridges      sealed: two gateways
 */
import { Lab } from '#kit/lab.ts';
import type { Profile } from '#kit/machine.ts';
import { startIperfServer } from '#kit/programs/iperf3.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { type BridgeLab, bridge, H2 } from '../../lab/topologies/bridge.ts';

export const WAYS = ['plain', 'sealed'] as const;
export type Way = (typeof WAYS)[number];

export interface Place {
  readonly net: BridgeLab;
  /** Addresses of h2 that nobody has talked to; taken from the front. */
  readonly fresh: string[];
}

export type Places = Readonly<Record<Way, Place>>;

/** How many addresses nobody has talked to there are on each h2. */
export const FRESH = 120;

export async function makePlaces(profile: Profile): Promise<Places & { remove(): Promise<void> }> {
  const labs: Lab[] = [];
  const remove = async () => {
    for (const lab of labs) await lab.remove();
  };
  const place = async (gateways: 'kernel' | 'gscip'): Promise<Place> => {
    const lab = await Lab.make(profile);
    labs.push(lab);
    const net = await bridge(lab, { gateways, wan: 'cable' });
    const fresh = await freshAddresses(net);
    await startIperfServer(net.h2);
    await WebServer.start(lab, net.h2);
    return { net, fresh };
  };
  try {
    return { plain: await place('kernel'), sealed: await place('gscip'), remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** The devices know each other's MAC addresses: no question for one is measured along. */
async function freshAddresses({ h1, h2 }: BridgeLab): Promise<string[]> {
  const macOf = async (machine: typeof h1): Promise<string> =>
    (JSON.parse(await machine.ip('-j', 'link', 'show', 'dev', 'eth0')) as { address: string }[])[0].address;
  const mac = await macOf(h2);
  const addresses = Array.from({ length: FRESH }, (_, i) => `10.70.0.${100 + i}`);
  for (const a of addresses) await h2.address('eth0', `${a}/24`);
  for (const a of [H2.v4, ...addresses]) {
    await h1.ip('neigh', 'replace', a, 'lladdr', mac, 'dev', 'eth0', 'nud', 'permanent');
  }
  await h2.ip('neigh', 'replace', '10.70.0.1', 'lladdr', await macOf(h1), 'dev', 'eth0', 'nud', 'permanent');
  return addresses;
}

/**
 * Two hosts whose routers have a tunnel between them:
 *
 *   h1 .1 ── [gw-a] .1 ══ tunnel ══ .2 [gw-b] ── .1 h2
 *   10.71.1.0/24        10.71.0.0/30           10.71.2.0/24
 */
import type { Lab } from '#kit/lab.ts';
import type { BenchLab } from '../lab.ts';
import type { Peer } from '../modes.ts';
import { SITES } from './sites.ts';
import { strongSwan } from './strongswan.ts';
import type { Tunnel } from './tunnel.ts';
import { wireGuard } from './wireguard.ts';

const TUNNELS: Readonly<Record<Peer, (lab: Lab) => Promise<Tunnel>>> = {
  'wireguard-go': wireGuard,
  strongswan: strongSwan,
};

export async function peerLab(lab: Lab, peer: Peer): Promise<Omit<BenchLab, 'mode' | 'lab' | 'connector'>> {
  const [h1, h2] = [await lab.machine('h1'), await lab.machine('h2')];
  const [a, b] = [await lab.machine(SITES[0].name), await lab.machine(SITES[1].name)];
  await lab.cable(
    { machine: a, link: 'outer', addresses: [`${SITES[0].address}/30`] },
    { machine: b, link: 'outer', addresses: [`${SITES[1].address}/30`] },
  );
  for (const [n, host, router] of [[1, h1, a] as const, [2, h2, b] as const]) {
    const at = (last: number): string[] => [`10.71.${n}.${last}/24`];
    await lab.cable(
      { machine: host, link: 'eth0', addresses: at(1) },
      { machine: router, link: 'inner', addresses: at(254) },
    );
    await host.route(`10.71.${n}.254`);
    await router.forward();
  }
  return {
    h1,
    h2,
    near: '10.71.1.1',
    far: '10.71.2.1',
    between: [a, b].map((machine) => ({ machine, link: 'outer' })),
    addresses: { h1: [], h2: [] },
    gateways: [],
    tunnel: await TUNNELS[peer](lab),
  };
}

/**
 * A plant with an office, two servers, and somebody else:
 *
 *                                        gms .9.9
 *                                           │
 *   h1 .1.11 ─┐                             │   ┌── [ge-b bridge, open]   ── server1 .2.2    plant: sealed
 *             ├─ [ge-a router, open] ────  core ┤
 *   h2 .1.12 ─┘   groups plant, vault       │   └── [ge-c bridge, closed] ── server2 .3.3    vault: pccom
 *                                           │
 *                                        h3 .4.3    a plain host, behind no gateway
 *
 * Networks 10.72.N.0/24 and fd72:N::/64. What crosses the core is captured on its links `a`, `b`, `c`, `h3`.
 */
import { GatewayBox, type Gateways, startGateways } from '#kit/gateway-box.ts';
import { GmsBox } from '#kit/gms-box.ts';
import type { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';

export interface MixedOptions {
  readonly gateways: Gateways;
  readonly workers?: number;
}

export interface MixedLab {
  readonly lab: Lab;
  readonly h1: Machine;
  readonly h2: Machine;
  readonly h3: Machine;
  readonly core: Machine;
  readonly server1: Machine;
  readonly server2: Machine;
  readonly a: GatewayBox;
  readonly b: GatewayBox;
  readonly c: GatewayBox;
  startGateways(): Promise<GmsBox>;
}

export const MIXED = {
  h1: { v4: '10.72.1.11', v6: 'fd72:1::11' },
  h2: { v4: '10.72.1.12', v6: 'fd72:1::12' },
  server1: { v4: '10.72.2.2', v6: 'fd72:2::2' },
  server2: { v4: '10.72.3.3', v6: 'fd72:3::3' },
  h3: { v4: '10.72.4.3', v6: 'fd72:4::3' },
};
export const TRANSFORMS = { plant: 'sealed', vault: 'pccom' } as const;
export const GROUPS = ['plant', 'vault'] as const satisfies (keyof typeof TRANSFORMS)[];

/** The addresses of machine `host` in network `net`, with prefix length. */
const at = (net: number, host: number): string[] => [`10.72.${net}.${host}/24`, `fd72:${net}::${host}/64`];
export const NETWORKS = { at };
const via = (net: number, host: number) => [`10.72.${net}.${host}`, `fd72:${net}::${host}`];

export async function mixed(lab: Lab, { gateways, workers = 1 }: MixedOptions): Promise<MixedLab> {
  const machine = (name: string) => lab.machine(name);
  const [h1, h2, h3, core, gmsMachine] = [
    await machine('h1'),
    await machine('h2'),
    await machine('h3'),
    await machine('core'),
    await machine('gms'),
  ];
  const [boxA, boxB, boxC] = [await machine('ge-a'), await machine('ge-b'), await machine('ge-c')];
  const [server1, server2] = [await machine('server1'), await machine('server2')];
  await boxA.forward();
  await core.forward();

  await lab.cable({ machine: h1, link: 'eth0', addresses: at(1, 11) }, { machine: boxA, link: 'lan1' });
  await lab.cable({ machine: h2, link: 'eth0', addresses: at(1, 12) }, { machine: boxA, link: 'lan2' });
  await boxA.bridge('lan', ['lan1', 'lan2']);
  await boxA.address('lan', ...at(1, 1));
  await lab.cable(
    { machine: boxA, link: 'wan0', addresses: at(0, 2) },
    { machine: core, link: 'a', addresses: at(0, 1) },
  );
  await lab.cable({ machine: core, link: 'b', addresses: at(2, 1) }, { machine: boxB, link: 'outer' });
  await lab.cable({ machine: boxB, link: 'inner' }, { machine: server1, link: 'eth0', addresses: at(2, 2) });
  await lab.cable({ machine: core, link: 'c', addresses: at(3, 1) }, { machine: boxC, link: 'outer' });
  await lab.cable({ machine: boxC, link: 'inner' }, { machine: server2, link: 'eth0', addresses: at(3, 3) });
  await lab.cable(
    { machine: core, link: 'h3', addresses: at(4, 1) },
    { machine: h3, link: 'eth0', addresses: at(4, 3) },
  );
  await lab.cable(
    { machine: core, link: 'gms', addresses: at(9, 1) },
    { machine: gmsMachine, link: 'eth0', addresses: at(9, 9) },
  );

  for (const h of [h1, h2]) await h.route(...via(1, 1));
  await boxA.route(...via(0, 1));
  await server1.route(...via(2, 1));
  await server2.route(...via(3, 1));
  await h3.route(...via(4, 1));
  await gmsMachine.route(...via(9, 1));
  await core.ip('route', 'add', '10.72.1.0/24', 'via', '10.72.0.2');
  await core.ip('route', 'add', 'fd72:1::/64', 'via', 'fd72:0::2');

  const bridgePorts = { kind: 'bridge', outer: 'outer', inner: 'inner', workers } as const;
  const a = new GatewayBox(lab, boxA, { kind: 'router', outer: 'wan0', mode: 'open', groups: GROUPS, workers });
  const b = new GatewayBox(lab, boxB, {
    ...bridgePorts,
    mode: 'open',
    groups: ['plant'],
    management: { addresses: at(2, 12), gateways: via(2, 1) },
  });
  const c = new GatewayBox(lab, boxC, {
    ...bridgePorts,
    mode: 'closed',
    groups: ['vault'],
    management: { addresses: at(3, 13), gateways: via(3, 1) },
  });
  let gms: GmsBox | undefined;
  const topology: MixedLab = {
    ...{ lab, h1, h2, h3, core, server1, server2, a, b, c },
    async startGateways() {
      gms ??= await GmsBox.make(lab, gmsMachine, via(9, 9), GROUPS, TRANSFORMS);
      await startGateways([a, b, c], gms);
      return gms;
    },
  };
  if (gateways === 'gscip') await topology.startGateways();
  else for (const box of [a, b, c]) await box.beKernel();
  return topology;
}

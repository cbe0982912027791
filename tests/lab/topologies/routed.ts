/**
 * Two subnets, a router and a bridge, a core router between them:
 *
 *                                       gms 10.71.9.9
 *                                            │
 *   h1 10.71.1.2 ── [ge-a router] ── wan0 ─ core ── [ge-b bridge] ── server 10.71.2.2
 *       10.71.1.0/24          10.71.0.0/24        10.71.2.0/24            (the same in fd71:…)
 *
 * What the two gateways send each other is captured on the core's links `a` and `b`.
 */
import { GatewayBox, type GatewayPlan, type Gateways, startGateways } from '#kit/gateway-box.ts';
import { GmsBox } from '#kit/gms-box.ts';
import type { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';

export interface RoutedOptions {
  readonly gateways: Gateways;
  readonly workers?: number;
  readonly a?: Partial<GatewayPlan>;
  readonly b?: Partial<GatewayPlan>;
}

export interface RoutedLab {
  readonly lab: Lab;
  readonly h1: Machine;
  readonly server: Machine;
  readonly core: Machine;
  readonly a: GatewayBox;
  readonly b: GatewayBox;
  readonly gmsMachine: Machine;
  startGateways(): Promise<GmsBox>;
  /** Makes the GMS, once. */
  makeGms(): Promise<GmsBox>;
}

export const ROUTED = {
  h1: { v4: '10.71.1.2', v6: 'fd71:1::2' },
  server: { v4: '10.71.2.2', v6: 'fd71:2::2' },
  gms: { v4: '10.71.9.9', v6: 'fd71:9::9' },
};
const GROUP = 'plant';

/** The addresses of machine `host` in network `net`, with prefix length. */
const at = (net: number, host: number) => [`10.71.${net}.${host}/24`, `fd71:${net}::${host}/64`];
const via = (net: number, host: number) => [`10.71.${net}.${host}`, `fd71:${net}::${host}`];

/** What the core's link to ge-a bears. */
export const CORE_TO_A = {
  addresses: at(0, 1),
  routes: [
    ['10.71.1.0/24', 'via', '10.71.0.2'],
    ['fd71:1::/64', 'via', 'fd71:0::2'],
  ],
};

export async function routed(lab: Lab, options: RoutedOptions): Promise<RoutedLab> {
  const { gateways, workers = 1 } = options;
  const [h1, boxA, core] = [await lab.machine('h1'), await lab.machine('ge-a'), await lab.machine('core')];
  const [boxB, server, gmsMachine] = [await lab.machine('ge-b'), await lab.machine('server'), await lab.machine('gms')];
  await boxA.forward();
  await core.forward();
  await lab.cable(
    { machine: h1, link: 'eth0', addresses: at(1, 2) },
    { machine: boxA, link: 'lan0', addresses: at(1, 1) },
  );
  await lab.cable(
    { machine: boxA, link: 'wan0', addresses: at(0, 2) },
    { machine: core, link: 'a', addresses: CORE_TO_A.addresses },
  );
  await lab.cable({ machine: core, link: 'b', addresses: at(2, 1) }, { machine: boxB, link: 'outer' });
  await lab.cable({ machine: boxB, link: 'inner' }, { machine: server, link: 'eth0', addresses: at(2, 2) });
  await lab.cable(
    { machine: core, link: 'gms', addresses: at(9, 1) },
    { machine: gmsMachine, link: 'eth0', addresses: at(9, 9) },
  );
  await h1.route(...via(1, 1));
  await boxA.route(...via(0, 1));
  await server.route(...via(2, 1));
  await gmsMachine.route(...via(9, 1));
  for (const route of CORE_TO_A.routes) await core.ip('route', 'add', ...route);

  const common = { mode: 'open', groups: [GROUP], workers } as const;
  const a = new GatewayBox(lab, boxA, { ...common, kind: 'router', outer: 'wan0', ...options.a });
  const management = { addresses: at(2, 12), gateways: via(2, 1) };
  const b = new GatewayBox(lab, boxB, {
    ...common,
    kind: 'bridge',
    outer: 'outer',
    inner: 'inner',
    management,
    ...options.b,
  });
  let gms: Promise<GmsBox> | undefined;
  const topology: RoutedLab = {
    lab,
    h1,
    server,
    core,
    a,
    b,
    gmsMachine,
    makeGms() {
      gms ??= GmsBox.make(lab, gmsMachine, via(9, 9), [GROUP]);
      return gms;
    },
    async startGateways() {
      const made = await this.makeGms();
      await startGateways([a, b], made);
      return made;
    },
  };
  if (gateways === 'gscip') await topology.startGateways();
  else for (const box of [a, b]) await box.beKernel();
  return topology;
}

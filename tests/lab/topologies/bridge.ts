/**
 * One subnet, two bridges:
 *
 *                                gms .9
 *                                  │
 *   h1 .1 ── [ge-a bridge .11] ── wan ── [ge-b bridge .12] ── h2 .2        10.70.0.0/24, fd70::/64
 *
 * `wan` is a switch; what crosses it is captured on its links `a` and `b`. As a `cable` it is no machine at all, the
 * way benchmarks want it, and the gateways reach the GMS by cables of their own:
 *
 *   h1 .1 ── [ge-a] ───────────── [ge-b] ── h2 .2
 *              └ 10.70.1.0/30 ─ gms ─ 10.70.2.0/30 ┘
 */
import type { TransformName } from '#dprp/spec.ts';
import { GatewayBox, type GatewayPlan, type Gateways, startGateways } from '#kit/gateway-box.ts';
import { GmsBox } from '#kit/gms-box.ts';
import type { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';

export interface BridgeOptions {
  readonly gateways: Gateways;
  readonly wan?: 'switch' | 'cable';
  /** Of both gateways unless said for one. */
  readonly workers?: number;
  /** Of the group of both gateways; `sealed` unless said. */
  readonly transform?: TransformName;
  readonly a?: Partial<GatewayPlan>;
  readonly b?: Partial<GatewayPlan>;
}

export interface BridgeLab {
  readonly lab: Lab;
  readonly h1: Machine;
  readonly h2: Machine;
  /** The switch; with `cable`, ge-b's machine, whose link `outer` is the cable's end. */
  readonly wan: Machine;
  /** Links of `wan` toward ge-a and ge-b. */
  readonly wanLinks: { readonly a: string; readonly b: string };
  readonly a: GatewayBox;
  readonly b: GatewayBox;
  readonly gmsMachine: Machine;
  /** Turns plain boxes into gateways. */
  startGateways(): Promise<GmsBox>;
  /** Makes the GMS, once. */
  makeGms(): Promise<GmsBox>;
}

export const H1 = { v4: '10.70.0.1', v6: 'fd70::1' };
export const H2 = { v4: '10.70.0.2', v6: 'fd70::2' };
export const GMS = { v4: '10.70.0.9', v6: 'fd70::9' };
const GROUP = 'plant';
const NETWORK = { v4: 24, v6: 64 };
/** As a machine of this network bears them. */
export const withPrefix = ({ v4, v6 }: typeof H1) => [`${v4}/${NETWORK.v4}`, `${v6}/${NETWORK.v6}`];

export async function bridge(lab: Lab, options: BridgeOptions): Promise<BridgeLab> {
  const { gateways, wan: kind = 'switch', workers = 1 } = options;
  const [h1, h2] = [await lab.machine('h1'), await lab.machine('h2')];
  const [boxA, boxB, gmsMachine] = [await lab.machine('ge-a'), await lab.machine('ge-b'), await lab.machine('gms')];
  await lab.cable({ machine: h1, link: 'eth0', addresses: withPrefix(H1) }, { machine: boxA, link: 'inner' });
  await lab.cable({ machine: h2, link: 'eth0', addresses: withPrefix(H2) }, { machine: boxB, link: 'inner' });

  const plan: GatewayPlan = { kind: 'bridge', mode: 'open', groups: [GROUP], outer: 'outer', inner: 'inner', workers };
  const inBand = (n: number) => ({ management: { addresses: [`10.70.0.${n}/24`, `fd70::${n}/64`], gateways: [] } });
  const a = new GatewayBox(lab, boxA, { ...plan, ...(kind === 'switch' ? inBand(11) : {}), ...options.a });
  const b = new GatewayBox(lab, boxB, { ...plan, ...(kind === 'switch' ? inBand(12) : {}), ...options.b });
  let wan = boxB;
  let gmsAddresses = ['10.70.1.1', '10.70.2.1'];
  if (kind === 'switch') {
    wan = await lab.machine('wan');
    await lab.cable({ machine: boxA, link: 'outer' }, { machine: wan, link: 'a' });
    await lab.cable({ machine: boxB, link: 'outer' }, { machine: wan, link: 'b' });
    await lab.cable({ machine: gmsMachine, link: 'eth0', addresses: withPrefix(GMS) }, { machine: wan, link: 'gms' });
    await wan.bridge('br0', ['a', 'b', 'gms']);
    gmsAddresses = [GMS.v4, GMS.v6];
  } else {
    await lab.cable({ machine: boxA, link: 'outer' }, { machine: boxB, link: 'outer' });
    for (const [n, machine] of [boxA, boxB].entries()) {
      const address = (host: number) => [`10.70.${n + 1}.${host}/30`];
      const far = { machine: gmsMachine, link: `eth${n}`, addresses: address(1) };
      await lab.cable({ machine, link: 'oob', addresses: address(2) }, far);
    }
    /* Both gateways know both addresses of the GMS, and reach one of them. */
    await boxA.ip('route', 'add', '10.70.2.1', 'via', '10.70.1.1');
    await boxB.ip('route', 'add', '10.70.1.1', 'via', '10.70.2.1');
  }

  let gms: Promise<GmsBox> | undefined;
  const topology: BridgeLab = {
    lab,
    h1,
    h2,
    wan,
    wanLinks: kind === 'switch' ? { a: 'a', b: 'b' } : { a: 'outer', b: 'outer' },
    a,
    b,
    gmsMachine,
    makeGms() {
      gms ??= GmsBox.make(lab, gmsMachine, gmsAddresses, [GROUP], options.transform);
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

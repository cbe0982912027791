/**
 * Small datagrams in a hurry: gateways seal and open them one by one and send them merged. What Linux makes of that on the
 * wire and at the far host are the datagrams that were sent: each is counted, none has a wrong checksum.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '#kit/lab.ts';
import type { Machine, Profile } from '#kit/machine.ts';
import { iperf, startIperfServer } from '#kit/programs/iperf3.ts';
import { type BridgeLab, bridge, H2 } from './topologies/bridge.ts';

const BYTES = 64;
/** Bits a second: 20,000 datagrams, in bursts of the sender's. */
const RATE = String(20_000 * BYTES * 8);

describe.each(['wire', 'offload'] as const)('profile %s', (profile: Profile) => {
  let lab: Lab;
  let net: BridgeLab;
  beforeAll(async () => {
    lab = await Lab.make(profile);
    net = await bridge(lab, { gateways: 'gscip' });
    await startIperfServer(net.h2);
  });
  afterAll(() => lab.remove());

  /** A counter of both IP versions. */
  async function udp(machine: Machine, name: string): Promise<number> {
    const six = await machine.run('cat', '/proc/net/snmp6');
    const match = new RegExp(`^Udp6${name}\\s+(\\d+)$`, 'm').exec(six);
    if (match === null) throw new Error(`the kernel has no counter Udp6${name}`);
    return (await machine.counter('Udp', name)) + Number(match[1]);
  }

  async function counted(): Promise<Record<'sent' | 'came' | 'wrong' | 'mergedByA' | 'mergedByB', number>> {
    const { h1, h2, a, b } = net;
    const merged = async (box: typeof a, role: string): Promise<number> =>
      (await box.status()).ports.find((p) => p.role === role)?.mergedOut ?? 0;
    return {
      sent: await udp(h1, 'OutDatagrams'),
      /* Read by the program, or for want of time not. */
      came: (await udp(h2, 'InDatagrams')) + (await udp(h2, 'RcvbufErrors')),
      wrong: await udp(h2, 'InCsumErrors'),
      mergedByA: await merged(a, 'outer'),
      mergedByB: await merged(b, 'inner'),
    };
  }

  test.each(['v4', 'v6'] as const)('all arrive, merged by both gateways, IP%s', async (v) => {
    const before = await counted();
    await iperf(net.h1, H2[v], { seconds: 1, datagramBytes: BYTES, bitrate: RATE });
    const after = await counted();
    const grown = (of: keyof typeof after): number => after[of] - before[of];
    expect(grown('sent')).toBeGreaterThan(10_000);
    expect(grown('came')).toBe(grown('sent'));
    expect(grown('wrong')).toBe(0);
    expect(grown('mergedByA')).toBeGreaterThan(0);
    expect(grown('mergedByB')).toBeGreaterThan(0);
  });
});

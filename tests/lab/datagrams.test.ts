/**
 * Small datagrams in a hurry: gateways seal and open them one by one and send them merged. What Linux makes of that on
 * the wire and at the far host are the datagrams that were sent: each is counted there or as a drop, none has a wrong
 * checksum.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Lab } from '#kit/lab.ts';
import type { Machine, Profile } from '#kit/machine.ts';
import { until } from '#kit/process.ts';
import { IPERF_PORT, iperf, startIperfServer } from '#kit/programs/iperf3.ts';
import { type BridgeLab, bridge, H2 } from './topologies/bridge.ts';

const BYTES = 64;
const UDP_HEADER = 8;
const IP_HEADER = { v4: 20, v6: 40 };
/** Bits a second: 20,000 datagrams, in bursts of the sender's. */
const RATE = String(20_000 * BYTES * 8);
/** Most that one dropped frame can have held: GRO merges no more. */
const MERGED = 64;

describe.each(['wire', 'offload'] as const)('profile %s', (profile: Profile) => {
  let lab: Lab;
  let net: BridgeLab;
  beforeAll(async () => {
    lab = await Lab.make(profile);
    net = await bridge(lab, { gateways: 'gscip' });
    await startIperfServer(net.h2);
    await countAt(net.h1, 'output');
    await countAt(net.h2, 'input');
  });
  afterAll(() => lab.remove());

  /** Counts in the kernel of `machine` what passes `hook` for the server, whether a program takes it or not. */
  const countAt = (machine: Machine, hook: 'input' | 'output') =>
    machine.run(
      'nft',
      `table inet seen {
         counter v4 {}
         counter v6 {}
         chain c {
           type filter hook ${hook} priority 0;
           udp dport ${IPERF_PORT} udp length >= ${UDP_HEADER + BYTES} meta nfproto ipv4 counter name v4
           udp dport ${IPERF_PORT} udp length >= ${UDP_HEADER + BYTES} meta nfproto ipv6 counter name v6
         }
       }`,
    );

  /** Datagrams that were seen there, also within superpackets. */
  async function seen(machine: Machine, v: 'v4' | 'v6'): Promise<number> {
    const text = await machine.run('nft', 'list', 'counter', 'inet', 'seen', v);
    const match = /packets (\d+) bytes (\d+)/.exec(text);
    if (match === null) throw new Error(`no counter: ${text}`);
    return (Number(match[2]) - Number(match[1]) * (IP_HEADER[v] + UDP_HEADER)) / BYTES;
  }

  /** Of both IP versions. */
  async function wrong(machine: Machine): Promise<number> {
    const six = /^Udp6InCsumErrors\s+(\d+)$/m.exec(await machine.run('cat', '/proc/net/snmp6'));
    if (six === null) throw new Error('the kernel has no counter Udp6InCsumErrors');
    return (await machine.counter('Udp', 'InCsumErrors')) + Number(six[1]);
  }

  type Count = 'sent' | 'came' | 'dropped' | 'wrong' | 'mergedByA' | 'mergedByB';

  async function counted(v: 'v4' | 'v6'): Promise<Record<Count, number>> {
    const { h1, h2, a, b } = net;
    const merged = async (box: typeof a, role: string): Promise<number> =>
      (await box.status()).ports.find((p) => p.role === role)?.mergedOut ?? 0;
    const drops = async (box: typeof a): Promise<number> =>
      Object.values(await box.drops()).reduce((sum, count) => sum + count, 0);
    return {
      sent: await seen(h1, v),
      came: await seen(h2, v),
      dropped: (await drops(a)) + (await drops(b)),
      wrong: await wrong(h2),
      mergedByA: await merged(a, 'outer'),
      mergedByB: await merged(b, 'inner'),
    };
  }

  test.each(['v4', 'v6'] as const)('none is lost without a name, merged by both gateways, IP%s', async (v) => {
    const before = await counted(v);
    await iperf(net.h1, H2[v], { seconds: 1, datagramBytes: BYTES, bitrate: RATE });
    let after = before;
    const grown = (of: Count): number => after[of] - before[of];
    /* Losses of a port are counted once in a while. */
    await until(
      'every datagram that was sent came, or was dropped by name',
      async () => {
        after = await counted(v);
        const missing = grown('sent') - grown('came');
        return missing >= 0 && missing <= grown('dropped') * MERGED;
      },
      100,
    );
    expect(grown('sent')).toBeGreaterThan(10_000);
    expect(grown('wrong')).toBe(0);
    expect(grown('mergedByA')).toBeGreaterThan(0);
    expect(grown('mergedByB')).toBeGreaterThan(0);
  });
});

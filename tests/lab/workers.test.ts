/**
 * Several workers share the pairs of two gateways: hundreds of pairs negotiate at once, each belongs to one worker in
 * both directions, on both ports, before and after a link was down, and what leaves one gateway is what arrives at the
 * other.
 *
 *   h1, 104 addresses ── [ge-a] ──────────── [ge-b] ── h2, 2 addresses        one frame at a time: they can be counted
 *
 * ICMP errors find the worker that they belong to, too: those of h2, and those of h2 as the router of 8 devices.
 *
 *   h1 ── [ge-a] ──────────── [ge-b] ── h2 ── devices, 1300 bytes
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GatewayBox } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { until } from '#kit/process.ts';
import { ManyPairs } from '#kit/programs/many.ts';
import { ping } from '#kit/programs/ping.ts';
import { countRefused } from '#kit/programs/refused.ts';
import { type BridgeLab, bridge, H2 } from './topologies/bridge.ts';

const ADDRESSES = 104;
const SECOND_H2 = '10.70.0.3';
const FROM = Array.from({ length: ADDRESSES }, (_, i) => `10.70.0.${100 + i}`);
const PAIRS = FROM.flatMap((from) => [H2.v4, SECOND_H2].map((to) => [from, to] as const));
const BYTES = 100_000;

const port = async (box: GatewayBox, role: 'outer' | 'inner') => {
  const found = (await box.status()).ports.find((p) => p.role === role);
  if (found === undefined) throw new Error(`${box.name} has no ${role} port`);
  return found;
};

describe.each([2, 4])('pairs of workers: %i', (workers) => {
  let lab: Lab;
  let net: BridgeLab;
  let many: ManyPairs;

  beforeAll(async () => {
    lab = await Lab.make('packet');
    net = await bridge(lab, { gateways: 'gscip', wan: 'cable', workers });
    await net.h1.address('eth0', ...FROM.map((a) => `${a}/24`));
    await net.h2.address('eth0', `${SECOND_H2}/24`);
    many = await ManyPairs.start(net.h1, net.h2);
  });
  afterAll(() => lab.remove());

  /** Every pair once: one that had come to two workers would be in the tables of both. */
  async function everyPairOnce(): Promise<void> {
    for (const box of [net.a, net.b]) {
      const pairs = await box.pairs();
      expect(pairs.length).toBe(PAIRS.length);
      expect(new Set(pairs.map((p) => `${p.device} ${p.peer}`)).size).toBe(PAIRS.length);
      expect(new Set(pairs.map((p) => p.verdict))).toEqual(new Set(['encrypt']));
    }
  }

  /** What one gateway sent into the cable is what the other one took out of it. */
  async function countersAgree(): Promise<void> {
    for (const [from, to] of [
      [net.a, net.b],
      [net.b, net.a],
    ] as const) {
      await until(`everything that ${from.name} sent is counted at ${to.name}`, async () => {
        const [sent, got] = [await port(from, 'outer'), await port(to, 'outer')];
        return sent.framesOut === got.framesIn && sent.bytesOut === got.bytesIn;
      });
    }
  }

  test('all pairs negotiate at once, and every stream arrives', async () => {
    /* Answers to messages that were repeated while everybody waited come to negotiations that have ended. */
    const drops = () =>
      Promise.all([net.a, net.b].map(async (box) => ({ ...(await box.drops()), 'dprp-unknown-negotiation': 0 })));
    const before = await drops();
    expect(await many.fetch(PAIRS, BYTES)).toEqual({ good: PAIRS.length, bad: [] });
    await everyPairOnce();
    await countersAgree();
    expect((await port(net.b, 'outer')).framesOut).toBeGreaterThan((PAIRS.length * BYTES) / 1_500);
    for (const box of [net.a, net.b]) expect((await box.status()).workers).toBe(workers);
    expect(await drops()).toEqual(before);
  });

  test('a link that was down and is up again: each pair is still with its worker', async () => {
    const state = (wanted: string) =>
      until(`the outer port of ge-b is ${wanted}`, async () => (await port(net.b, 'outer')).state === wanted);
    await cut(net.b.machine, 'down');
    await state('down');
    await cut(net.b.machine, 'up');
    await state('up');
    expect(await many.fetch(PAIRS, BYTES)).toEqual({ good: PAIRS.length, bad: [] });
    await everyPairOnce();
  });
});

const cut = (machine: Machine, way: 'up' | 'down') => machine.ip('link', 'set', 'dev', 'outer', way);

const CLOSED = 4_000;
const DATAGRAMS = 20;
const NARROW = 1_300;
const DEVICES = Array.from({ length: 8 }, (_, i) => i + 2).flatMap((i) => [`10.71.0.${i}`, `fd71::${i}`]);

describe.each([2, 4])('errors, workers: %i', (workers) => {
  let lab: Lab;
  let net: BridgeLab;

  beforeAll(async () => {
    lab = await Lab.make('wire');
    net = await bridge(lab, { gateways: 'gscip', wan: 'cable', workers });
    const devices = await lab.machine('devices');
    const behind = (machine: Machine, link: string, addresses: readonly string[]) => ({
      machine,
      link,
      addresses: addresses.map((a) => `${a}/${a.includes(':') ? 64 : 24}`),
    });
    await lab.cable(behind(net.h2, 'devices', ['10.71.0.1', 'fd71::1']), behind(devices, 'eth0', DEVICES));
    for (const [machine, link] of [
      [net.h2, 'devices'],
      [devices, 'eth0'],
    ] as const) {
      await machine.ip('link', 'set', 'dev', link, 'mtu', String(NARROW));
    }
    await net.h2.forward();
    await net.h2.sysctl({ 'net.ipv4.icmp_ratelimit': 0, 'net.ipv6.icmp.ratelimit': 0 });
    await devices.route('10.71.0.1', 'fd71::1');
    await net.h1.ip('route', 'add', '10.71.0.0/24', 'via', H2.v4);
    await net.h1.ip('route', 'add', 'fd71::/64', 'via', H2.v6);
  });
  afterAll(() => lab.remove());

  /** Both gateways protect these peers, each pair in one worker, refused nothing and raised no alarm. */
  async function onlyProtected(peers: readonly string[]): Promise<void> {
    for (const [box, side] of [
      [net.a, 'peer'],
      [net.b, 'device'],
    ] as const) {
      const pairs = (await box.pairs()).filter((p) => peers.includes(p[side]));
      expect(pairs.map((p) => `${p[side]} ${p.verdict}`).sort()).toEqual(peers.map((a) => `${a} encrypt`).sort());
      expect(await box.drops()).not.toHaveProperty('refused-remembered');
      expect(box.log().filter((line) => line.includes('"alarm"'))).toEqual([]);
    }
  }

  test.each(['v4', 'v6'] as const)('that a protected peer sends reach the program each time, IP%s', async (v) => {
    expect(await countRefused(net.h1, H2[v], CLOSED, DATAGRAMS)).toBe(DATAGRAMS);
    await onlyProtected([H2[v]]);
  });

  test('that a router behind the far gateway sends tell the size of the way to every device', async () => {
    for (const device of DEVICES) {
      expect((await ping(net.h1, device)).answered).toBe(1);
      expect((await ping(net.h1, device, { size: NARROW, discovery: 'do', wait: 1 })).answered).toBe(0);
      expect(await net.h1.ip('route', 'get', device)).toContain(` mtu ${NARROW} `);
    }
    await onlyProtected([...DEVICES, H2.v4, H2.v6]);
  });
});

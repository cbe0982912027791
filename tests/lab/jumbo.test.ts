/**
 * Links of 9,000 bytes: what fits them passes sealed, and what the sealing makes too large is told to the device. Where
 * a gateway stands between links of 9,000 and of 1,500 bytes, the smaller one counts on both sides; so it does when a
 * link becomes smaller while the gateway runs.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import type { GatewayBox } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { MARKERS, type Payload } from '#kit/payload.ts';
import { framesWith } from '#kit/pcap.ts';
import { until } from '#kit/process.ts';
import { download, startDownload, url } from '#kit/programs/curl.ts';
import { iperf, startIperfServer } from '#kit/programs/iperf3.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';

const JUMBO = 9_000;
const ORDINARY = 1_500;
/** What a protected datagram is longer than the device's own. */
const TRAILER = 24;
const HEADERS = { v4: 20 + 8, v6: 40 + 8 };
const FILE_BYTES = 30_000_000;
const LARGE = 8_000;
/** Between these nothing is sealed: exceptions of both gateways name them. */
const PLAIN = { h1: '10.70.0.21', h2: '10.70.0.22' };

interface Jumbo extends BridgeLab {
  readonly file: Payload;
}

/** `links`: which are larger than usual. */
async function jumbo(lab: Lab, links: 'all' | 'devices'): Promise<Jumbo> {
  const exception = (address: string) => ({ exceptions: [{ address, direction: 'both' }] });
  const net = await bridge(lab, { gateways: 'kernel', a: exception(PLAIN.h2), b: exception(PLAIN.h1) });
  for (const box of [net.a, net.b]) await box.ceaseKernel();
  const large = (machine: Machine, ...names: string[]) =>
    Promise.all(names.map((name) => machine.ip('link', 'set', 'dev', name, 'mtu', String(JUMBO))));
  await Promise.all([large(net.h1, 'eth0'), large(net.h2, 'eth0')]);
  await Promise.all([net.a, net.b].map((box) => large(box.machine, 'inner')));
  if (links === 'all') {
    await Promise.all([net.a, net.b].map((box) => large(box.machine, 'outer')));
    await large(net.wan, net.wanLinks.a, net.wanLinks.b);
  }
  await net.startGateways();
  await net.h1.address('eth0', `${PLAIN.h1}/32`);
  await net.h2.address('eth0', `${PLAIN.h2}/32`);
  await net.h1.ip('route', 'add', PLAIN.h2, 'dev', 'eth0', 'src', PLAIN.h1);
  await net.h2.ip('route', 'add', PLAIN.h1, 'dev', 'eth0', 'src', PLAIN.h2);
  const file = (await WebServer.start(lab, net.h2)).file('image', FILE_BYTES);
  await startIperfServer(net.h2);
  return { ...net, file };
}

const portMtus = async (box: GatewayBox) =>
  (await box.status()).ports.filter((p) => p.role !== 'mgmt').map((p) => p.mtu);

const linkMtu = async (machine: Machine, link: string): Promise<number> =>
  JSON.parse(await machine.ip('-j', 'link', 'show', 'dev', link))[0].mtu;

const knownMtu = async (machine: Machine, to: string) =>
  Number(/mtu (\d+)/.exec(await machine.ip('route', 'get', to))?.[1]);

describe('9,000 everywhere', () => {
  let lab: Lab;
  let net: Jumbo;
  beforeAll(async () => {
    lab = await Lab.make('wire');
    net = await jumbo(lab, 'all');
  });
  afterAll(() => lab.remove());

  test('the ports know their real size, and have room for tags on top', async () => {
    for (const box of [net.a, net.b]) {
      expect(await portMtus(box)).toEqual([JUMBO, JUMBO]);
      for (const link of ['outer', 'inner']) expect(await linkMtu(box.machine, link)).toBe(JUMBO + 8);
    }
  });

  test.each(['v4', 'v6'] as const)(
    'pings of 8,000 bytes pass whole; one that does not fit is told, IP%s',
    async (v) => {
      const fits = JUMBO - TRAILER - HEADERS[v];
      for (const size of [LARGE, fits]) {
        expect((await ping(net.h1, H2[v], { size, discovery: 'do', count: 3, interval: 0.01 })).answered).toBe(3);
      }
      expect((await ping(net.h1, H2[v], { size: fits + 1, discovery: 'do', wait: 1 })).answered).toBe(0);
      expect(await knownMtu(net.h1, H2[v])).toBe(JUMBO - TRAILER);
    },
  );

  test('TCP and UDP in large segments, sealed and whole', async () => {
    const before = await net.b.drops();
    const capture = await Capture.start(lab, net.wan, net.wanLinks.b, { direction: 'in', snapshot: LARGE + 100 });
    for (const to of [H2.v4, H2.v6]) {
      const got = await download(net.h1, url(to, 'image'));
      expect(got).toMatchObject({ exitCode: 0, status: 200, checksum: net.file.checksum });
    }
    const stream = await iperf(net.h1, H2.v4, { seconds: 1, datagramBytes: LARGE, bitrate: '30M' });
    expect(stream.lostRatio).toBe(0);
    expect(stream.datagramsPerSecond).toBeGreaterThan(300);
    const frames = await capture.stop();
    expect(framesWith(frames, MARKERS)).toEqual([]);
    expect(frames.filter((f) => f.bytes.length > LARGE).length).toBeGreaterThan(FILE_BYTES / 65_536);
    expect(await net.b.drops()).toEqual(before);
  });
});

describe('9,000 toward the devices, 1,500 between the gateways', () => {
  let lab: Lab;
  let net: Jumbo;
  beforeAll(async () => {
    lab = await Lab.make('wire');
    net = await jumbo(lab, 'devices');
  });
  afterAll(() => lab.remove());

  test('the smaller size counts', async () => {
    for (const box of [net.a, net.b]) expect(await portMtus(box)).toEqual([ORDINARY, ORDINARY]);
    expect(await linkMtu(net.a.machine, 'inner')).toBe(JUMBO + 8);
    expect(await linkMtu(net.a.machine, 'outer')).toBe(ORDINARY + 8);
  });

  test.each([
    ['protected', H2.v4, ORDINARY - TRAILER],
    ['protected', H2.v6, ORDINARY - TRAILER],
    ['in plaintext', PLAIN.h2, ORDINARY],
  ])('%s, %s: a device is told the size, and its TCP is cut to it', async (_how, to, mtu) => {
    expect((await ping(net.h1, to, { size: LARGE, discovery: 'do', wait: 1 })).answered).toBe(0);
    expect(await knownMtu(net.h1, to)).toBe(mtu);
    expect((await ping(net.h1, to, { size: mtu - (to.includes(':') ? 48 : 28), discovery: 'do' })).answered).toBe(1);
    /* The other way round: nobody has told h2 anything when its first segments leave. */
    const got = await download(net.h1, url(to, 'image'));
    expect(got).toMatchObject({ exitCode: 0, status: 200, checksum: net.file.checksum });
    expect((await net.a.drops())['too-big']).toBeGreaterThan(0);
    for (const box of [net.a, net.b]) expect((await box.drops())['port-too-large']).toBeUndefined();
  });

  test('datagrams that may be cut are cut', async () => {
    expect((await ping(net.h1, H2.v4, { size: LARGE, discovery: 'dont', count: 3, interval: 0.01 })).answered).toBe(3);
    const stream = await iperf(net.h1, H2.v4, { seconds: 1, datagramBytes: 1_400, bitrate: '10M' });
    expect(stream.lostRatio).toBe(0);
  });
});

describe('links that change while the gateways run', () => {
  const mtusBecome = (box: GatewayBox, mtu: number) =>
    until(`${box.name} knows that ${mtu} bytes fit`, async () => (await portMtus(box)).every((each) => each === mtu));
  const isTold = async (from: Machine, to: string, mtu: number) => {
    expect((await ping(from, to, { size: LARGE, discovery: 'do', wait: 1 })).answered).toBe(0);
    expect(await knownMtu(from, to)).toBe(mtu);
    const fits = mtu - (to.includes(':') ? HEADERS.v6 : HEADERS.v4);
    expect((await ping(from, to, { size: fits, discovery: 'do' })).answered).toBe(1);
  };

  test('the network between becomes smaller under a download, and larger again', async () => {
    await Lab.use('wire', async (lab) => {
      const net = await jumbo(lab, 'all');
      const between = async (mtu: number) => {
        const links = [
          ...[net.a, net.b].map(({ machine }) => ({ machine, link: 'outer' })),
          ...[net.wanLinks.a, net.wanLinks.b].map((link) => ({ machine: net.wan, link })),
        ];
        for (const { machine, link } of links) await machine.ip('link', 'set', 'dev', link, 'mtu', String(mtu));
        for (const box of [net.a, net.b]) await mtusBecome(box, mtu);
      };
      const running = startDownload(net.h1, url(H2.v4, 'image'), { limitRate: '10M' });
      await running.reached(FILE_BYTES / 5);
      await between(ORDINARY);
      for (const box of [net.a, net.b]) {
        expect(await linkMtu(box.machine, 'outer')).toBe(ORDINARY + 8);
        expect(await linkMtu(box.machine, 'inner')).toBe(JUMBO + 8);
      }
      expect(await running.done).toMatchObject({ exitCode: 0, checksum: net.file.checksum });
      const refused = async () => [net.a, net.b].map(async (box) => (await box.drops())['port-too-large']);
      const before = await Promise.all(await refused());
      for (const [from, to] of [
        [net.h1, H2.v4],
        [net.h1, H2.v6],
        [net.h2, H1.v4],
      ] as const) {
        await isTold(from, to, ORDINARY - TRAILER);
      }
      const got = await download(net.h1, url(H2.v6, 'image'));
      expect(got).toMatchObject({ exitCode: 0, checksum: net.file.checksum });
      expect(await Promise.all(await refused())).toEqual(before);

      await between(JUMBO);
      for (const h of [net.h1, net.h2]) await h.ip('route', 'flush', 'cache');
      expect((await ping(net.h1, H2.v4, { size: LARGE, discovery: 'do' })).answered).toBe(1);
    });
  });

  test('a port that is plugged in again carries less than before', async () => {
    await Lab.use('wire', async (lab) => {
      const net = await jumbo(lab, 'all');
      expect((await ping(net.h1, H2.v4, { size: LARGE, discovery: 'do' })).answered).toBe(1);
      await net.wan.ip('link', 'del', 'dev', net.wanLinks.a);
      await lab.cable({ machine: net.a.machine, link: 'outer' }, { machine: net.wan, link: net.wanLinks.a });
      await net.wan.ip('link', 'set', 'dev', net.wanLinks.a, 'master', 'br0');
      await mtusBecome(net.a, ORDINARY);
      await until('the devices talk', async () => (await ping(net.h1, H2.v4)).answered === 1);
      for (const to of [H2.v4, H2.v6]) await isTold(net.h1, to, ORDINARY - TRAILER);
      const got = await download(net.h1, url(H2.v4, 'image'));
      expect(got).toMatchObject({ exitCode: 0, checksum: net.file.checksum });
      expect((await net.a.drops())['port-too-large']).toBeUndefined();
    });
  });
});

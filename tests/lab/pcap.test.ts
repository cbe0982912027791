/**
 * Gateways that receive and send by libpcap (`port: pcap`), with either cipher: what the devices do works and cannot be
 * read on the way; a gateway that is killed leaks nothing; the kernel sends nothing on a port; and what was switched
 * off on the ports is on again after a release.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2          h1 ── [ge-a router] ── core ── [ge-b] ── server
 */
import { describe, expect, test } from 'vitest';
import { DATAPATH_MARK } from '#host/drops.ts';
import { Capture } from '#kit/capture.ts';
import { type GatewayBox, startGateways } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { until } from '#kit/process.ts';
import { download, startDownload, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';
import { ROUTED, routed } from './topologies/routed.ts';

const BYTES = 20_000_000;
const SHORT = 1_000_000;

const CIPHERS = ['native', 'noble'] as const;
const libpcap = (cipher: (typeof CIPHERS)[number]) => ({ port: 'pcap', cipher }) as const;

/** What libpcap's ports do without, as ethtool names it. */
const OFFLOADS = [
  'tx-checksumming',
  'tcp-segmentation-offload',
  'generic-segmentation-offload',
  'generic-receive-offload',
];

/** Which of them are on. */
async function offloadsOn(machine: Machine, link: string): Promise<string[]> {
  const text = await machine.run('ethtool', '-k', link);
  return OFFLOADS.filter((name) => new RegExp(`^${name}: on`, 'm').test(text));
}

/** Everything that a gateway's links do without is off, at both ends of the pairs it makes. */
async function expectSingleFrames(box: GatewayBox, links: readonly string[]): Promise<void> {
  for (const link of links) expect([link, await offloadsOn(box.machine, link)]).toEqual([link, []]);
}

describe.each(CIPHERS)('cipher: %s', (cipher) => {
  test.each(['sealed', 'pccom'] as const)(
    'bridge and bridge, %s: the file arrives, unreadable on the way',
    async (transform) => {
      await Lab.use('wire', async (lab) => {
        const net = await bridge(lab, { gateways: 'gscip', transform, a: libpcap(cipher), b: libpcap(cipher) });
        const web = await WebServer.start(lab, net.h2);
        const file = web.file('image', BYTES);
        const short = web.file('short', SHORT);
        await expectSingleFrames(net.a, ['outer', 'inner', 'gscip-mgmt', 'mgmt']);
        const capture = await Capture.start(lab, net.wan, net.wanLinks.b, { direction: 'in', snapshot: 512 });

        const got = await download(net.h1, url(H2.v4, 'image'));
        expect(got).toMatchObject({ exitCode: 0, status: 200, bytes: BYTES, checksum: file.checksum });
        console.log(`${cipher}, ${transform}: ${Math.round((BYTES * 8) / got.seconds / 1e6)} Mbit/s`);
        expect((await download(net.h1, url(H2.v6, 'short'))).checksum).toBe(short.checksum);
        expect((await ping(net.h2, H1.v6)).answered).toBe(1);
        await capture.stop();
        expect(capture.countFramesWith()).toBe(0);
        const flows = await net.a.flows({ peer: H2.v4 });
        expect(flows.map((flow) => [flow.verdict, flow.transform])).toContainEqual(['encrypt', transform]);
      });
    },
  );
});

test('router and bridge: the kernel behind the port makes single frames, and gets its NIC back as it was', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await routed(lab, { gateways: 'kernel', a: libpcap('native'), b: libpcap('native') });
    const before = await offloadsOn(net.a.machine, 'wan0');
    expect(before).not.toEqual([]);
    const web = await WebServer.start(lab, net.server);
    const file = web.file('image', BYTES);
    await net.b.ceaseKernel();
    await startGateways([net.a, net.b], await net.makeGms());
    await expectSingleFrames(net.a, ['gscip-outer', 'gscip-inner', 'wan0']);

    const got = await download(net.h1, url(ROUTED.server.v4, 'image'));
    expect(got).toMatchObject({ exitCode: 0, bytes: BYTES, checksum: file.checksum });
    expect((await net.a.explain(ROUTED.server.v4)).verdict).toBe('encrypt');

    await net.a.release('the control of this test');
    await net.b.release('the control of this test');
    expect(await offloadsOn(net.a.machine, 'wan0')).toEqual(before);
    expect((await download(net.h1, url(ROUTED.server.v4, 'image'))).checksum).toBe(file.checksum);
  });
});

/** What of the machine's own traffic leaves by `link`, when it bears `mark`: an echo request past all routing. */
async function kernelSends(net: BridgeLab, mark: number): Promise<boolean> {
  const to = '203.0.113.7';
  const { machine } = net.a;
  await machine.ip('neigh', 'replace', to, 'lladdr', '02:00:5e:00:53:07', 'dev', 'outer', 'nud', 'permanent');
  await machine.ip('route', 'replace', to, 'dev', 'outer', 'src', '192.0.2.77');
  const capture = await Capture.start(net.lab, net.wan, net.wanLinks.a, {
    direction: 'in',
    filter: ['dst', 'host', to],
  });
  await machine.try('ping', '-c', '1', '-W', '0.1', '-m', String(mark), '-I', 'outer', to);
  const frames = await capture.stop();
  await machine.ip('route', 'del', to, 'dev', 'outer');
  return frames.length > 0;
}

test('killed in the middle of a download: nothing leaks, nothing passes, and the next start completes it', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await bridge(lab, { gateways: 'gscip', a: libpcap('native'), b: libpcap('native') });
    await net.a.machine.ip('addr', 'add', '192.0.2.77/32', 'dev', 'lo');
    const web = await WebServer.start(lab, net.h2);
    const file = web.file('image', 5 * BYTES);
    /* The look at the port can see a frame that bears the mark. */
    expect([await kernelSends(net, 1), await kernelSends(net, DATAPATH_MARK)]).toEqual([false, true]);
    const running = startDownload(net.h1, url(H2.v4, 'image'));
    await running.reached(BYTES);
    await net.a.kill();

    const looks = [
      await Capture.start(lab, net.h1, 'eth0', { direction: 'in', snapshot: 96 }),
      await Capture.start(lab, net.wan, net.wanLinks.a, { direction: 'in', snapshot: 96 }),
    ];
    const vain = { count: 3, interval: 0.1, wait: 1 };
    const echoes = await Promise.all([ping(net.h1, H2.v4, vain), ping(net.h2, H1.v6, vain)]);
    expect(echoes.map((e) => e.answered)).toEqual([0, 0]);
    expect(await kernelSends(net, 1)).toBe(false);
    expect(looks.map((look) => look.frames().length)).toEqual([0, 0]);
    expect(running.program.running).toBe(true);

    await net.a.start();
    await net.a.reaches('running');
    expect(await running.done).toMatchObject({ exitCode: 0, bytes: 5 * BYTES, checksum: file.checksum });
    expect(looks.every((look) => look.frames().length > 0)).toBe(true);
    for (const look of looks) await look.stop();
  });
});

test('from one port to the other and back: a gateway may change between libpcap and packet sockets', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await bridge(lab, { gateways: 'gscip', a: libpcap('native') });
    const web = await WebServer.start(lab, net.h2);
    const file = web.file('image', BYTES);
    const got = async () => (await download(net.h1, url(H2.v4, 'image'))).checksum;
    expect(await got()).toBe(file.checksum);
    for (const port of ['packet', 'pcap'] as const) {
      await net.a.stop();
      net.a.configure({ port });
      await net.a.start();
      await net.a.reaches('running');
      expect(await got()).toBe(file.checksum);
      const off = await Promise.all(['outer', 'mgmt'].map((link) => offloadsOn(net.a.machine, link)));
      expect(off.map((on) => on.length > 0)).toEqual(port === 'packet' ? [true, true] : [false, false]);
    }
  });
});

test('a link that goes down and comes back under the gateway', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await bridge(lab, { gateways: 'gscip', a: libpcap('native') });
    expect((await ping(net.h1, H2.v4)).answered).toBe(1);
    const { pid } = net.a;
    for (const link of ['outer', 'inner']) {
      await net.a.machine.ip('link', 'set', 'dev', link, 'down');
      await net.a.machine.up(link);
    }
    const five = { count: 5, interval: 0.1 };
    await until('echoes are answered', async () => (await ping(net.h1, H2.v4, five)).answered === five.count);
    await until('both ports told', async () => ((await net.a.drops())['port-receive-error'] ?? 0) > 1);
    expect(net.a.pid).toBe(pid);
  });
});

/**
 * The kit that all labs stand on, tried on plain kernel bridges and routers: real programs, captures that see what
 * passes and say so, a wire that is as bad as it was told to be, and nothing left behind.
 */
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import { Lab } from '#kit/lab.ts';
import { namespaces } from '#kit/leftovers.ts';
import { PROFILES } from '#kit/machine.ts';
import { MARKER, MARKERS, NAME_MARKER } from '#kit/payload.ts';
import { framesWith, hexLines, tcpSegment } from '#kit/pcap.ts';
import { Program } from '#kit/process.ts';
import { download, url } from '#kit/programs/curl.ts';
import { ask, startNameServer } from '#kit/programs/dns.ts';
import { iperf, startIperfServer } from '#kit/programs/iperf3.ts';
import { connect, reaches, sendDatagram, startDatagramSink, startListener } from '#kit/programs/nc.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { ShellServer } from '#kit/programs/ssh.ts';
import { lossyCable } from '#kit/wire.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';
import { MIXED, mixed } from './topologies/mixed.ts';
import { ROUTED, routed } from './topologies/routed.ts';

describe('programs on a kernel bridge', () => {
  let lab: Lab;
  let net: BridgeLab;

  beforeAll(async () => {
    lab = await Lab.make('wire');
    net = await bridge(lab, { gateways: 'kernel' });
  });
  afterAll(() => lab.remove());

  test('curl gets from nginx what nginx has, over IPv4 and IPv6, and a capture on the way shows it', async () => {
    const web = await WebServer.start(lab, net.h2);
    const file = web.file('recipe', 3_000_001);
    const capture = await Capture.start(lab, net.wan, net.wanLinks.b);
    for (const address of [H2.v4, H2.v6]) {
      const got = await download(net.h1, url(address, 'recipe'));
      expect(got).toMatchObject({ exitCode: 0, status: 200, bytes: file.bytes, checksum: file.checksum });
    }
    const frames = await capture.stop();
    const full = frames.filter((f) => (tcpSegment(f)?.payloadBytes ?? 0) > 1_000);
    expect(full.length).toBeGreaterThan(2);
    expect(framesWith(full, [MARKER])).toHaveLength(full.length);
    expect(framesWith(frames, ['A MARKER THAT NOBODY SENDS'])).toHaveLength(0);
    expect(hexLines(full[0].bytes, 1_500).join('\n')).toContain('PLAINTEXT');
  });

  test('curl says when there is no answer', async () => {
    const got = await download(net.h1, url('10.70.0.77', 'recipe'), { connectTimeout: 1 });
    expect(got).toMatchObject({ status: 0, bytes: 0 });
    expect(got.exitCode).not.toBe(0);
  });

  test('iperf3 measures TCP and datagrams', async () => {
    await startIperfServer(net.h2);
    expect((await iperf(net.h1, H2.v4, { seconds: 1 })).bitsPerSecond).toBeGreaterThan(0);
    const datagrams = await iperf(net.h1, H2.v6, { seconds: 1, datagramBytes: 64 });
    expect(datagrams.datagramsPerSecond).toBeGreaterThan(0);
    expect(datagrams.lostRatio).toBeLessThan(1);
    await expect(iperf(net.h2, H1.v4)).rejects.toThrow('iperf3');
  });

  test('ssh logs in by key', async () => {
    const shell = await ShellServer.start(lab, net.h2);
    const done = await shell.login(net.h1, H2.v6, 'echo', MARKER);
    expect(done).toMatchObject({ code: 0, stdout: `${MARKER}\n` });
    expect((await shell.login(net.h1, H2.v4, 'exit', '3')).code).toBe(3);
  });

  test('dig asks dnsmasq', async () => {
    await startNameServer(net.h2, { [`${NAME_MARKER}.lab`]: '192.0.2.7' });
    expect((await ask(net.h1, H2.v4, `${NAME_MARKER}.lab`)).addresses).toEqual(['192.0.2.7']);
    expect((await ask(net.h1, '10.70.0.77', `${NAME_MARKER}.lab`, 'A', 1)).milliseconds).toBeUndefined();
  });

  test('ping counts answers, and shows its marker on the wire', async () => {
    const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
    const four = await ping(net.h1, H2.v4, { count: 3 });
    const six = await ping(net.h1, H2.v6);
    expect(four).toMatchObject({ sent: 3, answered: 3 });
    expect(four.milliseconds).toHaveLength(3);
    expect(six).toMatchObject({ sent: 1, answered: 1 });
    expect(await ping(net.h1, '10.70.0.77', { wait: 1 })).toMatchObject({ sent: 1, answered: 0 });
    await capture.stop();
    expect(capture.countFramesWith(MARKERS)).toBe(8);
  });

  test('nc sends a datagram and keeps a connection', async () => {
    const sink = await startDatagramSink(net.h2, 4_000);
    await sendDatagram(net.h1, H2.v4, 4_000, 'one datagram');
    expect(await sink.out.next(/datagram/)).toBe('one datagram');
    const listener = await startListener(net.h2, 4_001);
    const line = connect(net.h1, H2.v4, 4_001);
    line.child.stdin!.write('first\n');
    await listener.out.next(/^first$/);
    listener.child.stdin!.write('answer\n');
    await line.out.next(/^answer$/);
    expect(await reaches(net.h1, H2.v4, 4_002)).toBe(false);
  });

  test('the kernel counts a repeated SYN', async () => {
    const before = await net.h1.counter('TcpExt', 'TCPSynRetrans');
    await download(net.h1, url('10.70.0.9', 'x', 1), { connectTimeout: 1 }); // refused at once: no repeat
    expect(await net.h1.counter('TcpExt', 'TCPSynRetrans')).toBe(before);
    await net.h1.ip('neigh', 'replace', '10.70.0.78', 'lladdr', '02:00:00:00:00:78', 'dev', 'eth0', 'nud', 'permanent');
    await download(net.h1, url('10.70.0.78', 'x'), { connectTimeout: 3 });
    expect(await net.h1.counter('TcpExt', 'TCPSynRetrans')).toBeGreaterThan(before);
  });
});

describe('topologies with plain forwarding', () => {
  test.each(PROFILES)('bridge, %s', async (profile) => {
    await Lab.use(profile, async (lab) => {
      const net = await bridge(lab, { gateways: 'kernel', wan: 'cable' });
      const offloads = await net.h1.run('ethtool', '-k', 'eth0');
      expect(offloads).toMatch(
        profile === 'offload' ? /tcp-segmentation-offload: on/ : /tcp-segmentation-offload: off/,
      );
      expect(offloads).toMatch(profile === 'wire' ? /generic-receive-offload: on/ : /generic-receive-offload: off/);
      for (const to of [H2.v4, H2.v6]) expect((await ping(net.h1, to)).answered).toBe(1);
    });
  });

  test('routed', async () => {
    await Lab.use('wire', async (lab) => {
      const net = await routed(lab, { gateways: 'kernel' });
      for (const to of [ROUTED.server.v4, ROUTED.server.v6]) expect((await ping(net.h1, to)).answered).toBe(1);
    });
  });

  test('mixed', async () => {
    await Lab.use('wire', async (lab) => {
      const net = await mixed(lab, { gateways: 'kernel' });
      for (const { v4, v6 } of [MIXED.server1, MIXED.server2, MIXED.h3]) {
        for (const from of [net.h1, net.h2]) {
          for (const to of [v4, v6]) expect((await ping(from, to)).answered).toBe(1);
        }
      }
    });
  });
});

describe('a bad wire', () => {
  /**   h1 .1 ── wire ── h2 .2   10.73.0.0/24 */
  test('loses, doubles, reorders and delays as it was told, and a download ends right all the same', async () => {
    await Lab.use('wire', async (lab) => {
      const [h1, h2] = [await lab.machine('h1'), await lab.machine('h2')];
      const left = { machine: h1, link: 'eth0', addresses: ['10.73.0.1/24'] };
      const right = { machine: h2, link: 'eth0', addresses: ['10.73.0.2/24'] };
      const wire = await lossyCable(lab, 'wire', left, right, { seed: 1 });
      expect((await ping(h1, '10.73.0.2', { count: 20, interval: 0.01 })).answered).toBe(20);

      await wire.change({ seed: 2, delayMs: 100 });
      const late = await ping(h1, '10.73.0.2');
      expect(late.milliseconds[0]).toBeGreaterThanOrEqual(200);

      await wire.change({ seed: 3, loss: 0.05, duplicate: 0.05, reorder: 0.05 });
      const web = await WebServer.start(lab, h2);
      const file = web.file('recipe', 4_000_000);
      const got = await download(h1, url('10.73.0.2', 'recipe'));
      expect(got).toMatchObject({ exitCode: 0, checksum: file.checksum });
      const counts = await wire.counts();
      for (const what of ['lost', 'duplicated', 'reordered'] as const) expect(counts[what]).toBeGreaterThan(10);

      await wire.change({ seed: 4, cut: true });
      expect((await ping(h1, '10.73.0.2', { wait: 1 })).answered).toBe(0);
    });
  });
});

describe('the end of a lab', () => {
  const script = new URL('./kit-child.ts', import.meta.url).pathname;

  /** Starts a process with a lab of its own; returns it with the lab's id. */
  async function started(...words: string[]): Promise<{ readonly child: Program; readonly id: string }> {
    const child = new Program([process.execPath, script, ...words]);
    return { child, id: await child.out.next(/^gsc-/) };
  }

  const remains = async (id: string) =>
    (await namespaces()).some((n) => n.startsWith(`${id}-`)) || existsSync(`/tmp/${id}`);

  test.each(['SIGINT', 'SIGTERM'] as const)('%s removes it', async (signal) => {
    const { child, id } = await started();
    expect(await remains(id)).toBe(true);
    expect(await child.stop(signal)).toBe(signal);
    expect(await remains(id)).toBe(false);
  });

  test('an exception that nobody catches removes it', async () => {
    const { child, id } = await started('throw');
    expect(await child.ended).toBe(1);
    expect(child.err.all.join('\n')).toContain('nobody catches this');
    expect(await remains(id)).toBe(false);
  });

  test('what a killed run left goes when the next one starts, and a living one stays', async () => {
    const [dead, living] = [await started(), await started()];
    await dead.child.stop('SIGKILL');
    expect(await remains(dead.id)).toBe(true);
    await Lab.use('wire', async () => {
      expect(await remains(dead.id)).toBe(false);
      expect(await remains(living.id)).toBe(true);
    });
    await living.child.stop('SIGTERM');
  });

  test('an exception removes it', async () => {
    let id = '';
    const failing = Lab.use('wire', async (lab) => {
      id = lab.id;
      await lab.machine('h1');
      throw new Error('the body of the lab failed');
    });
    await expect(failing).rejects.toThrow('the body of the lab failed');
    expect(await remains(id)).toBe(false);
  });
});

/**
 * Ports that are not there, go away and come back, or lose the rules that shut them. A gateway that cannot start
 * changes nothing; one whose port is pulled out lives on, and whatever comes back under its name is shut before it
 * carries a frame.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2          h1 ── [ge-a router] ── core ── [ge-b] ── server
 */
import { describe, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import { GatewayBox } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { until } from '#kit/process.ts';
import { startDownload, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { bridge, H1, H2, withPrefix } from './topologies/bridge.ts';
import { CORE_TO_A, ROUTED, routed } from './topologies/routed.ts';

const BYTES = 100_000_000;

const portIs = (box: GatewayBox, role: 'outer' | 'inner', state: 'up' | 'missing') =>
  until(`the ${role} port of ${box.name} is ${state}`, async () =>
    (await box.status()).ports.some((p) => p.role === role && p.state === state),
  );
const answered = (from: Machine, to: string) =>
  until(`${to} answers`, async () => (await ping(from, to)).answered === 1);

/** Everything of a machine that a gateway might change. */
async function machineAsItIs(machine: Machine): Promise<unknown> {
  const links = JSON.parse(await machine.ip('-j', '-d', 'addr', 'show'));
  const routes = [await machine.ip('route'), await machine.ip('-6', 'route')];
  const settings = await machine.run('sysctl', '-a', '--pattern', 'disable_ipv6|accept_ra|forwarding|arp_ignore');
  return { links, routes, settings, rules: await machine.run('nft', 'list', 'ruleset') };
}

describe('a port that does not exist', () => {
  test.each([
    ['inner', 'bridge'],
    ['outer', 'bridge'],
    ['outer', 'router'],
  ] as const)('%s of a %s: told with what there is, and nothing is touched', async (field, kind) => {
    await Lab.use('wire', async (lab) => {
      const machine = await lab.machine('box');
      const far = await lab.machine('far');
      await lab.cable({ machine, link: 'lan4', addresses: ['192.0.2.1/24'] }, { machine: far, link: 'a' });
      await lab.cable({ machine, link: 'lan5' }, { machine: far, link: 'b' });
      const ports = { bridge: { outer: 'lan4', inner: 'lan5' }, router: { outer: 'lan4' } }[kind];
      const plan = { kind, mode: 'open', groups: [], ...ports, [field]: 'lan9' } as const;
      const box = new GatewayBox(lab, machine, plan);

      const before = await machineAsItIs(machine);
      const { code, stderr } = await box.startInVain();
      expect(code).toBe(1);
      expect(stderr).toMatch(new RegExp(`${field}.*"lan9" does not exist.*lan4`, 's'));
      expect(stderr).not.toMatch(/\n\s+at /);
      expect(await machineAsItIs(machine)).toEqual(before);
    });
  });
});

describe('a port that is pulled out and plugged in again', () => {
  test('bridge, outer port: the download of its devices ends right', async () => {
    await Lab.use('wire', async (lab) => {
      const net = await bridge(lab, { gateways: 'gscip' });
      const web = await WebServer.start(lab, net.h2);
      const file = web.file('image', BYTES);
      const running = startDownload(net.h1, url(H2.v4, 'image'), { limitRate: '25M' });
      await running.reached(BYTES / 5);
      const { pid } = net.a;

      await net.wan.ip('link', 'del', 'dev', net.wanLinks.a);
      await portIs(net.a, 'outer', 'missing');
      expect((await ping(net.h1, H2.v4, { wait: 1 })).answered).toBe(0);

      await lab.cable({ machine: net.a.machine, link: 'outer' }, { machine: net.wan, link: net.wanLinks.a });
      const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
      await net.wan.ip('link', 'set', 'dev', net.wanLinks.a, 'master', 'br0');
      await portIs(net.a, 'outer', 'up');
      expect(await running.done).toMatchObject({ exitCode: 0, bytes: BYTES, checksum: file.checksum });
      await answered(net.h1, H2.v6);
      const frames = await capture.stop();
      expect(frames.length).toBeGreaterThan(1_000);
      expect(capture.countFramesWith()).toBe(0);
      expect(net.a.pid).toBe(pid);
      /* Its own address came back with the port. */
      await until('ge-a reaches the GMS', async () => (await net.a.status()).gms.state === 'connected');
    });
  });

  test('bridge, inner port: the device is protected from its first frame on', async () => {
    await Lab.use('wire', async (lab) => {
      const net = await bridge(lab, { gateways: 'gscip' });
      await answered(net.h1, H2.v4);
      const { pid } = net.a;
      const capture = await Capture.start(lab, net.wan, net.wanLinks.a);

      await net.h1.ip('link', 'del', 'dev', 'eth0');
      await portIs(net.a, 'inner', 'missing');
      const device = { machine: net.h1, link: 'eth0', addresses: withPrefix(H1) };
      await lab.cable(device, { machine: net.a.machine, link: 'inner' });
      for (const to of [H2.v4, H2.v6]) await answered(net.h1, to);
      await portIs(net.a, 'inner', 'up');
      for (const to of [H1.v4, H1.v6]) await answered(net.h2, to);
      await capture.stop();
      expect(capture.countFramesWith()).toBe(0);
      expect((await net.a.explain(H2.v4)).verdict).toBe('encrypt');
      expect(net.a.pid).toBe(pid);
    });
  });

  test('router: the NIC is known by its MAC address, whatever its name is now', async () => {
    await Lab.use('wire', async (lab) => {
      const net = await routed(lab, { gateways: 'gscip' });
      const web = await WebServer.start(lab, net.server);
      const file = web.file('image', BYTES);
      const running = startDownload(net.h1, url(ROUTED.server.v4, 'image'), { limitRate: '25M' });
      await running.reached(BYTES / 5);
      const { machine, pid } = net.a;
      const [{ address }] = JSON.parse(await machine.ip('-j', 'link', 'show', 'dev', 'gscip-outer'));

      await net.core.ip('link', 'del', 'dev', 'a');
      await portIs(net.a, 'outer', 'missing');
      expect((await ping(net.h1, ROUTED.server.v4, { wait: 1 })).answered).toBe(0);

      const nic = ['name', 'usb7', 'address', address, 'netns', machine.namespace];
      await net.core.ip('link', 'add', 'name', 'a', 'type', 'veth', 'peer', ...nic);
      await lab.applyProfile(net.core, 'a');
      await net.core.address('a', ...CORE_TO_A.addresses);
      await net.core.ip('link', 'set', 'dev', 'a', 'up');
      const capture = await Capture.start(lab, net.core, 'a');
      await portIs(net.a, 'outer', 'up');
      for (const route of CORE_TO_A.routes) await net.core.ip('route', 'replace', ...route);
      expect(await running.done).toMatchObject({ exitCode: 0, bytes: BYTES, checksum: file.checksum });
      const frames = await capture.stop();
      expect(frames.length).toBeGreaterThan(1_000);
      expect(capture.countFramesWith()).toBe(0);
      expect(net.a.pid).toBe(pid);
    });
  });
});

describe('a ruleset that is flushed under a download', () => {
  interface Scene {
    readonly box: GatewayBox;
    readonly client: Machine;
    readonly server: Machine;
    readonly address: string;
    /** The link beyond the gateway's outer port. */
    readonly beyond: { readonly machine: Machine; readonly link: string };
  }
  const scenes: Readonly<Record<'bridge' | 'router', (lab: Lab) => Promise<Scene>>> = {
    async bridge(lab) {
      const { a, h1, h2, wan, wanLinks } = await bridge(lab, { gateways: 'gscip' });
      return { box: a, client: h1, server: h2, address: H2.v4, beyond: { machine: wan, link: wanLinks.a } };
    },
    async router(lab) {
      const { a, h1, server, core } = await routed(lab, { gateways: 'gscip' });
      return { box: a, client: h1, server, address: ROUTED.server.v4, beyond: { machine: core, link: 'a' } };
    },
  };

  test.each(['bridge', 'router'] as const)('%s: the drops are back, and it ends right', async (kind) => {
    await Lab.use('wire', async (lab) => {
      const { box, client, server, address, beyond } = await scenes[kind](lab);
      const web = await WebServer.start(lab, server);
      const file = web.file('image', BYTES);
      const rules = () => box.machine.run('nft', 'list', 'ruleset');
      const drops = await rules();
      expect(drops).toContain('table netdev gscip');
      const { pid } = box;

      const capture = await Capture.start(lab, beyond.machine, beyond.link);
      const running = startDownload(client, url(address, 'image'), { limitRate: '25M', holdAt: BYTES / 2 });
      await running.reached(BYTES / 5);
      /* A table of somebody else shows that they were flushed, however soon the drops are back. */
      await box.machine.run('nft', 'add', 'table', 'inet', 'filter');
      await box.machine.run('nft', 'flush', 'ruleset');
      await until('the drops are back', async () => (await rules()) === drops);
      expect(running.program.running).toBe(true);
      running.release();
      expect(await running.done).toMatchObject({ exitCode: 0, bytes: BYTES, checksum: file.checksum });
      const frames = await capture.stop();
      expect(frames.length).toBeGreaterThan(1_000);
      expect(capture.countFramesWith()).toBe(0);
      expect(await rules()).toBe(drops);
      expect(box.pid).toBe(pid);
    });
  });
});

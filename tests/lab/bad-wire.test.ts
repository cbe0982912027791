/**
 * A bad wire between two gateways: frames are lost, doubled, swapped and late. The devices notice what TCP notices, and
 * nothing of theirs can be read.
 *
 *   h1 ── [ge-a] ── wire ── wan ── [ge-b] ── h2
 */
import { expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import { Lab } from '#kit/lab.ts';
import { download, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { type Faults, lossyCable } from '#kit/wire.ts';
import { bridge, H2 } from './topologies/bridge.ts';

const SEED = 20_260_105;

interface BadWire extends Omit<Faults, 'seed'> {
  readonly what: string;
  /** As much as such a wire carries in some seconds. */
  readonly bytes: number;
}

const WIRES: readonly BadWire[] = [
  { what: '5 % lost, doubled, swapped', loss: 0.05, duplicate: 0.05, reorder: 0.05, bytes: 5_000_000 },
  { what: '200 ms there and back', delayMs: 100, bytes: 5_000_000 },
  { what: 'all of it', loss: 0.05, duplicate: 0.05, reorder: 0.05, delayMs: 20, bytes: 200_000 },
];

test('a download is whole, over IPv4 and IPv6, from the first packet of a cold pair on', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await bridge(lab, { gateways: 'kernel' });
    await net.a.ceaseKernel();
    await net.wan.ip('link', 'del', 'dev', net.wanLinks.a);
    const left = { machine: net.a.machine, link: 'outer' };
    const right = { machine: net.wan, link: net.wanLinks.a };
    const wire = await lossyCable(lab, 'wire', left, right, { seed: SEED });
    await net.wan.ip('link', 'set', 'dev', net.wanLinks.a, 'master', 'br0');
    await net.b.ceaseKernel();
    await net.startGateways();
    const web = await WebServer.start(lab, net.h2);

    for (const { what, bytes, ...faults } of WIRES) {
      const file = web.file('image', bytes);
      for (const box of [net.a, net.b]) await box.stop();
      for (const box of [net.a, net.b]) await box.start();
      for (const box of [net.a, net.b]) await box.reaches('running');
      await wire.change({ seed: SEED, ...faults });
      const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
      for (const to of [H2.v4, H2.v6]) {
        const got = await download(net.h1, url(to, 'image'), { connectTimeout: 30 });
        expect(got, `${what}, seed ${SEED}`).toMatchObject({ exitCode: 0, status: 200, checksum: file.checksum });
      }
      const frames = await capture.stop();
      expect(frames.length, what).toBeGreaterThan(bytes / 64_000);
      expect(capture.countFramesWith(), what).toBe(0);
      expect((await net.a.pairs()).map((p) => p.verdict)).toEqual(['encrypt', 'encrypt']);
      console.log(`${what}: ${JSON.stringify(await wire.counts())}`);
    }
    const counts = await wire.counts();
    for (const fault of ['lost', 'duplicated', 'reordered'] as const) expect(counts[fault]).toBeGreaterThan(100);

    await wire.change({ seed: SEED, delayMs: 100 });
    const late = await ping(net.h1, H2.v4, { count: 3 });
    expect(late.answered).toBe(3);
    for (const ms of late.milliseconds) expect(ms).toBeGreaterThanOrEqual(200);
  });
});

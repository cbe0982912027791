/**
 * A gateway dies in the middle of a download (SIGKILL), is dead for a while, and starts again: while it is dead not one
 * frame gets past it, either way, and afterwards the download ends with the right checksum.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2         seen: what ge-a sends to wan, what it sends to h1
 */
import { describe, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import { Lab } from '#kit/lab.ts';
import { startDownload, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';

const BYTES = 150_000_000;
const KILLED_AT = 30_000_000;

describe.each([1, 2])('workers: %i', (workers) => {
  test.each(['a', 'b'] as const)('ge-%s, at the end of the receiver or of the sender', async (which) => {
    await Lab.use('wire', async (lab) => {
      const net = await bridge(lab, { gateways: 'gscip', workers });
      const web = await WebServer.start(lab, net.h2);
      const file = web.file('image', BYTES);
      const running = startDownload(net.h1, url(H2.v4, 'image'));
      await running.reached(KILLED_AT);
      await net[which].kill();

      const passed = await besides(net, which);
      /* The server repeats what was not acknowledged, the devices ask: all of it in vain. */
      const vain = { count: 3, interval: 0.1, wait: 1 };
      const echoes = await Promise.all([ping(net.h1, H2.v4, vain), ping(net.h2, H1.v6, vain)]);
      expect(echoes.map((e) => e.answered)).toEqual([0, 0]);
      expect(passed.frames()).toBe(0);
      expect(running.program.running).toBe(true);

      await net[which].start();
      await net[which].reaches('running');
      const got = await running.done;
      expect(got).toMatchObject({ exitCode: 0, status: 200, bytes: BYTES, checksum: file.checksum });
      /* The same captures do see what passes a living gateway. */
      expect(passed.frames()).toBeGreaterThan(0);
      await passed.stop();
    });
  });
});

/** Looks at what the gateway sends on either side. */
async function besides(net: BridgeLab, which: 'a' | 'b') {
  const device = which === 'a' ? net.h1 : net.h2;
  const looks = [
    await Capture.start(net.lab, device, 'eth0', { direction: 'in', snapshot: 96 }),
    await Capture.start(net.lab, net.wan, net.wanLinks[which], { direction: 'in', snapshot: 96 }),
  ];
  return {
    frames: () => looks.reduce((sum, l) => sum + l.frames().length, 0),
    async stop() {
      for (const l of looks) await l.stop();
    },
  };
}

/**
 * Gateways are put into a network while its devices talk: TCP connections that are older than the gateways, with
 * segments as large as the link allows, go on, and what they carry can no longer be read.
 */
import { expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import { Lab } from '#kit/lab.ts';
import { MARKER } from '#kit/payload.ts';
import { startDownload, url } from '#kit/programs/curl.ts';
import { connect, startListener } from '#kit/programs/nc.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { bridge, H2 } from './topologies/bridge.ts';

const BYTES = 100_000_000;
const PORT = 4_000;

test('a download and a quiet connection outlive the change from kernel bridges to gateways', async () => {
  await Lab.use('wire', async (lab) => {
    const net = await bridge(lab, { gateways: 'kernel' });
    const web = await WebServer.start(lab, net.h2);
    const file = web.file('image', BYTES);
    const listener = await startListener(net.h2, PORT);
    const quiet = connect(net.h1, H2.v4, PORT);
    quiet.child.stdin!.write('before\n');
    await listener.out.next(/^before$/);

    const before = await Capture.start(lab, net.wan, net.wanLinks.a);
    const running = startDownload(net.h1, url(H2.v4, 'image'), { limitRate: '10M' });
    await running.reached(5_000_000);
    for (const box of [net.a, net.b]) await box.ceaseKernel();
    await before.stop();
    expect(before.countFramesWith([MARKER])).toBeGreaterThan(0);

    await net.startGateways();
    const after = await Capture.start(lab, net.wan, net.wanLinks.a);
    quiet.child.stdin!.write(`${MARKER} after\n`);
    await listener.out.next(/after$/);
    listener.child.stdin!.write('answer\n');
    await quiet.out.next(/^answer$/);

    const got = await running.done;
    expect(got).toMatchObject({ exitCode: 0, status: 200, bytes: BYTES, checksum: file.checksum });
    const frames = await after.stop();
    expect(frames.length).toBeGreaterThan(1_000);
    expect(after.countFramesWith([MARKER])).toBe(0);
  });
});

/**
 * 500 MB and more through two gateways: what arrives is what was sent, whatever the links do with segments, and none of
 * it can be read on the way. What was opened reaches the device merged.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2, who serves
 */
import { expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import type { GatewayBox } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import { download, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { bridge, H2 } from './topologies/bridge.ts';

const BYTES = 500_000_000;
const SHORT = 5_000_000;
/** Bytes of a frame that are looked at: headers, and after them more than one marker. */
const SNAPSHOT = 512;

/** The largest single frame of these links. */
const FRAME = 1_514;

async function innerPort(box: GatewayBox) {
  const port = (await box.status()).ports.find((p) => p.role === 'inner');
  if (port === undefined) throw new Error(`${box.name} has no inner port`);
  return port;
}

test.each(['wire', 'packet'] as const)('profile %s', async (profile) => {
  await Lab.use(profile, async (lab) => {
    const net = await bridge(lab, { gateways: 'gscip' });
    const web = await WebServer.start(lab, net.h2);
    const file = web.file('image', BYTES);
    const short = web.file('short', SHORT);
    const before = await innerPort(net.b);
    const capture = await Capture.start(lab, net.wan, net.wanLinks.b, { direction: 'in', snapshot: SNAPSHOT });

    const got = await download(net.h1, url(H2.v4, 'image'));
    expect(got).toMatchObject({ exitCode: 0, status: 200, bytes: BYTES, checksum: file.checksum });
    const after = await innerPort(net.b);
    expect((await capture.stop()).length).toBeGreaterThan(BYTES / 65_536);
    expect(capture.countFramesWith()).toBe(0);
    const [flow] = await net.a.flows({ peer: H2.v4 });
    expect(flow).toMatchObject({ verdict: 'encrypt', transform: 'sealed' });
    expect(flow.bytesIn).toBeGreaterThan(BYTES);

    /* What the kernel merges is handled in one piece. */
    const frames = after.framesIn - before.framesIn;
    const bytes = after.bytesIn - before.bytesIn;
    console.log(
      `${profile}: ${Math.round(bytes / frames)} bytes a frame, ${Math.round(BYTES / got.seconds / 1e6)} MB/s`,
    );
    if (profile === 'packet') expect(after.mergedIn).toBe(0);
    else expect(bytes / frames).toBeGreaterThan(10_000);

    /* So is what was opened. */
    const opened = await innerPort(net.a);
    expect(opened.mergedBytesOut / opened.mergedOut).toBeGreaterThan(2 * FRAME);

    /* Control: the same look sees it when nobody protects it. */
    for (const box of [net.a, net.b]) await box.release('the control of this test');
    const readable = await Capture.start(lab, net.wan, net.wanLinks.b, { direction: 'in', snapshot: SNAPSHOT });
    expect((await download(net.h1, url(H2.v4, 'short'))).checksum).toBe(short.checksum);
    await readable.stop();
    expect(readable.countFramesWith()).toBeGreaterThan(SHORT / 65_536);
  });
});

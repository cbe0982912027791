/**
 * 2 GB through every way that a byte may take through two gateways: what arrives is what was sent.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2, who serves
 */
import { expect, test } from 'vitest';
import type { TransformName } from '#dprp/spec.ts';
import { Lab } from '#kit/lab.ts';
import type { Machine, Profile } from '#kit/machine.ts';
import { download, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { bridge, H2 } from './topologies/bridge.ts';

const BYTES = 2_000_000_000;
/** The largest single frame of these links. */
const FRAME = 1_514;
/** For the file to be written, sent, received and summed on a busy machine, ms. */
const PATIENCE_MS = 300_000;

interface Way {
  readonly transform: TransformName;
  readonly profile: Profile;
  readonly port: 'packet' | 'pcap';
  /** Superpackets reach the device. */
  readonly merged: boolean;
}

const WAYS: readonly Way[] = [
  { transform: 'sealed', profile: 'offload', port: 'packet', merged: true },
  { transform: 'pccom', profile: 'offload', port: 'packet', merged: true },
  { transform: 'pccom-keyed', profile: 'wire', port: 'packet', merged: false },
  { transform: 'sealed', profile: 'wire', port: 'pcap', merged: false },
  { transform: 'pccom', profile: 'wire', port: 'pcap', merged: false },
];

/** Frames that the host's own interface received, as Linux counts them: a superpacket is one. */
async function framesOf(host: Machine): Promise<number> {
  type Link = { readonly stats64: { readonly rx: { readonly packets: number } } };
  const [link] = JSON.parse(await host.ip('-j', '-s', 'link', 'show', 'dev', 'eth0')) as [Link];
  return link.stats64.rx.packets;
}

test.each(WAYS)('$transform, port $port, profile $profile', { timeout: PATIENCE_MS }, async (way) => {
  await Lab.use(way.profile, async (lab) => {
    const plan = { port: way.port };
    const net = await bridge(lab, { gateways: 'gscip', transform: way.transform, a: plan, b: plan });
    const web = await WebServer.start(lab, net.h2);
    const file = web.file('image', BYTES);
    const before = await framesOf(net.h1);
    const got = await download(net.h1, url(H2.v4, 'image'));
    expect(got).toMatchObject({ exitCode: 0, status: 200, bytes: BYTES, checksum: file.checksum });
    const size = Math.round(BYTES / ((await framesOf(net.h1)) - before));
    console.log(
      `${way.transform}, ${way.port}: ${size} B a frame, ${Math.round((BYTES * 8) / got.seconds / 1e6)} Mbit/s`,
    );
    if (way.merged) expect(size).toBeGreaterThan(2 * FRAME);
    else expect(size).toBeLessThan(FRAME);
    expect((await net.a.flows({ peer: H2.v4 }))[0]).toMatchObject({ verdict: 'encrypt', transform: way.transform });
  });
});

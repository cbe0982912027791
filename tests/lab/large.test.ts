/** 500 MB through two gateways: what arrives is what was sent, whatever the links do with segments. */
import { expect, test } from 'vitest';
import { Lab } from '#kit/lab.ts';
import { download, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { bridge, H2 } from './topologies/bridge.ts';

const BYTES = 500_000_000;

test.each(['wire', 'packet'] as const)('profile %s', async (profile) => {
  await Lab.use(profile, async (lab) => {
    const net = await bridge(lab, { gateways: 'gscip' });
    const web = await WebServer.start(lab, net.h2);
    const file = web.file('image', BYTES);
    const got = await download(net.h1, url(H2.v4, 'image'));
    expect(got).toMatchObject({ exitCode: 0, status: 200, bytes: BYTES, checksum: file.checksum });
    const [flow] = await net.a.flows({ peer: H2.v4 });
    expect(flow).toMatchObject({ verdict: 'encrypt', transform: 'sealed' });
    expect(flow.bytesIn).toBeGreaterThan(BYTES);
    const { ports } = await net.a.status();
    const merged = ports.reduce((sum, p) => sum + p.mergedIn, 0);
    if (profile === 'packet') expect(merged).toBe(0);
  });
});

/**
 * Two gateways of a group under `pccom`: devices notice nothing, frames are as long between the gateways as before
 * them, nothing of them can be read, and keys change under a download without a packet lost. With the gateways released
 * the same look sees plaintext.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2        gms beside wan
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PairView } from '#api/views.ts';
import { Capture, WHOLE } from '#kit/capture.ts';
import type { GmsBox } from '#kit/gms-box.ts';
import { Lab } from '#kit/lab.ts';
import { MARKERS } from '#kit/payload.ts';
import { framesWith } from '#kit/pcap.ts';
import { until } from '#kit/process.ts';
import { startDownload, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { failedVisits, type Services, startServices, visit } from '#kit/services.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';

const FILE_BYTES = 2_000_000;
/** At RATE, bytes a second, some eight seconds; the last tenth waits until keys were rotated twice. */
const BYTES = 160_000_000;
const RATE = '20M';
const GROUP = 'plant';

describe.each([1, 2])('workers: %i', (workers) => {
  let lab: Lab;
  let net: BridgeLab;
  let gms: GmsBox;
  let services: Services;

  beforeAll(async () => {
    lab = await Lab.make('wire');
    net = await bridge(lab, { gateways: 'gscip', workers, transform: 'pccom' });
    gms = await net.makeGms();
    services = await startServices(lab, net.h2, FILE_BYTES);
  });
  afterAll(() => lab.remove());

  const pairs = async (): Promise<PairView[]> => [
    ...(await net.a.pairs({ peer: H2.v4 })),
    ...(await net.b.pairs({ peer: H1.v4 })),
  ];

  test('everything works, over both IP versions, and nothing can be read between the gateways', async () => {
    const capture = await Capture.start(lab, net.wan, net.wanLinks.a, WHOLE);
    for (const address of [H2.v4, H2.v6]) expect(failedVisits(await visit(net.h1, services, address))).toEqual([]);
    const frames = await capture.stop();
    expect(frames.length).toBeGreaterThan(100);
    expect(framesWith(frames, MARKERS)).toHaveLength(0);
    for (const pair of await pairs()) expect(pair).toMatchObject({ verdict: 'encrypt', transform: 'pccom' });
    for (const box of [net.a, net.b]) {
      for (const flow of await box.flows()) expect(flow.transform).toBe('pccom');
    }
  });

  test('frames are as long between the gateways as before them', async () => {
    const filter = { filter: ['icmp', 'and', 'host', H2.v4, 'and', 'icmp[8:4]', '!=', '0x47534350'] };
    const before = await Capture.start(lab, net.h1, 'eth0', filter);
    const between = await Capture.start(lab, net.wan, net.wanLinks.a, filter);
    const sizes = [16, 17, 31, 100, 576, 1_000, 1_472, 3_000];
    /* One by one: once ping has an answer it waits for the next no longer than two round trips, and a key switch
     * may. */
    for (const size of [...sizes, ...sizes]) expect(await ping(net.h1, H2.v4, { size })).toMatchObject({ answered: 1 });
    const lengths = async (capture: Capture) =>
      (await capture.stop()).map(({ bytes }) => bytes.length).sort((a, b) => a - b);
    const [own, seen] = [await lengths(before), await lengths(between)];
    expect(own.length).toBeGreaterThanOrEqual(4 * sizes.length);
    expect(seen).toEqual(own);
  });

  test('two rotations under a download and 100 pings a second: nothing is lost', async () => {
    const web = await WebServer.start(lab, net.h2, 8_088);
    const file = web.file('image', BYTES);
    const running = startDownload(net.h1, url(H2.v4, 'image', 8_088), { limitRate: RATE, holdAt: BYTES * 0.9 });
    const pinging = ping(net.h1, H2.v4, { count: 800, interval: 0.01 });
    for (const share of [0.1, 0.5]) {
      await running.reached(BYTES * share);
      const [{ version }] = await gms.rotate(GROUP);
      await until(`the pair is protected by version ${version} on both sides`, async () => {
        const now = await pairs();
        return now.length === 2 && now.every((p) => p.keyVersion === version);
      });
    }
    expect(running.program.running).toBe(true);
    running.release();
    expect(await running.done).toMatchObject({ exitCode: 0, bytes: BYTES, checksum: file.checksum });
    expect(await pinging).toMatchObject({ sent: 800, answered: 800 });
    for (const box of [net.a, net.b]) {
      expect(Object.keys(await box.drops()).filter((d) => d.startsWith('pccom-') || d === 'hold-full')).toEqual([]);
    }
  });

  test('the same look finds plaintext once the gateways are released', async () => {
    for (const box of [net.a, net.b]) await box.release('the control of this test');
    const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
    expect(failedVisits(await visit(net.h1, services, H2.v4))).toEqual([]);
    expect(framesWith(await capture.stop(), MARKERS).length).toBeGreaterThan(100);
  });
});

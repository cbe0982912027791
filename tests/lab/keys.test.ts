/**
 * What the GMS does to running traffic: new keys, a member that goes, its own absence.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2        gms beside wan
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PairView } from '#api/views.ts';
import { Capture } from '#kit/capture.ts';
import type { GmsBox } from '#kit/gms-box.ts';
import { Lab } from '#kit/lab.ts';
import { until } from '#kit/process.ts';
import { download, startDownload, url } from '#kit/programs/curl.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';

/** At RATE, bytes a second, some eight seconds; the last tenth of a download waits until it is called for. */
const BYTES = 160_000_000;
const RATE = '20M';
/** Where a member goes under a download; what lies behind SHORT_HELD is more than buffers hold. */
const SHORT = 90_000_000;
const SHORT_HELD = 50_000_000;
const GROUP = 'plant';

describe.each([1, 2])('workers: %i', (workers) => {
  let lab: Lab;
  let net: BridgeLab;
  let gms: GmsBox;
  let web: WebServer;

  beforeAll(async () => {
    lab = await Lab.make('wire');
    net = await bridge(lab, { gateways: 'gscip', workers });
    gms = await net.makeGms();
    web = await WebServer.start(lab, net.h2);
  });
  afterAll(() => lab.remove());

  const pairs = async (): Promise<PairView[]> => [
    ...(await net.a.pairs({ peer: H2.v4 })),
    ...(await net.b.pairs({ peer: H1.v4 })),
  ];
  const pairsBecome = (what: string, fits: (pair: PairView) => boolean) =>
    until(`the pair is ${what} on both sides`, async () => {
      const now = await pairs();
      return now.length === 2 && now.every(fits);
    });
  /** Looks whether devices that speak to each other all the time are protected or cut off, never readable. */
  const readableDuring = async (body: () => Promise<void>): Promise<number> => {
    const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
    await body();
    await capture.stop();
    return capture.countFramesWith();
  };

  test('the GMS knows which software runs, and that it has the newest bundle', async () => {
    await until('both have said what they hold', async () => {
      const elements = await gms.command<{ current: boolean }[]>('ge', 'list');
      return elements.every((ge) => ge.current);
    });
    const told = await gms.command<{ name: string; software: string }[]>('ge', 'list');
    const { version } = await net.a.status();
    expect(told.map((ge) => ge.software)).toEqual(told.map(() => `gscip-gateway ${version}`));
    expect(told).toHaveLength(2);
  });

  test('two rotations under a download and 100 pings a second: nothing is lost', async () => {
    const file = web.file('image', BYTES);
    const running = startDownload(net.h1, url(H2.v4, 'image'), { limitRate: RATE, holdAt: BYTES * 0.9 });
    const pinging = ping(net.h1, H2.v4, { count: 800, interval: 0.01 });
    for (const share of [0.1, 0.4]) {
      await running.reached(BYTES * share);
      const [{ version }] = await gms.rotate(GROUP);
      await pairsBecome(`protected by version ${version}`, (p) => p.keyVersion === version);
    }
    expect(running.program.running).toBe(true);
    running.release();
    expect(await running.done).toMatchObject({ exitCode: 0, bytes: BYTES, checksum: file.checksum });
    expect(await pinging).toMatchObject({ sent: 800, answered: 800 });
    /* What TCP would hide: packets of a generation that ended too early. */
    for (const box of [net.a, net.b])
      expect(Object.keys(await box.drops()).filter((d) => d.startsWith('sealed-'))).toEqual([]);
  });

  test('without the GMS a gateway starts from what it keeps, and is told of what it missed when the GMS is back', async () => {
    await gms.kill();
    await until('ge-b misses the GMS', async () => (await net.b.status()).gms.state === 'lost');
    await net.a.kill();
    await net.a.start();
    await net.a.reaches('running');
    const file = web.file('small', 1_000_000);
    expect((await download(net.h1, url(H2.v4, 'small'))).checksum).toBe(file.checksum);
    expect((await net.a.explain(H2.v4)).verdict).toBe('encrypt');
    expect((await net.a.status()).gms.state).not.toBe('connected');

    await gms.start();
    const [{ version }] = await gms.rotate(GROUP);
    for (const box of [net.a, net.b]) {
      await until(`${box.name} is connected and has the new key`, async () => {
        const { gms: contact, groups } = await box.status();
        return contact.state === 'connected' && groups[0].version === version;
      });
    }
  });

  test.each(['open', 'closed'] as const)(
    'a %s member that is taken out is refused at once, never spoken to in plaintext',
    async (mode) => {
      for (const box of [net.a, net.b]) await gms.command('ge', 'set', box.name, '--mode', mode);
      for (const box of [net.a, net.b]) {
        await until(`${box.name} is ${mode}`, async () => (await box.status()).mode === mode);
      }
      await until('they talk', async () => (await ping(net.h1, H2.v4)).answered === 1);

      const file = web.file('image', SHORT);
      const readable = await readableDuring(async () => {
        const running = startDownload(net.h1, url(H2.v4, 'image'), { limitRate: RATE, holdAt: SHORT_HELD });
        await running.reached(SHORT / 10);
        await gms.command('group', 'remove', GROUP, net.b.name);
        /* Not yet asked again, or refused: a device that only listens asks nothing. */
        await pairsBecome('not protected any more', (p) => p.verdict !== 'encrypt');
        running.release();
        expect((await ping(net.h1, H2.v4, { count: 20, interval: 0.05, wait: 1 })).answered).toBe(0);
        expect((await ping(net.h2, H1.v4, { count: 20, interval: 0.05, wait: 1 })).answered).toBe(0);
        for (const p of await pairs()) expect(p).toMatchObject({ verdict: 'discard' });
        /* Its end was called for, and does not come. */
        expect(running.program.running).toBe(true);

        await gms.command('group', 'add', GROUP, net.b.name);
        expect(await running.done).toMatchObject({ exitCode: 0, bytes: SHORT, checksum: file.checksum });
      });
      expect(readable).toBe(0);
    },
  );
});

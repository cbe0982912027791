/**
 * Devices on tagged lines: the network between them is told apart by tags, and the gateways change none of them. What
 * is protected, what passes in plaintext and the negotiation itself travel under the device's own tags.
 *
 *   h1 ══ [ge-a] ══ wan ══ [ge-b] ══ h2        ══ tagged     every link has room for two tags more
 *
 * h1 and h2 have second addresses that exceptions of both gateways name: between those nothing is protected.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import { Lab } from '#kit/lab.ts';
import { MARKERS, type Payload } from '#kit/payload.ts';
import { type CapturedFrame, framesWith } from '#kit/pcap.ts';
import { download, url } from '#kit/programs/curl.ts';
import { iperf, startIperfServer } from '#kit/programs/iperf3.ts';
import { WebServer } from '#kit/programs/nginx.ts';
import { ping } from '#kit/programs/ping.ts';
import { type Tag, tagBytes, tagLink, untagLink } from '#kit/tagging.ts';
import { type BridgeLab, bridge, H2 } from './topologies/bridge.ts';

const MTU = 1_500;
const ROOM = 8;
const FILE_BYTES = 20_000_000;
const PLAIN_H1 = '10.70.0.21';
const PLAIN_H2 = '10.70.0.22';
/** Answered in fragments. */
const LARGE = 3_000;

const VLAN: readonly Tag[] = [{ tpid: 0x8100, vid: 5 }];
const QINQ: readonly Tag[] = [
  { tpid: 0x88a8, vid: 100 },
  { tpid: 0x8100, vid: 5 },
];
const FOUR: readonly Tag[] = [{ tpid: 0x88a8, vid: 300 }, { tpid: 0x88a8, vid: 200 }, ...QINQ];
/** For each kind of line h2 has addresses of its own: their pairs are negotiated on that line. */
const LINES = [
  { name: '802.1Q', tags: VLAN, addresses: ['10.70.0.31', 'fd70::31'] },
  { name: '802.1ad and 802.1Q', tags: QINQ, addresses: ['10.70.0.32', 'fd70::32'] },
] as const;

const TAGS_AT = 12;
/** What every message of a negotiation begins with. */
const DPRP = Buffer.from('GSCP\x01');
const exception = (address: string) => ({ exceptions: [{ address, direction: 'both' as const, protocol: 'tcp' }] });

/** Frames of the two devices, by their MAC addresses, that do not bear exactly these tags. */
function otherwiseTagged(frames: readonly CapturedFrame[], macs: readonly string[], tags: readonly Tag[]) {
  const expected = tagBytes(tags);
  return frames.filter(({ bytes }) => {
    if (!macs.includes(bytes.toString('hex', 6, 12))) return false;
    const behind = bytes.readUInt16BE(TAGS_AT + expected.length);
    const same = bytes.subarray(TAGS_AT, TAGS_AT + expected.length).equals(expected);
    return !same || behind === 0x8100 || behind === 0x88a8;
  });
}

const negotiations = (frames: readonly CapturedFrame[]) => frames.filter(({ bytes }) => bytes.includes(DPRP));

describe.each([
  ['wire', 1, 'sealed'],
  ['offload', 2, 'pccom'],
] as const)('profile %s, workers: %i, %s', (profile, workers, transform) => {
  let lab: Lab;
  let net: BridgeLab;
  let file: Payload;
  let macs: string[];
  /** What the gateways had dropped before anybody was tagged: the devices' own multicast while there were no keys. */
  let dropsBefore: Readonly<Record<string, number>>[];

  beforeAll(async () => {
    lab = await Lab.make(profile);
    net = await bridge(lab, { gateways: 'kernel', workers, transform, a: exception(PLAIN_H2), b: exception(PLAIN_H1) });
    /* Devices and switches with room for tags; the devices' packets stay as large as they are. */
    for (const [machine, link] of [
      [net.h1, 'eth0'],
      [net.h2, 'eth0'],
      [net.wan, net.wanLinks.a],
      [net.wan, net.wanLinks.b],
    ] as const) {
      await machine.ip('link', 'set', 'dev', link, 'mtu', String(MTU + ROOM));
    }
    for (const machine of [net.h1, net.h2]) {
      await machine.ip('route', 'change', '10.70.0.0/24', 'dev', 'eth0', 'mtu', String(MTU));
      await machine.sysctl({ 'net.ipv6.conf.eth0.mtu': MTU });
    }
    for (const box of [net.a, net.b]) await box.ceaseKernel();
    await net.startGateways();
    await net.h1.address('eth0', `${PLAIN_H1}/32`);
    await net.h2.address('eth0', `${PLAIN_H2}/32`);
    for (const [v4, v6] of LINES.map((l) => l.addresses)) await net.h2.address('eth0', `${v4}/24`, `${v6}/64`);
    await net.h1.ip('route', 'add', PLAIN_H2, 'dev', 'eth0', 'src', PLAIN_H1, 'mtu', String(MTU));
    await net.h2.ip('route', 'add', PLAIN_H1, 'dev', 'eth0', 'src', PLAIN_H2, 'mtu', String(MTU));
    file = (await WebServer.start(lab, net.h2)).file('recipe', FILE_BYTES);
    await startIperfServer(net.h2);
    const macOf = async (machine: typeof net.h1) =>
      (JSON.parse(await machine.ip('-j', 'link', 'show', 'dev', 'eth0'))[0].address as string).replaceAll(':', '');
    macs = [await macOf(net.h1), await macOf(net.h2)];
    dropsBefore = await drops();
  });
  afterAll(() => lab.remove());

  const drops = () => Promise.all([net.a, net.b].map((box) => box.drops()));

  async function retag(tags: readonly Tag[]): Promise<void> {
    for (const machine of [net.h1, net.h2]) await tagLink(lab, machine, 'eth0', tags);
  }

  test.each(LINES)('$name: kept around everything, protected or not', async ({ tags, addresses }) => {
    await retag(tags);
    const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
    for (const to of addresses) {
      expect((await ping(net.h1, to)).answered).toBe(1);
      expect((await ping(net.h1, to, { size: LARGE, count: 3, interval: 0.01 })).answered).toBe(3);
      const got = await download(net.h1, url(to, 'recipe'));
      expect(got).toMatchObject({ exitCode: 0, status: 200, checksum: file.checksum });
    }
    if (profile === 'wire') {
      /* iperf3 answers datagrams from the first address only. */
      const stream = await iperf(net.h1, H2.v4, { seconds: 1, datagramBytes: 1_000, bitrate: '10M' });
      expect(stream).toMatchObject({ lostRatio: 0 });
      expect(stream.datagramsPerSecond).toBeGreaterThan(0);
    }
    const frames = await capture.stop();
    expect(otherwiseTagged(frames, macs, tags)).toEqual([]);
    expect(framesWith(frames, MARKERS)).toEqual([]);
    /* Asked and answered under the device's tags, for both IP versions: four messages each. */
    expect(negotiations(frames).length).toBeGreaterThanOrEqual(8);
    expect(otherwiseTagged(negotiations(frames), macs, tags)).toEqual([]);
    for (const address of addresses) {
      expect(await net.a.pairs({ peer: address })).toMatchObject([{ verdict: 'encrypt', transform }]);
    }
    expect(await drops()).toEqual(dropsBefore);

    const plain = await Capture.start(lab, net.wan, net.wanLinks.a);
    const merged = await mergedIn();
    const got = await download(net.h1, url(PLAIN_H2, 'recipe'));
    expect(got).toMatchObject({ exitCode: 0, status: 200, checksum: file.checksum });
    const readable = await plain.stop();
    expect(otherwiseTagged(readable, macs, tags)).toEqual([]);
    expect(framesWith(readable, MARKERS).length).toBeGreaterThan(FILE_BYTES / 65_536);
    /* Superpackets keep their tags too; without an 802.1Q module Linux itself merges none that have a tag in them. */
    const superpackets = (await mergedIn()) - merged;
    if (profile === 'offload' || tags.length === 1) expect(superpackets).toBeGreaterThan(100);
    expect(await drops()).toEqual(dropsBefore);
  });

  test('four tags: nobody sees what they carry, so nothing passes, by name', async () => {
    await retag(FOUR);
    const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
    expect((await ping(net.h1, H2.v4, { wait: 1 })).answered).toBe(0);
    expect((await drops())[0]['vlan-too-deep']).toBeGreaterThan(0);
    const seen = await capture.stop();
    expect(seen.filter(({ bytes }) => macs[0] === bytes.toString('hex', 6, 12))).toEqual([]);

    for (const machine of [net.h1, net.h2]) await untagLink(machine, 'eth0');
    expect((await ping(net.h1, H2.v4)).answered).toBe(1);
  });

  /** Superpackets that both gateways received. */
  async function mergedIn(): Promise<number> {
    const states = await Promise.all([net.a, net.b].map((box) => box.status()));
    return states.flatMap((s) => s.ports).reduce((sum, port) => sum + port.mergedIn, 0);
  }
});

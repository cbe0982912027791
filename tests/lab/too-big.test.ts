/**
 * A protected packet is larger than the device's own. What does not fit is told to the device, with the size that does,
 * or travels in fragments: a device that asks for no fragments learns the way's size, all others notice nothing.
 *
 *   h1 ── [ge-a] ── wan ── [ge-b] ── h2        every link: 1500 bytes
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import { Lab } from '#kit/lab.ts';
import { MARKER } from '#kit/payload.ts';
import { sendDatagram, startDatagramSink } from '#kit/programs/nc.ts';
import { ping } from '#kit/programs/ping.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';

const MTU = 1_500;
/** What a protected datagram is longer than the device's own. */
const TRAILER = 24;
const HEADERS = { v4: 20 + 8, v6: 40 + 8 };
const LARGE = 3_000;
const PORT = 4_000;

describe.each([1, 2])('workers: %i', (workers) => {
  let lab: Lab;
  let net: BridgeLab;

  beforeAll(async () => {
    lab = await Lab.make('wire');
    net = await bridge(lab, { gateways: 'gscip', workers });
  });
  afterAll(() => lab.remove());

  test.each(['v4', 'v6'] as const)('a device learns the size of the way, Ping IP%s', async (v) => {
    const fits = MTU - TRAILER - HEADERS[v];
    expect((await ping(net.h1, H2[v], { size: fits, discovery: 'do' })).answered).toBe(1);
    expect((await ping(net.h1, H2[v], { size: fits + 1, discovery: 'do', wait: 1 })).answered).toBe(0);
    const known = async () => /mtu (\d+)/.exec(await net.h1.ip('route', 'get', H2[v]))?.[1];
    expect(await known()).toBe(String(MTU - TRAILER));
    expect((await net.a.drops())['too-big']).toBeGreaterThan(0);
    /* The other direction was told nothing. */
    expect(await net.h2.ip('route', 'get', H1[v])).not.toMatch(/ mtu /);
    await net.h1.ip('route', 'flush', 'cache');
  });

  test.each(['v4', 'v6'] as const)('large datagrams pass in fragments that nobody can read, IP%s', async (v) => {
    const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
    expect((await ping(net.h1, H2[v], { size: LARGE, count: 5, interval: 0.01 })).answered).toBe(5);
    const sink = await startDatagramSink(net.h2, PORT, v === 'v4' ? 4 : 6);
    const line = `${MARKER} `.repeat(LARGE / 20).slice(0, LARGE);
    await sendDatagram(net.h1, H2[v], PORT, line);
    expect(await sink.out.next(/./)).toBe(line);
    await sink.stop();
    const frames = await capture.stop();
    expect(frames.filter((f) => f.bytes.length > MTU + 14)).toEqual([]);
    expect(capture.countFramesWith()).toBe(0);
  });

  test('control: released, the fragments can be read', async () => {
    for (const box of [net.a, net.b]) await box.release('the control of this test');
    const capture = await Capture.start(lab, net.wan, net.wanLinks.a);
    expect((await ping(net.h1, H2.v4, { size: LARGE })).answered).toBe(1);
    await capture.stop();
    expect(capture.countFramesWith()).toBeGreaterThanOrEqual(4);
  });
});

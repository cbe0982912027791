/**
 * A device's own tunnel, IP in IP: Linux merges the TCP inside on its way into the gateway, and tells of it as if it
 * were plain TCP. What arrives are the packets that the device sent, sealed or not.
 *
 *   h1 ── merges [ge-a] ── wan ── [ge-b] ── h2, one frame at a time
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Capture } from '#kit/capture.ts';
import type { GatewayBox } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import type { CapturedFrame } from '#kit/pcap.ts';
import { until } from '#kit/process.ts';
import { ping } from '#kit/programs/ping.ts';
import { RawSender } from '#kit/programs/raw-sender.ts';
import { type Ends, tcp } from '#kit/sim-frames.ts';
import { ipv4SetId, ipv4WriteChecksum } from '#wire/ipv4.ts';
import { type BridgeLab, bridge, H1, H2 } from './topologies/bridge.ts';

const L3 = 14;
const INNER = L3 + 20;
const IPIP = 4;
const SEGMENT = 1_000;
const COUNT = 20;
const MARK = 'INSIDE-A-TUNNEL';
/** Segments wait that long for others to be merged with, ns: as long as a busy NIC's queue takes at most. */
const MERGE_NS = 50_000_000;
const PLAIN = { h1: '10.70.0.21', h2: '10.70.0.22' };

let lab: Lab;
let net: BridgeLab;
let sender: RawSender;
let macs: readonly [string, string];

beforeAll(async () => {
  lab = await Lab.make('wire');
  const exception = (address: string) => ({ exceptions: [{ address, direction: 'both' }] });
  net = await bridge(lab, { gateways: 'gscip', a: exception(PLAIN.h2), b: exception(PLAIN.h1) });
  await lab.applyProfile(net.h2, 'eth0', 'packet');
  const macOf = async (machine: typeof net.h1): Promise<string> =>
    JSON.parse(await machine.ip('-j', 'link', 'show', 'dev', 'eth0'))[0].address.replaceAll(':', '');
  macs = [await macOf(net.h1), await macOf(net.h2)];
  expect((await ping(net.h1, H2.v4)).answered).toBe(1);
  sender = await RawSender.start(lab, net.h1, 'eth0');
  const settings = '/sys/class/net/inner';
  const slow = `echo 1 > ${settings}/threaded && echo ${MERGE_NS} > ${settings}/gro_flush_timeout`;
  await net.a.machine.run('sh', '-c', slow);
});
afterAll(() => lab.remove());

/** A segment of a connection inside the tunnel between the two addresses. */
function segment(from: string, to: string, index: number): Uint8Array {
  const end = (mac: string, v4: string) => ({ mac, v4, v6: '::1' });
  const within: Ends = { from: end(macs[0], '192.168.1.1'), to: end(macs[1], '192.168.1.2') };
  const around: Ends = { from: end(macs[0], from), to: end(macs[1], to) };
  const sequence = 1 + SEGMENT * index;
  const data = new Uint8Array(SEGMENT).fill(index);
  data.set(Buffer.from(MARK));
  const inner = tcp(within, { sourcePort: 9, destinationPort: 9, sequence, acknowledgement: 1, flags: 0x10, data });
  const outer = tcp(around, { sourcePort: 9, destinationPort: 9, sequence, flags: 0x10, data });
  const frame = Buffer.concat([outer.subarray(0, INNER), inner.subarray(L3)]);
  const view = new DataView(frame.buffer, frame.byteOffset);
  frame.writeUInt16BE(frame.length - L3, L3 + 2);
  frame[L3 + 9] = IPIP;
  ipv4WriteChecksum(frame, view, L3);
  for (const l3 of [L3, INNER]) ipv4SetId(view, l3, index);
  return frame;
}

const tunnelled = (frames: readonly CapturedFrame[]) =>
  frames.filter(({ bytes }) => bytes.readUInt16BE(12) === 0x0800 && bytes[L3 + 9] === IPIP);

const mergedIn = async (box: GatewayBox) => (await box.status()).ports.find((p) => p.role === 'inner')?.mergedIn ?? 0;

test.each([
  ['sealed', H1.v4, H2.v4],
  ['plain', PLAIN.h1, PLAIN.h2],
] as const)('%s: every packet arrives as it was sent', async (path, from, to) => {
  const drops = () => Promise.all([net.a, net.b].map((box) => box.drops()));
  const [merged, before] = [await mergedIn(net.a), await drops()];
  const between = await Capture.start(lab, net.wan, net.wanLinks.a);
  const arrivals = await Capture.start(lab, net.h2, 'eth0', { direction: 'in' });
  const sent = Array.from({ length: COUNT }, (_, i) => segment(from, to, i));
  for (const frame of sent) expect(await sender.send(frame)).toBe('sent');
  await until('all packets arrive', async () => tunnelled(arrivals.frames()).length >= COUNT);
  const arrived = tunnelled(await arrivals.stop()).map(({ bytes }) => bytes.toString('hex'));
  expect(arrived).toEqual(sent.map((frame) => Buffer.from(frame).toString('hex')));
  expect(await mergedIn(net.a)).toBeGreaterThan(merged);
  const readable = (await between.stop()).filter(({ bytes }) => bytes.includes(MARK));
  if (path === 'sealed') expect(readable).toEqual([]);
  else expect(readable.length).toBeGreaterThan(0);
  expect(await drops()).toEqual(before);
});

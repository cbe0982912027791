/** What a superpacket becomes on its way through two gateways, and what reaches the device behind the second. */
import { describe, expect } from 'vitest';
import type { FakeFrame } from '#port/fake.ts';
import { ipv4SetId } from '#wire/ipv4.ts';
import { GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, PORT_INNER, PORT_OUTER, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { TCP_ACK, TCP_PSH } from '#wire/tcp.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { type Ends, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { segments } from '../kit/sim-segments.ts';
import { story } from '../kit/sim-story.ts';
import { SimStream } from '../kit/sim-stream.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const SEGMENT = 1_400;
const SEGMENTS = 20;

function bytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8)) & 0xff);
}

/** The pair is known, and its first packet has arrived. */
function acquainted(world: SimWorld, ends: Ends): void {
  world.key('a');
  world.key('b');
  world.behaviour = { delay: 5 };
  world.sendFromH1(udp(ends, 1, 1, new Uint8Array(10)));
  world.run(1_000);
  world.h2.left.collect();
  world.crossed.length = 0;
}

describe.each([4, 6] as const)('IPv%d', (version) => {
  const ends: Ends = { from: H1, to: H2, version };
  const gsoType = version === 4 ? GSO_TCPV4 : GSO_TCPV6;
  const data = bytes(SEGMENT * SEGMENTS);

  function sendSuperpacket(world: SimWorld): Uint8Array {
    const frame = tcp(ends, { sourcePort: 1, destinationPort: 2, sequence: 100, flags: TCP_ACK | TCP_PSH, data });
    const csumStart = version === 4 ? 34 : 54;
    const sum = new Uint8Array(frame);
    world.sendFromH1(sum, { gsoType, gsoSize: SEGMENT, flags: VNET_NEEDS_CSUM, csumStart, csumOffset: 16 });
    world.run(1_000);
    return frame;
  }

  story('a superpacket crosses in sealed segments and arrives as a superpacket', (world) => {
    acquainted(world, ends);
    const before = world.b.datapath.counters.port(PORT_INNER);
    sendSuperpacket(world);
    expect(world.crossed.filter((c) => dprpType(c.frame.bytes) === 0).length).toBe(SEGMENTS);
    expect(world.crossed.every((c) => c.frame.gsoType === GSO_NONE)).toBe(true);

    const arrived = world.h2.left.collect();
    expect(arrived.map((f) => [f.gsoType, f.gsoSize])).toEqual([[gsoType, SEGMENT]]);
    expect(read(arrived[0].bytes).payload).toEqual(data);
    const cut = arrived.flatMap(segments).map(read);
    expect(cut.map((s) => s.payload.length)).toEqual(Array(SEGMENTS).fill(SEGMENT));
    expect(cut.map((s) => s.frame.tcpFlags)).toEqual([...Array(SEGMENTS - 1).fill(TCP_ACK), TCP_ACK | TCP_PSH]);

    const after = world.b.datapath.counters.port(PORT_INNER);
    expect(after.framesOut - before.framesOut).toBe(1);
    expect([after.mergedOut, after.mergedBytesOut]).toEqual([1, arrived[0].bytes.length]);
    expect(after.bytesOut - before.bytesOut).toBe(arrived[0].bytes.length);
    expect(world.b.datapath.counters.port(PORT_OUTER).mergedOut).toBe(0);
    expect(world.b.drops()).toEqual({});
  });

  story('a segment that somebody changed on the way splits it, and is missing', (world) => {
    acquainted(world, ends);
    let crossed = 0;
    world.mallory = (frame) => {
      if (++crossed !== 8) return true;
      frame.bytes[frame.bytes.length - 1] ^= 1;
      return true;
    };
    sendSuperpacket(world);
    const arrived = world.h2.left.collect();
    expect(arrived.map((f) => read(f.bytes).payload.length / SEGMENT)).toEqual([7, 12]);
    const [before, behind] = arrived.map((f) => read(f.bytes).payload);
    expect(before).toEqual(data.slice(0, 7 * SEGMENT));
    expect(behind).toEqual(data.slice(8 * SEGMENT));
    expect(Object.values(world.b.drops())).toEqual([1]);
  });

  story(
    'an inner port that cuts nothing gets every segment by itself',
    (world) => {
      acquainted(world, ends);
      sendSuperpacket(world);
      const arrived = world.h2.left.collect();
      expect(arrived.length).toBe(SEGMENTS);
      expect(arrived.every((f) => f.gsoType === GSO_NONE)).toBe(true);
      expect(Buffer.concat(arrived.map((f) => read(f.bytes).payload))).toEqual(Buffer.from(data));
      expect(world.b.datapath.counters.port(PORT_INNER).mergedOut).toBe(0);
    },
    { superpackets: false },
  );

  story('a stream over a bad wire is whole, and some of it merged', (world) => {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 5, loss: 0.05, duplicates: 0.05 };
    const stream = new SimStream(world, version, bytes(200_000), SEGMENT);
    stream.start();
    for (let i = 0; i < 600 && !stream.complete; i++) world.run(1_000);
    expect(stream.complete).toBe(true);
    expect(Buffer.compare(stream.received, bytes(200_000))).toBe(0);
    /* Whether two segments of a stream meet in one batch is up to the wire; of these many always do. */
    for (let i = 0; i < 20; i++) sendSuperpacket(world);
    expect(world.b.datapath.counters.port(PORT_INNER).mergedOut).toBeGreaterThan(0);
  });

  /** Datagrams of 64 bytes, as a device sends them: one by one, identifications counting on. */
  function sendDatagrams(world: SimWorld, count: number): string[] {
    const sent = Array.from({ length: count }, (_, i) => {
      const frame = udp(
        ends,
        1,
        2,
        Uint8Array.from({ length: 64 }, (_, k) => i + k),
      );
      if (version === 4) ipv4SetId(new DataView(frame.buffer, frame.byteOffset), 14, 0xfff0 + i);
      return frame;
    });
    for (const frame of sent) world.sendFromH1(frame);
    world.run(1_000);
    return sent.map((frame) => Buffer.from(frame).toString('hex'));
  }
  const cutOf = (frames: readonly FakeFrame[]): string[] =>
    frames.flatMap(segments).map((frame) => Buffer.from(frame).toString('hex'));

  story('datagrams cross as superpackets of sealed datagrams, and arrive as what they were', (world) => {
    acquainted(world, ends);
    const sent = sendDatagrams(world, 15);
    const onWire = world.crossed.filter((c) => dprpType(c.frame.bytes) === 0).map((c) => c.frame);
    expect(onWire.map((f) => [f.gsoType, f.gsoSize])).toEqual([[GSO_UDP_L4, 64 + 24]]);
    expect(onWire.flatMap(segments).map((f) => read(f).payload.length)).toEqual(Array(15).fill(64 + 24));
    const arrived = world.h2.left.collect();
    expect(arrived.map((f) => [f.gsoType, f.gsoSize])).toEqual([[GSO_UDP_L4, 64]]);
    expect(cutOf(arrived)).toEqual(sent);
    expect(world.a.datapath.counters.port(PORT_OUTER)).toMatchObject({ mergedOut: 1 });
    expect(world.b.datapath.counters.port(PORT_INNER)).toMatchObject({ mergedOut: 1 });
    expect(world.b.drops()).toEqual({});
  });

  story('of merged datagrams one that somebody changed is missing, and no other', (world) => {
    acquainted(world, ends);
    world.mallory = (frame) => {
      if (frame.gsoType === GSO_UDP_L4) frame.bytes[frame.bytes.length - 7 * 88 - 1] ^= 1;
      return true;
    };
    const sent = sendDatagrams(world, 15);
    expect(cutOf(world.h2.left.collect())).toEqual(sent.filter((_, i) => i !== 7));
    expect(world.b.drops()).toEqual({ 'sealed-forged': 1 });
  });
});

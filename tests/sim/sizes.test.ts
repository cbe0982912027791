/** Packets that are too long: fragments, path MTU, segments of connections older than the gateway, superpackets. */
import { describe, expect } from 'vitest';
import { FORM_ICMP_ERROR, FORM_TCP } from '#wire/frame.ts';
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { datagrams, fragments } from '../kit/sim-fragments.ts';
import { type Ends, H1, H2, parsed, read, tcp, udp } from '../kit/sim-frames.ts';
import { segments } from '../kit/sim-segments.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const UDP_HEADER = 8;

function bytes(length: number): Uint8Array {
  const data = Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8)) & 0xff);
  data.set(MARKER, Math.min(20, length - MARKER.length));
  return data;
}

function start(world: SimWorld): void {
  world.key('a');
  world.key('b');
  world.behaviour = { delay: 5 };
}

/** The pair is known, and its first packet has arrived. */
function acquainted(world: SimWorld, ends: Ends): void {
  start(world);
  world.sendFromH1(udp(ends, 1, 1, new Uint8Array(10)));
  world.run(1_000);
  world.h2.left.collect();
  world.crossed.length = 0;
}

const sealedOnWire = (world: SimWorld): number => world.crossed.filter((c) => dprpType(c.frame.bytes) === 0).length;

describe.each([4, 6] as const)('IPv%d', (version) => {
  const out: Ends = { from: H1, to: H2, version };
  const back: Ends = { from: H2, to: H1, version };
  const l3 = version === 4 ? 20 : 40;

  for (const known of [true, false]) {
    story(`3,000 bytes in fragments pass both gateways, ${known ? 'known' : 'cold'} pair`, (world) => {
      if (known) acquainted(world, out);
      else start(world);
      const data = bytes(3_000);
      for (let id = 1; id <= 5; id++) {
        for (const part of fragments(udp(out, 5000, 6000, data), 1500, id)) world.sendFromH1(part);
      }
      world.run(6_000);
      const arrived = datagrams(world.h2.left.collect());
      expect(arrived.length).toBe(5);
      for (const one of arrived) expect(Buffer.compare(one.subarray(UDP_HEADER), data)).toBe(0);
      expect(world.plaintextCrossed(MARKER)).toBe(0);
      expect(Math.max(...world.crossed.map((c) => c.frame.bytes.length))).toBeLessThanOrEqual(1514);
      expect(world.a.drops()).toEqual({});
      expect(world.b.drops()).toEqual({});
    });
  }

  story('a fragment that is missing costs its datagram, by name', (world) => {
    acquainted(world, out);
    const [first, second, third] = fragments(udp(out, 5000, 6000, bytes(3_000)), 1500, 9);
    world.sendFromH1(first);
    world.sendFromH1(third);
    world.run(10_000);
    expect(world.h2.left.collect()).toEqual([]);
    expect(world.a.drops()).toEqual({ 'fragment-timeout': 2 });
    expect(second.length).toBeGreaterThan(0);
  });

  for (const known of [true, false]) {
    story(`too big to be sealed, and may not be cut: the device is told, ${known ? 'known' : 'cold'} pair`, (world) => {
      if (known) acquainted(world, out);
      else start(world);
      const fits = 1500 - 24 - l3 - UDP_HEADER;
      world.sendFromH1(udp(out, 5000, 6000, bytes(fits)));
      world.sendFromH1(udp(out, 5000, 6000, bytes(fits + 1)));
      world.run(3_000);
      expect(datagrams(world.h2.left.collect()).map((d) => d.length)).toEqual([fits + UDP_HEADER]);
      expect(sealedOnWire(world)).toBe(1);
      expect(world.a.drops()).toEqual({ 'too-big': 1 });
      const [told, ...more] = world.h1.left.collect().map((f) => ({ seen: read(f.bytes), bytes: f.bytes }));
      expect(more).toEqual([]);
      const { frame } = told.seen;
      expect([frame.form, frame.icmpType, frame.icmpCode]).toEqual([
        FORM_ICMP_ERROR,
        version === 4 ? 3 : 2,
        version === 4 ? 4 : 0,
      ]);
      const view = new DataView(told.bytes.buffer, told.bytes.byteOffset);
      expect(version === 4 ? view.getUint16(frame.l4 + 6) : view.getUint32(frame.l4 + 4)).toBe(1476);
      /* It quotes the device's own packet and seems to come from the peer. */
      const quoted = told.seen.payload;
      expect(Buffer.from(quoted.subarray(0, l3 + UDP_HEADER))).toEqual(
        Buffer.from(udp(out, 5000, 6000, bytes(fits + 1)).subarray(14, 14 + l3 + UDP_HEADER)),
      );
      expect([...frame.source]).toEqual([...parsed(udp(back, 1, 1, new Uint8Array(1)))!.source]);
    });
  }

  story('full-size segments of a connection older than the gateway are cut in two, none is refused', (world) => {
    acquainted(world, out);
    const size = 1500 - l3 - 20;
    const data = bytes(size * 10);
    for (let i = 0; i < 10; i++) {
      const part = data.subarray(i * size, (i + 1) * size);
      world.sendFromH1(
        tcp(out, { sourcePort: 1, destinationPort: 2, sequence: 1 + i * size, flags: 0x18, data: part }),
      );
    }
    world.run(1_000);
    const arrived = world.h2.left.collect().flatMap(segments).map(read);
    expect(arrived.length).toBe(20);
    expect(Buffer.concat(arrived.map((s) => s.payload))).toEqual(Buffer.from(data));
    expect(arrived.map((s) => s.frame.sequence)).toEqual(
      arrived.map((_, i) => 1 + (i >> 1) * size + (i & 1) * arrived[0].payload.length),
    );
    expect(world.plaintextCrossed(MARKER)).toBe(0);
    expect(Math.max(...world.crossed.map((c) => c.frame.bytes.length))).toBeLessThanOrEqual(1514);
    expect(world.a.drops()).toEqual({});
  });

  story('new connections are told a smaller segment size, both ways', (world) => {
    start(world);
    const size = 1500 - l3 - 20;
    const options = [2, 4, size >> 8, size & 0xff];
    world.sendFromH1(tcp(out, { sourcePort: 1, destinationPort: 2, sequence: 7, flags: 0x02, options }));
    world.run(500);
    world.sendFromH2(
      tcp(back, { sourcePort: 2, destinationPort: 1, sequence: 9, acknowledgement: 8, flags: 0x12, options }),
    );
    world.run(500);
    for (const { left } of [world.h1, world.h2]) {
      const [frame] = left.collect();
      const { frame: f } = read(frame.bytes);
      const at = f.l4 + 20;
      expect([...frame.bytes.subarray(at, at + 2)]).toEqual([2, 4]);
      expect((frame.bytes[at + 2] << 8) | frame.bytes[at + 3]).toBe(size - 20);
    }
  });

  story('a superpacket of TCP is cut into its segments and sealed', (world) => {
    acquainted(world, out);
    const data = bytes(30_000);
    const frame = tcp(out, { sourcePort: 1, destinationPort: 2, sequence: 100, flags: 0x18, data });
    const gsoType = version === 4 ? GSO_TCPV4 : GSO_TCPV6;
    world.sendFromH1(frame, { gsoType, gsoSize: 1_400, flags: VNET_NEEDS_CSUM, csumStart: 14 + l3, csumOffset: 16 });
    world.run(1_000);
    const arrived = world.h2.left.collect().map((f) => read(f.bytes));
    expect(Buffer.concat(arrived.map((s) => s.payload))).toEqual(Buffer.from(data));
    expect(arrived.every((s) => s.form === FORM_TCP)).toBe(true);
    expect(sealedOnWire(world)).toBe(Math.ceil(30_000 / 1_400));
    expect(Math.max(...world.crossed.map((c) => c.frame.bytes.length))).toBeLessThanOrEqual(1514);
    expect(world.plaintextCrossed(MARKER)).toBe(0);
    expect(world.a.drops()).toEqual({});
    expect(world.b.drops()).toEqual({});
  });

  story('a superpacket of UDP is cut into its datagrams and sealed', (world) => {
    acquainted(world, out);
    const data = bytes(10_000);
    world.sendFromH1(udp(out, 1, 2, data), {
      gsoType: GSO_UDP_L4,
      gsoSize: 1_000,
      flags: VNET_NEEDS_CSUM,
      csumStart: 14 + l3,
      csumOffset: 6,
    });
    world.run(1_000);
    /* Both links cut again what was merged for them. */
    const onWire = world.crossed.flatMap((c) => segments(c.frame)).filter((f) => dprpType(f) === 0);
    expect(onWire.filter((f) => f.length === 14 + l3 + UDP_HEADER + 1_000 + 24).length).toBe(10);
    const arrived = world.h2.left.collect().flatMap((f) => segments(f).map((d) => read(d).payload));
    expect(arrived.map((p) => p.length)).toEqual(Array.from({ length: 10 }, () => 1_000));
    expect(Buffer.concat(arrived)).toEqual(Buffer.from(data));
    expect(world.plaintextCrossed(MARKER)).toBe(0);
  });

  story('a superpacket of a cold pair waits, and passes whole', (world) => {
    start(world);
    const data = bytes(20_000);
    const gsoType = version === 4 ? GSO_TCPV4 : GSO_TCPV6;
    const frame = tcp(out, { sourcePort: 1, destinationPort: 2, sequence: 100, flags: 0x18, data });
    world.sendFromH1(frame, { gsoType, gsoSize: 1_400, flags: VNET_NEEDS_CSUM, csumStart: 14 + l3, csumOffset: 16 });
    world.run(1_000);
    expect(Buffer.concat(world.h2.left.collect().map((f) => read(f.bytes).payload))).toEqual(Buffer.from(data));
  });
});

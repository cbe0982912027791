/** Whatever comes in: no exception, and every frame goes on, waits, or is counted under a name. */
import { describe, expect } from 'vitest';
import { type FakeFrame, fakeFrame } from '#port/fake.ts';
import { ETHER_HEADER } from '#wire/ethernet.ts';
import { FORM_ICMP_ERROR } from '#wire/frame.ts';
import { GSO_TCPV4, GSO_UDP_L4, PORT_INNER, PORT_OUTER, PORTS } from '#wire/record.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { fragments } from '../kit/sim-fragments.ts';
import { type Ends, echo, H1, H2, icmp, parsed, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimGateway, SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const LONGEST = 2_000;
/** Bytes of a quote that tell packets from each other: IPv6's header and ports. */
const QUOTED = 48;

/** How many frames the gateway has sent, dropped, held or kept; grows by at least one for every frame that comes in. */
function accounted(gateway: SimGateway): number {
  const { counters, hold } = gateway.datapath;
  let total = hold.frames;
  for (const count of counters.drops) total += count;
  for (let port = 0; port < PORTS; port++) total += counters.port(port).framesOut;
  return total;
}

/** Gives one frame to the gateway; it must do something about it that can be seen. Fragments may wait for others. */
function give(world: SimWorld, port: 'inner' | 'outer', frame: FakeFrame, waits = 0): void {
  const before = accounted(world.a);
  world.a[port].inject(frame);
  world.run(waits);
  if (accounted(world.a) <= before) {
    throw new Error(`a frame to ${port} vanished: ${Buffer.from(frame.bytes).toString('hex')}`);
  }
}

/**
 * Once nothing waits any more: every frame that came in went out or has a name, and nothing was counted twice.
 * `fromH1`: what came from the device, whose sender may have been told that it is too big.
 */
function expectBalance(world: SimWorld, fromH1: readonly Uint8Array[]): void {
  const { counters, hold } = world.a.datapath;
  expect(hold.frames).toBe(0);
  const told = world.h1.left.collect().filter(({ bytes }) => quotes(bytes, fromH1)).length;
  const inner = counters.port(PORT_INNER);
  const outer = counters.port(PORT_OUTER);
  const own = world.crossed.filter((c) => c.from === 'a' && dprpType(c.frame.bytes) !== 0).length;
  const dropped = counters.drops.reduce((sum, count) => sum + count, 0);
  expect(inner.framesOut + outer.framesOut - own - told + dropped).toBe(inner.framesIn + outer.framesIn);
}

/** True for an ICMP error about one of these Ethernet frames. */
function quotes(bytes: Uint8Array, frames: readonly Uint8Array[]): boolean {
  const frame = parsed(bytes);
  if (frame?.form !== FORM_ICMP_ERROR) return false;
  const quote = Buffer.from(bytes.subarray(frame.payload, frame.payload + QUOTED));
  return frames.some((f) => quote.equals(f.subarray(ETHER_HEADER, ETHER_HEADER + QUOTED)));
}

const random = (world: SimWorld, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => Math.floor(world.chance() * 256));

function mutated(world: SimWorld, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice(0, world.chance() < 0.2 ? Math.floor(world.chance() * bytes.length) : bytes.length);
  const changes = 1 + Math.floor(world.chance() * 4);
  for (let i = 0; i < changes && copy.length > 0; i++) {
    copy[Math.floor(world.chance() * copy.length)] = Math.floor(world.chance() * 256);
  }
  return copy;
}

function valid(version: 4 | 6): Uint8Array[] {
  const out: Ends = { from: H1, to: H2, version };
  const data = Buffer.concat([MARKER, Buffer.alloc(200, 0x62)]);
  const options = [2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7];
  return [
    echo(out, 'request', 1, 1, data),
    udp(out, 5000, 6000, data),
    udp(out, 68, 67, data),
    tcp(out, { sourcePort: 1, destinationPort: 2, sequence: 7, flags: 0x02, options }),
    tcp(out, { sourcePort: 1, destinationPort: 2, sequence: 8, flags: 0x18, data }),
    icmp(out, version === 4 ? 3 : 1, 1, Buffer.concat([Buffer.alloc(4), udp(out, 1, 2, data).subarray(14, 142)])),
    ...fragments(udp(out, 5000, 6000, Buffer.alloc(3_000, 0x63)), 1_500, 77),
  ];
}

/** The other way round: what comes from the peer to the device. */
function turned(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  copy.set(bytes.subarray(0, 6), 6);
  copy.set(bytes.subarray(6, 12), 0);
  const [source, destination, length] = bytes[12] === 0x08 ? [26, 30, 4] : [22, 38, 16];
  copy.set(bytes.subarray(source, source + length), destination);
  copy.set(bytes.subarray(destination, destination + length), source);
  return copy;
}

for (const keyed of ['without keys', 'open', 'closed'] as const) {
  describe(keyed, () => {
    const start = (world: SimWorld): void => {
      if (keyed !== 'without keys') world.key('a', { mode: keyed });
      world.mallory = () => false;
    };

    for (const port of ['inner', 'outer'] as const) {
      story(`random bytes of every length to ${port}`, (world) => {
        start(world);
        const given = Array.from({ length: LONGEST + 1 }, (_, length) => random(world, length));
        for (const bytes of given) give(world, port, fakeFrame(bytes));
        /* Random addresses behind headers that look right come further. */
        for (let length = 34; length <= LONGEST; length += 3) {
          const bytes = random(world, length);
          bytes.set([0x08, 0x00, 0x45, 0, length >> 8, (length - 14) & 0xff], 12);
          bytes[16] = (length - 14) >> 8;
          bytes[23] = [1, 6, 17, 58, 47][length % 5];
          bytes[0] &= 0xfe;
          given.push(bytes);
          world.a[port].inject(fakeFrame(bytes));
        }
        world.run(20_000);
        expect(world.a.datapath.counters.port(port === 'inner' ? PORT_INNER : PORT_OUTER).framesIn).toBe(given.length);
        expectBalance(world, port === 'inner' ? given : []);
      });
    }

    story('valid frames with a few bytes changed, to both ports', (world) => {
      start(world);
      const frames = [4, 6].flatMap((version) => valid(version as 4 | 6));
      const fromH1: Uint8Array[] = [];
      for (let round = 0; round < 1_500; round++) {
        const bytes = mutated(world, frames[round % frames.length]);
        fromH1.push(bytes);
        world.a.inner.inject(fakeFrame(bytes));
        world.a.outer.inject(fakeFrame(bytes.length > 54 ? turned(bytes) : bytes));
        world.run(1);
      }
      world.run(20_000);
      expect(world.a.datapath.counters.port(PORT_INNER).framesIn).toBe(1_500);
      expectBalance(world, fromH1);
      if (keyed === 'closed') expect(readable(world)).toBe(0);
    });
  });
}

/** Frames with the marker that left toward the network and are not what always passes. */
function readable(world: SimWorld): number {
  return world.crossed.filter(
    (c) => c.from === 'a' && Buffer.from(c.frame.bytes).includes(MARKER) && isNegotiable(c.frame.bytes),
  ).length;
}

/** ARP, EAPOL and what has DHCP's ports are not asked about: a changed byte can make any frame look like one. */
function isNegotiable(bytes: Uint8Array): boolean {
  const frame = Buffer.from(bytes);
  const passing = ['0806', '888e', '00440043'].map((text) => Buffer.from(text, 'hex'));
  return !passing.some((look) => frame.subarray(12, 60).includes(look));
}

describe('a pair with an association', () => {
  function acquainted(world: SimWorld): Uint8Array[] {
    world.key('a');
    world.key('b');
    for (const version of [4, 6] as const) {
      const back: Ends = { from: H2, to: H1, version };
      const data = Buffer.concat([MARKER, Buffer.alloc(300, 0x64)]);
      for (let i = 0; i < 5; i++) {
        world.sendFromH2(udp(back, 6000, 5000, data));
        world.sendFromH2(tcp(back, { sourcePort: 2, destinationPort: 1, sequence: i * 400, flags: 0x18, data }));
        world.sendFromH2(echo(back, 'request', 1, i, data));
        for (const part of fragments(udp(back, 6000, 5000, Buffer.alloc(3_000, 0x65)), 1_500, i))
          world.sendFromH2(part);
      }
    }
    world.run(1_000);
    return world.crossed.filter((c) => c.from === 'b').map((c) => c.frame.bytes);
  }

  story(
    'every protected frame, message and fragment with a few bytes changed: nothing of it reaches a device',
    (world) => {
      const recorded = acquainted(world);
      world.h1.left.collect();
      const data = recorded.filter((bytes) => dprpType(bytes) === 0);
      for (let round = 0; round < 3_000; round++) {
        const bytes = mutated(world, data[round % data.length]);
        world.a.outer.inject(fakeFrame(bytes));
        if (round % 50 === 0) world.run(1);
      }
      world.run(20_000);
      const arrived = world.h1.left.collect().filter((f) => Buffer.from(f.bytes).includes(MARKER));
      expect(arrived).toEqual([]);
      expect(world.a.datapath.hold.frames).toBe(0);
      /* The pair still works. */
      world.sendFromH2(udp({ from: H2, to: H1 }, 6000, 5000, Buffer.from('afterwards')));
      world.run(100);
      expect(world.h1.left.collect().filter((f) => Buffer.from(f.bytes).includes('afterwards')).length).toBe(1);
    },
  );

  story('every protected frame again: nothing arrives twice', (world) => {
    const recorded = acquainted(world).filter((bytes) => dprpType(bytes) === 0);
    world.h1.left.collect();
    for (const bytes of recorded) give(world, 'outer', fakeFrame(bytes), 6_000);
    expect(world.h1.left.collect().filter((f) => Buffer.from(f.bytes).includes(MARKER))).toEqual([]);
  });

  story('messages of DPRP with a few bytes changed', (world) => {
    const messages = acquainted(world).filter((bytes) => dprpType(bytes) !== 0);
    expect(messages.length).toBeGreaterThan(3);
    for (let round = 0; round < 2_000; round++) {
      world.a.outer.inject(fakeFrame(mutated(world, messages[round % messages.length])));
      world.a.inner.inject(fakeFrame(mutated(world, messages[round % messages.length])));
      world.run(1);
    }
    world.run(20_000);
    expect(world.a.datapath.hold.frames).toBe(0);
    for (const version of [4, 6] as const) {
      world.sendFromH1(udp({ from: H1, to: H2, version }, 5000, 6000, Buffer.from('afterwards')));
    }
    world.run(100);
    expect(world.h2.left.collect().filter((f) => Buffer.from(f.bytes).includes('afterwards')).length).toBe(2);
  });

  story('what a device sends and cannot be sealed has a name', (world) => {
    acquainted(world);
    const ends: Ends = { from: H1, to: H2 };
    const md5 = [19, 18, ...Array.from({ length: 16 }, () => 1), 1, 1];
    const segment = { sourcePort: 1, destinationPort: 2, sequence: 7, flags: 0x18 };
    give(world, 'inner', fakeFrame(tcp(ends, { ...segment, options: md5, data: MARKER })));
    const wrong = udp(ends, 5000, 6000, MARKER);
    wrong[wrong.length - 1] ^= 1;
    give(world, 'inner', fakeFrame(wrong));
    give(world, 'inner', fakeFrame(tcp(ends, { ...segment, options: [2, 0, 1, 1], data: MARKER })));
    expect(world.a.drops()).toEqual({ 'tcp-authenticated': 1, 'bad-checksum': 1, 'tcp-bad-header': 1 });
    expect(world.plaintextCrossed(MARKER)).toBe(0);
  });

  story('superpackets whose description contradicts their headers', (world) => {
    acquainted(world);
    const frames = valid(4);
    for (let round = 0; round < 2_000; round++) {
      const number = (below: number): number => Math.floor(world.chance() * below);
      const fields = {
        flags: number(4),
        gsoType: [0, GSO_TCPV4, GSO_UDP_L4, 4, 0x81][number(5)],
        gsoSize: number(3_000),
        csumStart: number(100),
        csumOffset: number(30),
        vlanTci: number(3) - 1,
        vlanTpid: number(2) * 0x8100,
      };
      const bytes = frames[round % frames.length];
      world.a.inner.inject(fakeFrame(bytes, fields));
      world.a.outer.inject(fakeFrame(turned(bytes), fields));
      if (round % 20 === 0) world.run(1);
    }
    world.run(20_000);
    expect(world.a.datapath.hold.frames).toBe(0);
    expect(world.a.datapath.counters.port(PORT_INNER).framesIn).toBeGreaterThanOrEqual(2_000);
  });
});

/**
 * What Linux itself refuses to carry or to say, and a port could hand over all the same: each lie ends in a named drop.
 */
import { describe, expect } from 'vitest';
import { type FakeFrame, fakeFrame } from '#port/fake.ts';
import type { DropName } from '#wire/drops.ts';
import { FORM_ICMP_ERROR } from '#wire/frame.ts';
import { ipv4WriteChecksum } from '#wire/ipv4.ts';
import { GSO_TCPV4, GSO_UDP_L4, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { type Ends, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const OUT: Ends = { from: H1, to: H2 };
const L4 = 14 + 20;
const GSO_UDP = 3;
const partial = (csumStart: number, csumOffset: number) => ({ flags: VNET_NEEDS_CSUM, csumStart, csumOffset });
const stream = (length: number): Uint8Array =>
  tcp(OUT, { sourcePort: 1, destinationPort: 2, sequence: 9, flags: 0x10, data: new Uint8Array(length).fill(0x61) });
const datagram = (length: number): Uint8Array => udp(OUT, 1, 2, new Uint8Array(length).fill(0x61));

type Fields = Partial<Omit<FakeFrame, 'bytes'>>;
const LIES: readonly (readonly [what: string, bytes: Uint8Array, fields: Fields, drop: DropName])[] = [
  ['segments of no bytes', stream(3_000), { ...partial(L4, 16), gsoType: GSO_TCPV4 }, 'gso-bad'],
  ['129 datagrams', datagram(1_281), { ...partial(L4, 6), gsoType: GSO_UDP_L4, gsoSize: 10 }, 'gso-bad'],
  [
    'a kind of segments that is not known',
    datagram(99),
    { ...partial(L4, 6), gsoType: GSO_UDP, gsoSize: 9 },
    'gso-bad',
  ],
  ['segments that nobody has verified', stream(3_000), { gsoType: GSO_TCPV4, gsoSize: 1_000 }, 'gso-bad'],
  ['a checksum behind the frame', stream(100), partial(2_000, 16), 'checksum-misplaced'],
  ['a checksum whose field is behind the frame', stream(100), partial(L4, 2_000), 'checksum-misplaced'],
  ['a checksum of the IP header', stream(100), partial(14, 10), 'checksum-misplaced'],
  ['a checksum of the MAC addresses', stream(100), partial(0, 16), 'checksum-misplaced'],
  ['a frame larger than a slot', new Uint8Array(70_000), {}, 'frame-truncated'],
];

function acquainted(world: SimWorld, sealed: boolean): void {
  world.key('a');
  if (sealed) world.key('b');
  world.sendFromH1(datagram(10));
  world.run(1_500);
  world.h2.left.collect();
  expect(world.a.verdicts()[0]).toMatch(sealed ? /^encrypt/ : /^plain/);
}

describe.each([true, false])('protected: %s', (sealed) => {
  for (const [what, bytes, fields, drop] of LIES) {
    story(what, (world) => {
      acquainted(world, sealed);
      const sent = world.crossed.length;
      world.sendFromH1(bytes, fields);
      world.run(10);
      expect(world.a.drops()).toEqual({ [drop]: 1 });
      expect(world.crossed.length).toBe(sent);
      world.sendFromH1(datagram(20));
      world.run(10);
      expect(world.crossed.length).toBe(sent + 1);
    });
  }
});

describe('a plain packet that is larger than the way on', () => {
  const large = { ...partial(L4, 16), gsoType: GSO_TCPV4, gsoSize: 3_000 };
  for (const [what, bytes, fields] of [
    ['a datagram', datagram(3_000), {}],
    ['segments of a superpacket', stream(9_000), large],
  ] as const) {
    story(`${what}: its sender is told`, (world) => {
      acquainted(world, false);
      world.h1.left.collect();
      const sent = world.crossed.length;
      world.sendFromH1(bytes, fields);
      world.run(10);
      expect(world.a.drops()).toEqual({ 'too-big': 1 });
      expect(world.crossed.length).toBe(sent);
      const [told] = world.h1.left.collect();
      const { frame } = read(told.bytes);
      expect([frame.form, frame.icmpType, frame.icmpCode]).toEqual([FORM_ICMP_ERROR, 3, 4]);
      expect((told.bytes[frame.l4 + 6] << 8) | told.bytes[frame.l4 + 7]).toBe(1_500);
    });
  }

  story('one that may be cut, or is no IP: a drop says so', (world) => {
    acquainted(world, false);
    const mayBeCut = datagram(3_000);
    mayBeCut[20] &= ~0x40;
    const notIp = datagram(3_000);
    notIp.set([0x88, 0xb5], 12);
    for (const bytes of [mayBeCut, notIp]) world.h1.left.send(fakeFrame(bytes));
    world.run(10);
    expect(world.a.drops()).toEqual({ 'port-too-large': 2 });
  });

  story('superpackets whose segments fit pass', (world) => {
    acquainted(world, false);
    const sent = world.crossed.length;
    world.sendFromH1(stream(9_000), { ...large, gsoSize: 1_400 });
    world.run(10);
    expect(world.crossed.length).toBe(sent + 1);
    expect(world.a.drops()).toEqual({});
  });
});

describe('what Linux merged inside a tunnel of IP in IP', () => {
  const HEADERS = 14 + 20 + 20 + 20;
  const SIZE = 700;

  /** `count` segments of a connection in the tunnel, as one frame that is reported as plain TCP. */
  function merged(count: number): Uint8Array {
    const inner = tcp(
      { from: { ...H1, v4: '192.168.1.1' }, to: { ...H2, v4: '192.168.1.2' } },
      { sourcePort: 1, destinationPort: 2, sequence: 9, flags: 0x18, data: Buffer.alloc(count * SIZE, 'tunnel ') },
    );
    const outer = stream(inner.length - 14 - 20);
    outer.set(inner.subarray(14), L4);
    outer[14 + 9] = 4;
    ipv4WriteChecksum(outer, new DataView(outer.buffer, outer.byteOffset), 14);
    return outer;
  }

  for (const sealed of [true, false]) {
    story(`each packet passes by itself, protected: ${sealed}`, (world) => {
      acquainted(world, sealed);
      const says = { ...partial(L4 + 20, 16), gsoType: GSO_TCPV4, gsoSize: SIZE };
      const frame = merged(5);
      world.sendFromH1(frame, says);
      world.run(10);
      const arrived = sealed
        ? world.h2.left.collect()
        : world.crossed.filter((c) => c.from === 'a' && c.frame.bytes[14 + 9] === 4).map((c) => c.frame);
      expect(arrived.map((f) => f.bytes.length)).toEqual([1, 2, 3, 4, 5].map(() => HEADERS + SIZE));
      const data = Buffer.concat(arrived.map((f) => f.bytes.subarray(HEADERS)));
      expect(data).toEqual(Buffer.from(frame.subarray(HEADERS)));
      expect(world.a.drops()).toEqual({});
    });
  }
});

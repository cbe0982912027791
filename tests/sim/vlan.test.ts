/**
 * Tags: beside the frame and in it, they stay around everything that a device sends, and around what is said for it.
 */
import { describe, expect } from 'vitest';
import type { FakeFrame } from '#port/fake.ts';
import { FORM_ICMP_ERROR } from '#wire/frame.ts';
import { GSO_TCPV4, GSO_TCPV6, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { fragments } from '../kit/sim-fragments.ts';
import { type Ends, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const MACS = 12;

interface Line {
  readonly name: string;
  /** The outer tag, which Linux hands over beside the frame. */
  readonly beside: Pick<FakeFrame, 'vlanTci' | 'vlanTpid'>;
  /** The others as they stand in the frame, outermost first. */
  readonly inside: Buffer;
}

const LINES: readonly Line[] = [
  { name: '802.1Q', beside: { vlanTci: 0x6005, vlanTpid: 0x8100 }, inside: Buffer.alloc(0) },
  { name: '802.1ad, 802.1Q', beside: { vlanTci: 100, vlanTpid: 0x88a8 }, inside: Buffer.from('81000005', 'hex') },
  { name: 'three', beside: { vlanTci: 200, vlanTpid: 0x88a8 }, inside: Buffer.from('88a8006481000005', 'hex') },
];

const tagged = (bytes: Uint8Array, tags: Uint8Array): Uint8Array =>
  Buffer.concat([bytes.subarray(0, MACS), tags, bytes.subarray(MACS)]);

/** Bears exactly the line's tags. */
const bears = (frame: FakeFrame, { beside, inside }: Line): boolean =>
  frame.vlanTci === beside.vlanTci &&
  frame.vlanTpid === beside.vlanTpid &&
  Buffer.from(frame.bytes.subarray(MACS, MACS + inside.length)).equals(inside) &&
  ![0x81, 0x88].includes(frame.bytes[MACS + inside.length]);

/** The frame as it is without its tags. */
const bare = (frame: FakeFrame, { inside }: Line): Uint8Array =>
  Buffer.concat([frame.bytes.subarray(0, MACS), frame.bytes.subarray(MACS + inside.length)]);

describe.each(LINES)('$name', (line) => {
  const send = (world: SimWorld, bytes: Uint8Array, fields: Partial<FakeFrame> = {}): void =>
    world.sendFromH1(tagged(bytes, line.inside), { ...fields, ...line.beside });

  describe.each([4, 6] as const)('IPv%d', (version) => {
    const out: Ends = { from: H1, to: H2, version };
    const l4 = 14 + (version === 4 ? 20 : 40);

    function start(world: SimWorld): void {
      world.key('a');
      world.key('b');
      world.behaviour = { delay: 2 };
    }

    function expectTags(world: SimWorld): FakeFrame[] {
      expect(world.crossed.filter((c) => !bears(c.frame, line))).toEqual([]);
      const arrived = world.h2.left.collect();
      expect(arrived.filter((frame) => !bears(frame, line))).toEqual([]);
      expect(world.plaintextCrossed(MARKER)).toBe(0);
      expect(world.a.drops()).toEqual({});
      expect(world.b.drops()).toEqual({});
      return arrived;
    }

    story('the negotiation and what waited for it', (world) => {
      start(world);
      send(world, udp(out, 1, 2, MARKER));
      world.run(1_000);
      const messages = world.crossed.filter((c) => dprpType(bare(c.frame, line)) !== 0);
      expect(new Set(messages.map((c) => c.from))).toEqual(new Set(['a', 'b']));
      expect(messages.length).toBeGreaterThanOrEqual(4);
      const [frame, ...more] = expectTags(world);
      expect(more).toEqual([]);
      expect(Buffer.from(read(bare(frame, line)).payload)).toEqual(MARKER);
    });

    story('superpackets, fragments, full-size datagrams', (world) => {
      start(world);
      send(world, udp(out, 1, 2, MARKER));
      world.run(1_000);
      world.h2.left.collect();
      const data = Buffer.concat([MARKER, Buffer.alloc(20_000, 0x61)]);
      const stream = tcp(out, { sourcePort: 1, destinationPort: 2, sequence: 9, flags: 0x18, data });
      const gsoType = version === 4 ? GSO_TCPV4 : GSO_TCPV6;
      const csumStart = l4 + line.inside.length;
      send(world, stream, { gsoType, gsoSize: 1_400, flags: VNET_NEEDS_CSUM, csumStart, csumOffset: 16 });
      world.run(100);
      expect(Buffer.concat(expectTags(world).map((f) => read(bare(f, line)).payload))).toEqual(data);

      const full = Buffer.alloc(1_500 - 24 - (l4 - 14) - 8, 0x62);
      send(world, udp(out, 1, 2, full));
      for (const part of fragments(udp(out, 1, 2, Buffer.alloc(3_000, 0x63)), 1_500, 77)) send(world, part);
      world.run(100);
      const [whole, ...parts] = expectTags(world);
      expect(Buffer.from(read(bare(whole, line)).payload)).toEqual(full);
      expect(parts.length).toBeGreaterThanOrEqual(3);
    });

    story('what does not fit is told under the tags of the packet', (world) => {
      start(world);
      send(world, udp(out, 1, 2, Buffer.alloc(1_500 - (l4 - 14) - 8)));
      world.run(1_000);
      const [told, ...more] = world.h1.left.collect();
      expect(more).toEqual([]);
      expect(bears(told, line)).toBe(true);
      expect(read(bare(told, line)).form).toBe(FORM_ICMP_ERROR);
    });
  });
});

describe('more tags than are looked through', () => {
  for (const mode of ['open', 'closed'] as const) {
    story(`are refused, mode ${mode}`, (world) => {
      world.key('a', { mode });
      const tags = Buffer.from('88a800c888a8006481000005', 'hex');
      world.sendFromH1(tagged(udp({ from: H1, to: H2 }, 1, 2, MARKER), tags), { vlanTci: 300, vlanTpid: 0x88a8 });
      world.run(1_000);
      expect(world.crossed).toEqual([]);
      expect(world.a.drops()).toEqual({ 'vlan-too-deep': 1 });
    });
  }
});

/** Superpackets of any description, in both directions and under every transform: carried or dropped by name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TransformName } from '#dprp/spec.ts';
import { fakeFrame } from '#port/fake.ts';
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { type Ends, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import { SimWorld } from '../kit/sim-world.ts';

const MARKER = 'marker-in-plaintext ';
const out: Ends = { from: H1, to: H2 };
const group = (transform: TransformName, ...versions: number[]) => ({ groups: [{ number: 7, versions, transform }] });

/** A pair that sends with its first keys. */
function started(world: SimWorld, transform: TransformName): void {
  for (const side of ['a', 'b'] as const) world.key(side, group(transform, 1));
  world.run(1_000);
  world.sendFromH1(udp(out, 1, 1, Buffer.from(MARKER)));
  world.run(1_000);
  world.h2.left.collect();
}

/** What a superpacket's vnet header says, beside the size. */
const merged = (gsoType: number, version: 4 | 6) => ({
  gsoType,
  flags: VNET_NEEDS_CSUM,
  csumStart: version === 4 ? 34 : 54,
  csumOffset: gsoType === GSO_UDP_L4 ? 6 : 16,
});

describe('a superpacket of small segments', () => {
  for (const [transform, gsoSize, length] of [
    ['pccom-keyed', 36, 60_000],
    ['pccom-keyed', 90, 60_000],
    ['pccom-keyed', 1, 4_900],
    ['pccom-keyed', 36, 400],
    ['pccom', 36, 60_000],
    ['sealed', 36, 60_000],
  ] as const) {
    story(`${transform}: ${length} octets in segments of ${gsoSize} arrive`, (world) => {
      started(world, transform);
      const data = Buffer.alloc(length, MARKER);
      const frame = tcp(out, { sourcePort: 1, destinationPort: 2, sequence: 5, flags: 0x10, data });
      world.sendFromH1(frame, { ...merged(GSO_TCPV4, 4), gsoSize });
      world.run(100);
      expect(world.plaintextCrossed(Buffer.from(MARKER))).toBe(0);
      const octets = world.h2.left.collect().map(({ bytes }) => read(bytes).payload);
      expect([Buffer.concat(octets).equals(data), world.a.drops(), world.b.drops()]).toEqual([true, {}, {}]);
    });
  }
});

describe('a superpacket of any size', () => {
  for (const transform of ['sealed', 'pccom', 'pccom-keyed'] as const) {
    it(`${transform}: never ends a gateway, whichever side it comes from`, () => {
      const world = new SimWorld(7);
      started(world, transform);
      const size = fc.oneof(fc.integer({ min: 1, max: 600 }), fc.integer({ min: 1, max: 65_535 }));
      const length = fc.oneof(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 0, max: 65_000 }));
      const property = fc.property(
        size,
        length,
        fc.boolean(),
        fc.boolean(),
        fc.constantFrom(4 as const, 6 as const),
        fc.nat(255),
        (gsoSize, bytes, stream, outward, version, flags) => {
          const ends = { ...out, version };
          const data = Buffer.alloc(bytes, MARKER);
          const gsoType = stream ? (version === 4 ? GSO_TCPV4 : GSO_TCPV6) : GSO_UDP_L4;
          const frame = stream
            ? tcp(ends, { sourcePort: 1, destinationPort: 2, sequence: 0xffff_f000, flags, data })
            : udp(ends, 1, 2, data);
          const port = outward ? world.h1.left : world.wire.left;
          port.send(fakeFrame(frame, { ...merged(gsoType, version), gsoSize }));
          world.run(1);
          world.h2.left.collect();
          world.h1.left.collect();
        },
      );
      fc.assert(property, { numRuns: 120 });
      world.sendFromH1(udp(out, 1, 1, Buffer.from(MARKER)));
      world.run(10);
      expect(world.h2.left.collect().map(({ bytes }) => Buffer.from(read(bytes).payload).toString())).toContain(MARKER);
    }, 60_000);
  }
});

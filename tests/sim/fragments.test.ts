/** Datagrams that came in fragments, or leave in fragments: how large these are, that all arrive, and in order. */
import { describe, expect } from 'vitest';
import type { TransformName } from '#dprp/spec.ts';
import type { FakeFrame } from '#port/fake.ts';
import { FORM_FRAGMENT } from '#wire/frame.ts';
import { ipv4SetFragment, ipv4SetId } from '#wire/ipv4.ts';
import { GSO_UDP_L4, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { datagrams, fragments } from '../kit/sim-fragments.ts';
import { type Ends, H1, H2, parsed, read, udp } from '../kit/sim-frames.ts';
import { segments } from '../kit/sim-segments.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const ETHER = 14;
const UDP_HEADER = 8;
/** Every path carries this much. */
const FLOOR = { 4: 576, 6: 1_280 };
const TRANSFORMS = ['sealed', 'pccom', 'pccom-keyed'] as const;
const OUT: Ends = { from: H1, to: H2 };
const BACK: Ends = { from: H2, to: H1 };

function acquainted(world: SimWorld, transform: TransformName, version: 4 | 6 = 4): void {
  for (const side of ['a', 'b'] as const) world.key(side, { groups: [{ number: 7, versions: [1], transform }] });
  world.run(1_000);
  world.sendFromH1(udp({ ...OUT, version }, 1, 1, new Uint8Array(10)));
  world.sendFromH2(udp({ ...BACK, version }, 1, 1, new Uint8Array(10)));
  world.run(1_000);
  world.h1.left.collect();
  world.h2.left.collect();
  world.crossed.length = 0;
}

const pattern = (length: number, first: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i === 0 ? first : (i * 7 + (i >>> 8)) & 0xff));

/** A datagram that may be cut. */
function cuttable(ends: Ends, data: Uint8Array, id = 1): Uint8Array {
  const bytes = udp(ends, 5000, 6000, data);
  if (ends.version === 6) return bytes;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  ipv4SetFragment(view, ETHER, 0, false);
  ipv4SetId(view, ETHER, id);
  return bytes;
}

/** What a link makes of what was handed to it. */
const cut = (frames: readonly FakeFrame[]): { bytes: Uint8Array }[] =>
  frames.flatMap((frame) => segments(frame).map((bytes) => ({ bytes })));

const sizes = (frames: readonly { readonly bytes: Uint8Array }[]): number[] =>
  frames.map(({ bytes }) => bytes.length - ETHER);

describe.each([4, 6] as const)('fragments of IPv%d', (version) => {
  for (const transform of TRANSFORMS) {
    for (const [size, length] of [
      [1_280, 3_000],
      [1_280, 1_260],
      [1_279, 1_255],
      [1_302, 1_290],
      [1_400, 20_000],
      [1_497, 1_480],
    ]) {
      story(`${transform}: ${length} bytes in fragments of ${size} arrive in none that are larger`, (world) => {
        acquainted(world, transform, version);
        const both = [
          { ends: { ...OUT, version }, send: world.sendFromH1.bind(world), to: world.h2.left },
          { ends: { ...BACK, version }, send: world.sendFromH2.bind(world), to: world.h1.left },
        ];
        for (const { ends, send, to } of both) {
          const sent = Array.from({ length: 10 }, (_, i) => fragments(cuttable(ends, pattern(length, i)), size, i + 1));
          const largest = Math.max(FLOOR[version], ...sizes(sent.flat().map((bytes) => ({ bytes }))));
          for (const fragment of sent.flat()) send(fragment);
          world.run(100);
          const arrived = cut(to.collect());
          /* Without DF, a datagram that nearly fits leaves whole: eight bytes of it make no fragment. */
          expect(Math.max(...sizes(arrived))).toBeLessThanOrEqual(largest + (version === 4 ? 7 : 0));
          expect(Math.max(...sizes(cut(world.crossed.map((c) => c.frame))))).toBeLessThanOrEqual(largest);
          expect(datagrams(arrived)).toHaveLength(10);
        }
        expect([world.a.drops(), world.b.drops()]).toEqual([{}, {}]);
      });
    }

    story(`${transform}: tiny ones leave in packets that every path carries`, (world) => {
      acquainted(world, transform, version);
      for (const fragment of fragments(cuttable({ ...OUT, version }, pattern(3_000, 1)), 200, 1)) {
        world.sendFromH1(fragment);
      }
      world.run(100);
      const arrived = world.h2.left.collect();
      expect(Math.max(...sizes(arrived))).toBeLessThanOrEqual(FLOOR[version]);
      expect(Math.max(...sizes(arrived))).toBeGreaterThan(FLOOR[version] - 8);
      expect(datagrams(arrived)).toHaveLength(1);
    });
  }
});

describe('a datagram that came whole', () => {
  for (const mtu of [1_500, 1_450, 1_497, 9_000]) {
    story(
      `of ${mtu} bytes is cut for its trailer only, and arrives whole`,
      (world) => {
        acquainted(world, 'sealed');
        const data = pattern(mtu - 20 - UDP_HEADER, 3);
        world.sendFromH1(cuttable(OUT, data));
        world.run(100);
        expect(world.crossed).toHaveLength(2);
        const arrived = world.h2.left.collect();
        expect(sizes(arrived)).toEqual([mtu]);
        expect(read(arrived[0].bytes).payload).toEqual(data);
      },
      { mtu },
    );
  }

  story(
    'of 1,280 bytes and IPv6 arrives whole, too',
    (world) => {
      acquainted(world, 'sealed', 6);
      world.sendFromH1(udp({ ...OUT, version: 6 }, 5000, 6000, pattern(1_280 - 40 - UDP_HEADER, 3)));
      world.run(100);
      expect(world.crossed).toHaveLength(2);
      expect(sizes(world.h2.left.collect())).toEqual([1_280]);
    },
    { mtu: 1_300 },
  );
});

/** UDP superpackets as GRO makes them: `count` of `each` datagrams of `size` bytes, and a shorter one. */
function bursts(ends: Ends, count: number, each: number, size: number, tail: number): Uint8Array[] {
  const packets: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const data = new Uint8Array(each * size + tail);
    for (let d = 0; d * size < data.length; d++) {
      const number = i * (each + (tail > 0 ? 1 : 0)) + d;
      data.set(pattern(Math.min(size, data.length - d * size), number & 0xff), d * size);
    }
    packets.push(cuttable(ends, data, i * (each + 1)));
  }
  return packets;
}

describe.each(['out', 'back'] as const)('superpackets of full-size datagrams without DF, %s', (way) => {
  const ends = way === 'out' ? OUT : BACK;
  for (const [transform, mtu, size] of [
    ['sealed', 1_500, 1_472],
    ['pccom', 1_500, 1_472],
    ['pccom', 1_400, 1_472],
    ['pccom-keyed', 1_400, 1_472],
    ['sealed', 600, 1_472],
  ] as const) {
    story(`${transform}: all datagrams arrive, in order, on a path of ${mtu}`, (world) => {
      acquainted(world, transform);
      const [from, to] = way === 'out' ? [world.h1.left, world.h2.left] : [world.h2.left, world.h1.left];
      const gateway = way === 'out' ? world.a : world.b;
      for (const pair of gateway.datapath.pairs.values()) {
        pair.pathMtu = mtu;
        pair.pathMtuUntil = Number.POSITIVE_INFINITY;
      }
      const each = 43;
      const sent = bursts(ends, 20, each, size, 100);
      for (const bytes of sent) {
        const fields = { gsoType: GSO_UDP_L4, gsoSize: size, flags: VNET_NEEDS_CSUM, csumStart: 34, csumOffset: 6 };
        from.send({ bytes, vlanTci: -1, vlanTpid: 0, ...fields });
      }
      world.run(1_000);
      const arrived = datagrams(cut(to.collect()));
      expect([world.a.drops(), world.b.drops()]).toEqual([{}, {}]);
      expect(arrived.map((d) => d[UDP_HEADER])).toEqual(Array.from({ length: 20 * (each + 1) }, (_, i) => i & 0xff));
      expect(arrived.every((d, i) => d.length - UDP_HEADER === (i % (each + 1) === each ? 100 : size))).toBe(true);
    });
  }
});

describe('one flow in one batch', () => {
  const inOrder = (world: SimWorld, ends: Ends, lengths: readonly number[]): void => {
    lengths.forEach((length, i) => {
      world.sendFromH1(cuttable(ends, pattern(length, i), i));
    });
    world.run(100);
    const arrived = datagrams(cut(world.h2.left.collect()));
    expect(arrived.map((d) => d[UDP_HEADER])).toEqual(lengths.map((_, i) => i));
    expect(arrived.map((d) => d.length - UDP_HEADER)).toEqual(lengths);
  };

  story('keeps its order where some datagrams are cut', (world) => {
    acquainted(world, 'sealed');
    inOrder(world, OUT, [1_472, 100, 100, 1_472, 100]);
    expect(world.crossed.flatMap((c) => segments(c.frame).map((b) => parsed(b)?.form === FORM_FRAGMENT))).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      false,
    ]);
  });

  story(
    'of IPv6, too, where what surrounds them could be merged',
    (world) => {
      acquainted(world, 'sealed', 6);
      inOrder(world, { ...OUT, version: 6 }, [100, 1_232, 100, 100, 1_232, 100]);
    },
    { mtu: 1_300 },
  );
});

/** A provider without room for the keys of a pair: the pair is refused for a moment, nothing else is. */
import { describe, expect } from 'vitest';
import type { TransformName } from '#dprp/spec.ts';
import { boundKeyRoom } from '../kit/key-room.ts';
import { type Ends, H1, H2, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimGateway, SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const out: Ends = { from: H1, to: H2 };
const other: Ends = { from: H1, to: { ...H2, v4: '10.0.0.77', v6: 'fd00::77' } };
const EVERY = 100; /* ms */
/** Keys of an association. */
const KEYS = { sealed: 2, pccom: 4, 'pccom-keyed': 6 } as const;

/** Both are in one group, and have run long enough for the very first packet to go with its MPIT. */
function begin(world: SimWorld, transform: TransformName): void {
  for (const side of ['a', 'b'] as const) world.key(side, { groups: [{ number: 7, versions: [1], transform }] });
  world.run(1_000);
}

/** How many of `count` datagrams arrive. */
function send(world: SimWorld, ends: Ends, count: number): number {
  world.repeat(count, EVERY, (i) => world.sendFromH1(udp(ends, 5_000, 6_000, Buffer.concat([MARKER, Buffer.of(i)]))));
  world.run(count * EVERY);
  return world.h2.left.collect().length;
}

const told = ({ told: news }: SimGateway): number => news.filter(({ type }) => type === 'no-key-room').length;

for (const transform of ['sealed', 'pccom', 'pccom-keyed'] as const) {
  describe(transform, () => {
    for (const side of ['a', 'b'] as const) {
      for (let n = 0; n < KEYS[transform]; n++) {
        story(`room for ${n} keys at ${side}: refused, told once, and protected when there is more`, (world) => {
          const gateway = world[side];
          const room = boundKeyRoom(gateway.provider, n);
          begin(world, transform);
          expect(send(world, out, 60)).toBe(0);
          expect(gateway.verdicts()).toEqual(['discard overloaded']);
          expect(gateway.drops()['dprp-key-room']).toBeGreaterThanOrEqual(2);
          expect([room.left, told(gateway)]).toEqual([n, 1]);
          room.left = KEYS[transform];
          expect(send(world, out, 60)).toBeGreaterThan(20);
          expect(gateway.verdicts()).toEqual(['encrypt common-group']);
          expect([room.left, told(gateway)]).toEqual([0, 1]);
          expect(world.plaintextCrossed(MARKER)).toBe(0);
        });
      }

      story(
        `room for two at ${side}: a pair that speaks takes that of the idle one, which comes back later`,
        (world) => {
          boundKeyRoom(world[side].provider, 2 * KEYS[transform]);
          begin(world, transform);
          expect(send(world, out, 10)).toBeGreaterThan(5);
          for (const ends of [other, out, other, out]) {
            world.run(1_000);
            expect(send(world, ends, 60), ends.to.v4).toBeGreaterThan(20);
            expect(world[side].datapath.associations.count).toBeLessThanOrEqual(2);
          }
          expect(world[side].drops()['dprp-key-room']).toBeGreaterThanOrEqual(4);
          expect(told(world[side])).toBe(1);
          expect(world.plaintextCrossed(MARKER)).toBe(0);
        },
      );
    }

    story('new keys of the group take the room of the old ones where there is no other', (world) => {
      const room = boundKeyRoom(world.a.provider, KEYS[transform]);
      begin(world, transform);
      expect(send(world, out, 10)).toBeGreaterThan(5);
      for (const side of ['a', 'b'] as const) {
        world.key(side, { groups: [{ number: 7, versions: [2, 1], transform }] });
      }
      /* Under pccom the side without room begins anew, and the other gives up its switch to what is gone. */
      expect(send(world, out, 300)).toBe(300);
      const held = world.a.datapath.associations.bySlot.flatMap((association) => association?.keyVersion ?? []);
      expect(held).toEqual([2]);
      expect([room.left, told(world.a)]).toEqual([0, 1]);
      expect(world.plaintextCrossed(MARKER)).toBe(0);
    });
  });
}

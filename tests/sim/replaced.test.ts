/** A gateway that was replaced by another one in front of the same devices. */
import { describe, expect, it } from 'vitest';
import type { GeSettings } from '../kit/dprp-gms.ts';
import { GE_B, GE_C } from '../kit/dprp-world.ts';
import { echo, H1, H2 } from '../kit/sim-frames.ts';
import { SimWorld } from '../kit/sim-world.ts';

const OUT = { from: H1, to: H2 };
const DATA = Buffer.from('after the replacement');

/**
 * a and b have talked; then another gateway stands in b's place, whose key has the next version. `revoked`: what a
 * hears.
 */
function replaced(revoked: GeSettings['revoked'] = []): SimWorld {
  const world = new SimWorld();
  world.key('a');
  world.key('b');
  world.sendFromH1(echo(OUT, 'request', 1, 1, DATA));
  world.run(100);
  expect(world.h2.left.collect()).toHaveLength(1);
  const groups = [{ number: 7, versions: [2] }];
  world.restart('b', { ge: GE_C, groups });
  world.key('a', { groups, revoked });
  world.sendFromH1(echo(OUT, 'request', 1, 2, DATA));
  world.run(3_000);
  return world;
}

describe('another member in front of an address that was protected', () => {
  it('is accepted when the GMS has removed the one before', () => {
    const world = replaced([{ ge: GE_B, group: 7, removed: true }]);
    expect(world.h2.left.collect()).toHaveLength(1);
    expect(world.a.told.filter((m) => m.type === 'alarm')).toEqual([]);
    expect(world.crossed.filter((c) => Buffer.from(c.frame.bytes).includes(DATA))).toEqual([]);
  });

  it.each([
    ['is a member', []],
    ['has left another group only', [{ ge: GE_B, group: 9, removed: false }]],
    ['has left the group and serves elsewhere', [{ ge: GE_B, group: 7, removed: false }]],
  ])('is refused, with an alarm, while the one before %s', (_, revoked) => {
    const world = replaced(revoked);
    expect(world.h2.left.collect()).toHaveLength(0);
    expect(world.a.told).toContainEqual(expect.objectContaining({ type: 'alarm', name: 'other-ge' }));
    expect(world.crossed.filter((c) => Buffer.from(c.frame.bytes).includes(DATA))).toEqual([]);
  });
});

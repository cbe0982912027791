/** What left in another form is remembered, though what it left under is gone: KSW goes before the new keys. */
import { expect } from 'vitest';
import type { Millis } from '#dprp/spec.ts';
import { udp } from '../kit/sim-frames.ts';
import { arrivals, BACK, keyBoth, marked, OUT, switchesOf, versions } from '../kit/sim-marked.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';
import { POLICY } from '../kit/sim-world.ts';

/** Both ways, a packet each ms. */
function flow(world: SimWorld, ms: number): void {
  world.repeat(ms, 1, (i) => {
    world.sendFromH1(udp(OUT, 1, 2, marked(i)));
    world.sendFromH2(udp(BACK, 2, 1, marked(i)));
  });
}

function nothingWrong(world: SimWorld, least: number): void {
  const { right, wrong } = arrivals(world);
  expect(wrong).toEqual([]);
  expect(right).toBeGreaterThan(least);
  expect(switchesOf(world)).toBeGreaterThan(0);
}

const EXCEPTION = { direction: 'both', address: '0.0.0.0/0' } as const;

for (let i = 0; i < 3; i++) {
  story(`a key version is withdrawn without overlap (${i})`, (world) => {
    world.behaviour = { delay: 5, jitter: 20 };
    keyBoth(world, 'pccom', 1);
    world.run(1_000);
    flow(world, 4_000);
    world.run(2_000);
    world.crossed.length = 0;
    keyBoth(world, 'pccom', 2);
    world.run(4_000);
    nothingWrong(world, 7_000);
  });

  story(`the same, and the far end has ended it long ago (${i})`, (world) => {
    world.behaviour = { delay: 5, jitter: 20 };
    keyBoth(world, 'pccom', 1);
    world.run(1_000);
    world.repeat(6_000, 1, (n) => world.sendFromH1(udp(OUT, 1, 2, marked(n))));
    world.run(2_000);
    world.key('b', versions('pccom', 2));
    world.run(3_000);
    world.crossed.length = 0;
    world.key('a', versions('pccom', 2));
    world.run(4_000);
    nothingWrong(world, 2_000);
  });

  story(
    `both get their keys while plaintext is on its way (${i})`,
    (world) => {
      world.behaviour = { delay: 5, jitter: 20 };
      world.run(1_000);
      flow(world, 4_000);
      world.run(2_000);
      keyBoth(world, 'pccom', 1);
      world.run(4_000);
      nothingWrong(world, 7_000);
    },
    { policy: { withoutKeys: 'open' } },
  );

  story(
    `both lose an exception under its traffic (${i})`,
    (world) => {
      world.behaviour = { delay: 5, jitter: 20 };
      keyBoth(world, 'pccom', 1);
      world.run(1_000);
      flow(world, 4_000);
      world.run(2_000);
      for (const { datapath } of [world.a, world.b]) datapath.setPolicy(POLICY, world.now as Millis);
      world.run(4_000);
      nothingWrong(world, 7_000);
    },
    { policy: { exceptions: [EXCEPTION] } },
  );
}

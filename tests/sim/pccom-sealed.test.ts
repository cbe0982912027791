/** A group changes between `pccom` and `sealed`: what has a tag and what has none is never taken for the other. */
import { describe, expect } from 'vitest';
import { dprpType } from '../kit/sim-diagram.ts';
import { udp } from '../kit/sim-frames.ts';
import { arrivals, BACK, keyBoth, marked, OUT, versions } from '../kit/sim-marked.ts';
import { story } from '../kit/sim-story.ts';

const MPIT = 3;

describe('one side starts again when its group has become sealed, and nothing is common', () => {
  for (const side of ['a', 'b'] as const) {
    for (const losses of [0, 1, 3]) {
      story(`${side}, ${losses} of its MPIT are lost: sealed packets wait until the far end can tell them`, (world) => {
        const other = side === 'a' ? 'b' : 'a';
        world.behaviour = { delay: 5 };
        keyBoth(world, 'pccom', 1);
        world.run(1_000);
        world.repeat(1_000, 10, (i) => {
          world.sendFromH1(udp(OUT, 5, 6, marked(i)));
          world.sendFromH2(udp(BACK, 6, 5, marked(i)));
        });
        world.run(2_000);
        expect(arrivals(world).wrong).toEqual([]);
        let lost = 0;
        world.mallory = (frame, from) => from !== side || dprpType(frame.bytes) !== MPIT || lost++ >= losses;
        world.restart(side, versions('sealed', 2, 1));
        world.key(other, versions('sealed', 2, 1));
        world.run(15_000);
        const { right, wrong } = arrivals(world);
        expect([wrong, lost > losses || losses === 0]).toEqual([[], true]);
        /* 8 s of both ways remained; what waited for MPIT may have been too much. */
        expect(right).toBeGreaterThan(1_000);
      });
    }
  }
});

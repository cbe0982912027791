/** Words of the far end that come late: what was followed never goes back to an older agreement. */
import { expect } from 'vitest';
import type { FakeFrame } from '#port/fake.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { udp } from '../kit/sim-frames.ts';
import { arrivals, BACK, keyBoth, marked, OUT } from '../kit/sim-marked.ts';
import { story } from '../kit/sim-story.ts';

const KSW = 5;
const CDN = 4;

story('KSW that was withheld until its switch failed comes after the next agreement was switched to', (world) => {
  world.behaviour = { delay: 5 };
  keyBoth(world, 'pccom', 1);
  let kept: FakeFrame | undefined;
  let withheld = true;
  world.mallory = (frame, from) => {
    if (!withheld || from !== 'a' || dprpType(frame.bytes) !== KSW) return true;
    kept ??= frame;
    return false;
  };
  /* Traffic begins right behind the start: the first agreement begins with KSW and names no former one. */
  world.sendFromH1(udp(OUT, 1, 2, marked(0)));
  world.run(10_500);
  withheld = false;
  world.repeat(3_000, 10, (i) => {
    world.sendFromH1(udp(OUT, 1, 2, marked(i)));
    if (i % 10 === 0) world.sendFromH2(udp(BACK, 2, 1, marked(i)));
  });
  world.run(3_000);
  expect(arrivals(world).right).toBeGreaterThan(100);
  expect(kept).toBeDefined();
  world.wire.left.send(kept as FakeFrame);
  world.run(30_000);
  /* 27 s of both ways. */
  expect(arrivals(world)).toEqual({ right: 2_700 + 270, wrong: [] });
});

story('CDN is lost for seconds, while the far end, which hears nothing, negotiates anew and switches', (world) => {
  world.behaviour = { delay: 5 };
  keyBoth(world, 'pccom', 1);
  world.run(1_000);
  const until = world.now + 4_000;
  let first: string | undefined;
  world.mallory = (frame, from) => {
    if (from !== 'b' || dprpType(frame.bytes) !== CDN || world.now > until) return true;
    const negotiation = Buffer.from(frame.bytes.subarray(54, 62)).toString('hex');
    first ??= negotiation;
    return negotiation !== first;
  };
  world.sendFromH1(udp(OUT, 1, 2, marked(0)));
  world.run(20);
  world.repeat(3_000, 10, (i) => world.sendFromH2(udp(BACK, 2, 1, marked(i))));
  world.run(33_000);
  const { right, wrong } = arrivals(world);
  expect(wrong).toEqual([]);
  expect(right).toBeGreaterThan(2_000);
});

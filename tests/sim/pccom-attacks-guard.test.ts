/**
 * What the guard of a key switch has to keep back: octets under keys before the older ones, and TCP that no S is named
 * of.
 */
import { expect } from 'vitest';
import { ASKING, GUARD } from '../../gateway/datapath/key-switch.ts';
import { tcp, udp } from '../kit/sim-frames.ts';
import { arrivals, BACK, keyBoth, marked, OUT, pairOf } from '../kit/sim-marked.ts';
import { story } from '../kit/sim-story.ts';

const PUSH = 0x18;
const LENGTH = marked(1).length;
const segment = { sourcePort: 1, destinationPort: 2, sequence: 1_000, flags: PUSH, data: marked(1) };
const answer = tcp(BACK, { sourcePort: 2, destinationPort: 1, sequence: 1, flags: 0x10 });

for (const [state, name] of [
  [GUARD, 'GUARD'],
  [ASKING, 'ASKING'],
] as const) {
  story(`octets before the former S that are sent again in ${name} arrive as they were`, (world) => {
    world.behaviour = { delay: 50 };
    keyBoth(world, 'pccom', 1);
    world.run(1_000);
    world.repeat(400, 100, () => {
      world.sendFromH1(udp(OUT, 5, 6, new Uint8Array(0)));
      world.sendFromH2(answer);
    });
    let sent = 0;
    const next = (): void =>
      world.sendFromH1(tcp(OUT, { ...segment, sequence: 1_000 + sent * LENGTH, data: marked(sent++ % 10) }));
    const switching = (): number => pairOf(world.a).switching;
    next();
    world.run(2_000);
    for (let version = 2; version <= 3; version++) {
      /* The former S is older than what may be in flight. */
      if (version === 3) world.run(12_000);
      keyBoth(world, 'pccom', ...[3, 2, 1].slice(3 - version));
      const until = version === 3 ? state : GUARD;
      for (let ms = 0; ms < 5_000 && switching() !== until; ms++) {
        if (ms % 100 === 0) next();
        world.run(1);
      }
      expect(switching()).toBe(until);
      if (version === 2) world.run(3_000);
    }
    /* The wire has it for longer than the guard. */
    if (state === GUARD) world.behaviour = { delay: 300 };
    world.sendFromH1(tcp(OUT, { ...segment, data: marked(0) }));
    world.run(1);
    world.behaviour = { delay: 50 };
    world.run(3_000);
    expect(pairOf(world.a).associations[pairOf(world.a).sendGeneration]?.keyVersion).toBe(3);
    expect(arrivals(world)).toEqual({ right: sent + 1, wrong: [] });
  });
}

story('of more connections than a switch names every octet waits before KSW, not only behind it', (world) => {
  const count = 4_200;
  world.behaviour = { delay: 20, jitter: 20 };
  keyBoth(world, 'pccom', 1);
  world.run(1_000);
  world.repeat(2 * count, 0.5, (i) => {
    const data = Buffer.concat([marked(i), Buffer.alloc(30)]).subarray(0, 30);
    const sequence = 30 * Math.floor(i / count);
    world.sendFromH1(tcp(OUT, { ...segment, sourcePort: 1_000 + (i % count), sequence, data }));
    if (i % 200 === 0) world.sendFromH2(answer);
  });
  world.run(2_200);
  keyBoth(world, 'pccom', 2, 1);
  world.run(4_000);
  expect(pairOf(world.a).associations[pairOf(world.a).sendGeneration]?.keyVersion).toBe(2);
  expect(arrivals(world)).toEqual({ right: 2 * count, wrong: [] });
});

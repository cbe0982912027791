/**
 * Who recorded how a pair was negotiated plays it again: nobody who answers behind it, and it must not hold traffic up.
 */
import { describe, expect } from 'vitest';
import { fakeFrame } from '#port/fake.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { type Ends, H1, H2, read, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const out: Ends = { from: H1, to: H2 };
const back: Ends = { from: H2, to: H1 };
const RECORDED = 8;
const data = (i: number): Buffer => Buffer.from(`packet ${i} `.padEnd(100, 'z'));
const number = (bytes: Uint8Array): number => Number(Buffer.from(read(bytes).payload).toString().split(' ')[1]);
const numbers = (frames: readonly { readonly bytes: Uint8Array }[]): number[] => frames.map((f) => number(f.bytes));

/** DDEs of b for the pair, each of another negotiation, of long ago; a has been started anew since. */
function record(world: SimWorld, transform: 'sealed' | 'pccom'): Uint8Array[] {
  const settings = { groups: [{ number: 7, versions: [1], transform }] };
  world.key('a', settings);
  for (let i = 0; i < RECORDED; i++) {
    world.restart('b', settings);
    world.sendFromH2(udp(back, 2, 1, data(i)));
    world.run(3_000);
  }
  const ddes = world.crossed.filter((c) => c.from === 'b' && dprpType(c.frame.bytes) === 1).map((c) => c.frame.bytes);
  world.run(30_000);
  world.restart('a', settings);
  world.restart('b', settings);
  world.run(1_000);
  world.h1.left.collect();
  world.h2.left.collect();
  world.crossed.length = 0;
  expect(ddes.length).toBeGreaterThanOrEqual(RECORDED);
  return ddes.slice(0, RECORDED);
}

/** One of them every 1.9 s, for a minute. */
function replay(world: SimWorld, ddes: readonly Uint8Array[]): void {
  world.repeat(32, 1_900, (i) => world.a.outer.inject(fakeFrame(ddes[i % ddes.length])));
}

describe.each(['sealed', 'pccom'] as const)('recorded DDEs of a pair under %s, one every 1.9 s', (transform) => {
  story('the first packet waits for 2 s at most, and then all pass at once', (world) => {
    const ddes = record(world, transform);
    replay(world, ddes);
    world.run(100);
    world.repeat(50, 1_120, (i) => world.sendFromH1(udp(out, 1, 2, data(i))));
    world.run(1_950);
    expect(numbers(world.h2.left.collect())).toEqual([0, 1]);
    for (let i = 2; i < 50; i++) {
      world.run(1_120);
      expect(numbers(world.h2.left.collect()), `packet ${i}`).toEqual([i]);
    }
  });

  story('nor do those wait that come when the 2 s have passed and nobody spoke', (world) => {
    const ddes = record(world, transform);
    replay(world, ddes);
    world.run(5_000);
    world.sendFromH1(udp(out, 1, 2, data(0)));
    world.run(50);
    expect(numbers(world.h2.left.collect())).toEqual([0]);
  });

  story('what comes in plaintext from a peer that has no gateway any more goes on', (world) => {
    const ddes = record(world, transform);
    const host = world.plainHost('echoes');
    world.a.datapath.remembered.forget();
    world.sendFromH1(udp(out, 1, 2, data(0)));
    world.run(1_000);
    expect(world.a.verdicts()).toEqual(['plain no-gateway-echo']);
    replay(world, ddes);
    world.repeat(2_000, 5, (i) => host.port.send(fakeFrame(udp(back, 2, 1, data(i)))));
    world.run(10_000);
    const arrived = numbers(world.h1.left.collect());
    expect([arrived.length, arrived.findIndex((n, i) => n !== i)]).toEqual([2_000, -1]);
  });
});

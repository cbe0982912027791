/** Both ends start at once, and gateways that lose their memory in the middle: traffic heals, and nothing leaks. */
import { describe, expect } from 'vitest';
import { GE_A, GE_B } from '../kit/dprp-world.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { type Ends, echo, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimGateway, SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const out: Ends = { from: H1, to: H2 };
const back: Ends = { from: H2, to: H1 };

type Kind = 'tcp' | 'udp' | 'echo';

function frame(ends: Ends, kind: Kind, i: number): Uint8Array {
  const data = Buffer.from(`${MARKER} ${i} ${'y'.repeat(100)}`);
  if (kind === 'echo') return echo(ends, 'request', 9, i, data);
  if (kind === 'udp') return udp(ends, 5000, 6000, data);
  return tcp(ends, { sourcePort: 5001, destinationPort: 6001, sequence: 1 + i * 200, flags: 0x18, data });
}

/** Numbers of the packets that arrived at a device, in the order of their arrival. */
function numbers(frames: readonly { readonly bytes: Uint8Array }[]): number[] {
  return frames.map((f) => Number(Buffer.from(read(f.bytes).payload).toString().split(' ')[1]));
}

function generations(gateway: SimGateway): (string | undefined)[] {
  return [...gateway.datapath.pairs.values()].map((pair) => gateway.datapath.associations.sender(pair)?.negotiation);
}

function held(gateway: SimGateway): number {
  return gateway.datapath.associations.count;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe.each([0, 5, 200])('both start at once, %d ms away', (delay) => {
  for (const ids of [
    [GE_A, GE_B],
    [GE_B, GE_A],
  ] as const) {
    for (const kind of ['udp', 'tcp'] as const) {
      story(`${kind} both ways survives where a is ${ids[0]}, and one generation is sent with in the end`, (world) => {
        world.behaviour = { delay };
        world.key('a', { ge: ids[0] });
        world.key('b', { ge: ids[1] });
        world.repeat(200, 5, (i) => {
          world.sendFromH1(frame(out, kind, i));
          world.sendFromH2(frame(back, kind, i));
        });
        world.run(20_000);
        expect(numbers(world.h2.left.collect())).toEqual(upTo(200));
        expect(numbers(world.h1.left.collect())).toEqual(upTo(200));
        expect(world.plaintextCrossed(MARKER)).toBe(0);
        expect(generations(world.a)).toEqual(generations(world.b));
        expect([held(world.a), held(world.b)]).toEqual([1, 1]);
      });
    }
  }
});

describe('a gateway that loses its memory', () => {
  const RESTART = 3_000;
  const EVERY = 20;
  const DELAY = 25;
  /** A round trip and a half of DPRP, at most one second of patience, one packet's distance. */
  const HEALED = 3 * DELAY + 1_000 + EVERY;

  function lose(world: SimWorld, who: readonly ('a' | 'b')[]): void {
    for (const side of who) world.restart(side);
  }

  for (const who of [['a'], ['b'], ['a', 'b']] as const) {
    for (const kind of ['udp', 'tcp', 'echo'] as const) {
      for (const oneWay of [false, true]) {
        story(`${who.join(' and ')}: ${kind} ${oneWay ? 'one way' : 'both ways'} goes on soon`, (world) => {
          world.behaviour = { delay: DELAY };
          world.key('a');
          world.key('b');
          const before = RESTART / EVERY;
          const total = before + 4_000 / EVERY;
          world.repeat(total, EVERY, (i) => {
            world.sendFromH1(frame(out, kind, i));
            if (!oneWay) world.sendFromH2(frame(back, kind, i));
          });
          world.at(world.now + RESTART - 1, () => lose(world, who));
          world.run(20_000);
          const lost = new Set(upTo(total));
          for (const i of numbers(world.h2.left.collect())) lost.delete(i);
          const worst = before + HEALED / EVERY;
          expect([...lost].filter((i) => i < before - DELAY / EVERY - 1 || i > worst)).toEqual([]);
          if (!oneWay) {
            for (const i of upTo(total)) lost.add(i);
            for (const i of numbers(world.h1.left.collect())) lost.delete(i);
            expect([...lost].filter((i) => i < before - DELAY / EVERY - 1 || i > worst)).toEqual([]);
          }
          expect(world.plaintextCrossed(MARKER)).toBe(0);
          expect(generations(world.a)).toEqual(generations(world.b));
        });
      }
    }
  }

  story('a flow one way, which hears nothing, is asked about, but ever less often', (world) => {
    world.key('a');
    world.key('b');
    world.repeat(2_000, 100, (i) => world.sendFromH1(frame(out, 'udp', i)));
    world.run(210_000);
    const asked = new Set(
      world.crossed.filter((c) => dprpType(c.frame.bytes) === 1).map((c) => Math.floor(c.at / 1_000)),
    );
    expect(asked.size).toBeGreaterThan(4);
    expect(asked.size).toBeLessThan(10);
    expect(numbers(world.h2.left.collect())).toEqual(upTo(2_000));
  });

  for (const side of ['a', 'b'] as const) {
    story(`${side} restarts and the far end's DPRP is cut off: remembered, so nothing is readable`, (world) => {
      world.key('a');
      world.key('b');
      world.repeat(500, 20, (i) => {
        world.sendFromH1(frame(out, 'udp', i));
        world.sendFromH2(frame(back, 'udp', i));
      });
      world.at(world.now + 2_000, () => {
        world.restart(side);
        world.mallory = (one) => dprpType(one.bytes) === 0;
      });
      world.run(12_000);
      expect(world.plaintextCrossed(MARKER)).toBe(0);
      expect(world[side].verdicts()).toEqual(['discard remembered']);
      expect(world[side].alarms()).toContain('downgrade');
      expect(world[side].drops()['refused-remembered']).toBeGreaterThan(300);
    });
  }

  story('the same attack finds plaintext where nobody remembered: the control of the stories above', (world) => {
    world.key('a');
    world.key('b');
    world.repeat(300, 20, (i) => world.sendFromH1(frame(out, 'udp', i)));
    world.at(world.now + 2_000, () => {
      world.a.told.length = 0;
      world.restart('a');
      world.mallory = (one) => dprpType(one.bytes) === 0;
    });
    world.run(8_000);
    expect(world.plaintextCrossed(MARKER)).toBeGreaterThan(0);
  });
});

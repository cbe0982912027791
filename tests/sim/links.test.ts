/**
 * Links that lose, reorder, duplicate and delay: what arrives is what was sent, at most once, and never in the clear.
 */
import { describe, expect } from 'vitest';
import { type Ends, echo, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import { SimStream } from '../kit/sim-stream.ts';
import type { SimWorld, WireBehaviour } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const PACKETS = 150;
const KINDS = ['echo', 'udp', 'tcp'] as const;
type Kind = (typeof KINDS)[number];

const LINKS: readonly [string, WireBehaviour][] = [
  ['a clean link', {}],
  ['200 ms each way', { delay: 200 }],
  ['reordering', { delay: 5, jitter: 30 }],
  ['duplicates', { delay: 5, duplicates: 0.3 }],
  ['5 % loss', { delay: 5, loss: 0.05 }],
  ['20 % loss, reordering, duplicates, 200 ms', { delay: 200, jitter: 50, loss: 0.2, duplicates: 0.2 }],
];

function payload(from: string, kind: Kind, i: number): string {
  return `${MARKER} ${from} ${kind} ${i} ${'x'.repeat(i * 7)}`;
}

function frameOf(ends: Ends, kind: Kind, i: number, data: string): Uint8Array {
  const bytes = Buffer.from(data);
  if (kind === 'echo') return echo(ends, 'request', 9, i, bytes);
  if (kind === 'udp') return udp(ends, 5000, 6000, bytes);
  return tcp(ends, { sourcePort: 5001, destinationPort: 6001, sequence: 1 + i * 2000, flags: 0x18, data: bytes });
}

/** Every kind of packet both ways, one of each every 10 ms. */
function converse(world: SimWorld, version: 4 | 6): { readonly h1: string[]; readonly h2: string[] } {
  const out: Ends = { from: H1, to: H2, version };
  const back: Ends = { from: H2, to: H1, version };
  world.repeat(PACKETS, 10, (i) => {
    for (const kind of KINDS) {
      world.sendFromH1(frameOf(out, kind, i, payload('h1', kind, i)));
      world.sendFromH2(frameOf(back, kind, i, payload('h2', kind, i)));
    }
  });
  world.run(PACKETS * 10 + 5_000);
  const texts = (frames: readonly { readonly bytes: Uint8Array }[]): string[] =>
    frames.map((f) => Buffer.from(read(f.bytes).payload).toString());
  return { h1: texts(world.h1.left.collect()), h2: texts(world.h2.left.collect()) };
}

const ofFlow = (from: string, kind: Kind): string[] =>
  Array.from({ length: PACKETS }, (_, i) => payload(from, kind, i));

describe.each([4, 6] as const)('IPv%d', (version) => {
  for (const [name, behaviour] of LINKS) {
    story(`over ${name} nothing is altered, repeated or readable`, (world) => {
      world.key('a');
      world.key('b');
      world.behaviour = behaviour;
      const { h1, h2 } = converse(world, version);
      const sent = new Set(KINDS.flatMap((kind) => [...ofFlow('h1', kind), ...ofFlow('h2', kind)]));
      const strangers = [...h1, ...h2].filter((text) => !sent.has(text));
      expect(strangers).toEqual([]);
      expect(new Set(h1).size).toBe(h1.length);
      expect(new Set(h2).size).toBe(h2.length);
      expect(world.plaintextCrossed(MARKER)).toBe(0);

      const { loss = 0, jitter = 0 } = behaviour;
      for (const [from, at] of [
        ['h1', h2],
        ['h2', h1],
      ] as const) {
        for (const kind of KINDS) {
          const arrived = at.filter((text) => text.includes(` ${from} ${kind} `));
          /* Nothing but the link takes a packet away, and nothing but the link changes an order. */
          if (loss === 0 && jitter === 0) expect(arrived).toEqual(ofFlow(from, kind));
          else if (loss === 0) expect([...arrived].sort()).toEqual(ofFlow(from, kind).sort());
          else expect(arrived.length).toBeGreaterThan(PACKETS * (1 - loss) * 0.7);
        }
      }
    });
  }

  story('a transfer completes over a link that loses 5 %', (world) => {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 10, jitter: 4, loss: 0.05, duplicates: 0.05 };
    const data = Uint8Array.from({ length: 150_000 }, (_, i) => (i * 31 + (i >>> 8)) & 0xff);
    data.set(MARKER, 70_000);
    const stream = new SimStream(world, version, data, 1_400);
    stream.start();
    for (let second = 0; second < 120 && !stream.complete; second++) world.run(1_000);
    expect(stream.complete).toBe(true);
    expect(Buffer.compare(stream.received, data)).toBe(0);
    expect(world.plaintextCrossed(MARKER)).toBe(0);
  });
});

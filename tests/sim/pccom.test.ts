/** Transform `pccom` end to end: what leaves is as long as what came, nothing of it is readable, all of it arrives. */
import { randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import { type Ends, echo, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { segments } from '../kit/sim-segments.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const out: Ends = { from: H1, to: H2 };

function transforms(world: SimWorld): (string | undefined)[] {
  return [world.a, world.b].flatMap(({ datapath }) =>
    [...datapath.pairs.values()].map((pair) => datapath.associations.sender(pair)?.transform),
  );
}

describe('a pccom group', () => {
  for (const transform of ['pccom', 'pccom-keyed'] as const) {
    for (const version of [4, 6] as const) {
      story(
        `${transform}, IPv${version}: frames of every length arrive as they were, and are as long on the wire`,
        (world) => {
          const ends = { ...out, version };
          const group = { groups: [{ number: 7, versions: [1], transform }] };
          world.key('a', group);
          world.key('b', group);
          /* Long enough after the start: the very first packet goes with its MPIT. */
          world.run(1_000);
          const sent: Uint8Array[] = [];
          const send = (bytes: Uint8Array): void => {
            sent.push(bytes);
            world.sendFromH1(bytes);
          };
          world.repeat(1_430, 20, (length) => {
            const data = Uint8Array.from(randomBytes(length));
            data.set(MARKER.subarray(0, length));
            send(udp(ends, 5000, 6000, data));
            send(tcp(ends, { sourcePort: 1, destinationPort: 2, sequence: length * 2_000, flags: 0x18, data }));
            if (length % 10 === 0) send(echo(ends, 'request', 7, length, data));
          });
          world.run(60_000);
          expect(transforms(world)).toEqual([transform, transform]);
          expect(world.b.drops()).toEqual({});
          const arrived = world.h2.left.collect().flatMap(segments);
          expect(arrived.length).toBe(sent.length);
          /* While keys are switched datagrams wait and segments do not: the order counts within a protocol. */
          const [here, there] = [sent, arrived].map((frames) => Map.groupBy(frames, (f) => read(f).frame.protocol));
          for (const [protocol, frames] of here) {
            expect(frames.findIndex((f, i) => Buffer.compare(f, there.get(protocol)?.[i] ?? MARKER) !== 0)).toBe(-1);
          }
          const lengths = new Set(sent.map((bytes) => bytes.length));
          for (const { from, frame } of world.crossed.slice(-1_000)) {
            if (from === 'a') expect(lengths.has(frame.bytes.length)).toBe(true);
          }
          expect(world.plaintextCrossed(MARKER)).toBe(0);
        },
      );
    }
  }
});

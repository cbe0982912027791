/** New key versions, and members that are removed, under traffic. */
import { describe, expect } from 'vitest';
import { GE_A } from '../kit/dprp-world.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { type Ends, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimGateway, SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const out: Ends = { from: H1, to: H2 };
const back: Ends = { from: H2, to: H1 };
const EVERY = 10;

const groups = (...versions: number[]): { groups: { number: number; versions: number[] }[] } => ({
  groups: [{ number: 7, versions }],
});

const data = (i: number): Buffer => Buffer.from(`${MARKER} ${i}`);

/** UDP and TCP both ways, one packet of each every EVERY ms. */
function flow(world: SimWorld, ms: number): number {
  const packets = ms / EVERY;
  world.repeat(packets, EVERY, (i) => {
    world.sendFromH1(udp(out, 5000, 6000, data(i)));
    world.sendFromH2(udp(back, 6000, 5000, data(i)));
    world.sendFromH1(tcp(out, { sourcePort: 1, destinationPort: 2, sequence: i * 100, flags: 0x18, data: data(i) }));
    world.sendFromH2(tcp(back, { sourcePort: 2, destinationPort: 1, sequence: i * 100, flags: 0x18, data: data(i) }));
  });
  return packets;
}

function arrived(world: SimWorld): number[] {
  return [world.h1, world.h2].flatMap(({ left }) => {
    const texts = left.collect().map((f) => `${read(f.bytes).form} ${Buffer.from(read(f.bytes).payload)}`);
    expect(new Set(texts).size).toBe(texts.length);
    return [texts.filter((t) => t.startsWith('1')).length, texts.filter((t) => t.startsWith('2')).length];
  });
}

/** Drops other than answers to repeated requests, which come twice. */
function faults(gateway: SimGateway): string[] {
  return Object.keys(gateway.drops()).filter((name) => name !== 'dprp-unknown-negotiation');
}

function versions(gateway: SimGateway): (number | undefined)[] {
  return [...gateway.datapath.pairs.values()].map((p) => gateway.datapath.associations.sender(p)?.keyVersion);
}

describe('rotation', () => {
  for (const delay of [0, 20, 200]) {
    for (const first of ['a', 'b'] as const) {
      story(`${first} learns of it first, ${delay} ms apart: no packet is lost`, (world) => {
        const second = first === 'a' ? 'b' : 'a';
        world.behaviour = { delay };
        world.key('a', groups(1));
        world.key('b', groups(1));
        const start = world.now;
        const packets = flow(world, 20_000);
        world.at(start + 3_000, () => world.key(first, groups(2, 1)));
        world.at(start + 5_000, () => world.key(second, groups(2, 1)));
        world.at(start + 12_000, () => world.key(first, groups(2)));
        world.at(start + 13_000, () => world.key(second, groups(2)));
        world.run(11_000);
        expect([...versions(world.a), ...versions(world.b)]).toEqual([2, 2]);
        world.run(15_000);
        expect(arrived(world)).toEqual([packets, packets, packets, packets]);
        expect([...faults(world.a), ...faults(world.b)]).toEqual([]);
        expect([...versions(world.a), ...versions(world.b)]).toEqual([2, 2]);
        expect(world.plaintextCrossed(MARKER)).toBe(0);
      });
    }
  }

  for (const [until, name] of [
    [2, 'RGI was sent'],
    [3, 'MPIT was sent'],
    [4, 'CDN was sent'],
  ] as const) {
    story(`the far end learns of it right after ${name}: both still come to the new version`, (world) => {
      world.behaviour = { delay: 30 };
      world.key('a', groups(1));
      world.key('b', groups(1));
      const packets = flow(world, 15_000);
      world.run(2_000);
      world.mallory = (frame) => {
        if (dprpType(frame.bytes) === until) {
          world.mallory = () => true;
          world.at(world.now, () => world.key('b', groups(2, 1)));
        }
        return true;
      };
      world.key('a', groups(2, 1));
      world.run(8_000);
      expect([...versions(world.a), ...versions(world.b)]).toEqual([2, 2]);
      world.run(6_000);
      expect(arrived(world)).toEqual([packets, packets, packets, packets]);
    });
  }

  story('over a link that reorders, five rotations lose nothing', (world) => {
    world.behaviour = { delay: 20, jitter: 20 };
    world.key('a', groups(1));
    world.key('b', groups(1));
    const packets = flow(world, 45_000);
    world.run(2_000);
    for (let version = 2; version <= 6; version++) {
      world.key('a', groups(version, version - 1));
      world.run(1_000);
      world.key('b', groups(version, version - 1));
      world.run(6_000);
    }
    world.run(10_000);
    expect(arrived(world)).toEqual([packets, packets, packets, packets]);
    expect([...versions(world.a), ...versions(world.b)]).toEqual([6, 6]);
  });

  story('an hour of traffic renews the keys without a new version, and loses nothing', (world) => {
    world.behaviour = { delay: 20 };
    world.key('a');
    world.key('b');
    const sent = 4_000;
    world.repeat(sent, 1_000, (i) => {
      world.sendFromH1(udp(out, 5000, 6000, data(i)));
      world.sendFromH2(udp(back, 6000, 5000, data(i)));
    });
    world.run(1_000);
    const [before] = [...world.a.datapath.pairs.values()].map((p) => world.a.datapath.associations.sender(p));
    world.run(4_010_000);
    const [after] = [...world.a.datapath.pairs.values()].map((p) => world.a.datapath.associations.sender(p));
    expect(after?.negotiation).not.toBe(before?.negotiation);
    expect(arrived(world)).toEqual([0, sent, 0, sent]);
    expect(world.a.datapath.associations.count).toBe(1);
  });
});

describe('a member that is removed', () => {
  for (const mode of ['open', 'closed'] as const) {
    story(`is cut off at once, both ways, ${mode} mode`, (world) => {
      world.behaviour = { delay: 5 };
      world.key('a', { mode });
      world.key('b', { mode });
      flow(world, 10_000);
      world.run(3_000);
      arrived(world);
      /* a is in a thief's hands: only b is told. */
      world.key('b', { mode, revoked: [{ ge: GE_A, group: 7, removed: true }] });
      expect(world.b.datapath.associations.count).toBe(0);
      world.run(10);
      arrived(world) /* what b had sent before */;
      world.run(20_000);
      expect(arrived(world)).toEqual([0, 0, 0, 0]);
      expect(world.plaintextCrossed(MARKER)).toBe(0);
      expect(world.b.datapath.associations.count).toBe(0);
    });
  }
});

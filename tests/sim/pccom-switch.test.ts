/** Keys of `pccom` change under traffic: no generation is on the wire, and yet no octet goes through the wrong keys. */
import { randomBytes } from 'node:crypto';
import { describe, expect } from 'vitest';
import type { TransformName } from '#dprp/spec.ts';
import { fakeFrame } from '#port/fake.ts';
import { GE_A } from '../kit/dprp-world.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { type Ends, echo, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import { SimStream } from '../kit/sim-stream.ts';
import type { SimGateway, SimWorld } from '../kit/sim-world.ts';

const MARKER = 'marker-in-plaintext';
const out: Ends = { from: H1, to: H2 };
const back: Ends = { from: H2, to: H1 };
const EVERY = 10;

const group = (transform: TransformName, ...versions: number[]) => ({ groups: [{ number: 7, versions, transform }] });

const data = (i: number): Buffer => Buffer.from(`${MARKER} ${i}`);

/** UDP, pings and TCP both ways, one packet of each every EVERY ms. Octets of TCP follow each other. */
function flow(world: SimWorld, ms: number, every = EVERY): number {
  const packets = ms / every;
  const length = data(0).length + 5;
  const octets = (i: number): Buffer => Buffer.concat([data(i), Buffer.alloc(length)]).subarray(0, length);
  world.repeat(packets, every, (i) => {
    const sequence = (0xffff_f000 + i * length) >>> 0;
    world.sendFromH1(udp(out, 5000, 6000, data(i)));
    world.sendFromH2(udp(back, 6000, 5000, data(i)));
    world.sendFromH1(echo(out, 'request', 9, i & 0xffff, data(i)));
    world.sendFromH2(echo(back, 'reply', 9, i & 0xffff, data(i)));
    world.sendFromH1(tcp(out, { sourcePort: 1, destinationPort: 2, sequence, flags: 0x18, data: octets(i) }));
    world.sendFromH2(tcp(back, { sourcePort: 2, destinationPort: 1, sequence, flags: 0x18, data: octets(i) }));
    world.sendFromH1(tcp(out, { sourcePort: 1, destinationPort: 2, sequence: sequence + length, flags: 0x10 }));
  });
  return packets;
}

/**
 * How many different packets of each kind arrived on each side: UDP, pings, TCP with octets. Anything else is wrong.
 */
function arrived(world: SimWorld): number[] {
  return [world.h1, world.h2].flatMap(({ left }) => {
    const seen = [new Set<number>(), new Set<number>(), new Set<number>()];
    for (const { bytes } of left.collect()) {
      const { frame, payload } = read(bytes);
      if (payload.length === 0) continue;
      const match = /^marker-in-plaintext (\d+)\0*$/.exec(Buffer.from(payload).toString('latin1'));
      expect(match, Buffer.from(payload).toString('hex')).not.toBeNull();
      seen[frame.protocol === 17 ? 0 : frame.protocol === 6 ? 2 : 1].add(Number(match?.[1]));
    }
    return seen.map((set) => set.size);
  });
}

const all = (packets: number): number[] => Array.from({ length: 6 }, () => packets);

const senders = (world: SimWorld): (string | undefined)[] =>
  [world.a, world.b].flatMap(({ datapath }) =>
    [...datapath.pairs.values()].map((pair) => {
      const sender = datapath.associations.sender(pair);
      return sender && `${sender.transform} ${sender.keyVersion}`;
    }),
  );

function faults(gateway: SimGateway): string[] {
  return Object.keys(gateway.drops()).filter((name) => name !== 'dprp-unknown-negotiation');
}

describe('rotation', () => {
  for (const transform of ['pccom', 'pccom-keyed'] as const) {
    for (const delay of [0, 20, 200]) {
      for (const first of ['a', 'b'] as const) {
        story(`${transform}: ${first} learns of it first, ${delay} ms apart: no packet is lost`, (world) => {
          const second = first === 'a' ? 'b' : 'a';
          world.behaviour = { delay };
          world.key('a', group(transform, 1));
          world.key('b', group(transform, 1));
          world.run(1_000);
          const start = world.now;
          const packets = flow(world, 20_000);
          world.at(start + 3_000, () => world.key(first, group(transform, 2, 1)));
          world.at(start + 5_000, () => world.key(second, group(transform, 2, 1)));
          world.at(start + 12_000, () => world.key(first, group(transform, 2)));
          world.at(start + 13_000, () => world.key(second, group(transform, 2)));
          world.run(11_000);
          expect(senders(world)).toEqual([`${transform} 2`, `${transform} 2`]);
          world.run(15_000);
          expect(arrived(world)).toEqual(all(packets));
          expect([...faults(world.a), ...faults(world.b)]).toEqual([]);
          expect(world.plaintextCrossed(Buffer.from(MARKER))).toBe(0);
        });
      }
    }
  }

  story('over a link that reorders, three rotations lose nothing and deliver nothing wrong', (world) => {
    world.behaviour = { delay: 20, jitter: 20 };
    world.key('a', group('pccom', 1));
    world.key('b', group('pccom', 1));
    const packets = flow(world, 30_000);
    world.run(2_000);
    for (let version = 2; version <= 4; version++) {
      world.key('a', group('pccom', version, version - 1));
      world.run(1_000);
      world.key('b', group('pccom', version, version - 1));
      world.run(6_000);
    }
    world.run(10_000);
    expect(senders(world)).toEqual(['pccom 4', 'pccom 4']);
    expect(arrived(world)).toEqual(all(packets));
  });

  for (const transform of ['pccom', 'pccom-keyed'] as const) {
    story(
      `${transform}: a stream over a link that loses, doubles and reorders comes whole through four rotations`,
      (world) => {
        world.behaviour = { delay: 10, jitter: 20, loss: 0.03, duplicates: 0.03 };
        world.key('a', group(transform, 1));
        world.key('b', group(transform, 1));
        const bytes = Uint8Array.from(randomBytes(2_500_000));
        const stream = new SimStream(world, 4, bytes, 1_000);
        stream.start();
        for (let version = 2; version <= 5; version++) {
          world.run(5_000);
          world.key('a', group(transform, version, version - 1));
          world.key('b', group(transform, version, version - 1));
        }
        world.run(5_000);
        expect([stream.complete, ...senders(world)]).toEqual([false, `${transform} 5`, `${transform} 5`]);
        world.run(120_000);
        expect(stream.complete).toBe(true);
        expect(Buffer.compare(stream.received, bytes)).toBe(0);
      },
    );
  }

  for (let i = 0; i < 4; i++) {
    story(`a stream that loses much comes whole, although keys change again at once (${i})`, (world) => {
      world.behaviour = { delay: 40, jitter: 120, loss: 0.15 };
      world.key('a', group('pccom', 1));
      world.key('b', group('pccom', 1));
      const bytes = Uint8Array.from(randomBytes(800_000));
      const stream = new SimStream(world, 4, bytes, 1_000);
      stream.start();
      world.run(5_000);
      for (let version = 2; version <= 6; version++) {
        const held = Array.from({ length: version }, (_, n) => version - n);
        world.key('a', group('pccom', ...held));
        world.key('b', group('pccom', ...held));
        world.run(1_100);
      }
      expect(stream.complete).toBe(false);
      world.run(600_000);
      expect(stream.complete).toBe(true);
      expect(Buffer.compare(stream.received, bytes)).toBe(0);
    });
  }

  story('of many connections every one is told where its keys change', (world) => {
    world.behaviour = { delay: 20, jitter: 10 };
    world.key('a', group('pccom', 1));
    world.key('b', group('pccom', 1));
    world.run(1_000);
    const count = 300;
    world.repeat(40 * count, 1, (i) => {
      const segment = {
        sourcePort: 1_000 + (i % count),
        destinationPort: 2,
        sequence: 7 * i,
        flags: 0x18,
        data: data(i),
      };
      world.sendFromH1(tcp(out, segment));
      if (i % 100 === 0)
        world.sendFromH2(tcp(back, { sourcePort: 2, destinationPort: 1_000, sequence: 1, flags: 0x10 }));
    });
    world.run(3_000);
    world.key('b', group('pccom', 2, 1));
    world.key('a', group('pccom', 2, 1));
    world.run(12_000);
    expect(senders(world)).toEqual(['pccom 2', 'pccom 2']);
    expect(arrived(world)).toEqual([0, 0, 0, 0, 0, 40 * count]);
    const parts = world.crossed.filter((c) => c.from === 'a' && dprpType(c.frame.bytes) === 5);
    expect(parts.length).toBeGreaterThanOrEqual(3);
  });

  story('traffic one way only, which is asked about again and again, keeps no rotation waiting for long', (world) => {
    world.behaviour = { delay: 20, jitter: 10 };
    world.key('a', group('pccom', 1));
    world.key('b', group('pccom', 1));
    world.run(1_000);
    world.repeat(4_500, EVERY, (i) => world.sendFromH1(udp(out, 5000, 6000, data(i))));
    world.run(20_000);
    world.key('b', group('pccom', 2, 1));
    world.key('a', group('pccom', 2, 1));
    world.run(20_000);
    expect(senders(world)).toEqual(['pccom 2', 'pccom 2']);
    world.run(10_000);
    expect(arrived(world)).toEqual([0, 0, 0, 4_500, 0, 0]);
  });

  story('a day of traffic renews the keys without a new version, and loses nothing', (world) => {
    world.behaviour = { delay: 20 };
    world.key('a', group('pccom', 1));
    world.key('b', group('pccom', 1));
    world.run(1_000);
    const keys = () =>
      [...world.a.datapath.pairs.values()].map((p) => world.a.datapath.associations.sender(p)?.negotiation);
    const packets = flow(world, 90_000_000, 60_000);
    world.run(1_000);
    const first = keys();
    world.run(90_000_000);
    expect(keys()).not.toEqual(first);
    expect(arrived(world)).toEqual(all(packets));
  });

  story('whose renewal falls into a switch does not begin another', (world) => {
    world.behaviour = { delay: 50 };
    for (const side of ['a', 'b'] as const) world.key(side, group('pccom', 1));
    const packets = flow(world, 6_000);
    world.run(2_000);
    for (const side of ['a', 'b'] as const) world.key(side, group('pccom', 2, 1));
    const dueAt = (gateway: SimGateway, at: number): void => {
      const [pair] = gateway.datapath.pairs.values();
      const sender = gateway.datapath.associations.sender(pair);
      if (sender !== undefined) sender.renewAt = at;
    };
    dueAt(world.a, world.now);
    dueAt(world.b, Number.POSITIVE_INFINITY);
    const before = world.crossed.length;
    /* b holds the new keys, and sends with the old ones until its switch is answered. */
    world.run(170);
    expect(senders(world)).toEqual(['pccom 1', 'pccom 1']);
    dueAt(world.b, world.now);
    world.run(6_000);
    const begins = world.crossed.slice(before).filter(({ from, frame }) => from === 'b' && dprpType(frame.bytes) === 1);
    expect(begins).toEqual([]);
    expect(senders(world)).toEqual(['pccom 2', 'pccom 2']);
    expect(arrived(world)).toEqual(all(packets));
  });

  story('KSW is lost for seconds: what waits is not lost', (world) => {
    world.behaviour = { delay: 5 };
    world.key('a', group('pccom', 1));
    world.key('b', group('pccom', 1));
    const packets = flow(world, 8_000);
    world.run(2_000);
    const until = world.now + 1_500;
    world.mallory = (frame) => ![5, 8].includes(dprpType(frame.bytes) ?? 0) || world.now > until;
    world.key('a', group('pccom', 2, 1));
    world.key('b', group('pccom', 2, 1));
    world.run(8_000);
    expect(senders(world)).toEqual(['pccom 2', 'pccom 2']);
    const lost = ['hold-full'].map((name) => (world.a.drops()[name] ?? 0) + (world.b.drops()[name] ?? 0));
    const missing = all(packets).reduce((sum, n, i) => sum + n - arrivedOnce(world)[i], 0);
    expect(missing).toBeLessThanOrEqual(lost[0]);
  });
});

const counted = new WeakMap<SimWorld, number[]>();
function arrivedOnce(world: SimWorld): number[] {
  const known = counted.get(world) ?? arrived(world);
  counted.set(world, known);
  return known;
}

describe('a pair that nobody spoke about', () => {
  story('packets that somebody made up before the keys were there never reach the device', (world) => {
    world.behaviour = { delay: 5 };
    world.key('a', group('pccom', 1));
    world.key('b', group('pccom', 1));
    world.run(1_000);
    for (let i = 0; i < 5; i++) world.wire.left.send(fakeFrame(udp(out, 5000, 6000, randomBytes(40))));
    world.run(50);
    const packets = flow(world, 1_000);
    world.run(3_000);
    expect(arrived(world)).toEqual(all(packets));
    expect(world.b.drops()['pccom-before-switch']).toBe(5);
  });
});

describe('a pair that both ends begin at once', () => {
  for (let i = 0; i < 12; i++) {
    story(`nothing is lost or wrong, although messages overtake each other (${i})`, (world) => {
      world.behaviour = { delay: 5, jitter: i < 6 ? 2 : 15 };
      world.key('a', group('pccom', 1));
      world.key('b', group('pccom', 1));
      world.run(1_000);
      const packets = flow(world, 1_000);
      world.run(3_000);
      expect(arrived(world)).toEqual(all(packets));
      expect(world.plaintextCrossed(Buffer.from(MARKER))).toBe(0);
    });
  }
});

describe('another transform', () => {
  for (const [before, then] of [
    ['sealed', 'pccom'],
    ['pccom', 'sealed'],
    ['pccom', 'pccom-keyed'],
  ] as const) {
    for (const jitter of [0, 20]) {
      story(`from ${before} to ${then}, jitter ${jitter} ms: no packet is lost`, (world) => {
        world.behaviour = { delay: 20, jitter };
        world.key('a', group(before, 1));
        world.key('b', group(before, 1));
        const packets = flow(world, 15_000);
        world.run(3_000);
        world.key('b', group(then, 2, 1));
        world.run(1_000);
        expect(world.plaintextCrossed(Buffer.from(MARKER))).toBe(0);
        world.key('a', group(then, 2, 1));
        world.run(14_000);
        expect(senders(world)).toEqual([`${then} 2`, `${then} 2`]);
        expect(arrived(world)).toEqual(all(packets));
        expect(world.plaintextCrossed(Buffer.from(MARKER))).toBe(0);
      });
    }
  }

  story(
    'from plaintext to pccom, when the far gateway gets its keys: nothing wrong arrives, then nothing is readable',
    (world) => {
      world.behaviour = { delay: 20, jitter: 10 };
      world.key('a', group('pccom', 1));
      const packets = flow(world, 130_000, 100);
      world.run(5_000);
      world.key('b', group('pccom', 1));
      world.run(75_000);
      expect(senders(world)).toEqual(['pccom 1', 'pccom 1']);
      const crossed = world.plaintextCrossed(Buffer.from(MARKER));
      expect(crossed).toBeGreaterThan(0);
      world.run(60_000);
      expect(world.plaintextCrossed(Buffer.from(MARKER))).toBe(crossed);
      for (const n of arrived(world)) expect(n).toBeGreaterThan(packets * 0.97);
    },
    { policy: { withoutKeys: 'open' } },
  );
});

describe('a gateway that loses its memory', () => {
  for (const transform of ['pccom', 'pccom-keyed'] as const) {
    for (const sides of [['a'], ['b'], ['a', 'b']] as const) {
      for (const jitter of [0, 30]) {
        story(
          `${transform}, ${sides.join(' and ')}, jitter ${jitter}: nothing wrong arrives, and traffic heals`,
          (world) => {
            world.behaviour = { delay: 20, jitter };
            world.key('a', group(transform, 1));
            world.key('b', group(transform, 1));
            flow(world, 12_000);
            world.run(3_000);
            for (const side of sides) world.restart(side, group(transform, 1));
            world.run(1_000);
            arrived(world);
            world.run(5_000);
            /* Five seconds of traffic, but for what is on its way. */
            for (const n of arrived(world)) expect(n).toBeGreaterThanOrEqual(490);
            expect(world.plaintextCrossed(Buffer.from(MARKER))).toBe(0);
          },
        );
      }
    }
  }

  for (const side of ['a', 'b'] as const) {
    story(`${side}, under traffic one way only: it heals, and nothing wrong arrives`, (world) => {
      world.behaviour = { delay: 20, jitter: 10 };
      world.key('a', group('pccom', 1));
      world.key('b', group('pccom', 1));
      world.repeat(1_500, EVERY, (i) => world.sendFromH1(udp(out, 5000, 6000, data(i))));
      world.run(3_000);
      world.restart(side, group('pccom', 1));
      world.run(2_000);
      arrived(world);
      world.run(5_000);
      expect(arrived(world)[3]).toBeGreaterThanOrEqual(490);
    });
  }

  for (let i = 0; i < 4; i++) {
    story(`both at once, while packets of before are still on their way: nothing wrong arrives (${i})`, (world) => {
      world.behaviour = { delay: 5, jitter: 60 };
      world.key('a', group('pccom', 1));
      world.key('b', group('pccom', 1));
      flow(world, 4_000);
      world.run(2_000);
      for (const side of ['a', 'b'] as const) world.restart(side, group('pccom', 1));
      world.run(3_000);
      expect(Math.min(...arrived(world))).toBeGreaterThan(300);
    });
  }

  for (let i = 0; i < 4; i++) {
    story(`the far end still takes what comes for older keys: nothing is sent before it knows (${i})`, (world) => {
      world.behaviour = { delay: 5, jitter: 30 };
      world.key('a', group('pccom', 1));
      world.key('b', group('pccom', 1));
      world.run(1_000);
      flow(world, 500);
      world.run(3_000);
      arrived(world);
      world.restart('a', group('pccom', 1));
      world.run(1_000);
      world.repeat(200, 1, (n) => world.sendFromH1(udp(out, 5000, 6000, data(n))));
      world.run(3_000);
      expect(arrived(world)).toEqual([0, 0, 0, 200, 0, 0]);
    });
  }

  story('a stream survives a restart of either side', (world) => {
    world.behaviour = { delay: 10, jitter: 10, loss: 0.02, duplicates: 0.02 };
    world.key('a', group('pccom', 1));
    world.key('b', group('pccom', 1));
    const bytes = Uint8Array.from(randomBytes(1_000_000));
    const stream = new SimStream(world, 6, bytes, 1_000);
    stream.start();
    world.run(5_000);
    world.restart('b', group('pccom', 1));
    world.run(5_000);
    world.restart('a', group('pccom', 1));
    world.run(120_000);
    expect(Buffer.compare(stream.received, bytes)).toBe(0);
  });
});

describe('a member that is removed', () => {
  story('is cut off at once, both ways', (world) => {
    world.behaviour = { delay: 5 };
    world.key('a', group('pccom', 1));
    world.key('b', group('pccom', 1));
    flow(world, 10_000);
    world.run(3_000);
    world.key('b', { ...group('pccom', 1), revoked: [{ ge: GE_A, group: 7, removed: true }] });
    expect(world.b.datapath.associations.count).toBe(0);
    world.run(10);
    arrived(world);
    world.run(20_000);
    expect(arrived(world)).toEqual(all(0));
    expect(world.plaintextCrossed(Buffer.from(MARKER))).toBe(0);
  });
});

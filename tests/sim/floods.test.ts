/** More than a gateway takes on at once: bounded tables, named drops, and those who are real still get through. */
import { describe, expect } from 'vitest';
import {
  HOLD_BYTES,
  HOLD_BYTES_PER_PAIR,
  HOLD_FRAMES,
  HOLD_FRAMES_PER_PAIR,
  HOLD_INBOUND_SHARE,
} from '#datapath/limits.ts';
import { LIMITS } from '#dprp/limits.ts';
import { REMEMBERED_MAX } from '#pit/remembered.ts';
import { type FakeFrame, fakeFrame } from '#port/fake.ts';
import { FORM_ICMP_ERROR } from '#wire/frame.ts';
import { GE_C } from '../kit/dprp-world.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { type Ends, echo, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimGateway, SimWorld } from '../kit/sim-world.ts';

const out: Ends = { from: H1, to: H2 };
const back: Ends = { from: H2, to: H1 };
const data = (i: number, length = 100): Buffer => Buffer.from(`packet ${i} `.padEnd(length, 'z'));
const number = (bytes: Uint8Array): number => Number(Buffer.from(read(bytes).payload).toString().split(' ')[1]);

/** A made-up host of the network. */
function stranger(i: number): typeof H2 {
  return { mac: H2.mac, v4: `10.${1 + (i >> 14)}.${(i >> 7) & 127}.${1 + (i & 127)}`, v6: `fd01::${i.toString(16)}` };
}

/** On the wire nobody answers for the strangers: their networks are dark. */
function dark(frame: FakeFrame): boolean {
  const [source, destination] = [frame.bytes[27], frame.bytes[31]]; /* second octets of the IPv4 addresses */
  return source === 0 && destination === 0;
}

function refused(gateway: SimGateway): Record<string, number> {
  return gateway.drops();
}

describe('the hold queue', () => {
  story('keeps the first packets of a pair in order, up to its frames, and names the rest', (world) => {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 200 };
    for (let i = 0; i < HOLD_FRAMES_PER_PAIR + 50; i++) world.sendFromH1(udp(out, 1, 2, data(i)));
    world.run(10);
    expect(world.a.datapath.hold.frames).toBe(HOLD_FRAMES_PER_PAIR);
    expect(refused(world.a)).toEqual({ 'hold-full': 50 });
    world.run(2_000);
    expect(world.h2.left.collect().map((f) => number(f.bytes))).toEqual(
      Array.from({ length: HOLD_FRAMES_PER_PAIR }, (_, i) => i),
    );
    expect([world.a.datapath.hold.frames, world.a.datapath.hold.bytes]).toEqual([0, 0]);
  });

  story('keeps no more of a pair than its bytes', (world) => {
    world.key('a');
    world.plainHost('silent');
    for (let i = 0; i < 250; i++) world.sendFromH1(udp(out, 1, 2, data(i, 1_400)));
    world.run(10);
    expect(world.a.datapath.hold.bytes).toBeLessThanOrEqual(HOLD_BYTES_PER_PAIR);
    expect(world.a.datapath.hold.bytes).toBeGreaterThan(HOLD_BYTES_PER_PAIR - 1_500);
    expect(refused(world.a)['hold-full']).toBe(250 - world.a.datapath.hold.frames);
    world.run(2_000);
    expect(world.a.datapath.hold.bytes).toBe(0);
  });

  story('is bounded over all pairs', (world) => {
    world.key('a');
    world.plainHost('silent');
    for (let pair = 0; pair < 100; pair++) {
      const ends: Ends = { from: H1, to: stranger(pair) };
      for (let i = 0; i < 100; i++) world.sendFromH1(udp(ends, 1, 2, data(i, 1_400)));
    }
    world.run(10);
    const { hold } = world.a.datapath;
    expect(hold.bytes).toBeLessThanOrEqual(HOLD_BYTES);
    expect(hold.bytes).toBeGreaterThan(HOLD_BYTES - 1_500);
    expect(refused(world.a)).toEqual({ 'hold-full': 10_000 - hold.frames });
    world.run(3_000);
    expect([hold.bytes, hold.frames]).toEqual([0, 0]);
  });

  story('gives packets from outside a quarter', (world) => {
    world.key('a');
    const host = world.plainHost('silent');
    const frames = Array.from({ length: 50 }, (_, pair) =>
      Array.from({ length: 100 }, (_, i) => udp({ from: stranger(pair), to: H1 }, 1, 2, data(i, 1_400))),
    ).flat();
    for (const bytes of frames) host.port.send(fakeFrame(bytes));
    world.run(10);
    const { hold } = world.a.datapath;
    expect(hold.bytes).toBeLessThanOrEqual(HOLD_BYTES * HOLD_INBOUND_SHARE);
    expect(hold.bytes).toBeGreaterThan(HOLD_BYTES * HOLD_INBOUND_SHARE - 1_500);
    expect(refused(world.a)).toEqual({ 'hold-full-inbound': 5_000 - hold.frames });
    /* The devices behind us still have theirs. */
    world.sendFromH1(udp(out, 1, 2, data(0, 1_400)));
    world.run(1);
    expect(hold.bytes).toBeGreaterThan(HOLD_BYTES * HOLD_INBOUND_SHARE - 100);
    world.run(5_000);
    expect([hold.bytes, hold.frames]).toEqual([0, 0]);
  });
});

describe('short packets from many who do not exist', () => {
  story('leave the devices their room: for first packets', (world) => {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 1 };
    world.mallory = dark;
    for (let pair = 0; pair < 64; pair++) {
      const bytes = udp({ from: stranger(pair), to: H1 }, 1, 2, data(0, 18));
      for (let i = 0; i < HOLD_FRAMES_PER_PAIR; i++) world.a.outer.inject(fakeFrame(bytes));
    }
    world.run(5);
    const { hold } = world.a.datapath;
    const share = HOLD_FRAMES * HOLD_INBOUND_SHARE;
    expect(hold.frames).toBe(share);
    for (let i = 0; i < HOLD_FRAMES_PER_PAIR; i++) world.sendFromH1(udp(out, 1, 2, data(i)));
    world.run(20);
    expect(refused(world.a)).toEqual({ 'hold-full-inbound': 64 * HOLD_FRAMES_PER_PAIR - share });
    expect(world.h2.left.collect().map((f) => number(f.bytes))).toEqual(
      Array.from({ length: HOLD_FRAMES_PER_PAIR }, (_, i) => i),
    );
    world.run(5_000);
    expect([hold.bytes, hold.frames]).toEqual([0, 0]);
  });

  story('and in the name of a peer: the device has its own for the pair', (world) => {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 1 };
    const forged = udp(back, 2, 1, data(0, 18));
    for (let i = 0; i < 2 * HOLD_FRAMES_PER_PAIR; i++) world.a.outer.inject(fakeFrame(forged));
    world.run(1);
    expect(world.a.datapath.hold.frames).toBe(HOLD_FRAMES_PER_PAIR);
    world.sendFromH1(udp(out, 1, 2, data(7)));
    world.run(100);
    expect(world.h2.left.collect().map((f) => number(f.bytes))).toEqual([7]);
    expect(refused(world.a)['hold-full']).toBeUndefined();
  });
});

describe('ten thousand half-open negotiations', () => {
  const FLOOD = 10_000;

  story('from outside: bounded, and a real pair negotiates at once', (world) => {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 1 };
    world.mallory = dark;
    for (let i = 0; i < FLOOD; i++) world.a.outer.inject(fakeFrame(udp({ from: stranger(i), to: H1 }, 1, 2, data(i))));
    world.run(5);
    expect(world.a.datapath.negotiator.running).toBe(LIMITS.running / 4);
    expect(world.a.datapath.hold.frames).toBe(LIMITS.running / 4);
    expect(refused(world.a)).toEqual({ 'inbound-budget': FLOOD - LIMITS.running / 4 });
    world.sendFromH1(udp(out, 1, 2, data(1)));
    world.run(20);
    expect(world.h2.left.collect().map((f) => number(f.bytes))).toContain(1);
    world.run(3_000);
    expect(world.a.datapath.negotiator.running).toBe(0);
    expect(world.a.datapath.hold.frames).toBe(0);
  });

  story('from a device that scans: bounded, and others get their turn', (world) => {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 1 };
    world.mallory = dark;
    for (let i = 0; i < FLOOD; i++) world.sendFromH1(udp({ from: H1, to: stranger(i) }, 1, 2, data(i)));
    world.run(5);
    expect(world.a.datapath.negotiator.running).toBe(LIMITS.runningPerDevice);
    expect(refused(world.a)).toEqual({ 'refused-negotiation': FLOOD - LIMITS.runningPerDevice });
    world.sendFromH1(udp({ from: { ...H1, v4: '10.0.0.77' }, to: H2 }, 1, 2, data(5_000)));
    world.run(20);
    expect(world.h2.left.collect().map((f) => number(f.bytes))).toEqual([5_000]);
    world.repeat(30, 100, (i) => world.sendFromH1(udp(out, 1, 2, data(i))));
    world.run(4_000);
    expect(world.h2.left.collect().map((f) => number(f.bytes)).length).toBeGreaterThan(10);
    expect(world.a.datapath.negotiator.running).toBe(0);
    expect(world.a.datapath.hold.frames).toBe(0);
  });

  story('a stranger whose packets keep coming starts one negotiation a second, and makes nobody else wait', (world) => {
    world.key('a');
    world.key('b');
    /* One source, many devices behind us. */
    world.repeat(500, 10, (i) => {
      const device = { ...H1, v4: `10.0.0.${100 + (i % 100)}` };
      world.a.outer.inject(fakeFrame(udp({ from: stranger(1), to: device }, 1, 2, data(i))));
    });
    world.run(5_000);
    const asked = new Set(
      world.crossed
        .filter((c) => c.from === 'a' && dprpType(c.frame.bytes) === 1)
        .map((c) => Buffer.from(c.frame.bytes.subarray(26, 30)).toString('hex')),
    );
    expect(asked.size).toBeLessThanOrEqual(6);
    /* A refused packet from outside refuses nothing to the device that it was for. */
    world.sendFromH1(udp({ from: { ...H1, v4: '10.0.0.150' }, to: stranger(1) }, 1, 2, data(7)));
    world.run(1_100);
    expect(world.h2.left.collect().map((f) => number(f.bytes))).toContain(7);
  });

  story('a pair that is forgotten while it waits takes its packets along, by name', (world) => {
    world.key('a');
    world.plainHost('silent');
    world.sendFromH1(udp(out, 1, 2, data(1)));
    world.run(1);
    const { pairs, hold } = world.a.datapath;
    const [pair] = [...pairs.values()];
    pairs.remove(pair);
    expect(refused(world.a)).toEqual({ 'hold-abandoned': 1 });
    expect(hold.frames).toBe(0);
    world.run(3_000);
    expect(world.a.verdicts()).toEqual(['plain no-gateway-silence']);
  });

  story('what an outsider makes up does not end or disturb an association', (world) => {
    world.key('a');
    world.key('b');
    world.repeat(200, 10, (i) => {
      world.sendFromH1(udp(out, 1, 2, data(i)));
      world.sendFromH2(udp(back, 2, 1, data(i)));
      const forged = udp(back, 2, 1, Buffer.from(Array.from({ length: 60 }, () => Math.floor(world.chance() * 256))));
      world.a.outer.inject(fakeFrame(forged));
    });
    world.run(3_000);
    expect(world.h1.left.collect().map((f) => number(f.bytes))).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect(world.h2.left.collect().map((f) => number(f.bytes))).toEqual(Array.from({ length: 200 }, (_, i) => i));
    const drops = refused(world.a);
    const named = ['sealed-unknown-association', 'sealed-forged', 'sealed-too-old', 'bad-checksum'] as const;
    expect(named.reduce((sum, name) => sum + (drops[name] ?? 0), 0)).toBe(200);
    /* Both started at once; nothing was negotiated after that. */
    const asked = world.crossed.filter((c) => dprpType(c.frame.bytes) === 1 && c.at > 1_500);
    expect(asked).toEqual([]);
  });
});

describe('a member that negotiates from addresses it makes up', () => {
  for (const flooded of [true, false]) {
    story(
      `${flooded ? 'turns no remembered peer' : 'control: a peer that is not remembered turns'} into plaintext`,
      (world) => {
        world.key('a');
        world.key('b');
        world.sendFromH1(udp(out, 1, 2, data(0)));
        world.run(100);
        const { remembered } = world.a.datapath;
        if (!flooded) remembered.forget();
        for (let i = 0; flooded && i < REMEMBERED_MAX + 1_000; i++) {
          remembered.remember(Int32Array.of(0, 0, 0xffff, 0x0b000000 + i), GE_C, 'sealed', world.now);
        }
        expect(remembered.size).toBeLessThanOrEqual(REMEMBERED_MAX);
        world.mallory = (frame) => dprpType(frame.bytes) === 0;
        world.key('a', { groups: [{ number: 7, versions: [2] }] });
        world.repeat(5, 1_000, () => world.sendFromH1(udp(out, 1, 2, data(1))));
        world.run(6_000);
        expect(world.plaintextCrossed(data(1))).toBe(flooded ? 0 : 5);
        expect(world.a.verdicts()).toEqual([flooded ? 'discard remembered' : 'plain no-gateway-silence']);
      },
    );
  }
});

describe('messages that nobody can open, four hundred a second', () => {
  /** DDEs under a domain key of which a has not heard, from as many sources. */
  function flood(world: SimWorld, seconds: number): void {
    const dde = world.crossed.map((c) => c.frame.bytes).find((bytes) => dprpType(bytes) === 1) as Uint8Array;
    const payload = Uint8Array.from(read(dde).payload);
    payload[8] ^= 0x80;
    world.repeat(400 * seconds, 2.5, (i) => {
      world.a.outer.inject(fakeFrame(echo({ from: stranger(i), to: H1 }, 'request', 1, i & 0xffff, payload)));
    });
  }

  const destination = (bytes: Uint8Array): string => bytes.subarray(30, 34).join('.');
  const errors = (world: SimWorld): number => {
    return world.h1.left.collect().filter((f) => read(f.bytes).frame.form === FORM_ICMP_ERROR).length;
  };

  story('leave the devices behind us the errors that they need', (world) => {
    world.key('a');
    world.key('b');
    world.sendFromH1(udp(out, 1, 2, data(0)));
    world.run(100);
    flood(world, 2);
    world.repeat(20, 100, () => world.sendFromH1(udp(out, 1, 2, data(0, 1_470))));
    world.run(2_100);
    expect(refused(world.a)['notice-limit']).toBeGreaterThan(100);
    expect(errors(world)).toBe(20);
  });

  story('and the far ends of lost associations the notices that heal them', (world) => {
    world.key('a');
    world.key('b');
    const segment = (i: number): Uint8Array => {
      return tcp(back, { sourcePort: 2, destinationPort: 1, sequence: 1 + 100 * i, flags: 0x18, data: data(i) });
    };
    world.sendFromH2(segment(0));
    world.run(100);
    world.restart('a');
    flood(world, 2);
    world.run(1_800);
    expect(refused(world.a)['notice-limit']).toBeGreaterThan(100);
    world.sendFromH2(segment(1));
    world.run(1);
    const toB = world.crossed.filter((c) => c.from === 'a' && c.at > 2_800 && H2.v4 === destination(c.frame.bytes));
    expect(toB.filter((c) => read(c.frame.bytes).frame.form === FORM_ICMP_ERROR).length).toBe(1);
  });
});

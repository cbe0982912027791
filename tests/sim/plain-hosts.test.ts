/** No gateway at the far end, or somebody who wants it to look so: open and closed mode, downgrade. */
import { describe, expect } from 'vitest';
import { fakeFrame } from '#port/fake.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { type Ends, H1, H2, read, udp } from '../kit/sim-frames.ts';
import { echoOf } from '../kit/sim-host.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const out: Ends = { from: H1, to: H2 };
const back: Ends = { from: H2, to: H1 };
const EVERY = 50;

const datagram = (i: number, ends = out): Uint8Array => udp(ends, 5000, 6000, Buffer.from(`${MARKER} ${i}`));
const text = (bytes: Uint8Array): string => Buffer.from(read(bytes).payload).toString();
const expected = (count: number): string[] => Array.from({ length: count }, (_, i) => `${MARKER} ${i}`);

const doing = (answers: 'echoes' | 'silent'): string => (answers === 'echoes' ? 'answers pings' : 'is silent');

/** What reached the plain host apart from DPRP. */
function reached(world: SimWorld): string[] {
  return (world.host?.received ?? []).filter((f) => dprpType(f.bytes) === 0).map((f) => text(f.bytes));
}

describe('open mode', () => {
  for (const [answers, reason, patience] of [
    ['echoes', 'no-gateway-echo', 50],
    ['silent', 'no-gateway-silence', 1_010],
  ] as const) {
    story(`a host that ${doing(answers)} gets plaintext, all of it, in order`, (world) => {
      world.key('a');
      world.behaviour = { delay: 20 };
      world.plainHost(answers);
      const first = world.now;
      world.repeat(40, EVERY, (i) => world.sendFromH1(datagram(i)));
      world.run(patience - 20);
      expect(reached(world)).toEqual([]);
      world.run(10_000);
      expect(reached(world)).toEqual(expected(40));
      expect(world.crossed.find((c) => dprpType(c.frame.bytes) === 0)?.at).toBeLessThanOrEqual(first + patience);
      expect(world.a.verdicts()).toEqual([`plain ${reason}`]);
      expect(world.a.drops()).toEqual({});
    });

    story(`packets from a host that ${doing(answers)} wait for the verdict, and pass`, (world) => {
      world.key('a');
      world.behaviour = { delay: 20 };
      const host = world.plainHost(answers);
      world.repeat(40, EVERY, (i) => host.port.send(fakeFrame(datagram(i, back))));
      world.run(10_000);
      expect(world.h1.left.collect().map((f) => text(f.bytes))).toEqual(expected(40));
      expect(world.a.verdicts()).toEqual([`plain ${reason}`]);
    });

    story(`the verdict about a host that ${doing(answers)} is renewed without a pause`, (world) => {
      world.key('a');
      world.behaviour = { delay: 20 };
      world.plainHost(answers);
      const packets = 150_000 / EVERY;
      world.repeat(packets, EVERY, (i) => world.sendFromH1(datagram(i)));
      world.run(155_000);
      expect(reached(world)).toEqual(expected(packets));
      const times = world.crossed.filter((c) => dprpType(c.frame.bytes) === 0).map((c) => c.at);
      const settled = times.filter((at) => at > 3_000);
      const pauses = settled.slice(1).map((at, i) => at - settled[i]);
      expect(Math.max(...pauses)).toBeLessThan(EVERY + 1);
      const asked = world.crossed.filter((c) => dprpType(c.frame.bytes) === 1).map((c) => c.at);
      expect(asked.filter((at) => at > 50_000).length).toBeGreaterThan(1);
    });
  }

  story('a gateway whose answer comes late is found all the same, and then nothing is readable', (world) => {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 800 };
    world.repeat(200, EVERY, (i) => world.sendFromH1(datagram(i)));
    world.run(20_000);
    const readable = world.crossed.filter((c) => Buffer.from(c.frame.bytes).includes(MARKER));
    expect(readable.length).toBeGreaterThan(0);
    expect(Math.max(...readable.map((c) => c.at))).toBeLessThan(1_000 + 1_600 + 100);
    expect([...world.a.verdicts(), ...world.b.verdicts()]).toEqual(['encrypt common-group', 'encrypt common-group']);
    const arrived = world.h2.left.collect().map((f) => text(f.bytes));
    /* What was readable on the wire does not pass for protected: it is dropped at the other end, by name. */
    expect(arrived).toEqual(expected(200).slice(readable.length));
    expect(world.b.drops()['sealed-missing-tag']).toBe(readable.length);
  });
});

describe('closed mode', () => {
  for (const answers of ['echoes', 'silent'] as const) {
    story(`a host that ${doing(answers)} gets nothing and reaches nobody`, (world) => {
      world.key('a', { mode: 'closed' });
      const host = world.plainHost(answers);
      world.repeat(100, EVERY, (i) => {
        world.sendFromH1(datagram(i));
        host.port.send(fakeFrame(datagram(i, back)));
      });
      world.run(20_000);
      expect(reached(world)).toEqual([]);
      expect(world.h1.left.collect()).toEqual([]);
      expect(world.plaintextCrossed(MARKER)).toBe(100) /* what the host itself sent */;
      expect(world.a.drops()).toEqual({ 'refused-closed': 200 });
      expect(world.a.verdicts()).toEqual(['discard own-mode-closed']);
    });
  }

  for (const [modes, reasons] of [
    [
      ['closed', 'open'],
      ['own-mode-closed', 'peer-mode-closed'],
    ],
    [
      ['open', 'closed'],
      ['peer-mode-closed', 'own-mode-closed'],
    ],
    [
      ['closed', 'closed'],
      ['own-mode-closed', 'own-mode-closed'],
    ],
  ] as const) {
    story(`gateways without a common group, ${modes.join(' and ')}: refused at both ends`, (world) => {
      world.key('a', { mode: modes[0] });
      world.key('b', { mode: modes[1], groups: [{ number: 8, versions: [1] }] });
      world.repeat(50, EVERY, (i) => world.sendFromH1(datagram(i)));
      world.run(6_000);
      expect([...world.a.verdicts(), ...world.b.verdicts()]).toEqual(reasons.map((r) => `discard ${r}`));
      expect(world.plaintextCrossed(MARKER)).toBe(0);
      expect(world.h2.left.collect()).toEqual([]);
    });
  }

  story('gateways without a common group, both open: plaintext, and the reason is told', (world) => {
    world.key('a');
    world.key('b', { groups: [{ number: 8, versions: [1] }] });
    world.repeat(50, EVERY, (i) => world.sendFromH1(datagram(i)));
    world.run(6_000);
    expect([...world.a.verdicts(), ...world.b.verdicts()]).toEqual(['plain no-common-group', 'plain no-common-group']);
    expect(world.h2.left.collect().map((f) => text(f.bytes))).toEqual(expected(50));
  });
});

describe('downgrade', () => {
  for (const answers of ['echoes', 'silent'] as const) {
    story(
      `a protected prefix gets no plaintext from open mode although the host ${doing(answers)}`,
      (world) => {
        world.key('a');
        world.plainHost(answers);
        world.repeat(50, EVERY, (i) => world.sendFromH1(datagram(i)));
        world.run(5_000);
        expect(reached(world)).toEqual([]);
        expect(world.a.verdicts()).toEqual(['discard protected-prefix']);
        expect(world.a.drops()).toEqual({ 'refused-protected-prefix': 50 });
      },
      { policy: { protectedPrefixes: ['10.0.0.0/24'] } },
    );
  }

  for (const attack of ['answers echoes', 'drops DPRP'] as const) {
    story(`somebody who ${attack} does not turn a remembered address into a plain one`, (world) => {
      world.key('a');
      world.key('b');
      world.sendFromH1(datagram(0));
      world.run(1_000);
      world.restart('a');
      world.mallory = (frame, from) => {
        if (dprpType(frame.bytes) === 0) return true;
        const answer = attack === 'answers echoes' && from === 'a' ? echoOf(frame.bytes) : undefined;
        if (answer !== undefined) world.a.outer.inject(fakeFrame(answer));
        return false;
      };
      world.repeat(600, EVERY, (i) => world.sendFromH1(datagram(1 + i)));
      world.run(35_000);
      expect(world.plaintextCrossed(MARKER)).toBe(0);
      expect(world.a.verdicts()).toEqual(['discard remembered']);
      expect(new Set(world.a.alarms())).toEqual(new Set(['downgrade']));
      expect(world.a.drops()['refused-remembered']).toBe(600);
      /* The attack ends: the pair is protected again. */
      world.mallory = () => true;
      world.run(11_000);
      world.sendFromH1(datagram(999));
      world.run(1_000);
      expect(
        world.h2.left
          .collect()
          .map((f) => text(f.bytes))
          .at(-1),
      ).toBe(`${MARKER} 999`);
      expect(world.a.verdicts()).toEqual(['encrypt common-group']);
    });

    story(`somebody who ${attack} does not end an association that serves`, (world) => {
      world.key('a');
      world.key('b');
      world.repeat(400, EVERY, (i) => world.sendFromH1(datagram(i)));
      world.at(world.now + 5_000, () => {
        world.mallory = (frame, from) => {
          if (dprpType(frame.bytes) === 0) return true;
          const answer = attack === 'answers echoes' && from === 'a' ? echoOf(frame.bytes) : undefined;
          if (answer !== undefined) world.a.outer.inject(fakeFrame(answer));
          return false;
        };
      });
      world.run(25_000);
      expect(world.plaintextCrossed(MARKER)).toBe(0);
      expect(world.h2.left.collect().map((f) => text(f.bytes))).toEqual(expected(400));
    });
  }

  story('another gateway at a remembered address is refused, with an alarm', (world) => {
    world.key('a');
    world.key('b');
    world.sendFromH1(datagram(0));
    world.run(1_000);
    world.restart('a');
    world.restart('b', { ge: 'c000000000000003' as never });
    world.repeat(20, EVERY, (i) => world.sendFromH1(datagram(1 + i)));
    world.run(3_000);
    expect(world.a.alarms()).toContain('other-ge');
    expect(world.a.verdicts()).toEqual(['discard remembered']);
    expect(world.plaintextCrossed(MARKER)).toBe(0);
  });

  story('traffic keeps the memory of a protected peer fresh', (world) => {
    world.key('a');
    world.key('b');
    world.repeat(130, 60_000, (i) => {
      world.sendFromH1(datagram(i));
      world.sendFromH2(datagram(i, back));
    });
    world.run(130 * 60_000);
    const told = world.a.told.filter((m) => m.type === 'remember').length;
    expect(told).toBeGreaterThanOrEqual(2);
    expect(told).toBeLessThanOrEqual(4);
  });
});

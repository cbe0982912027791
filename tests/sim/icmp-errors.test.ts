/** ICMP errors from the middle of the network, true and forged ones, and notices behind quotes that are not ours. */
import { describe, expect } from 'vitest';
import { fakeFrame } from '#port/fake.ts';
import { completeChecksum } from '#wire/checksum.ts';
import { FORM_ICMP_ERROR } from '#wire/frame.ts';
import { latestFlows } from '../kit/latest-flows.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { datagrams, fragments } from '../kit/sim-fragments.ts';
import { type Ends, H1, H2, icmp, parsed, read, tcp, udp } from '../kit/sim-frames.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const ROUTER = { mac: H2.mac, v4: '10.0.9.9', v6: 'fd00:9::9' };
const DATA = new Uint8Array(1_000).fill(0x61);
const ETHER = 14;
const QUOTED = 128;

describe.each([4, 6] as const)('IPv%d', (version) => {
  const out: Ends = { from: H1, to: H2, version };
  const toH1: Ends = { from: ROUTER, to: H1, version };
  const [TOO_BIG_TYPE, TOO_BIG_CODE] = version === 4 ? [3, 4] : [2, 0];

  /** The pair is known, and h1 has just sent this; what of it crossed the wire. */
  function sent(world: SimWorld, frame: Uint8Array): Uint8Array {
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 5 };
    world.sendFromH1(frame);
    world.run(500);
    world.h2.left.collect();
    return world.crossed.filter((c) => c.from === 'a' && dprpType(c.frame.bytes) === 0)[0].frame.bytes;
  }

  function tooBig(quoted: Uint8Array, mtu: number): Uint8Array {
    const rest = new Uint8Array(4 + QUOTED);
    const view = new DataView(rest.buffer);
    if (version === 4) view.setUint16(2, mtu);
    else view.setUint32(0, mtu);
    rest.set(quoted.subarray(ETHER, ETHER + QUOTED), 4);
    return icmp(toH1, TOO_BIG_TYPE, TOO_BIG_CODE, rest);
  }

  function mtuOf(bytes: Uint8Array): number {
    const frame = parsed(bytes)!;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return version === 4 ? view.getUint16(frame.l4 + 6) : view.getUint32(frame.l4 + 4);
  }

  const segment = tcp(out, { sourcePort: 40, destinationPort: 80, sequence: 5_000, flags: 0x18, data: DATA });

  story('a router that finds a sealed segment too big is heard, less what the gateway adds', (world) => {
    const quoted = sent(world, segment);
    world.a.outer.inject(fakeFrame(tooBig(quoted, 1_400)));
    world.run(100);
    const [told, ...more] = world.h1.left.collect();
    expect(more).toEqual([]);
    expect(read(told.bytes).form).toBe(FORM_ICMP_ERROR);
    expect(mtuOf(told.bytes)).toBe(1_380);
    expect(world.a.drops()).toEqual({});
  });

  story('of a sealed datagram the trailer is taken off', (world) => {
    const quoted = sent(world, udp(out, 5000, 6000, DATA));
    world.a.outer.inject(fakeFrame(tooBig(quoted, 1_400)));
    world.run(100);
    const [told] = world.h1.left.collect();
    expect(mtuOf(told.bytes)).toBe(1_376);
    /* The device must find its own lengths in the quote. */
    const frame = parsed(told.bytes)!;
    const own = udp(out, 5000, 6000, DATA).subarray(ETHER);
    const at = frame.payload;
    const lengthAt = version === 4 ? 2 : 4;
    expect([...told.bytes.subarray(at + lengthAt, at + lengthAt + 2)]).toEqual([
      ...own.subarray(lengthAt, lengthAt + 2),
    ]);
  });

  story('an MTU below what every link carries is raised to the floor', (world) => {
    const quoted = sent(world, segment);
    world.a.outer.inject(fakeFrame(tooBig(quoted, 300)));
    world.run(100);
    const [told] = world.h1.left.collect();
    expect(mtuOf(told.bytes)).toBe(version === 4 ? 576 : 1280);
  });

  for (const [name, sequence] of [
    ['ahead of everything that was sent', 5_000 + 1_000 + 1],
    ['far behind', 5_000 - 2 ** 30 - 2_000],
  ] as const) {
    story(`an error that quotes a sequence number ${name} is forged`, (world) => {
      const quoted = sent(world, segment).slice();
      const l4 = parsed(quoted)!.l4;
      new DataView(quoted.buffer).setUint32(l4 + 4, sequence >>> 0);
      world.a.outer.inject(fakeFrame(tooBig(quoted, 1_400)));
      world.run(100);
      expect(world.h1.left.collect()).toEqual([]);
      expect(world.a.drops()).toEqual({ 'icmp-error-unrelated': 1 });
    });
  }

  story('an error about a connection that nobody has is forged', (world) => {
    const quoted = sent(world, segment).slice();
    const l4 = parsed(quoted)!.l4;
    new DataView(quoted.buffer).setUint16(l4, 41);
    world.a.outer.inject(fakeFrame(tooBig(quoted, 1_400)));
    world.run(100);
    expect(world.h1.left.collect()).toEqual([]);
    expect(world.a.drops()).toEqual({ 'icmp-error-unrelated': 1 });
  });

  /* Of several workers the quoted pair's gets such an error, and knows nothing of the pair of its addresses. */
  for (const [name, rest] of [
    ['whole', 8],
    ['short', 4],
  ] as const) {
    story(
      `a ${name} quote of what no device sent begins nothing with the protected peer that it seems to come from`,
      (world) => {
        sent(world, segment);
        world.crossed.length = 0;
        const elsewhere = udp({ from: H1, to: { ...ROUTER, v4: '10.0.9.8', v6: 'fd00:9::8' }, version }, 1, 2, DATA);
        const header = version === 4 ? 20 : 40;
        const quote = Buffer.concat([Buffer.alloc(4), elsewhere.subarray(ETHER, ETHER + header + rest)]);
        const [type, code] = version === 4 ? [3, 3] : [1, 4];
        for (const from of [H2, ROUTER])
          world.a.outer.inject(fakeFrame(icmp({ from, to: H1, version }, type, code, quote)));
        world.run(5_000);
        expect(world.h1.left.collect()).toEqual([]);
        expect(world.crossed.filter((c) => c.from === 'a')).toEqual([]);
        expect(world.a.drops()).toEqual({ 'icmp-error-unrelated': 2 });
        expect(world.a.verdicts()).toEqual(['encrypt common-group']);
        expect(world.a.alarms()).toEqual([]);
      },
    );
  }

  story('an error about what a stranger alone has sent on is forged', (world) => {
    sent(world, segment);
    world.a.outer.inject(fakeFrame(udp({ from: H2, to: H1, version }, 53, 5_353, DATA)));
    world.run(10);
    const quoted = udp(out, 5_353, 53, DATA);
    world.a.outer.inject(fakeFrame(tooBig(quoted, 1_400)));
    world.run(100);
    expect(world.h1.left.collect()).toEqual([]);
    expect(world.a.drops()).toEqual({ 'sealed-unknown-association': 1, 'icmp-error-unrelated': 1 });
  });

  for (const transform of ['sealed', 'pccom'] as const) {
    story(`datagrams that leave in fragments only find a narrow path, too, under ${transform}`, (world) => {
      for (const side of ['a', 'b'] as const) world.key(side, { groups: [{ number: 7, versions: [1], transform }] });
      world.run(1_000);
      /* A router that would pass no more than this. */
      world.mallory = ({ bytes }, from) => {
        if (from !== 'a' || bytes.length - ETHER <= 1_400) return true;
        world.a.outer.inject(fakeFrame(tooBig(bytes, 1_400)));
        return false;
      };
      world.repeat(20, 100, (i) => {
        for (const one of fragments(udp(out, 5_000, 6_000, new Uint8Array(3_000).fill(i)), 1_496, i)) {
          world.sendFromH1(one);
        }
      });
      world.run(3_000);
      expect(datagrams(world.h2.left.collect()).length).toBeGreaterThanOrEqual(19);
      /* The first datagram's second fragment, whose quote names no flow. */
      expect(world.a.drops()).toEqual({ 'icmp-error-unrelated': 1 });
      const flows = world.a.datapath.flows;
      expect(latestFlows(flows, 9)).toMatchObject([{ devicePort: 5_000, peerPort: 6_000, packetsOut: 20 }]);
      expect(latestFlows(world.b.datapath.flows, 9)).toMatchObject([{ devicePort: 6_000, peerPort: 5_000 }]);
    });
  }

  /** b has lost its memory and says so about h1's next segment; `change` is what somebody makes of the notice. */
  function noticed(world: SimWorld, change: (notice: Uint8Array) => void): void {
    sent(world, segment);
    world.restart('b');
    world.crossed.length = 0;
    let changed = 0;
    world.mallory = (frame, from) => {
      if (from === 'a') return true;
      if (dprpType(frame.bytes) === 1) return false; /* b's own question is lost: only the notice heals */
      if (parsed(frame.bytes)?.form !== FORM_ICMP_ERROR) return true;
      changed += 1;
      const bytes = frame.bytes.slice();
      change(bytes);
      return [fakeFrame(bytes)];
    };
    world.sendFromH1(tcp(out, { sourcePort: 40, destinationPort: 80, sequence: 6_000, flags: 0x18, data: DATA }));
    world.run(200);
    expect(changed).toBe(1);
  }

  const asked = (world: SimWorld): number =>
    world.crossed.filter((c) => c.from === 'a' && dprpType(c.frame.bytes) === 1).length;

  story('a notice about a packet that was just sent heals', (world) => {
    noticed(world, () => undefined);
    expect(asked(world)).toBeGreaterThan(0);
    world.sendFromH1(tcp(out, { sourcePort: 40, destinationPort: 80, sequence: 7_000, flags: 0x18, data: DATA }));
    world.run(100);
    expect(world.h2.left.collect().map((f) => read(f.bytes).frame.sequence)).toContain(7_000);
  });

  story('a notice behind a quote that is not ours is ignored', (world) => {
    noticed(world, (bytes) => {
      const frame = parsed(bytes)!;
      const option = frame.payload + (version === 4 ? 20 : 40) + 20; /* in the quote: behind IP and TCP header */
      const view = new DataView(bytes.buffer);
      view.setUint32(option + 4, view.getUint32(option + 4) + 5_000);
      if (version === 4) {
        view.setUint16(frame.l4 + 2, 0);
        completeChecksum(bytes, frame.l4, frame.l3End, frame.l4 + 2);
      }
    });
    expect(asked(world)).toBe(0);
    expect(world.a.drops()).toEqual({ 'notice-not-ours': 1 });
    expect(world.a.verdicts()).toEqual(['encrypt common-group']);
  });
});

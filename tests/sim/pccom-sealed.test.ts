/** A group changes between `pccom` and `sealed`: what has a tag and what has none is never taken for the other. */
import { describe, expect } from 'vitest';
import { type FakeFrame, fakeFrame } from '#port/fake.ts';
import { fold, pseudoHeaderSum } from '#wire/checksum.ts';
import { ipv4SetTotalLength } from '#wire/ipv4.ts';
import { GSO_UDP_L4, VNET_NEEDS_CSUM } from '#wire/record.ts';
import { latestFlows } from '../kit/latest-flows.ts';
import { dprpType } from '../kit/sim-diagram.ts';
import { parsed, read, udp } from '../kit/sim-frames.ts';
import { arrivals, BACK, keyBoth, marked, OUT, pairOf, versions } from '../kit/sim-marked.ts';
import { story } from '../kit/sim-story.ts';

const MPIT = 3;
/** What `sealed` adds to a datagram; its first two bits are a generation. */
const TRAILER = 24;

describe('one side starts again when its group has become sealed, and nothing is common', () => {
  for (const side of ['a', 'b'] as const) {
    for (const losses of [0, 1, 3]) {
      story(`${side}, ${losses} of its MPIT are lost: sealed packets wait until the far end can tell them`, (world) => {
        const other = side === 'a' ? 'b' : 'a';
        world.behaviour = { delay: 5 };
        keyBoth(world, 'pccom', 1);
        world.run(1_000);
        world.repeat(1_000, 10, (i) => {
          world.sendFromH1(udp(OUT, 5, 6, marked(i)));
          world.sendFromH2(udp(BACK, 6, 5, marked(i)));
        });
        world.run(2_000);
        expect(arrivals(world).wrong).toEqual([]);
        let lost = 0;
        world.mallory = (frame, from) => from !== side || dprpType(frame.bytes) !== MPIT || lost++ >= losses;
        world.restart(side, versions('sealed', 2, 1));
        world.key(other, versions('sealed', 2, 1));
        world.run(15_000);
        const { right, wrong } = arrivals(world);
        expect([wrong, lost > losses || losses === 0]).toEqual([[], true]);
        /* 8 s of both ways remained; what waited for MPIT may have been too much. */
        expect(right).toBeGreaterThan(1_000);
      });
    }
  }
});

/** Joins datagrams of one flow as the kernel does (rx-udp-gro-forwarding). */
function joined(frames: readonly Uint8Array[]): FakeFrame {
  const payloads = frames.map((frame) => read(frame).payload);
  const bytes = Uint8Array.from(Buffer.concat([frames[0].subarray(0, 42), ...payloads]));
  const view = new DataView(bytes.buffer);
  ipv4SetTotalLength(view, 14, bytes.length - 14);
  view.setUint16(38, bytes.length - 34);
  view.setUint16(40, fold(pseudoHeaderSum(read(bytes).frame, bytes.length - 34)));
  const gsoSize = payloads[0].length;
  return fakeFrame(bytes, { gsoType: GSO_UDP_L4, gsoSize, flags: VNET_NEEDS_CSUM, csumStart: 34, csumOffset: 6 });
}

describe('datagrams with a tag and datagrams without one, merged on the way', () => {
  /* The last of those that are merged may be shorter; a trailer has 24 bytes. */
  for (const [before, then, first, second] of [
    ['pccom', 'sealed', 124, 100],
    ['sealed', 'pccom', 100, 120],
  ] as const) {
    story(`from ${before} to ${then}`, (world) => {
      world.behaviour = { delay: 5 };
      keyBoth(world, before, 1);
      world.run(1_000);
      world.repeat(400, 10, () => world.sendFromH2(udp(BACK, 2, 1, marked(5))));
      world.sendFromH1(udp(OUT, 9, 9, marked(0)));
      world.run(1_000);
      keyBoth(world, then, 2, 1);
      let last: Uint8Array | undefined;
      let merged = false;
      world.mallory = ({ bytes }, from) => {
        const frame = parsed(bytes);
        if (from !== 'a' || merged || frame?.protocol !== 17 || frame.destinationPort !== 2) return true;
        if (world.a.datapath.associations.sender(pairOf(world.a))?.transform !== then) {
          last = Uint8Array.from(bytes);
          return false;
        }
        if (last === undefined) return true;
        merged = true;
        return [joined([last, bytes])];
      };
      arrivals(world);
      for (let i = 0; i < 300 && !merged; i++) {
        const isThen = world.a.datapath.associations.sender(pairOf(world.a))?.transform === then;
        world.sendFromH1(udp(OUT, 1, 2, Buffer.concat([marked(7), Buffer.alloc(isThen ? second - 21 : first - 21)])));
        world.run(10);
      }
      world.run(100);
      const payloads = world.h2.left.collect().map(({ bytes }) => Buffer.from(read(bytes).payload));
      const text = marked(7).toString();
      expect(payloads.map((payload) => payload.toString('latin1').replaceAll('\0', ''))).toEqual([text, text]);
      expect([merged, payloads.map(({ length }) => length), world.b.drops()]).toEqual([true, [first, second], {}]);
    });
  }
});

describe('datagrams that were merged, and wait until MPIT comes', () => {
  story('are cut when they are decided again, and counted when they came', (world) => {
    world.behaviour = { delay: 5 };
    keyBoth(world, 'sealed', 1);
    world.sendFromH1(udp(OUT, 9, 9, marked(0)));
    world.run(1_000);
    const sealed = world.b.datapath.associations.sender(pairOf(world.b))?.state.generation;
    world.key('b', versions('pccom', 2, 1));
    world.restart('a', versions('pccom', 2, 1));
    world.run(5_000);
    const chosen: Uint8Array[] = [];
    world.mallory = ({ bytes }, from) => {
      if (dprpType(bytes) === MPIT) return chosen.length === 2;
      if (from !== 'a' || parsed(bytes)?.protocol !== 17) return true;
      /* What happens to look like a packet of the generation that b holds would be taken for a forged one. */
      if (chosen.length === 2 || bytes[bytes.length - TRAILER] >>> 6 === sealed) return false;
      chosen.push(Uint8Array.from(bytes));
      return chosen.length === 2 && [joined(chosen)];
    };
    for (let i = 0; i < 40; i++) world.sendFromH1(udp(OUT, 1, 2, Buffer.concat([marked(i), Buffer.alloc(TRAILER)])));
    world.run(15);
    arrivals(world);
    expect([chosen.length, world.b.datapath.hold.frames]).toEqual([2, 1]);
    world.run(1_000);
    const payloads = world.h2.left.collect().map(({ bytes }) => Buffer.from(read(bytes).payload).toString('latin1'));
    expect(payloads.join('')).toMatch(/^(marker-in-plaintext \d+\0+){2}$/);
    const flow = latestFlows(world.b.datapath.flows, 10).find(({ peerPort }) => peerPort === 1);
    expect([flow?.packetsIn, world.b.drops()]).toEqual([2, {}]);
  });
});

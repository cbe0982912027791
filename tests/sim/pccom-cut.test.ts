/** Behind a key switch: who may say that a connection has left S behind, and what is remembered for how long. */
import { expect } from 'vitest';
import type { Association } from '#datapath/associations.ts';
import { fakeFrame } from '#port/fake.ts';
import { TCP_ACK, TCP_PSH, TCP_SYN } from '#wire/tcp.ts';
import { tcp } from '../kit/sim-frames.ts';
import { arrivals, BACK, keyBoth, marked, OUT, pairOf } from '../kit/sim-marked.ts';
import { story } from '../kit/sim-story.ts';
import type { SimWorld } from '../kit/sim-world.ts';

const LENGTH = marked(1).length;
const FIRST = 1_000_000;
const ports = { sourcePort: 1, destinationPort: 2 };
const first = { ...ports, sequence: FIRST, flags: TCP_ACK | TCP_PSH, data: marked(1) };
const forward = (more: object): Uint8Array => tcp(OUT, { ...first, ...more });
const backward = (more: object): Uint8Array =>
  tcp(BACK, { sourcePort: 2, destinationPort: 1, sequence: 1, flags: TCP_ACK, ...more });

/** Both directions were switched while one connection sent. */
function switched(world: SimWorld, transform: 'pccom' | 'pccom-keyed'): void {
  world.behaviour = { delay: 5 };
  keyBoth(world, transform, 1);
  world.run(1_000);
  world.repeat(60, 500, () => world.sendFromH2(backward({ acknowledgement: FIRST })));
  world.sendFromH1(forward({}));
  world.run(1_000);
  keyBoth(world, transform, 2, 1);
  world.repeat(20, 200, (i) => world.sendFromH1(forward({ sequence: FIRST + (i + 1) * LENGTH })));
  world.run(5_000);
  expect(arrivals(world).wrong).toEqual([]);
  const sender = world.a.datapath.associations.sender(pairOf(world.a));
  expect([sender?.keyVersion, sender?.sendCut === undefined]).toEqual([2, false]);
}

for (const transform of ['pccom', 'pccom-keyed'] as const) {
  story(`${transform}: forged segments do not make the receiver forget S`, (world) => {
    switched(world, transform);
    for (const flags of [TCP_ACK, TCP_SYN, TCP_SYN | TCP_ACK]) {
      for (const beyond of [2 ** 30, 2 ** 31]) {
        world.wire.left.send(fakeFrame(forward({ sequence: FIRST + beyond + 99_999, flags, data: new Uint8Array(0) })));
      }
    }
    world.run(100);
    arrivals(world);
    world.sendFromH1(forward({}));
    world.run(100);
    expect(arrivals(world)).toEqual({ right: 1, wrong: [] });
  });

  for (const opens of ['h1', 'h2'] as const) {
    story(`${transform}: ${opens} uses the ports again within the grace, with a number before S: no stall`, (world) => {
      switched(world, transform);
      const isn = (FIRST - 2 ** 30) >>> 0;
      const hello = { sequence: isn, data: new Uint8Array(0) };
      if (opens === 'h1') {
        world.sendFromH1(forward({ ...hello, flags: TCP_SYN }));
        world.run(20);
        world.sendFromH2(backward({ sequence: 7_000, acknowledgement: isn + 1, flags: TCP_SYN | TCP_ACK }));
      } else {
        world.sendFromH2(backward({ sequence: 7_000, flags: TCP_SYN }));
        world.run(20);
        world.sendFromH1(forward({ ...hello, acknowledgement: 7_001, flags: TCP_SYN | TCP_ACK }));
        world.run(20);
        world.sendFromH2(backward({ sequence: 7_001, acknowledgement: isn + 1 }));
      }
      world.run(100);
      arrivals(world);
      world.repeat(220, 1_000, (i) => {
        world.sendFromH1(forward({ sequence: isn + 1 + i * LENGTH, data: marked(3) }));
        world.sendFromH2(backward({ sequence: 7_001, acknowledgement: isn + 1 + i * LENGTH }));
      });
      world.run(221_000);
      expect(arrivals(world)).toEqual({ right: 220, wrong: [] });
    });
  }
}

/** How many agreements are kept behind one another, that of `association` not counted. */
function chain(association: Association | undefined, cut: 'sendCut' | 'receiveCut'): number {
  const older = association?.[cut]?.older;
  return older === undefined ? 0 : 1 + chain(older, cut);
}

story('agreements that ended are not kept, although one way alone makes new ones for ever', (world) => {
  world.behaviour = { delay: 5 };
  keyBoth(world, 'pccom', 1);
  world.run(1_000);
  const knock = { destinationPort: 9, flags: TCP_SYN, data: new Uint8Array(0) };
  world.repeat(3_600, 1_000, (i) => world.sendFromH1(forward({ ...knock, sourcePort: 1_000 + (i >> 6), sequence: i })));
  world.run(3_500_000);
  const { agreements, associations, receiving } = pairOf(world.b);
  expect(agreements).toBeGreaterThan(20);
  const sender = world.a.datapath.associations.sender(pairOf(world.a));
  const most = Math.max(chain(sender, 'sendCut'), chain(associations[receiving], 'receiveCut'));
  expect(most).toBeLessThanOrEqual(4);
  world.run(400_000);
  expect([chain(sender, 'sendCut'), chain(associations[receiving], 'receiveCut')]).toEqual([0, 0]);
});

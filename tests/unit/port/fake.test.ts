import { describe, expect, test } from 'vitest';
import { createFakeLink, type FakeFrame, fakeFrame } from '#port/fake.ts';
import { F_LENGTH, F_STATUS, SLOT_HEADROOM, SLOT_SIZE, SLOT_TAILROOM } from '#wire/record.ts';
import { Buffers, plainFrame } from './packets.ts';
import { portSuite } from './suite.ts';

describe('fake port', () => {
  portSuite(() => {
    const link = createFakeLink({ queue: 200 });
    return {
      left: link.left,
      right: link.right,
      setUp: (up) => link.setUp(up),
      remove: () => link.remove(),
      close: () => {
        link.left.close();
        link.right.close();
      },
    };
  });
});

describe('fake link', () => {
  test('a wire may drop, double and delay', () => {
    const late: (() => void)[] = [];
    const link = createFakeLink({
      wire: (frame, _from, deliver) => {
        if (frame.bytes.length === 60) return;
        if (frame.bytes.length === 61) deliver(frame);
        if (frame.bytes.length === 62) late.push(() => deliver(frame));
        else deliver(frame);
      },
    });
    for (const size of [60, 61, 62, 63]) link.left.send(fakeFrame(plainFrame(size)));
    expect(link.right.collect().map((f) => f.bytes.length)).toEqual([61, 61, 63]);
    for (const deliver of late) deliver();
    expect(link.right.collect().map((f) => f.bytes.length)).toEqual([62]);
    expect(link.right.collect()).toEqual([]);
  });

  test('the wire knows the sender, and the owner of a port hears of every arrival', () => {
    const seen: string[] = [];
    const link = createFakeLink({
      names: ['outer', 'network'],
      wire: (frame, from, deliver) => {
        seen.push(`${from.name} sends`);
        deliver(frame);
      },
    });
    link.right.onArrival = () => seen.push(`${link.right.waiting} waits`);
    link.left.send(fakeFrame(plainFrame(60)));
    link.right.send(fakeFrame(plainFrame(60)));
    expect(seen).toEqual(['outer sends', '1 waits', 'network sends']);
  });

  test('an injected frame comes out of receive, a sent one belongs to the receiver', () => {
    const link = createFakeLink();
    const buffers = new Buffers();
    link.left.inject(fakeFrame(plainFrame(99)));
    expect(buffers.arrivals(link.left, 1)[0].bytes).toEqual(plainFrame(99));
    buffers.add(plainFrame(80));
    buffers.send(link.left);
    buffers.slab.fill(0xa5);
    const [frame] = link.right.collect() as [FakeFrame];
    expect(frame.bytes).toEqual(plainFrame(80));
  });

  test('of a frame larger than a slot the missing bytes are told', () => {
    const link = createFakeLink();
    const buffers = new Buffers();
    link.left.inject(fakeFrame(plainFrame(70_000)));
    const [{ record }] = buffers.arrivals(link.left, 1);
    expect(record[F_LENGTH]).toBe(SLOT_SIZE - SLOT_HEADROOM - SLOT_TAILROOM);
    expect(record[F_STATUS]).toBe(70_000 - record[F_LENGTH]);
    expect(buffers.slab[SLOT_SIZE - SLOT_TAILROOM]).toBe(0xa5);
  });

  test('frames beyond the queue are overruns', () => {
    const link = createFakeLink({ queue: 2 });
    for (let i = 0; i < 5; i++) link.left.send(fakeFrame(plainFrame(60)));
    expect(link.right.waiting).toBe(2);
    expect(link.right.takeOverruns()).toBe(3);
  });
});

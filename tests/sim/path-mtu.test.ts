/**
 * A path that carries less than the gateways' own links: what an ICMP error says about it counts for what the gateway
 * cuts itself.
 */
import { describe, expect, it } from 'vitest';
import type { TransformName } from '#dprp/spec.ts';
import { addressFromText, bytesToWords } from '#wire/address.ts';
import { writeTooBig } from '#wire/icmp.ts';
import { datagrams, fragments } from '../kit/sim-fragments.ts';
import { H1, H2, read, udp } from '../kit/sim-frames.ts';
import { SimWorld } from '../kit/sim-world.ts';

const OUT = { from: H1, to: H2, version: 6 as const };
const PATH = 1_400;

/** What a router on the way answers to `bytes`: it would pass PATH bytes. */
function tooBig(bytes: Uint8Array): Uint8Array {
  const { frame } = read(bytes);
  bytesToWords(addressFromText('fd00:99::1') as Uint8Array, frame.destination);
  const at = 2_048;
  const slab = new Uint8Array(4_096);
  slab.set(bytes);
  slab.set(bytes.subarray(6, 12), at);
  slab.set(bytes.subarray(0, 6), at + 6);
  slab.set(bytes.subarray(12, 14), at + 12);
  return slab.slice(at, at + 14 + writeTooBig(slab, new DataView(slab.buffer), at + 14, frame, PATH));
}

/** A pair whose first protected datagram was too long for the path, and was told so. */
function toldWorld(transform: TransformName): SimWorld {
  const world = new SimWorld();
  for (const side of ['a', 'b'] as const) world.key(side, { groups: [{ number: 7, versions: [1], transform }] });
  world.run(1_000);
  world.sendFromH1(udp(OUT, 1_000, 2_000, Buffer.alloc(1_400, 'x')));
  world.run(100);
  const [large] = world.crossed.filter((c) => c.from === 'a' && c.frame.bytes.length - 14 > PATH);
  world.wire.left.inject({ ...large.frame, flags: 0, bytes: tooBig(large.frame.bytes) });
  world.run(100);
  return world;
}

describe.each([
  ['sealed', 24],
  ['pccom', 0],
  ['pccom-keyed', 0],
] as const)('a narrow path under %s', (transform, overhead) => {
  it('a device is told what is left for it beside what the transform adds', () => {
    const world = toldWorld(transform);
    const told = world.h1.left.collect().map((f) => read(f.bytes).frame);
    expect(told.map((frame) => frame.icmpType)).toEqual([2]);
    expect(world.a.drops()).toEqual({});
  });

  it('a device that goes on with long datagrams is told by the gateway itself', () => {
    const world = toldWorld(transform);
    world.h1.left.collect();
    const before = world.crossed.length;
    world.sendFromH1(udp(OUT, 1_000, 2_000, Buffer.alloc(1_400, 'x')));
    world.run(100);
    expect(world.crossed.length).toBe(before);
    const [told] = world.h1.left.collect();
    expect(Buffer.from(told.bytes).readUInt32BE(14 + 40 + 4)).toBe(PATH - overhead);
  });

  it('what the device sent in fragments leaves in fragments that fit the path, and arrives', () => {
    const world = toldWorld(transform);
    world.h2.left.collect();
    const before = world.crossed.length;
    const datagram = udp(OUT, 1_000, 2_000, Buffer.alloc(3_000, 'y'));
    for (const fragment of fragments(datagram, PATH - overhead, 5)) world.sendFromH1(fragment);
    world.run(100);
    const sizes = world.crossed.slice(before).map((c) => c.frame.bytes.length - 14);
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(PATH);
    expect(datagrams(world.h2.left.collect())).toHaveLength(1);
  });

  it('is believed for ten minutes', () => {
    const world = toldWorld(transform);
    const long = udp(OUT, 1_000, 2_000, Buffer.alloc(1_400, 'x'));
    world.run(599_000);
    world.h1.left.collect();
    world.h2.left.collect();
    world.sendFromH1(long);
    world.run(100);
    const told = world.h1.left.collect().map((f) => read(f.bytes).frame);
    expect(told.map((frame) => frame.icmpType)).toEqual([2]);
    world.run(1_000);
    expect(world.h2.left.collect()).toHaveLength(0);

    world.sendFromH1(long);
    world.run(5_000);
    expect(world.h2.left.collect()).toHaveLength(1);
  });
});

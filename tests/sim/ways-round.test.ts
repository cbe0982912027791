/** Frames that would go round the pair: nothing of a protected pair leaves plain, nothing plain reaches its device. */
import { describe, expect, it } from 'vitest';
import { echo, H1, H2, udp } from '../kit/sim-frames.ts';
import { SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');
const BROADCAST = 'ffffffffffff';
const MULTICAST = '03bf0a000002'; /* as load balancers and forged ARP answers name a single host */

/** A world in open mode with an association between h1 and h2. */
function protectedPair(to = H2): SimWorld {
  const world = new SimWorld();
  world.key('a');
  world.key('b');
  world.sendFromH1(echo({ from: H1, to }, 'request', 1, 1, Buffer.from('hello')));
  world.run(100);
  expect([...world.a.datapath.pairs.values()].map((pair) => pair.verdict)).toEqual(['encrypt']);
  world.h2.left.collect();
  world.h1.left.collect();
  return world;
}

const plaintext = (world: SimWorld): number =>
  world.crossed.filter((c) => Buffer.from(c.frame.bytes).includes(MARKER)).length;

/** The same frame under another destination MAC address. */
function toMac(bytes: Uint8Array, mac: string): Uint8Array {
  const out = Uint8Array.from(bytes);
  out.set(Buffer.from(mac, 'hex'));
  return out;
}

/** The frame with VLAN tags of these types in it. */
function tagged(bytes: Uint8Array, ...types: readonly number[]): Uint8Array {
  const tags = types.flatMap((type) => [type >> 8, type & 0xff, 0, 5]);
  return Uint8Array.from([...bytes.subarray(0, 12), ...tags, ...bytes.subarray(12)]);
}

describe('a single host behind a group MAC address, as a forged ARP answer brings it about', () => {
  it.each([
    ['broadcast', BROADCAST],
    ['multicast', MULTICAST],
  ])('%s: the device’s packets are protected all the same', (_, mac) => {
    const world = protectedPair();
    world.sendFromH1(toMac(udp({ from: H1, to: H2 }, 1000, 2000, MARKER), mac));
    world.run(100);
    expect(plaintext(world)).toBe(0);
    expect(world.h2.left.collect()).toHaveLength(1);
  });

  it('a host whose address looks like a broadcast one is protected once it was negotiated with', () => {
    const last = { ...H2, v4: '10.0.0.255' };
    const world = protectedPair(last);
    world.sendFromH1(toMac(udp({ from: H1, to: last }, 1000, 2000, MARKER), BROADCAST));
    world.run(100);
    expect(plaintext(world)).toBe(0);
  });

  it.each([
    ['broadcast', BROADCAST],
    ['multicast', MULTICAST],
  ])('%s: nobody outside speaks to a device in its peer’s name', (_, mac) => {
    const world = protectedPair();
    world.wire.right.send({ ...world.crossed[0].frame, bytes: toMac(udp({ from: H2, to: H1 }, 1, 2, MARKER), mac) });
    world.run(100);
    expect(world.h1.left.collect()).toEqual([]);
  });

  it('the broadcasts of a subnet pass in open mode', () => {
    const world = protectedPair();
    const everybody = { ...H2, mac: BROADCAST, v4: '10.0.0.255' };
    world.sendFromH1(udp({ from: H1, to: everybody }, 137, 137, MARKER));
    world.run(100);
    expect(world.h2.left.collect()).toHaveLength(1);
  });
});

describe('VLAN tags', () => {
  it.each([
    ['of an old tag type', [0x9100]],
    ['two of old types', [0x9200, 0x8100]],
  ])('%s are looked through', (_, types) => {
    const world = protectedPair();
    world.sendFromH1(tagged(udp({ from: H1, to: H2 }, 1000, 2000, MARKER), ...types));
    world.run(100);
    expect(plaintext(world)).toBe(0);
    expect(world.h2.left.collect()).toHaveLength(1);
  });

  it('more than two hide what is behind them: refused in every mode', () => {
    const world = protectedPair();
    world.sendFromH1(tagged(udp({ from: H1, to: H2 }, 1000, 2000, MARKER), 0x88a8, 0x8100, 0x8100));
    world.run(100);
    expect(world.h2.left.collect()).toEqual([]);
    expect(world.a.drops()).toEqual({ 'vlan-too-deep': 1 });
  });
});

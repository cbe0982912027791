/** What an outsider can bring to a device by way of ICMP errors and exceptions. */
import { describe, expect, it } from 'vitest';
import { fakeFrame } from '#port/fake.ts';
import { addressFromText } from '#wire/address.ts';
import { writeIcmpError } from '#wire/icmp.ts';
import { ipv4WriteChecksum } from '#wire/ipv4.ts';
import { TCP_ACK, TCP_SYN } from '#wire/tcp.ts';
import { echo, H1, H2, parsed, tcp, udp } from '../kit/sim-frames.ts';
import { SimWorld } from '../kit/sim-world.ts';

const ROUTER = '10.9.9.9';
const SERVER = { mac: '020000000009', v4: '203.0.113.9', v6: '2001:db8::9' };
const UNREACHABLE = 3;
const PORT = 3;
const REDIRECT = 5;

/** An ICMP error about the packet in `about`, from a router on the way; `behind` follows the quote. */
function errorAbout(about: Uint8Array, type: number, code: number, behind?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(14 + 48 + 128 + (behind?.length ?? 0) + about.length);
  const view = new DataView(bytes.buffer);
  bytes.set(about, bytes.length - about.length);
  const frame = parsed(bytes.subarray(bytes.length - about.length));
  if (frame === undefined) throw new Error('the packet to quote does not parse');
  const shift = bytes.length - about.length;
  frame.offset += shift;
  frame.l3 += shift;
  frame.l3End += shift;
  const length = writeIcmpError(bytes, view, 14, frame, type, code, 0, behind);
  bytes.set(Buffer.from(`${H1.mac}${SERVER.mac}0800`, 'hex'));
  bytes.set((addressFromText(ROUTER) as Uint8Array).subarray(12), 14 + 12);
  ipv4WriteChecksum(bytes, view, 14);
  return bytes.subarray(0, 14 + length);
}

/** A closed gateway that lets its devices reach one server by HTTPS. */
function closedWorld(): SimWorld {
  const exceptions = [{ address: SERVER.v4, protocol: 'tcp', port: 443, direction: 'out' } as const];
  const world = new SimWorld(undefined, { policy: { exceptions } });
  world.key('a', { mode: 'closed' });
  return world;
}

const segment = (ends: Parameters<typeof tcp>[0], sourcePort: number, destinationPort: number, flags: number) =>
  tcp(ends, { sourcePort, destinationPort, sequence: 1, flags });

/** How many of these frames, come from outside, reach the device. */
function reach(world: SimWorld, ...frames: readonly Uint8Array[]): number {
  for (const bytes of frames) world.wire.right.send(fakeFrame(bytes));
  world.run(10);
  return world.h1.left.collect().length;
}

describe('an exception for what devices open', () => {
  const out = { from: H1, to: SERVER };
  const back = { from: SERVER, to: H1 };

  it('lets answers in, and no connection that the far side opens from the excepted port', () => {
    const world = closedWorld();
    world.sendFromH1(segment(out, 5000, 443, TCP_SYN));
    expect(reach(world, segment(back, 443, 5000, TCP_SYN | TCP_ACK))).toBe(1);
    expect(reach(world, segment(back, 443, 22, TCP_SYN))).toBe(0);
  });

  it('lets in errors about its packets, and neither redirects nor what is too long for an error', () => {
    const world = closedWorld();
    const sent = segment(out, 5000, 443, TCP_SYN);
    expect(reach(world, errorAbout(sent, UNREACHABLE, PORT))).toBe(1);
    expect(reach(world, errorAbout(sent, REDIRECT, 1))).toBe(0);
    expect(reach(world, errorAbout(sent, UNREACHABLE, PORT, new Uint8Array(600)))).toBe(0);
  });
});

describe('the GMS behind the gateway', () => {
  it('answers connections and opens none from its port', () => {
    const exceptions = [{ address: H1.v4, protocol: 'tcp', port: 7443, direction: 'gms' } as const];
    const world = new SimWorld(undefined, { policy: { exceptions } });
    world.key('a', { mode: 'closed' });
    world.sendFromH1(segment({ from: H1, to: SERVER }, 7443, 22, TCP_SYN));
    world.sendFromH1(segment({ from: H1, to: SERVER }, 7443, 5000, TCP_SYN | TCP_ACK));
    world.run(10);
    expect(world.crossed.filter((c) => parsed(Uint8Array.from(c.frame.bytes))?.sourcePort === 7443)).toHaveLength(1);
    expect(reach(world, segment({ from: SERVER, to: H1 }, 5000, 7443, TCP_SYN))).toBe(1);
  });
});

describe('an error about a protected packet', () => {
  it('reaches the device when it quotes a flow that there is', () => {
    const world = new SimWorld();
    world.key('a');
    world.key('b');
    const out = { from: H1, to: H2 };
    world.sendFromH1(echo(out, 'request', 1, 1, Buffer.from('hello')));
    world.sendFromH1(udp(out, 1000, 2000, Buffer.alloc(100)));
    world.run(100);
    world.h1.left.collect();
    const quoted = (port: number) => errorAbout(udp(out, port, 2000, Buffer.alloc(124)), UNREACHABLE, PORT);
    expect(reach(world, quoted(1000))).toBe(1);
    expect(reach(world, quoted(1001))).toBe(0);
    expect(reach(world, errorAbout(udp(out, 1000, 2000, Buffer.alloc(124)), REDIRECT, 1))).toBe(0);
    const later = udp(out, 1000, 2000, Buffer.alloc(124));
    later[14 + 6] = 0x00; /* no DF, offset 8: whoever knows the addresses can make it up */
    later[14 + 7] = 0x01;
    ipv4WriteChecksum(later, new DataView(later.buffer, later.byteOffset), 14);
    expect(reach(world, errorAbout(later, UNREACHABLE, PORT))).toBe(0);
    expect(world.a.drops()).toEqual({ 'icmp-error-unrelated': 3 });
  });
});

/** The first packets of a pair: held, then protected; none is lost, none leaves in plaintext. */
import { describe, expect, it } from 'vitest';
import { fakeFrame } from '#port/fake.ts';
import { echo, H1, H2, read, tcp, udp } from '../kit/sim-frames.ts';
import { segments } from '../kit/sim-segments.ts';
import { SimWorld } from '../kit/sim-world.ts';

const MARKER = Buffer.from('marker-in-plaintext');

function payloads(frames: readonly { readonly bytes: Uint8Array }[]): string[] {
  return frames.map((f) => Buffer.from(read(f.bytes).payload).toString());
}

function plaintextCrossed(world: SimWorld): number {
  return world.crossed.filter((c) => Buffer.from(c.frame.bytes).includes(MARKER)).length;
}

describe.each([4, 6] as const)('IPv%d', (version) => {
  const out = { from: H1, to: H2, version };

  it('an Echo of a cold pair arrives, protected on the wire', () => {
    const world = new SimWorld();
    world.key('a');
    world.key('b');
    world.sendFromH1(echo(out, 'request', 1, 1, MARKER));
    world.run(100);
    expect(payloads(world.h2.left.collect())).toEqual([MARKER.toString()]);
    expect(plaintextCrossed(world)).toBe(0);
    expect(world.a.drops()).toEqual({});
    expect(world.b.drops()).toEqual({});
  });

  it('datagrams keep their order through the hold queue', () => {
    const world = new SimWorld();
    world.key('a');
    world.key('b');
    world.behaviour = { delay: 200 };
    for (let i = 0; i < 20; i++) world.sendFromH1(udp(out, 1000, 2000, Buffer.from(`${MARKER} ${i}`)));
    world.run(2_000);
    const arrived = world.h2.left
      .collect()
      .flatMap(segments)
      .map((datagram) => fakeFrame(datagram));
    expect(payloads(arrived)).toEqual(Array.from({ length: 20 }, (_, i) => `${MARKER} ${i}`));
    expect(plaintextCrossed(world)).toBe(0);
  });

  it('a TCP segment arrives with its own header', () => {
    const world = new SimWorld();
    world.key('a');
    world.key('b');
    world.sendFromH1(tcp(out, { sourcePort: 5, destinationPort: 80, sequence: 7, flags: 0x18, data: MARKER }));
    world.run(100);
    const [frame] = world.h2.left.collect();
    const seen = read(frame.bytes);
    expect([seen.frame.sequence, seen.frame.tcpFlags, seen.frame.tcpHeaderLength]).toEqual([7, 0x18, 20]);
    expect(Buffer.from(seen.payload)).toEqual(MARKER);
    expect(plaintextCrossed(world)).toBe(0);
  });
});

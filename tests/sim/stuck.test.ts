/** No order of events leaves a pair waiting for an answer that nobody will give. */
import { expect, it } from 'vitest';
import { isDprp, TYPE_CDN } from '#wire/dprp.ts';
import { echo, H1, H2, parsed, udp } from '../kit/sim-frames.ts';
import { SimWorld } from '../kit/sim-world.ts';

function isCdn(bytes: Uint8Array): boolean {
  const copy = Uint8Array.from(bytes);
  const frame = parsed(copy);
  if (frame === undefined || !isDprp(copy, frame.payload, frame.payloadLength)) return false;
  return copy[frame.payload + 5] === TYPE_CDN;
}

it('keys that end while their confirmation is on the way', () => {
  const world = new SimWorld();
  const next = { groups: [{ number: 7, versions: [2] }] };
  let hold = true;
  world.mallory = (frame) => !(hold && isCdn(frame.bytes));
  world.key('a');
  world.key('b');
  world.sendFromH1(echo({ from: H1, to: H2 }, 'request', 1, 1, Buffer.from('hello')));
  world.run(50);
  world.h2.left.collect();

  /* The version goes without an overlap, as after a removal; the negotiation goes on under the new identity. */
  world.key('a', next);
  world.key('b', next);
  world.sendFromH1(udp({ from: H1, to: H2 }, 1000, 2000, Buffer.from('first')));
  hold = false;
  world.run(15_000);
  world.sendFromH1(udp({ from: H1, to: H2 }, 1000, 2000, Buffer.from('second')));
  world.run(1_000);
  expect(world.h2.left.collect()).toHaveLength(2);
});

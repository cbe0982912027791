/** Packets with a marker that say who they are: whatever arrives and is none went through the wrong keys. */
import type { TransformName } from '#dprp/spec.ts';
import type { Pair } from '#pit/pair.ts';
import type { Association } from '../../gateway/datapath/associations.ts';
import { dprpType } from './sim-diagram.ts';
import { type Ends, H1, H2, read } from './sim-frames.ts';
import type { SimGateway, SimWorld } from './sim-world.ts';

export const OUT: Ends = { from: H1, to: H2 };
export const BACK: Ends = { from: H2, to: H1 };

/** Group 7 in these versions, the newest first. */
export const versions = (transform: TransformName, ...held: number[]) => ({
  groups: [{ number: 7, versions: held, transform }],
});

export function keyBoth(world: SimWorld, transform: TransformName, ...held: number[]): void {
  for (const side of ['a', 'b'] as const) world.key(side, versions(transform, ...held));
}

export const marked = (i: number): Buffer => Buffer.from(`marker-in-plaintext ${i}`);

export const pairOf = ({ datapath }: SimGateway): Pair<Association> => {
  const [pair] = datapath.pairs.values();
  return pair;
};

/** What arrived at both hosts since the last call: how many marked payloads, and every other one as hex. */
export function arrivals(world: SimWorld): { right: number; wrong: string[] } {
  const payloads = [world.h1, world.h2].flatMap(({ left }) => left.collect().map(({ bytes }) => read(bytes).payload));
  const filled = payloads.filter(({ length }) => length > 0).map((payload) => Buffer.from(payload));
  const wrong = filled.filter((payload) => !/^marker-in-plaintext \d+\0*$/.test(payload.toString('latin1')));
  return { right: filled.length - wrong.length, wrong: wrong.map((payload) => payload.toString('hex')) };
}

/** Key switches that crossed the wire so far. */
export const switchesOf = (world: SimWorld): number =>
  world.crossed.filter(({ frame }) => dprpType(frame.bytes) === 5).length;

/** A cipher that fails: what it should have protected neither leaves nor arrives, and the drop is called what it is. */
import { describe, expect } from 'vitest';
import { J_OP, J_STATUS, J_STRIDE, OP_DECIPHER, OP_ENCIPHER, OP_SEAL, STATUS_FORGED } from '#transform/cipher.ts';
import { udp } from '../kit/sim-frames.ts';
import { arrivals, keyBoth, marked, OUT } from '../kit/sim-marked.ts';
import { story } from '../kit/sim-story.ts';
import type { SimGateway } from '../kit/sim-world.ts';

/** From now on jobs `op` fail as OpenSSL's do. */
function fail({ provider }: SimGateway, op: number): void {
  const { run } = provider;
  provider.run = (slab, jobs, count) => {
    run.call(provider, slab, jobs, count);
    for (let j = 0; j < count * J_STRIDE; j += J_STRIDE) if (jobs[j + J_OP] === op) jobs[j + J_STATUS] = STATUS_FORGED;
  };
}

describe('a cipher that fails', () => {
  for (const [transform, side, op] of [
    ['sealed', 'a', OP_SEAL],
    ['pccom', 'a', OP_ENCIPHER],
    ['pccom', 'b', OP_DECIPHER],
    ['pccom-keyed', 'a', OP_ENCIPHER],
    ['pccom-keyed', 'b', OP_DECIPHER],
  ] as const) {
    story(`${transform}, operation ${op} of ${side}`, (world) => {
      keyBoth(world, transform, 1);
      world.sendFromH1(udp(OUT, 1, 2, marked(1)));
      world.run(1_000);
      expect(arrivals(world)).toEqual({ right: 1, wrong: [] });
      fail(world[side], op);
      for (let i = 0; i < 3; i++) world.sendFromH1(udp(OUT, 1, 2, marked(i)));
      world.run(100);
      expect(world[side].drops()).toEqual({ 'cipher-failed': 3 });
      expect(arrivals(world)).toEqual({ right: 0, wrong: [] });
    });
  }
});

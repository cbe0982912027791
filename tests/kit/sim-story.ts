/** A simulated story as a test: on failure it tells its seed and what crossed the wire last. */
import { randomBytes } from 'node:crypto';
import { it } from 'vitest';
import { type SimSettings, SimWorld } from './sim-world.ts';

/** The same run again: SIM_SEED=… npx vitest run tests/sim -t '…' */
const repeated = process.env.SIM_SEED;

export function story(title: string, run: (world: SimWorld) => void, settings: SimSettings = {}): void {
  it(title, () => {
    const seed = repeated === undefined ? randomBytes(4).readUInt32LE() : Number(repeated);
    const world = new SimWorld(seed, settings);
    try {
      run(world);
    } catch (error) {
      if (error instanceof Error) {
        error.message += `\nSIM_SEED=${seed}\n a drops ${JSON.stringify(world.a.drops())}\n b drops ${JSON.stringify(world.b.drops())}\n${world.diagram()}`;
      }
      throw error;
    }
  });
}

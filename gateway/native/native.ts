/** The one place that loads the native addon; everything it exports is typed here. */
import { createRequire } from 'node:module';

/** Functions of the addon. Each throws TypeError or RangeError, naming the argument, when one is out of bounds. */
export interface Native {
  /** Column numbers as C has them, for the test that compares them with TypeScript's. */
  layout(): Record<string, number>;
}

export const native = createRequire(import.meta.url)('../../build/gscip.node') as Native;

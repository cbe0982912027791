/** The one place that loads the native addon; everything it exports is typed by the file that is named after the C file. */
import { createRequire } from 'node:module';
import type { NativeChecksum } from './checksum.ts';

/** Functions of the addon. Each throws TypeError or RangeError, naming the argument, when one is out of bounds. */
export interface Native extends NativeChecksum {
  /** Column numbers as C has them, for the test that compares them with TypeScript's. */
  layout(): Record<string, number>;
}

export const native = createRequire(import.meta.url)('../../build/gscip.node') as Native;

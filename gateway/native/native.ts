/** The one place that loads the native addon; what it exports is typed beside it, a file for each subject. */
import { createRequire } from 'node:module';
import type { NativeCiphers } from './ciphers.ts';
import type { NativeProbe } from './probe.ts';
import type { NativeProcess, NativeSockets } from './sockets.ts';

/** Functions of the addon. Each throws TypeError or RangeError, naming the argument, when one is out of bounds. */
export interface Native extends NativeCiphers, NativeProbe, NativeProcess, NativeSockets {
  /** Column numbers as C has them, for the test that compares them with TypeScript's. */
  layout(): Record<string, number>;
}

/** Another build of the same sources may be tested: tests/run.ts does so with one that has sanitizers. */
const file = process.env.GSCIP_ADDON ?? '../../build/gscip.node';
export const native = createRequire(import.meta.url)(file) as Native;

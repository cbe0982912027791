/** A gateway's memory beside what it works with (docs/decisions/0019-start-and-rehearsal.md). */
import { flushCompileCache } from 'node:module';
import { native } from '#native/native.ts';

/**
 * Once a thread has started: keeps what was compiled for the next start, where `gateway/start` made a place for it, and
 * gives back the memory that only starting needed. Takes tens of milliseconds; nothing may wait for this thread.
 */
export function settleDown(): void {
  flushCompileCache();
  globalThis.gc?.();
  native.trimMemory();
}

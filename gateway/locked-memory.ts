/**
 * Memory that has to be locked for keys, and what to say where the system allows less of it (docs/operations.md, 1).
 */
import type { GatewayConfig } from '#config/config.ts';
import { MAX_WIDE_KEYS } from '#datapath/key-places.ts';
import { native } from '#native/native.ts';
import type { Log } from './log.ts';
import type { GatewayReport } from './view.ts';

const MIB = 1_048_576;

export interface LockedMemory {
  /** Of main and so many workers with as many associations as they may have, MiB. */
  readonly needed: number;
  /** The same in KiB, as ulimit(1) takes it. */
  readonly kib: number;
  /** MiB; Infinity where nothing limits it. */
  readonly allowed: number;
}

/** `allowed`: bytes that this process may lock. */
export function lockedMemory(workers: number, allowed = native.lockedMemory()): LockedMemory {
  const needed = Math.ceil(native.keyMemory(workers, MAX_WIDE_KEYS) / MIB);
  return { needed, kib: needed * 1_024, allowed: Math.floor((allowed / MIB) * 10) / 10 };
}

const WARNINGS = {
  'locked-memory': 'the limit of locked memory is lower than keys may need',
  'no-key-room': 'no more memory can be locked for keys: idle pairs lose theirs, new ones are refused for a while',
} as const;

/**
 * `locked-memory` is told at the start where the limit is too low, `no-key-room` when a worker found it so. Neither
 * ends anything: with few pairs, or without `pccom`, less is needed.
 */
export function warnOfMemory(
  name: keyof typeof WARNINGS,
  { cipher, workers }: Pick<GatewayConfig, 'cipher' | 'workers'>,
  log: Pick<Log, 'warn'>,
  report: Pick<GatewayReport, 'emit'>,
  memory = lockedMemory(workers),
): void {
  const { needed, kib, allowed } = memory;
  if (name === 'locked-memory' && (cipher !== 'native' || allowed >= needed)) return;
  log.warn(
    { neededMiB: needed, allowedMiB: allowed, set: `LimitMEMLOCK=${needed}M or ulimit -l ${kib}` },
    WARNINGS[name],
  );
  report.emit('warning', name, { needed, kib, allowed });
}

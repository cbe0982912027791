/** What the product wants to reach, beside what was measured on `wire`. It is told, never asserted. */
import type { MessageKey } from './messages.ts';
import type { Mode } from './modes.ts';
import type { Result } from './result.ts';
import { addedToPlain, ratioToBestPeer, ratioToPlain, summary } from './statistics.ts';

interface Target {
  readonly key: MessageKey & `target-${string}`;
  readonly row: string;
  readonly mode: Mode;
  readonly of: 'median' | 'ratioToPlain' | 'ratioToBestPeer' | 'addedToPlain';
  readonly bound: 'least' | 'most';
  readonly first: number;
  readonly aim: number;
}

/** A target, and where this run stands: null where it was not measured. */
export interface Standing extends Target {
  readonly figure: number | null;
  /** `aim` reached, `first` target reached, `no`; null where it was not measured. */
  readonly holds: 'aim' | 'first' | 'no' | null;
}

const least = (first: number, aim: number) => ({ bound: 'least', first, aim }) as const;
const most = (first: number, aim: number) => ({ bound: 'most', first, aim }) as const;

export const TARGETS: readonly Target[] = [
  { key: 'target-tcp-plain', row: 'tcp', mode: 'pccom', of: 'ratioToPlain', ...least(0.5, 0.8) },
  { key: 'target-tcp-peer', row: 'tcp', mode: 'pccom', of: 'ratioToBestPeer', ...least(5, 8) },
  { key: 'target-tcp-plain', row: 'tcp', mode: 'sealed', of: 'ratioToPlain', ...least(0.3, 0.5) },
  { key: 'target-tcp-peer', row: 'tcp', mode: 'sealed', of: 'ratioToBestPeer', ...least(3, 5) },
  { key: 'target-verdict', row: 'verdict', mode: 'verdict', of: 'ratioToPlain', ...least(0.95, 1) },
  { key: 'target-udp64', row: 'udp64', mode: 'sealed', of: 'ratioToBestPeer', ...least(2, 4) },
  { key: 'target-download', row: 'download', mode: 'pccom', of: 'ratioToPlain', ...most(1.05, 1.02) },
  { key: 'target-download', row: 'download', mode: 'sealed', of: 'ratioToPlain', ...most(1.1, 1.05) },
  { key: 'target-negotiation', row: 'negotiation', mode: 'sealed', of: 'addedToPlain', ...most(1, 0.38) },
  { key: 'target-known', row: 'known', mode: 'sealed', of: 'addedToPlain', ...most(0.05, 0) },
  { key: 'target-ike', row: 'negotiation-own', mode: 'sealed', of: 'ratioToBestPeer', ...least(50, 100) },
  { key: 'target-negotiations', row: 'negotiations', mode: 'sealed', of: 'median', ...least(2_000, 5_000) },
  { key: 'target-pit-flow', row: 'pit-flow-entry', mode: 'sealed', of: 'median', ...most(256, 128) },
  { key: 'target-pit-pair', row: 'pit-pair-entry', mode: 'sealed', of: 'median', ...most(256, 128) },
  { key: 'target-ping', row: 'ping', mode: 'sealed', of: 'addedToPlain', ...most(0.3, 0.1) },
  { key: 'target-memory', row: 'memory', mode: 'sealed', of: 'median', ...most(150, 90) },
];

/** Targets with their figures, in the order of the list. */
export function standings(results: readonly Result[]): Standing[] {
  return TARGETS.map((target) => {
    const result = results.find((r) => r.row === target.row && r.profile === 'wire');
    const figure = result === undefined ? undefined : figureOf(target, result);
    return { ...target, figure: figure ?? null, holds: figure === undefined ? null : holds(target, figure) };
  });
}

function figureOf({ of, mode }: Target, { samples, better }: Result): number | undefined {
  if (of === 'median') return summary(samples[mode])?.median;
  if (of === 'ratioToPlain') return ratioToPlain(samples, mode);
  if (of === 'addedToPlain') return addedToPlain(samples, mode);
  return ratioToBestPeer(samples, mode, better);
}

function holds({ bound, first, aim }: Target, figure: number): 'aim' | 'first' | 'no' {
  const reaches = (limit: number): boolean => (bound === 'least' ? figure >= limit : figure <= limit);
  if (reaches(aim)) return 'aim';
  return reaches(first) ? 'first' : 'no';
}

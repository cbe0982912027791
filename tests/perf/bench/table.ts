/** Results as a person reads them, and as JSON. */
import type { Profile } from '#kit/machine.ts';
import type { Values } from '#terminal/message.ts';
import { list, table } from '#terminal/table.ts';
import type { Environment } from './environment.ts';
import type { MessageKey, Say } from './messages.ts';
import { addedToPlain, ratioToPlain, type Samples, type Summary, summary } from './statistics.ts';

export type Unit = 'Gbit/s' | '1/s' | 'ms' | 'MB' | 'B';

/** One line of the table: what was measured on both sides. */
export interface Result {
  readonly row: string;
  readonly unit: Unit;
  readonly samples: Samples;
  /** What the figure is, with the values of this run. */
  readonly is: readonly [key: MessageKey, values?: Values];
  /** What is to be said about this run's figure. */
  readonly remark?: readonly [key: MessageKey, values?: Values];
}

/** Three digits that count, never fewer than there are before the point. */
export function figure(n: number): string {
  const size = Math.abs(n);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return n.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const ABSENT = '–';
const spread = (s: Summary | undefined): string =>
  s === undefined ? ABSENT : `${figure(s.median)} (${figure(s.minimum)}–${figure(s.maximum)})`;
const orAbsent = (n: number | undefined): string => (n === undefined ? ABSENT : figure(n));

/** Only times have something that is added; other units are compared by their ratio. */
const added = ({ unit, samples }: Result): number | undefined => (unit === 'ms' ? addedToPlain(samples) : undefined);

export function resultLines(results: readonly Result[], rounds: number, say: Say): string[] {
  const right = true;
  const columns = [
    { title: say('row') },
    { title: '' },
    { title: say('plain'), right },
    { title: say('sealed'), right },
    { title: say('ratio'), right },
    { title: say('added'), right },
  ];
  const rows = results.map((r) => [
    r.row,
    r.unit,
    spread(summary(r.samples.plain)),
    spread(summary(r.samples.sealed)),
    orAbsent(ratioToPlain(r.samples)),
    orAbsent(added(r)),
  ]);
  const remarks = results.flatMap(({ remark }) => (remark === undefined ? [] : [say(...remark)]));
  return [
    ...table(columns, rows),
    '',
    ...list(results.map((r) => [r.row, say(...r.is)])),
    '',
    ...remarks,
    say('spread', { samples: rounds }),
  ];
}

export function environmentLines(e: Environment, say: Say): string[] {
  return list([
    [say('machine'), say('cores', { model: e.cpu, count: e.cpus })],
    [say('kernel'), e.kernel],
    [say('node'), e.node],
    [say('profile'), say(`profile-${e.profile}`)],
    [say('congestion'), e.congestionControl],
    [say('gateways'), say('gateway-workers', { workers: e.workers, cipher: e.cipher })],
    [say('load'), e.loadAverage.map((l) => l.toFixed(2)).join(' ')],
  ]);
}

/** The figures of a run; null where a side has none. */
export interface Report {
  readonly environment: Environment;
  readonly rows: readonly {
    readonly row: string;
    readonly profile: Profile;
    readonly unit: Unit;
    readonly plain: number | null;
    readonly sealed: number | null;
    readonly ratioToPlain: number | null;
    readonly samples: Samples;
  }[];
}

export function reportOf(environment: Environment, results: readonly Result[]): Report {
  const rows = results.map(({ row, unit, samples }) => ({
    row,
    profile: environment.profile,
    unit,
    plain: summary(samples.plain)?.median ?? null,
    sealed: summary(samples.sealed)?.median ?? null,
    ratioToPlain: ratioToPlain(samples) ?? null,
    samples,
  }));
  return { environment, rows };
}

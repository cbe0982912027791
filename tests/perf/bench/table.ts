/** Results as a person reads them. */
import { list, table } from '#terminal/table.ts';
import type { Environment } from './environment.ts';
import type { Say } from './messages.ts';
import { MODES, type Mode, OURS, type Ours } from './modes.ts';
import { isTime, type Result } from './result.ts';
import { addedToPlain, ratioToBestPeer, ratioToPlain, type Summary, summary } from './statistics.ts';
import type { Standing } from './targets.ts';

/** Three digits that count, never fewer than there are before the point. */
export function figure(n: number): string {
  const size = Math.abs(n);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return n.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const ABSENT = '–';
const right = true;
const orAbsent = (n: number | undefined | null): string => (n === undefined || n === null ? ABSENT : figure(n));

/** `2.60 ±12%`: the median, and half the range of the samples in per cent of it. */
export function spread(s: Summary | undefined): string {
  if (s === undefined) return ABSENT;
  const half = s.median === 0 ? 0 : Math.round((50 * (s.maximum - s.minimum)) / Math.abs(s.median));
  return `${figure(s.median)} ±${half}%`;
}

/** Several profiles in one run are told apart. */
function labelled(results: readonly Result[]): (r: Result) => string {
  const several = new Set(results.map((r) => r.profile)).size > 1;
  return (r) => (several ? `${r.row} (${r.profile})` : r.row);
}

const used = <M extends Mode>(modes: readonly M[], results: readonly Result[]): M[] =>
  modes.filter((mode) => results.some((r) => summary(r.samples[mode]) !== undefined));

/** One line while a run goes on. */
export const briefly = (r: Result): string =>
  `  ${r.row}: ${used(MODES, [r])
    .map((mode) => `${mode} ${spread(summary(r.samples[mode]))}`)
    .join(', ')} ${r.unit}`;

export function resultLines(results: readonly Result[], samples: number, say: Say): string[] {
  const label = labelled(results);
  const remarks = results.flatMap(({ remark }) => (remark === undefined ? [] : [say(...remark)]));
  const explained = new Map(results.map((r) => [r.row, say(...r.is)]));
  return [
    ...figureLines(results, label, say),
    '',
    ...ratioLines(results, label, say),
    '',
    ...list([...explained]),
    '',
    ...remarks,
    say('spread', { samples }),
  ];
}

function figureLines(results: readonly Result[], label: (r: Result) => string, say: Say): string[] {
  const modes = used(MODES, results);
  const columns = [{ title: say('row') }, { title: '' }, ...modes.map((mode) => ({ title: mode, right }))];
  const rows = results.map((r) => [label(r), r.unit, ...modes.map((mode) => spread(summary(r.samples[mode])))]);
  return table(columns, rows);
}

/** Only times have something that is added; other units are compared by their ratios. */
function ratioLines(results: readonly Result[], label: (r: Result) => string, say: Say): string[] {
  const ours = used(OURS, results);
  const compared = results.filter((r) => used(MODES, [r]).length > 1);
  const kinds: readonly { title: string; of: (r: Result, mode: Ours) => number | undefined }[] = [
    { title: say('to-plain'), of: (r, mode) => ratioToPlain(r.samples, mode) },
    { title: say('to-peer'), of: (r, mode) => ratioToBestPeer(r.samples, mode, r.better) },
    { title: say('added'), of: (r, mode) => (isTime(r.unit) ? addedToPlain(r.samples, mode) : undefined) },
  ];
  const columns = kinds.flatMap(({ title, of }) =>
    ours.map((mode) => ({ title: `${mode} ${title}`, right, of, mode })),
  );
  const filled = columns.filter(({ of, mode }) => compared.some((r) => of(r, mode) !== undefined));
  if (filled.length === 0) return [];
  return table(
    [{ title: say('row') }, ...filled],
    compared.map((r) => [label(r), ...filled.map(({ of, mode }) => orAbsent(of(r, mode)))]),
  );
}

export function targetLines(standings: readonly Standing[], say: Say): string[] {
  const columns = [
    { title: say('target') },
    { title: say('mode') },
    { title: say('target-first'), right },
    { title: say('target-aim'), right },
    { title: say('target-figure'), right },
    { title: say('target-holds') },
  ];
  return table(
    columns,
    standings.map(({ key, mode, bound, first, aim, figure: n, holds }) => {
      const sign = bound === 'least' ? '≥' : '≤';
      const limit = (x: number): string => `${sign} ${x.toLocaleString('en-US')}`;
      return [say(key), mode, limit(first), limit(aim), orAbsent(n), say(`holds-${holds ?? 'unknown'}`)];
    }),
  );
}

export function environmentLines(e: Environment, say: Say): string[] {
  return list([
    [say('machine'), say('cores', { model: e.cpu, count: e.cpus })],
    [say('kernel'), e.kernel],
    [say('node'), e.node],
    ...e.profiles.map((p) => [say('profile'), say(`profile-${p}`)] as const),
    [say('congestion'), e.congestionControl],
    ...(e.gateways === undefined ? [] : [[say('gateways'), say('gateway-workers', { ...e.gateways })] as const]),
    ...e.peers.map(({ peer, version, settings }) => [peer, `${version}; ${settings}`] as const),
    ...e.missing.map(({ mode, reason }) => [mode, say('mode-missing', { reason })] as const),
    [say('load'), e.loadAverage.map((l) => l.toFixed(2)).join(' ')],
  ]);
}

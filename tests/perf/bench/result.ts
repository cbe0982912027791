/** Figures of a row, and how they are shown. */
import type { Profile } from '#kit/machine.ts';
import { table } from '#terminal/table.ts';
import { median } from '../../lab/demo/report.ts';
import type { Row } from './rows.ts';

export interface Result {
  readonly row: string;
  readonly profile: Profile;
  readonly unit: string;
  readonly how: string;
  readonly higherIsBetter: boolean;
  /** Medians; null where plain forwarding has no such figure. */
  readonly plain: number | null;
  readonly sealed: number;
  readonly ratioToPlain: number | null;
  readonly samples: { readonly plain: readonly number[]; readonly sealed: readonly number[] };
}

export function result(name: string, profile: Profile, row: Row, plain: number[], sealed: number[]): Result {
  const middle = plain.length === 0 ? null : median(plain);
  return {
    row: name,
    profile,
    unit: row.unit,
    how: row.how,
    higherIsBetter: row.more,
    plain: middle,
    sealed: median(sealed),
    ratioToPlain: middle === null ? null : median(sealed) / middle,
    samples: { plain, sealed },
  };
}

/** Three significant digits, and no exponent. */
const figure = (n: number): string =>
  n >= 1000 ? Math.round(n).toLocaleString('en-US') : String(Number(n.toPrecision(3)));

const range = (values: readonly number[]): string =>
  values.length === 0 ? '' : `${figure(Math.min(...values))}–${figure(Math.max(...values))}`;

export function showResults(results: readonly Result[]): string[] {
  const columns = [
    { title: 'ROW' },
    { title: 'UNIT' },
    { title: 'PLAIN', right: true },
    { title: '(RANGE)' },
    { title: 'SEALED', right: true },
    { title: '(RANGE)' },
    { title: 'SEALED/PLAIN', right: true },
    { title: 'ADDED', right: true },
  ];
  const rows = results.map((r) => [
    r.row,
    r.unit,
    r.plain === null ? '–' : figure(r.plain),
    range(r.samples.plain),
    figure(r.sealed),
    range(r.samples.sealed),
    r.ratioToPlain === null ? '–' : r.ratioToPlain.toFixed(2),
    r.plain === null || r.higherIsBetter ? '' : figure(r.sealed - r.plain),
  ]);
  return [...table(columns, rows), '', ...results.map((r) => `${r.row}: ${r.how}`)];
}

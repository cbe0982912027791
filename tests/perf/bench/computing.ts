/** Rows without a lab: what a worker computes. They are the gateway's own, and stand in the column `sealed`. */
import { fileURLToPath } from 'node:url';
import { run } from '#kit/process.ts';
import { negotiationCost } from './negotiation-cost.ts';
import type { PitFigures } from './pit-process.ts';
import type { Measured } from './result.ts';
import type { Field } from './rounds.ts';

const NEGOTIATIONS = 2_000;

/** Of one worker that does nothing else, on each side. */
export async function negotiations({ samples }: Field): Promise<Measured[]> {
  const costs = Array.from({ length: samples }, () => negotiationCost('native', NEGOTIATIONS));
  const row = (name: string, us: readonly number[], is: Measured['is']): Measured => ({
    row: name,
    unit: '1/s',
    better: 'more',
    samples: { sealed: us.map((each) => 1e6 / each) },
    is,
  });
  return [
    row(
      'negotiations',
      costs.map(({ sideA, sideB }) => Math.max(sideA, sideB)),
      ['is-negotiations'],
    ),
    row(
      'negotiations-initiator',
      costs.map(({ sideA }) => sideA),
      ['is-negotiations-initiator'],
    ),
    row(
      'negotiations-responder',
      costs.map(({ sideB }) => sideB),
      ['is-negotiations-responder'],
    ),
  ];
}

const PROGRAM = fileURLToPath(new URL('./pit-process.ts', import.meta.url));
const SIZES = [
  { entries: 10_000, name: '10k' },
  { entries: 100_000, name: '100k' },
  { entries: 1_000_000, name: '1m' },
] as const;
const TABLES = ['flow', 'pair'] as const;
/** A million pairs are objects: more than Node allows by itself, MB. */
const HEAP = 8_192;

/** Each size in a process of its own: what was there before costs no other one anything. */
export async function pit({ samples }: Field): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const table of TABLES) {
    const bytes: number[] = [];
    for (const { entries, name } of SIZES) {
      const figures: PitFigures[] = [];
      for (let i = 0; i < samples; i++) {
        const flags = ['--expose-gc', `--max-old-space-size=${HEAP}`];
        const line = await run([process.execPath, ...flags, PROGRAM, table, String(entries)]);
        figures.push(JSON.parse(line) as PitFigures);
      }
      measured.push({
        row: `pit-${table}-${name}`,
        unit: 'ns',
        better: 'less',
        samples: { sealed: figures.map((f) => f.nanoseconds) },
        is: [`is-pit-${table}`],
      });
      if (name === '1m') bytes.push(...figures.map((f) => f.bytesPerEntry));
    }
    measured.push({
      row: `pit-${table}-entry`,
      unit: 'B',
      better: 'less',
      samples: { sealed: bytes },
      is: ['is-pit-entry'],
    });
  }
  return measured;
}

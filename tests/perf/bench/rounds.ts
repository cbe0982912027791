/** Samples of several modes, taken in turns. */
import type { BenchLab } from './lab.ts';
import type { Mode } from './modes.ts';
import { orderOf } from './statistics.ts';

/** What a row measures in: the labs that stand, in the order of MODES. */
export interface Field {
  readonly labs: readonly BenchLab[];
  /** Of each mode. */
  readonly samples: number;
}

export type Gathered = Partial<Record<Mode, number[]>>;

/** One figure of each mode per round; a mode of which there is none in a round returns undefined. */
export async function alternate(
  { labs, samples }: Field,
  measure: (net: BenchLab) => Promise<number | undefined>,
): Promise<Gathered> {
  const gathered: Gathered = {};
  for (let round = 0; round < samples; round++) {
    for (const net of orderOf(labs, round)) {
      const sample = await measure(net);
      if (sample !== undefined) put(gathered, net.mode, sample);
    }
  }
  return gathered;
}

/** The same after a round that is not counted: everything is compiled and every table is warm. */
export async function alternateWarm(
  field: Field,
  measure: (net: BenchLab) => Promise<number | undefined>,
): Promise<Gathered> {
  for (const net of field.labs) await measure(net);
  return alternate(field, measure);
}

export function put(gathered: Gathered, mode: Mode, sample: number): void {
  const samples = gathered[mode] ?? [];
  samples.push(sample);
  gathered[mode] = samples;
}

/** A row of some modes only. */
export const only = ({ labs, samples }: Field, ...modes: readonly Mode[]): Field => ({
  labs: labs.filter(({ mode }) => modes.includes(mode)),
  samples,
});

export const without = ({ labs, samples }: Field, ...modes: readonly Mode[]): Field => ({
  labs: labs.filter(({ mode }) => !modes.includes(mode)),
  samples,
});

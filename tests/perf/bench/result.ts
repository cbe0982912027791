/** What a run leaves: lines of figures, each with the word for what it is. */
import type { Profile } from '#kit/machine.ts';
import type { Values } from '#terminal/message.ts';
import type { Environment } from './environment.ts';
import type { MessageKey } from './messages.ts';
import { OURS, type Ours, PEERS, type Peer } from './modes.ts';
import { addedToPlain, type Better, ratioToBestPeer, ratioToPlain, type Samples, summary } from './statistics.ts';
import { type Standing, standings } from './targets.ts';

export type Unit = 'Gbit/s' | '1/s' | 'ms' | 's' | 'ns' | 'MB' | 'B';

/** One line of the table: what was measured in each mode. */
export interface Measured {
  readonly row: string;
  readonly unit: Unit;
  readonly better: Better;
  readonly samples: Samples;
  /** What the figure is, with the values of this run. */
  readonly is: readonly [key: MessageKey, values?: Values];
  /** What is to be said about this run's figure. */
  readonly remark?: readonly [key: MessageKey, values?: Values];
}

export interface Result extends Measured {
  readonly profile: Profile;
}

type OfOurs = Readonly<Partial<Record<Ours, number | null>>>;

/** The figures of a run; null where a mode has none. */
export interface Report {
  readonly environment: Environment;
  readonly rows: readonly {
    readonly row: string;
    readonly profile: Profile;
    readonly unit: Unit;
    readonly better: Better;
    readonly plain: number | null;
    readonly sealed: number | null;
    readonly pccom: number | null;
    readonly verdict: number | null;
    readonly peers: Readonly<Record<Peer, number | null>>;
    /** Ours in plain's. */
    readonly ratioToPlain: OfOurs;
    /** How many times better ours is than the best peer, in every unit. */
    readonly ratioToBestPeer: OfOurs;
    /** Times only: what ours takes more than plain. */
    readonly addedToPlain?: OfOurs;
    readonly samples: Samples;
  }[];
  readonly targets: readonly Standing[];
}

export const isTime = (unit: Unit): boolean => unit === 'ms' || unit === 's';

export function reportOf(environment: Environment, results: readonly Result[]): Report {
  const rows = results.map(({ row, profile, unit, better, samples }) => {
    const figure = (mode: keyof Samples): number | null => summary(samples[mode])?.median ?? null;
    const ofOurs = (of: (mode: Ours) => number | undefined): OfOurs =>
      Object.fromEntries(OURS.filter((mode) => samples[mode] !== undefined).map((mode) => [mode, of(mode) ?? null]));
    return {
      row,
      profile,
      unit,
      better,
      plain: figure('plain'),
      sealed: figure('sealed'),
      pccom: figure('pccom'),
      verdict: figure('verdict'),
      peers: Object.fromEntries(PEERS.map((peer) => [peer, figure(peer)])) as Record<Peer, number | null>,
      ratioToPlain: ofOurs((mode) => ratioToPlain(samples, mode)),
      ratioToBestPeer: ofOurs((mode) => ratioToBestPeer(samples, mode, better)),
      ...(isTime(unit) && { addedToPlain: ofOurs((mode) => addedToPlain(samples, mode)) }),
      samples,
    };
  });
  return { environment, rows, targets: standings(results) };
}

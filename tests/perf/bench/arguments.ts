/**
 * The command line: `[ROW…] [--rows …] [--modes …] [--profile wire|packet|offload|all] [--samples N] [--json FILE]`.
 */
import { PROFILES, type Profile } from '#kit/machine.ts';
import { Misunderstood, readOptions } from '../command-line.ts';
import { messages } from './messages.ts';
import { MODES, type Mode } from './modes.ts';

/** What can be asked for, in the order of a run: what needs gateways just started comes first. */
export const ROWS = [
  'memory',
  'negotiation',
  'negotiation-own',
  'known',
  'ping',
  'tcp',
  'verdict',
  'udp64',
  'download',
  'negotiations',
  'pit',
] as const;
export type RowName = (typeof ROWS)[number];

/** The only rows that `--profile all` measures in every profile; the others differ little. */
const PROFILE_ROWS: readonly RowName[] = ['tcp', 'verdict'];

/** One after the other in the same labs: from `offload`, links as they come, features are only ever taken away. */
const PROFILE_ORDER: readonly Profile[] = ['offload', 'wire', 'packet'];

export interface Asked {
  /** In the order of a run, each with its rows. */
  readonly parts: readonly { readonly profile: Profile; readonly rows: readonly RowName[] }[];
  readonly modes: readonly Mode[];
  /** Of each mode and row. */
  readonly samples: number;
  /** A file for the figures. */
  readonly json?: string;
  readonly help: boolean;
}

export const DEFAULT_SAMPLES = 5;
const MAX_SAMPLES = 99;

const OPTIONS = ['rows', 'modes', 'profile', 'samples', 'json'] as const;

/** @throws Misunderstood */
export function parseArguments(line: readonly string[]): Asked {
  const { options, words, help } = readOptions(line, OPTIONS);
  const rows = new Set([...words, ...(options.rows?.split(',') ?? [])].map(rowOf));
  const modes = new Set(options.modes?.split(',').map(modeOf));
  return {
    parts: partsOf(rows.size === 0 ? ROWS : ROWS.filter((row) => rows.has(row)), options.profile ?? 'wire'),
    modes: modes.size === 0 ? MODES : MODES.filter((mode) => modes.has(mode)),
    samples: options.samples === undefined ? DEFAULT_SAMPLES : samplesOf(options.samples),
    help,
    ...(options.json !== undefined && { json: options.json }),
  };
}

function rowOf(word: string): RowName {
  const row = ROWS.find((r) => r === word);
  if (row === undefined) throw new Misunderstood(messages['unknown-row'], { row: word, rows: ROWS.join(', ') });
  return row;
}

function modeOf(word: string): Mode {
  const mode = MODES.find((m) => m === word);
  if (mode === undefined) throw new Misunderstood(messages['unknown-mode'], { mode: word, modes: MODES.join(', ') });
  return mode;
}

function samplesOf(word: string): number {
  const samples = Number(word);
  if (!Number.isInteger(samples) || samples < 1 || samples > MAX_SAMPLES) {
    throw new Misunderstood(messages['bad-samples'], { samples: word, most: MAX_SAMPLES });
  }
  return samples;
}

function partsOf(rows: readonly RowName[], word: string): Asked['parts'] {
  if (word === 'all') {
    const parts = PROFILE_ORDER.map((profile) => ({
      profile,
      rows: profile === 'wire' ? rows : rows.filter((row) => PROFILE_ROWS.includes(row)),
    }));
    return parts.filter((part) => part.rows.length > 0);
  }
  const profile = PROFILES.find((p) => p === word);
  if (profile !== undefined) return [{ profile, rows }];
  throw new Misunderstood(messages['unknown-profile'], { profile: word, profiles: [...PROFILES, 'all'].join(', ') });
}

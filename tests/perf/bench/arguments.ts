/** The command line: `[ROW…] [--rows …] [--modes …] [--profile wire|packet|offload|all] [--samples N] [--json FILE]`. */
import { parseArgs } from 'node:util';
import { PROFILES, type Profile } from '#kit/machine.ts';
import type { Values } from '#terminal/message.ts';
import type { MessageKey } from './messages.ts';
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

/** The command line cannot be understood; the message says which word and what is possible. */
export class Misunderstood extends Error {
  readonly key: MessageKey;
  readonly values: Values;

  constructor(key: MessageKey, values: Values) {
    super(`${key} ${JSON.stringify(values)}`);
    this.key = key;
    this.values = values;
  }
}

const OPTIONS = {
  rows: { type: 'string' },
  modes: { type: 'string' },
  profile: { type: 'string' },
  samples: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;
type OptionName = keyof typeof OPTIONS;

const isOption = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name);

/** @throws Misunderstood */
export function parseArguments(words: readonly string[]): Asked {
  const { tokens } = parseArgs({ args: [...words], options: OPTIONS, strict: false, tokens: true });
  const rows = new Set<RowName>();
  const given: Partial<Record<OptionName, string>> = {};
  let help = false;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      rows.add(rowOf(token.value));
      continue;
    }
    const { rawName, name, value } = token;
    if (!isOption(name)) throw new Misunderstood('unknown-option', { option: rawName });
    if (name === 'help') {
      help = true;
      continue;
    }
    const missing = value === undefined || value === '' || (!token.inlineValue && value.startsWith('-'));
    if (missing) throw new Misunderstood('value-missing', { option: rawName });
    given[name] = value;
  }
  for (const row of given.rows?.split(',') ?? []) rows.add(rowOf(row));
  const modes = new Set(given.modes?.split(',').map(modeOf));
  return {
    parts: partsOf(rows.size === 0 ? ROWS : ROWS.filter((row) => rows.has(row)), given.profile ?? 'wire'),
    modes: modes.size === 0 ? MODES : MODES.filter((mode) => modes.has(mode)),
    samples: given.samples === undefined ? DEFAULT_SAMPLES : samplesOf(given.samples),
    help,
    ...(given.json !== undefined && { json: given.json }),
  };
}

function rowOf(word: string): RowName {
  const row = ROWS.find((r) => r === word);
  if (row === undefined) throw new Misunderstood('unknown-row', { row: word, rows: ROWS.join(', ') });
  return row;
}

function modeOf(word: string): Mode {
  const mode = MODES.find((m) => m === word);
  if (mode === undefined) throw new Misunderstood('unknown-mode', { mode: word, modes: MODES.join(', ') });
  return mode;
}

function samplesOf(word: string): number {
  const samples = Number(word);
  if (!Number.isInteger(samples) || samples < 1 || samples > MAX_SAMPLES) {
    throw new Misunderstood('bad-samples', { samples: word, most: MAX_SAMPLES });
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
  throw new Misunderstood('unknown-profile', { profile: word, profiles: [...PROFILES, 'all'].join(', ') });
}

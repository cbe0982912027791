/** The command line: which load, through which gateways, for how long, and where the files go. */
import { parseArgs } from 'node:util';
import { PROFILES, type Profile } from '#kit/machine.ts';
import type { Values } from '#terminal/message.ts';
import type { MessageKey } from './messages.ts';

export const MODES = ['sealed', 'pccom', 'verdict'] as const;
export const DIRECTIONS = ['out', 'in'] as const;
export const LOADS = ['tcp', 'udp64'] as const;

export interface Wanted {
  readonly mode: (typeof MODES)[number];
  /** From h1's gateway, ge-a: `out` seals at ge-a and opens at ge-b. */
  readonly direction: (typeof DIRECTIONS)[number];
  readonly load: (typeof LOADS)[number];
  readonly profile: Profile;
  /** Of each look. */
  readonly seconds: number;
  readonly output: string;
}

const DEFAULT_SECONDS = 3;
const MAX_SECONDS = 60;

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
  mode: { type: 'string' },
  direction: { type: 'string' },
  load: { type: 'string' },
  profile: { type: 'string' },
  seconds: { type: 'string' },
  output: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;
type OptionName = keyof typeof OPTIONS;

const isOption = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name);

/** Undefined: help was asked for. @throws Misunderstood */
export function parseArguments(words: readonly string[]): Wanted | undefined {
  const { tokens } = parseArgs({ args: [...words], options: OPTIONS, strict: false, tokens: true });
  const given: Partial<Record<OptionName, string>> = {};
  let help = false;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') throw new Misunderstood('unknown-word', { word: token.value });
    const { rawName, name, value } = token;
    if (!isOption(name)) throw new Misunderstood('unknown-word', { word: rawName });
    const missing = value === undefined || value === '' || (!token.inlineValue && value.startsWith('-'));
    if (name === 'help') help = true;
    else if (missing) throw new Misunderstood('value-missing', { option: rawName });
    else given[name] = value;
  }
  if (help) return undefined;
  return {
    mode: oneOf('--mode', MODES, given.mode),
    direction: oneOf('--direction', DIRECTIONS, given.direction),
    load: oneOf('--load', LOADS, given.load),
    profile: oneOf('--profile', PROFILES, given.profile),
    seconds: secondsOf(given.seconds),
    output: given.output ?? 'build/profile',
  };
}

/** The first unless one is named. */
function oneOf<const T extends string>(option: string, allowed: readonly T[], word: string = allowed[0]): T {
  const found = allowed.find((a) => a === word);
  if (found === undefined) throw new Misunderstood('bad-choice', { option, allowed: allowed.join(', '), word });
  return found;
}

function secondsOf(word = String(DEFAULT_SECONDS)): number {
  const seconds = Number(word);
  if (seconds >= 1 && seconds <= MAX_SECONDS) return seconds;
  throw new Misunderstood('bad-seconds', { least: 1, most: MAX_SECONDS, word });
}

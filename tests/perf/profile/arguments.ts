/** The command line: which load, through which gateways, for how long, and where the files go. */
import { PROFILES, type Profile } from '#kit/machine.ts';
import { Misunderstood, readOptions } from '../command-line.ts';
import { messages } from './messages.ts';

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

const OPTIONS = ['mode', 'direction', 'load', 'profile', 'seconds', 'output'] as const;

/** Undefined: help was asked for. @throws Misunderstood */
export function parseArguments(line: readonly string[]): Wanted | undefined {
  const { options, words, help } = readOptions(line, OPTIONS);
  if (words.length > 0) throw new Misunderstood(messages['unknown-word'], { word: words[0] });
  if (help) return undefined;
  return {
    mode: oneOf('--mode', MODES, options.mode),
    direction: oneOf('--direction', DIRECTIONS, options.direction),
    load: oneOf('--load', LOADS, options.load),
    profile: oneOf('--profile', PROFILES, options.profile),
    seconds: secondsOf(options.seconds),
    output: options.output ?? 'build/profile',
  };
}

/** The first unless one is named. */
function oneOf<const T extends string>(option: string, allowed: readonly T[], word: string = allowed[0]): T {
  const found = allowed.find((a) => a === word);
  if (found === undefined)
    throw new Misunderstood(messages['bad-choice'], { option, allowed: allowed.join(', '), word });
  return found;
}

function secondsOf(word = String(DEFAULT_SECONDS)): number {
  const seconds = Number(word);
  if (seconds >= 1 && seconds <= MAX_SECONDS) return seconds;
  throw new Misunderstood(messages['bad-seconds'], { least: 1, most: MAX_SECONDS, word });
}

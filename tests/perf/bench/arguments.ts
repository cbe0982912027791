/** The command line: `[ROW…] [--profile wire|packet|offload] [--json FILE]`. */
import { parseArgs } from 'node:util';
import { PROFILES, type Profile } from '#kit/machine.ts';
import type { Values } from '#terminal/message.ts';
import type { MessageKey } from './messages.ts';

/** What can be asked for, in the order of a run: what needs gateways just started comes first. */
export const ROWS = ['memory', 'negotiation', 'known', 'ping', 'tcp', 'udp64'] as const;
export type RowName = (typeof ROWS)[number];

export interface Asked {
  readonly rows: readonly RowName[];
  readonly profile: Profile;
  /** A file for the figures. */
  readonly json?: string;
  readonly help: boolean;
}

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
  profile: { type: 'string' },
  json: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;
type OptionName = keyof typeof OPTIONS;

const isRow = (word: string): word is RowName => (ROWS as readonly string[]).includes(word);
const isProfile = (word: string): word is Profile => (PROFILES as readonly string[]).includes(word);
const isOption = (name: string): name is OptionName => Object.hasOwn(OPTIONS, name);

/** @throws Misunderstood */
export function parseArguments(words: readonly string[]): Asked {
  const { tokens } = parseArgs({ args: [...words], options: OPTIONS, strict: false, tokens: true });
  const rows = new Set<RowName>();
  let profile: Profile = 'wire';
  let json: string | undefined;
  let help = false;
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') {
      if (!isRow(token.value)) throw new Misunderstood('unknown-row', { row: token.value, rows: ROWS.join(', ') });
      rows.add(token.value);
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
    if (name === 'json') json = value;
    else if (isProfile(value)) profile = value;
    else throw new Misunderstood('unknown-profile', { profile: value, profiles: PROFILES.join(', ') });
  }
  const asked = rows.size === 0 ? ROWS : ROWS.filter((row) => rows.has(row));
  return { rows: asked, profile, help, ...(json !== undefined && { json }) };
}

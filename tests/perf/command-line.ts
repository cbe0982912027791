/** What the command lines of the benchmark and of profiles share: options with one value each, words, and `--help`. */
import { parseArgs } from 'node:util';
import type { Language, Text } from '#config/text.ts';
import { fill, type Values } from '#terminal/message.ts';
import { shared } from './messages.ts';

/** The command line cannot be understood; the message says which word and what is possible. */
export class Misunderstood extends Error {
  readonly #text: Text;
  readonly #values: Values;

  constructor(text: Text, values: Values) {
    super(fill(text.en, values));
    this.#text = text;
    this.#values = values;
  }

  in(language: Language): string {
    return fill(this.#text[language], this.#values);
  }
}

export interface Given<Option extends string> {
  readonly options: Readonly<Partial<Record<Option, string>>>;
  /** Words that belong to no option. */
  readonly words: readonly string[];
  readonly help: boolean;
}

/** @throws Misunderstood of an option that is not among `options`, or that has no value */
export function readOptions<const Option extends string>(
  line: readonly string[],
  options: readonly Option[],
): Given<Option> {
  const known = {
    ...Object.fromEntries(options.map((option) => [option, { type: 'string' }] as const)),
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { tokens } = parseArgs({ args: [...line], options: known, strict: false, tokens: true });
  const given: Partial<Record<Option, string>> = {};
  const words: string[] = [];
  let help = false;
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value);
    if (token.kind !== 'option') continue;
    const { rawName, name, value } = token;
    if (name === 'help') {
      help = true;
      continue;
    }
    const option = options.find((o) => o === name);
    if (option === undefined) throw new Misunderstood(shared['unknown-option'], { option: rawName });
    const missing = value === undefined || value === '' || (!token.inlineValue && value.startsWith('-'));
    if (missing) throw new Misunderstood(shared['value-missing'], { option: rawName });
    given[option] = value;
  }
  return { options: given, words, help };
}

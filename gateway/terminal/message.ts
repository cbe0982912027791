/** Sentences of a command line, and values in them. */
import type { Language, Text } from '#config/text.ts';

export type Values = Readonly<Record<string, string | number>>;

/** `template` with the value of that name for each `{name}`; one that is missing stays visible. */
export function fill(template: string, values: Values): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Says a message in the language it was made for; a value that is missing stays visible as its `{name}`. */
export type SayOf<Key extends string> = ((key: Key, values?: Values) => string) & { readonly language: Language };

/** The messages of a program, by their keys, in each language. */
export const speaker =
  <Key extends string>(messages: Readonly<Record<Key, Text>>) =>
  (language: Language): SayOf<Key> => {
    const say = (key: Key, values: Values = {}): string => fill(messages[key][language], values);
    return Object.assign(say, { language });
  };

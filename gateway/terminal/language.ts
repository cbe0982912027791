/** The language of the command line, from the environment as POSIX orders it: LC_ALL, LC_MESSAGES, LANG. */
import type { Language } from '#config/text.ts';

export function languageOf(environment: Readonly<Record<string, string | undefined>>): Language {
  const locale = [environment.LC_ALL, environment.LC_MESSAGES, environment.LANG].find((value) => value);
  return /^ja(?![a-z])/i.test(locale ?? '') ? 'ja' : 'en';
}

import { Misunderstood } from '../../perf/command-line.ts';

/** The English sentence with which `parse` refuses a command line. */
export function refusal(parse: (words: readonly string[]) => unknown, words: readonly string[]): string {
  try {
    parse(words);
  } catch (error) {
    if (error instanceof Misunderstood) return error.in('en');
    throw error;
  }
  throw new Error(`understood: ${words.join(' ')}`);
}

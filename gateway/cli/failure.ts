/** How a command ends when it cannot do what was asked: lines for a person, an exit code for a script. */
import { formatProblem, type Problem } from '#config/problem.ts';
import { type Language, textOf } from '#config/text.ts';
import type { Say } from './messages.ts';

export const EXIT_OK = 0;
export const EXIT_FAILED = 1;
/** The command line or the configuration file must be corrected first. */
export const EXIT_MISTAKE = 2;

export class Failure extends Error {
  readonly exitCode: number;
  readonly lines: readonly string[];
  /** The lines begin with a file's name and place, for editors: the program's name does not stand before them. */
  readonly places: boolean;

  constructor(lines: readonly string[], exitCode: number = EXIT_FAILED, places = false) {
    super(lines.join('\n'));
    this.exitCode = exitCode;
    this.lines = lines;
    this.places = places;
  }
}

export const mistake = (line: string): Failure => new Failure([line], EXIT_MISTAKE);

/** All mistakes of a configuration file. */
export const problemsFound = (problems: readonly Problem[], say: Say): Failure =>
  new Failure(
    [
      ...problems.map((problem) => formatProblem(problem, say.language)),
      say('problems-found', { count: problems.length }),
    ],
    EXIT_MISTAKE,
    true,
  );

/** What an exception says to a person: its own words where it has them in both languages, else its message. */
export function wordsOf(error: unknown, language: Language): string {
  const text = textOf(error);
  if (text !== undefined) return text[language];
  return error instanceof Error ? error.message : String(error);
}

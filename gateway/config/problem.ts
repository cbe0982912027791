/** A mistake in a configuration file: where it is, which field it concerns, what is allowed instead. */
import type { Language, Text } from './text.ts';

export interface Problem {
  readonly file: string;
  /** From 1; 0 when the mistake has no place in the text (the file cannot be read). */
  readonly line: number;
  readonly column: number;
  /** Path of the field, `management.addresses[0]`; empty for the file as a whole. */
  readonly field: string;
  readonly message: Text;
}

/** `gateway.yaml:3:8: workers: must be …`, the form that editors jump to. */
export function formatProblem(problem: Problem, language: Language): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  const field = problem.field === '' ? '' : `${problem.field}: `;
  return `${place}: ${field}${problem.message[language]}`;
}

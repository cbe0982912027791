/** Columns that line up in a terminal, where Japanese characters are two cells wide. */

/**
 * East Asian Wide and Fullwidth (Unicode UAX #11), as far as they occur in names and sentences; marks have no width.
 */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** Terminal cells of a text. */
export function cells(text: string): number {
  let width = 0;
  for (const character of text) width += WIDE.test(character) ? 2 : /\p{M}/u.test(character) ? 0 : 1;
  return width;
}

/** A text from elsewhere (a group's name, a detail) cannot steer the terminal. */
export const harmless = (text: string): string =>
  text.replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');

export interface Column {
  readonly title: string;
  /** Numbers stand to the right. */
  readonly right?: boolean;
}

/** One line per row under a line of titles; no blanks at line ends. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const clean = [columns.map((column) => column.title), ...rows.map((row) => row.map(harmless))];
  const widths = columns.map((_, i) => clean.reduce((most, row) => Math.max(most, cells(row[i] ?? '')), 0));
  return clean.map((row) =>
    columns
      .map(({ right }, i) => {
        const text = row[i] ?? '';
        const blanks = ' '.repeat(widths[i]! - cells(text));
        return right ? blanks + text : text + blanks;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** `Label   value` lines, values below each other. */
export function list(entries: readonly (readonly [label: string, value: string])[]): string[] {
  const width = entries.reduce((most, [label]) => Math.max(most, cells(label)), 0);
  return entries.map(([label, value]) => `${label}${' '.repeat(width - cells(label))}  ${harmless(value)}`.trimEnd());
}

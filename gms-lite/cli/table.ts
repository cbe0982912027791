/** Plain tables for a terminal. */

/** Columns that a terminal gives to a text: East Asian characters take two. */
function width(text: string): number {
  return [...text].reduce((sum, c) => sum + (/[\u1100-\u115f\u2e80-\uffdc]/.test(c) ? 2 : 1), 0);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => width(row[column]))));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell + ' '.repeat(widths[column] - width(cell)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Local time to the minute; what never happened is a dash. Seconds since 1970. */
export function timeText(seconds: number): string {
  if (seconds <= 0) return '–';
  const at = new Date(seconds * 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

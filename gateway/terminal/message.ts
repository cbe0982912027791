/** Values in the sentences of a command line. */
export type Values = Readonly<Record<string, string | number>>;

/** `template` with the value of that name for each `{name}`; one that is missing stays visible. */
export function fill(template: string, values: Values): string {
  return template.replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Words for people: everything a person reads exists in both languages. */
export const LANGUAGES = ['en', 'ja'] as const;
export type Language = (typeof LANGUAGES)[number];
export type Text = Readonly<Record<Language, string>>;

/** The words that an exception brings along for a person (`text`), where it has them in both languages. */
export function textOf(error: unknown): Text | undefined {
  const text = error instanceof Error && 'text' in error ? (error.text as Partial<Text> | undefined) : undefined;
  return typeof text?.en === 'string' && typeof text.ja === 'string' ? { en: text.en, ja: text.ja } : undefined;
}

/** What the benchmark and profiles both say, in English and Japanese; both languages use the same `{values}`. */
import type { Text } from '#config/text.ts';

export const shared = {
  'unknown-option': {
    en: 'there is no option {option}; --help shows what there is',
    ja: 'オプション{option}はありません。--helpで使い方を表示します',
  },
  'value-missing': { en: '{option} needs a value', ja: '{option}には値が必要です' },
  installing: {
    en: 'installing Debian packages: {packages}',
    ja: 'Debianパッケージをインストールしています: {packages}',
  },
} satisfies Record<string, Text>;

import { expect, test } from 'vitest';
import { languageOf } from '#terminal/language.ts';

test('the language comes from the first locale that is set', () => {
  expect(languageOf({ LANG: 'ja_JP.UTF-8' })).toBe('ja');
  expect(languageOf({ LANG: 'ja_JP.UTF-8', LC_ALL: 'C' })).toBe('en');
  expect(languageOf({ LANG: 'en_GB.UTF-8', LC_MESSAGES: 'ja' })).toBe('ja');
  expect(languageOf({ LANG: 'ja_JP.UTF-8', LC_ALL: '' })).toBe('ja');
  expect(languageOf({ LANG: 'jam' })).toBe('en');
  expect(languageOf({})).toBe('en');
});

/** Everything that programs say is there in English and Japanese, with the same values in both. */
import { describe, expect, test } from 'vitest';
import { messages as cli } from '#cli/messages.ts';
import type { Text } from '#config/text.ts';
import { messages as gms } from '../../gms-lite/cli/messages.ts';
import { words as demo } from '../lab/demo/words.ts';
import { messages as bench } from '../perf/bench/messages.ts';
import { messages as profile } from '../perf/profile/messages.ts';
import { messages as run } from '../run/messages.ts';

const JAPANESE = /[\u3040-\u30ff\u4e00-\u9fff]/;

const TABLES: Readonly<Record<string, Readonly<Record<string, Text>>>> = { cli, gms, demo, bench, profile, run };
/** Units, names and signs: what is written the same in both languages. */
const SAME: readonly string[] = [
  'cli label-gms',
  'gms ge.set',
  'gms token.kind',
  'gms column.id',
  'bench node',
  'bench to-plain',
  'profile bits',
  'profile calls-send',
  'profile calls-wait',
  'profile per-kilobyte',
  'profile typescript',
];

const valuesIn = (text: string): string[] => [...new Set(text.match(/\{\w+\}/g))].sort();

describe.each(Object.entries(TABLES))('%s', (table, messages) => {
  test.each(Object.entries(messages))('%s', (key, { en, ja }) => {
    expect(en).not.toBe('');
    expect(en).not.toMatch(JAPANESE);
    expect(ja).not.toBe('');
    expect(JAPANESE.test(ja)).toBe(!SAME.includes(`${table} ${key}`));
    expect(valuesIn(ja)).toEqual(valuesIn(en));
  });
});

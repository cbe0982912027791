/** What the benchmark understands, and what it says to the rest. */
import { describe, expect, test } from 'vitest';
import { type Asked, Misunderstood, parseArguments, ROWS } from '../../perf/bench/arguments.ts';
import { messages, sayIn } from '../../perf/bench/messages.ts';

const all: Asked = { rows: ROWS, profile: 'wire', help: false };

/** The sentence that a person reads instead of figures. */
function refusal(...words: string[]): string {
  try {
    parseArguments(words);
  } catch (error) {
    if (error instanceof Misunderstood) return sayIn('en')(error.key, error.values);
    throw error;
  }
  throw new Error(`understood: ${words.join(' ')}`);
}

describe('the command line', () => {
  test('without words measures everything on real segments', () => {
    expect(parseArguments([])).toEqual(all);
  });

  test('takes rows in any order, once each, and measures them in its own', () => {
    expect(parseArguments(['tcp', 'memory', 'tcp']).rows).toEqual(['memory', 'tcp']);
  });

  test.each(['wire', 'packet', 'offload'] as const)('takes profile %s, after a blank or an equals sign', (profile) => {
    expect(parseArguments(['--profile', profile])).toEqual({ ...all, profile });
    expect(parseArguments([`--profile=${profile}`, 'ping'])).toEqual({ ...all, rows: ['ping'], profile });
  });

  test('takes a file for the figures', () => {
    expect(parseArguments(['--json', 'figures.json'])).toEqual({ ...all, json: 'figures.json' });
  });

  test('asks for help', () => {
    expect(parseArguments(['-h']).help).toBe(true);
    expect(parseArguments(['tcp', '--help']).help).toBe(true);
  });

  test('says which word it does not know, and which there are', () => {
    expect(refusal('tcp', 'udp')).toBe(`there is no row udp; rows: ${ROWS.join(', ')}`);
    expect(refusal('--profile', 'fast')).toMatch(/^--profile: there is no profile fast; profiles: wire, /);
    expect(refusal('--rows')).toContain('no option --rows');
    expect(refusal('-x')).toContain('no option -x');
  });

  test.each(['--profile', '--json'])('says that %s needs a value', (option) => {
    expect(refusal(option)).toBe(`${option} needs a value`);
    expect(refusal(`${option}=`)).toBe(`${option} needs a value`);
    expect(refusal(option, '--help')).toBe(`${option} needs a value`);
  });
});

test('both languages use the same values', () => {
  const placeholders = (text: string) => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const [key, { en, ja }] of Object.entries(messages)) {
    expect([key, placeholders(ja)]).toEqual([key, placeholders(en)]);
  }
});

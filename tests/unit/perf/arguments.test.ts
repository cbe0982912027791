/** What the benchmark understands, and what it says to the rest. */
import { describe, expect, test } from 'vitest';
import { type Asked, DEFAULT_SAMPLES, Misunderstood, parseArguments, ROWS } from '../../perf/bench/arguments.ts';
import { messages, sayIn } from '../../perf/bench/messages.ts';
import { MODES } from '../../perf/bench/modes.ts';

const all: Asked = {
  parts: [{ profile: 'wire', rows: ROWS }],
  modes: MODES,
  samples: DEFAULT_SAMPLES,
  help: false,
};
const rowsOf = (...words: string[]): readonly string[] => parseArguments(words).parts[0].rows;

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
    expect(rowsOf('tcp', 'memory', 'tcp')).toEqual(['memory', 'tcp']);
    expect(rowsOf('--rows', 'tcp,memory', 'ping')).toEqual(['memory', 'ping', 'tcp']);
  });

  test.each(['wire', 'packet', 'offload'] as const)('takes profile %s, after a blank or an equals sign', (profile) => {
    expect(parseArguments(['--profile', profile])).toEqual({ ...all, parts: [{ profile, rows: ROWS }] });
    expect(parseArguments([`--profile=${profile}`, 'ping']).parts).toEqual([{ profile, rows: ['ping'] }]);
  });

  test('takes all profiles, links as they come first; the others repeat streams only', () => {
    expect(parseArguments(['--profile', 'all']).parts).toEqual([
      { profile: 'offload', rows: ['tcp', 'verdict'] },
      { profile: 'wire', rows: ROWS },
      { profile: 'packet', rows: ['tcp', 'verdict'] },
    ]);
    expect(parseArguments(['--profile', 'all', 'ping']).parts).toEqual([{ profile: 'wire', rows: ['ping'] }]);
  });

  test('takes modes in any order, once each', () => {
    expect(parseArguments(['--modes', 'pccom,plain,pccom']).modes).toEqual(['plain', 'pccom']);
  });

  test('takes the number of samples', () => {
    expect(parseArguments(['--samples', '9']).samples).toBe(9);
    for (const word of ['0', '1.5', '100', 'many']) {
      expect(refusal('--samples', word)).toBe(`--samples: a whole number from 1 to 99; not ${word}`);
    }
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
    expect(refusal('--rows', 'tcp,udp')).toBe(`there is no row udp; rows: ${ROWS.join(', ')}`);
    expect(refusal('--modes', 'ipsec')).toMatch(/^--modes: there is no mode ipsec; modes: plain, /);
    expect(refusal('--fast')).toContain('no option --fast');
    expect(refusal('-x')).toContain('no option -x');
  });

  test.each(['--profile', '--json', '--rows', '--modes', '--samples'])('says that %s needs a value', (option) => {
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

/** What the benchmark understands, and what it says to the rest. */
import { describe, expect, test } from 'vitest';
import { type Asked, DEFAULT_SAMPLES, parseArguments, ROWS } from '../../perf/bench/arguments.ts';
import { MODES } from '../../perf/bench/modes.ts';
import { refusal } from './refusal.ts';

const all: Asked = {
  parts: [{ profile: 'wire', rows: ROWS }],
  modes: MODES,
  samples: DEFAULT_SAMPLES,
  help: false,
};
const rowsOf = (...words: string[]): readonly string[] => parseArguments(words).parts[0].rows;

const refusalOf = (...words: string[]): string => refusal(parseArguments, words);

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
      expect(refusalOf('--samples', word)).toBe(`--samples: a whole number from 1 to 99; not ${word}`);
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
    expect(refusalOf('tcp', 'udp')).toBe(`there is no row udp; rows: ${ROWS.join(', ')}`);
    expect(refusalOf('--profile', 'fast')).toMatch(/^--profile: there is no profile fast; profiles: wire, /);
    expect(refusalOf('--rows', 'tcp,udp')).toBe(`there is no row udp; rows: ${ROWS.join(', ')}`);
    expect(refusalOf('--modes', 'ipsec')).toMatch(/^--modes: there is no mode ipsec; modes: plain, /);
    expect(refusalOf('--fast')).toContain('no option --fast');
    expect(refusalOf('-x')).toContain('no option -x');
  });

  test.each(['--profile', '--json', '--rows', '--modes', '--samples'])('says that %s needs a value', (option) => {
    expect(refusalOf(option)).toBe(`${option} needs a value`);
    expect(refusalOf(`${option}=`)).toBe(`${option} needs a value`);
    expect(refusalOf(option, '--help')).toBe(`${option} needs a value`);
  });
});

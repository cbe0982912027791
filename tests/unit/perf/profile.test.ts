/** What `npm run profile` understands, and what it reads from a profile of V8: time in functions themselves, stacks. */
import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../perf/profile/arguments.ts';
import { type CpuProfile, nameOf, selfShares } from '../../perf/profile/summary.ts';
import { refusal } from './refusal.ts';

const frame = (functionName: string, url = '', lineNumber = 0) => ({ functionName, url, lineNumber });
const GATEWAY = 'file:///opt/gscip/gateway';

/** turn calls seal twice, by two ways; both call into the addon. */
const profile: CpuProfile = {
  nodes: [
    { id: 1, callFrame: frame('(root)'), children: [2, 6] },
    { id: 2, callFrame: frame('turn', `${GATEWAY}/datapath/datapath.ts`, 163), children: [3, 4] },
    { id: 3, callFrame: frame('seal', `${GATEWAY}/transform/sealed-tcp.ts`, 9), children: [5] },
    { id: 4, callFrame: frame('', `${GATEWAY}/datapath/lane.ts`, 1), children: [7] },
    { id: 5, callFrame: frame('checksum') },
    { id: 6, callFrame: frame('(garbage collector)') },
    { id: 7, callFrame: frame('seal', `${GATEWAY}/transform/sealed-tcp.ts`, 9) },
  ],
  samples: [2, 3, 5, 7, 6, 6],
  timeDeltas: [5, 10, 20, 30, 20, 20],
};

test('a function has its room and line; the addon is one, V8 has its own words', () => {
  expect(nameOf(profile.nodes[1].callFrame)).toBe('turn datapath/datapath.ts:164');
  expect(nameOf(profile.nodes[3].callFrame)).toBe('(anonymous) datapath/lane.ts:2');
  expect(nameOf(profile.nodes[4].callFrame)).toBe('(addon)');
  expect(nameOf(profile.nodes[5].callFrame)).toBe('(garbage collector)');
});

test('time in functions themselves adds up over all callers, the most first', () => {
  /* Each sample lasts until the next one; the last has no end. */
  expect(selfShares(profile)).toEqual([
    { name: 'seal transform/sealed-tcp.ts:10', share: 0.4 },
    { name: '(addon)', share: 0.3 },
    { name: '(garbage collector)', share: 0.2 },
    { name: 'turn datapath/datapath.ts:164', share: 0.1 },
  ]);
});

test('a profile without samples has no shares', () => {
  expect(selfShares({ nodes: [] })).toEqual([]);
});

describe('the command line', () => {
  const refusalOf = (...words: string[]): string => refusal(parseArguments, words);

  test('without words looks at sealed, outward, one TCP stream on real segments', () => {
    expect(parseArguments([])).toEqual({
      mode: 'sealed',
      direction: 'out',
      load: 'tcp',
      profile: 'wire',
      seconds: 3,
      output: 'build/profile',
    });
  });

  test('takes every option, after a blank or an equals sign', () => {
    const words = ['--mode', 'pccom', '--direction=in', '--load', 'udp64', '--profile=packet', '--seconds', '1.5'];
    expect(parseArguments([...words, '--output', '/tmp/x'])).toEqual({
      mode: 'pccom',
      direction: 'in',
      load: 'udp64',
      profile: 'packet',
      seconds: 1.5,
      output: '/tmp/x',
    });
  });

  test('asks for help, also beside what it does not like', () => {
    expect(parseArguments(['-h'])).toBeUndefined();
    expect(parseArguments(['--mode', 'fast', '--help'])).toBeUndefined();
  });

  test('says what it does not understand, and what there is', () => {
    expect(refusalOf('--mode', 'fast')).toBe('--mode: sealed, pccom, verdict; not fast');
    expect(refusalOf('--direction', 'up')).toBe('--direction: out, in; not up');
    for (const word of ['0', '61', 'long']) {
      expect(refusalOf('--seconds', word)).toBe(`--seconds: a number from 1 to 60; not ${word}`);
    }
    expect(refusalOf('tcp')).toBe('tcp is not understood; --help shows what there is');
    expect(refusalOf('--fast')).toContain('no option --fast');
    expect(refusalOf('--load', '--help')).toBe('--load needs a value');
  });
});

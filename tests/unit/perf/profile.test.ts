/** What is read from a profile of V8: time in functions themselves, and stacks. */
import { expect, test } from 'vitest';
import { type CpuProfile, foldedStacks, nameOf, selfShares } from '../../perf/profile/summary.ts';

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

test('stacks are folded from the outermost, with the time in them', () => {
  expect(foldedStacks(profile).sort()).toEqual([
    '(garbage collector) 20',
    'turn datapath/datapath.ts:164 10',
    'turn datapath/datapath.ts:164;(anonymous) datapath/lane.ts:2;seal transform/sealed-tcp.ts:10 20',
    'turn datapath/datapath.ts:164;seal transform/sealed-tcp.ts:10 20',
    'turn datapath/datapath.ts:164;seal transform/sealed-tcp.ts:10;(addon) 30',
  ]);
});

test('a profile without samples has no shares and no stacks', () => {
  expect(selfShares({ nodes: [] })).toEqual([]);
  expect(foldedStacks({ nodes: [] })).toEqual([]);
});

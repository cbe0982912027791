import { expect, test } from 'vitest';
import { explainSteps } from '#api/explain.ts';
import type { ExplainFacts } from '#api/views.ts';
import type { GeId } from '#dprp/spec.ts';
import { PAIRS } from '#kit/gateway-view.ts';

const unknown: ExplainFacts = {
  state: 'running',
  mode: 'open',
  peer: '10.1.0.9',
  class: 'pair',
  verdict: 'unknown',
  pairs: [],
  protectedPrefix: false,
};
const story = (facts: Partial<ExplainFacts>) =>
  explainSteps({ ...unknown, ...facts }).map((step) => `${step.step}${step.decides ? '!' : ''}`);

test('the questions stand in the order in which the gateway asks them, and the last one decides', () => {
  expect(story({ class: 'exception', exception: { address: '10.1.0.9/32', direction: 'out' } })).toEqual([
    'exception!',
  ]);
  expect(story({ class: 'never-negotiated' })).toEqual(['exception', 'never-negotiated!']);
  expect(story({ class: 'without-keys', state: 'closed' })).toEqual(['exception', 'state!']);
  const open = { class: 'without-keys', state: 'open' } as const;
  expect(story({ ...open, verdict: 'plain' })).toEqual(['exception', 'state!']);
  expect(story({ ...open, verdict: 'discard' })).toEqual(['exception', 'state', 'protected-prefix', 'remembered!']);
  expect(story({ ...open, verdict: 'discard', protectedPrefix: true })).toEqual([
    'exception',
    'state',
    'protected-prefix!',
  ]);
  expect(story({ verdict: 'encrypt', pairs: PAIRS })).toEqual(['exception', 'state', 'pair!']);
  expect(story({})).toEqual(['exception', 'state', 'pair', 'protected-prefix', 'remembered', 'negotiate!']);
});

test('what is known about an address goes with its step', () => {
  const remembered = { ge: 'ffeeddccbbaa9988' as GeId, transform: 'sealed' } as const;
  const steps = explainSteps({ ...unknown, protectedPrefix: true, remembered });
  expect(steps).toContainEqual({ step: 'protected-prefix', protected: true, decides: false });
  expect(steps).toContainEqual({ step: 'remembered', remembered, decides: false });
});

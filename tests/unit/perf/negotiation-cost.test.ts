/** The benchmark of negotiations by computing alone: that what it drives is a whole negotiation. */
import { expect, test } from 'vitest';
import { negotiationCost } from '../../perf/bench/negotiation-cost.ts';

test.each(['native', 'noble'] as const)('%s: every step is one', (kind) => {
  const { steps, sideA, sideB } = negotiationCost(kind, 1);
  for (const [step, time] of Object.entries(steps)) expect(time, step).toBeGreaterThan(0);
  expect(Math.min(sideA, sideB)).toBeGreaterThan(0);
});

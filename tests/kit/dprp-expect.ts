/** What must be true of two gateways after a negotiation, however it went. */
import { expect } from 'vitest';
import { type Gateway, PAIR_A, PAIR_B, type World } from './dprp-world.ts';

/** Both send with one agreement, and its keys are equal. */
export function expectSameKeys(world: World & { b: Gateway }): void {
  const a = world.a.sender(PAIR_A);
  const b = world.b.sender(PAIR_B);
  expect(a, 'a sends protected').toBeDefined();
  expect(b, 'b sends protected').toBeDefined();
  expect(b?.negotiation, 'both send with one agreement').toBe(a?.negotiation);
  if (a && b) expect(world.b.fingerprint(b), 'one secret').toBe(world.a.fingerprint(a));
  expect(b).toMatchObject({
    transcript: a?.transcript,
    generation: a?.generation,
    algorithm: a?.algorithm,
    initiatorGe: a?.initiatorGe,
  });
}

/** Every key was released exactly once, and none was used afterwards. */
export function expectNothingLeft(...gateways: Gateway[]): void {
  for (const gateway of gateways) {
    gateway.close();
    expect([...gateway.crypto.live], `keys of ${gateway.name}`).toEqual([]);
    expect(gateway.crypto.violations, gateway.name).toEqual([]);
  }
}

import { describe, expect, it } from 'vitest';
import { expectNothingLeft, expectSameKeys } from '#kit/dprp-expect.ts';
import { Gateway, GE_A, GE_B, PAIR_A, PAIR_B, seeded, twoGateways } from '#kit/dprp-world.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 0xffff_ffff));

/** What a wire may do: up to 30 % loss, 20 % duplicates, 200 ms with as much reordering again. */
function wireOf(runSeed: number): { loss: number; duplicate: number; delay: number; jitter: number; seed: number } {
  const chance = seeded(runSeed);
  return {
    loss: 0.3 * chance(),
    duplicate: 0.2 * chance(),
    delay: 200 * chance(),
    jitter: 200 * chance(),
    seed: runSeed,
  };
}

describe(`a wire that loses, doubles, delays and reorders (SEED=${seed})`, () => {
  it.each(Array.from({ length: 60 }, (_, i) => (seed + i) >>> 0))(
    'both ends hold one secret in the end (seed %d)',
    (runSeed) => {
      const chance = seeded(runSeed ^ 0x5eed);
      const world = twoGateways({ wire: wireOf(runSeed) });
      const beginA = (): unknown => world.a.begin(PAIR_A, 'packet', world.now);
      const beginB = (): unknown => world.b.begin(PAIR_B, 'packet', world.now);
      const way = Math.floor(3 * chance());
      if (way !== 1) beginA();
      if (way !== 0) {
        world.run(400 * chance());
        beginB();
      }
      /* The datapath asks again when a verdict ends, as traffic goes on. */
      for (let i = 0; i < 40 && !(world.a.sender(PAIR_A) && world.b.sender(PAIR_B)); i++) {
        world.runFor(1_500);
        if (!world.a.sender(PAIR_A)) world.a.begin(PAIR_A, 'packet', world.now);
      }
      world.runFor(25_000);
      expectSameKeys(world);
      expect(world.a.names()).not.toContain('alarm decision-differs');

      for (let i = 0; i < 3; i++) {
        if (chance() < 0.5) world.a.begin(PAIR_A, 'renewal', world.now);
        if (chance() < 0.5) {
          world.run(world.now + 300 * chance());
          world.b.begin(PAIR_B, 'renewal', world.now);
        }
        /* At no moment is there a side that sends what the other cannot receive. */
        for (let t = 0; t < 300; t++) {
          world.runFor(50);
          const a = world.a.sender(PAIR_A);
          const b = world.b.sender(PAIR_B);
          const known = (g: Gateway, pair: typeof PAIR_A, id?: string): boolean =>
            g.state(pair).generations.some((x) => x?.negotiation === id);
          expect(known(world.b, PAIR_B, a?.negotiation), `b can receive a at ${world.now}`).toBe(true);
          expect(known(world.a, PAIR_A, b?.negotiation), `a can receive b at ${world.now}`).toBe(true);
        }
        expectSameKeys(world);
      }
      world.runFor(30_000);
      expectNothingLeft(world.a, world.b);
    },
  );

  it.each(Array.from({ length: 20 }, (_, i) => (seed + 1_000 + i) >>> 0))(
    'a side that restarts at any moment comes back (seed %d)',
    (runSeed) => {
      const chance = seeded(runSeed ^ 0x5eed);
      const wire = wireOf(runSeed);
      const world = twoGateways({ wire });
      world.a.begin(PAIR_A, 'packet', 0);
      world.run(1_500 * chance());
      world.replaceB(new Gateway('b', world.gms, { ge: GE_B, groups: [{ number: 7, versions: [1] }] }));
      for (let i = 0; i < 40; i++) {
        world.runFor(1_000);
        const id = world.a.sender(PAIR_A)?.negotiation;
        const received = world.b.state(PAIR_B).generations.some((x) => x?.negotiation === id);
        /* What a's device sends: protected, and b does not know it: the notice; not yet: a packet again. */
        if (id === undefined) world.a.begin(PAIR_A, 'packet', world.now);
        else if (!received) world.a.begin(PAIR_A, 'heal', world.now);
      }
      world.runFor(30_000);
      expectSameKeys(world);
      expectNothingLeft(world.a, world.b);
    },
  );

  it('a bundle on either side in the middle of a negotiation stops nothing', () => {
    for (let at = 0; at < 4; at += 0.25) {
      for (const side of ['a', 'b'] as const) {
        const world = twoGateways();
        const ge = side === 'a' ? GE_A : GE_B;
        const { provider } = world[side];
        const former = world.gms.identity(provider, { ge, groups: [{ number: 7, versions: [1] }] });
        world[side].setIdentity(former, 0);
        world.a.begin(PAIR_A, 'packet', 0);
        world.run(at);
        const groups = [{ number: 7, versions: [2, 1] }];
        world[side].setIdentity(world.gms.identity(provider, { ge, groups }), world.now);
        /* Its keys come under other handles; the former ones are gone at once. */
        for (const { key } of [...former.domainKeys, ...former.groupKeys]) provider.release(key as never);
        provider.release(former.staticSecret as never);
        world.run(40);
        expectSameKeys(world);
        expectNothingLeft(world.a, world.b);
      }
    }
  });
});

import { expect, test } from 'vitest';
import { countsNow, verdictNow } from '#datapath/verdict.ts';
import { H1, H2, udp } from '#kit/sim-frames.ts';
import { SimWorld } from '#kit/sim-world.ts';
import { FORM_FRAGMENT, FORM_UDP, Frame } from '#wire/frame.ts';

test('a verdict past its time is unknown, and encryption without keys is', () => {
  const world = new SimWorld(1);
  for (const side of ['a', 'b'] as const) world.key(side);
  world.sendFromH1(udp({ from: H1, to: H2 }, 1, 2, Buffer.from('data')));
  world.run(1_000);
  const { pairs, associations } = world.a.datapath;
  const [pair] = pairs.values();
  expect(verdictNow(pair, associations, 1e9)).toBe('encrypt');
  associations.endAll(pair);
  expect(verdictNow(pair, associations, 0)).toBe('unknown');
  for (const verdict of ['plain', 'discard'] as const) {
    Object.assign(pair, { verdict, until: 100 });
    expect([verdictNow(pair, associations, 99), verdictNow(pair, associations, 100)]).toEqual([verdict, 'unknown']);
  }
});

test('what is held counts once: a whole packet when it comes, a fragment when it is known that it stays one', () => {
  const verdicts = ['unknown', 'negotiating', 'encrypt', 'plain', 'discard'] as const;
  const counts = (form: number, held: boolean) =>
    verdicts.filter((verdict) => countsNow(Object.assign(new Frame(), { form }), held, verdict));
  expect(counts(FORM_UDP, false)).toEqual(verdicts);
  expect(counts(FORM_UDP, true)).toEqual([]);
  for (const held of [false, true]) expect(counts(FORM_FRAGMENT, held)).toEqual(['plain', 'discard']);
});

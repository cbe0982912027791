import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Shares } from '#pit/shares.ts';

test('the holder with most places gives up the one written longest ago', () => {
  const shares = new Shares<string>();
  expect([shares.next(), shares.oldest()]).toEqual([undefined, undefined]);
  shares.set('1', 'a');
  expect(shares.next(), 'there is no other').toBeUndefined();
  shares.set('2', 'b');
  expect(shares.next(), 'it was written later').toBe('1');
  shares.set('3', 'b');
  expect(shares.next()).toBe('2');
  shares.set('2', 'b');
  expect(shares.next(), 'written again').toBe('3');
  shares.set('3', 'a');
  expect(shares.next(), 'of another now').toBe('1');
  shares.delete('1');
  shares.delete('nowhere');
  expect([shares.size, shares.oldest()]).toEqual([2, '2']);
  shares.clear();
  expect([shares.size, shares.next(), shares.oldest()]).toEqual([0, undefined, undefined]);
});

test('whatever is written and deleted, it is what a search through all would find', () => {
  const step = fc.record({
    what: fc.constantFrom('set', 'set', 'replace', 'delete'),
    key: fc.integer({ min: 0, max: 20 }).map(String),
    holder: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const shares = new Shares<number>();
      let twin: { key: string; holder: number }[] = []; /* the one written longest ago first */
      const drop = (key: string): void => {
        shares.delete(key);
        twin = twin.filter((entry) => entry.key !== key);
      };
      for (const { what, key, holder } of steps) {
        if (what === 'delete') drop(key);
        else {
          shares.set(key, holder);
          twin = [...twin.filter((entry) => entry.key !== key), { key, holder }];
          const count = (of: number): number => twin.filter((entry) => entry.holder === of).length;
          const most = Math.max(...twin.map((entry) => count(entry.holder)));
          const firsts = twin.filter(
            (entry) => count(entry.holder) === most && entry === twin.find((other) => other.holder === entry.holder),
          );
          const next = shares.next();
          if (twin.length === 1) expect(next).toBeUndefined();
          else expect(firsts.map((entry) => entry.key).filter((first) => first !== key)).toContain(next);
          if (what === 'replace' && next !== undefined) drop(next);
        }
        expect([shares.size, shares.oldest()]).toEqual([twin.length, twin[0]?.key]);
      }
    }),
  );
});

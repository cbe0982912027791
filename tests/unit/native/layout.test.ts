import { expect, test } from 'vitest';
import { native } from '#native/native.ts';
import * as cipher from '#transform/cipher.ts';
import * as record from '#wire/record.ts';

test('C and TypeScript agree on every column and on the shape of a slot', () => {
  const inTypeScript: Record<string, unknown> = { ...record, ...cipher };
  const inC = native.layout();
  expect(Object.keys(inC).length).toBeGreaterThan(20);
  for (const [name, value] of Object.entries(inC)) expect([name, value]).toEqual([name, inTypeScript[name]]);
});

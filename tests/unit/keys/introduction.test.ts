import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import { introduction } from '#keys/introduction.ts';

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const software = `gscip-gateway ${version}`;

test('a gateway says the name of its machine, its kind and its version', () => {
  expect(introduction('router', 'press-7')).toEqual({ name: 'press-7', kind: 'router', software });
  expect(introduction('bridge')).toMatchObject({ name: hostname() });
});

test('it leaves out a kind that it does not know, and a name that no gateway may have', () => {
  for (const host of ['', 'a'.repeat(64), 'a/b']) expect(introduction(undefined, host)).toEqual({ software });
});

/**
 * What is shipped may be shipped under Apache-2.0: the licence of every installed package that package-lock.json does
 * not mark as one for development only.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { licenceOf } from '#kit/licence.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** SPDX names of licences that ask for no more than their notice. */
const ALLOWED: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Unlicense',
  'Zlib',
]);

/** True for an SPDX expression that can be met by allowed licences: one of `A OR B`, all of `A AND B`. */
function mayShip(expression: unknown): boolean {
  if (typeof expression !== 'string') return false;
  const plain = expression.replaceAll(/[()]/g, ' ').trim();
  /* Without parentheses AND binds stronger; with both operators nested the answer is only ever too strict or equal. */
  if (/[()]/.test(expression) && / AND /.test(plain) && / OR /.test(plain)) {
    return plain.split(/ AND | OR /).every((name) => ALLOWED.has(name.trim()));
  }
  return plain.split(' OR ').some((all) => all.split(' AND ').every((name) => ALLOWED.has(name.trim())));
}

interface LockedPackage {
  readonly dev?: boolean;
}

/** Folders of production packages, `node_modules/…`, that are installed: optional ones for other machines are not. */
function shipped(): string[] {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, LockedPackage>;
  };
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
    .map(([path]) => path)
    .filter((path) => existsSync(join(ROOT, path, 'package.json')));
}

describe('licences', () => {
  const packages = shipped();

  test('the packages were found, and those for development are not among them', () => {
    expect(packages).toEqual(expect.arrayContaining(['node_modules/hono', 'node_modules/lmdb', 'node_modules/tslib']));
    expect(packages).not.toContain('node_modules/vitest');
  });

  test('of everything that is shipped fit Apache-2.0', () => {
    const refused = packages.flatMap((path) => {
      const licence = licenceOf(join(ROOT, path));
      return mayShip(licence) ? [] : [`${path}: ${JSON.stringify(licence) ?? 'no licence'}`];
    });
    expect(refused).toEqual([]);
  });

  test.each([
    ['MIT', true],
    ['MIT OR GPL-3.0-only', true],
    ['(MIT OR Apache-2.0)', true],
    ['MIT AND BSD-3-Clause', true],
    ['MIT AND GPL-2.0-only', false],
    ['(MIT OR GPL-3.0-only) AND LGPL-2.1-only', false],
    ['GPL-3.0-only', false],
    ['SEE LICENSE IN LICENSE', false],
    ['UNLICENSED', false],
    [undefined, false],
  ])('%s: %s', (expression, answer) => {
    expect(mayShip(expression)).toBe(answer);
  });
});

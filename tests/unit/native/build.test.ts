/** The script that builds the addon: what it builds anew, and what it says without building. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { addAddon, type Tree, treeWith } from '#kit/tree.ts';

const BUILD = 'gateway/native/build';
const ADDON = 'build/gscip.node';

/** A tree with sources, and its script. */
function addon(): { readonly tree: Tree; build(...words: string[]): { status: number | null; out: string } } {
  const tree = treeWith(BUILD);
  const environment = addAddon(tree);
  return {
    tree,
    build(...words) {
      const { status, stdout, stderr } = tree.sh(BUILD, words, environment);
      return { status, out: stdout + stderr };
    },
  };
}

describe('gateway/native/build', () => {
  test('builds once; --quiet says nothing the second time', () => {
    const { tree, build } = addon();
    expect(build()).toEqual({ status: 0, out: 'set-up: building the native addon\n' });
    expect(readFileSync(tree.path(ADDON), 'utf8')).toBe('built\n');
    expect(build()).toEqual({ status: 0, out: 'set-up: native addon is built\n' });
    expect(build('--quiet')).toEqual({ status: 0, out: '' });
  });

  test('--check fails before the first build, and makes nothing', () => {
    const { tree, build } = addon();
    expect(build('--check')).toEqual({ status: 1, out: '' });
    expect(existsSync(tree.path('build'))).toBe(false);
  });

  test('--check says nothing about an addon of these sources', () => {
    const { build } = addon();
    build();
    expect(build('--check')).toEqual({ status: 0, out: '' });
  });

  test.each([
    ['a source changed', (tree: Tree) => tree.write('gateway/native/addon.c', 'int addon = 1;\n')],
    ['a header changed', (tree: Tree) => tree.write('gateway/native/addon.h', 'extern int addon, more;\n')],
    ['a source came', (tree: Tree) => tree.write('gateway/native/more.c', 'int more;\n')],
    ['the addon is gone', (tree: Tree) => rmSync(tree.path(ADDON))],
  ])('--check fails when %s, until it is built anew', (_, change) => {
    const { tree, build } = addon();
    build();
    change(tree);
    expect(build('--check')).toEqual({ status: 1, out: '' });
    expect(build('--quiet')).toEqual({ status: 0, out: 'set-up: building the native addon\n' });
    expect(build('--check')).toEqual({ status: 0, out: '' });
  });
});

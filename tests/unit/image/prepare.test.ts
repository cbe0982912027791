/** `image/prepare --check`: before a gateway starts, whether everything that it runs on is of this version. */
import { describe, expect, test } from 'vitest';
import { addAddon, type Tree, treeWith } from '#kit/tree.ts';

const BUILD = 'gateway/native/build';
const PREPARE = 'image/prepare';
/** What the mark of a set-up is made of, in its order. */
const SET_UP = ['package-lock.json', 'package.json', '.npmrc', PREPARE];
const REFUSAL = 'set-up: this version is not set up yet; stop what runs from here, then: npm run setup\n';

/** A tree that was set up, and the check. */
function setUp(): { readonly tree: Tree; check(): { status: number | null; out: string } } {
  const tree = treeWith(BUILD, ...SET_UP);
  const environment = addAddon(tree);
  tree.sh(BUILD, ['--quiet'], environment);
  tree.write('mark', `cd "$(dirname "$0")"; cat ${SET_UP.join(' ')} | sha256sum | cut -d' ' -f1\n`);
  tree.write('node_modules/.prepared', tree.sh('mark', []).stdout);
  return {
    tree,
    check() {
      const { status, stdout, stderr } = tree.sh(PREPARE, ['--check'], environment);
      return { status, out: stdout + stderr };
    },
  };
}

describe('image/prepare --check', () => {
  test('is content, and quiet, where this version was set up', () => {
    expect(setUp().check()).toEqual({ status: 0, out: '' });
  });

  test.each([
    ['a package changed', 'package-lock.json', '{}\n'],
    ['the addon has another source', 'gateway/native/addon.c', 'int addon = 1;\n'],
  ])('refuses after an update in which %s', (_, file, text) => {
    const { tree, check } = setUp();
    tree.write(file, text);
    expect(check()).toEqual({ status: 1, out: REFUSAL });
  });
});

/** What `npm test` leaves out where it has no root, and that it says why in both languages. */
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { treeWith } from '#kit/tree.ts';
import { sayIn } from '../../run/messages.ts';
import { namespaceObstacle, unitTestsInNamespaces } from '../../run/obstacles.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

test('network namespaces need Linux and root', () => {
  expect(namespaceObstacle('linux', 0)).toBeUndefined();
  expect(namespaceObstacle('linux', 1000)).toBe('not-root');
  expect(namespaceObstacle('darwin', 0)).toBe('not-linux');
  expect(sayIn('en')('not-root')).toContain('as root');
});

test('unit tests that make some are found by what they import', () => {
  const tree = treeWith();
  tree.write('tests/unit/port/wire.test.ts', "import { run } from './namespace.ts';\n");
  tree.write('tests/unit/host/far.test.ts', "/** Far. */\nimport { a } from '../port/namespace.ts';\n");
  tree.write(
    'tests/unit/port/talk.test.ts',
    "/* import { run } from './namespace.ts'; */\nconst a = 'namespace.ts';\n",
  );
  tree.write('tests/lab/x.test.ts', "import { run } from './namespace.ts';\n");
  expect(unitTestsInNamespaces(tree.path('.'))).toEqual([
    'tests/unit/host/far.test.ts',
    'tests/unit/port/wire.test.ts',
  ]);
  expect(unitTestsInNamespaces(ROOT)).toContain('tests/unit/port/packet.test.ts');
});

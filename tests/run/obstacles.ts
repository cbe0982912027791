/** What cannot be tested here, and why: tests in network namespaces, without Linux or without root. */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MessageKey } from './messages.ts';

/** Why tests cannot make network namespaces; undefined when they can. */
export function namespaceObstacle(
  platform: NodeJS.Platform = process.platform,
  user = process.getuid?.(),
): MessageKey | undefined {
  if (platform !== 'linux') return 'not-linux';
  return user === 0 ? undefined : 'not-root';
}

/** How a unit test comes to a namespace of its own: tests/unit/port/namespace.ts. */
const MAKES_NAMESPACES = /^import .* from '[./\w-]*\/namespace\.ts';$/m;

/** Unit tests below `root` that make network namespaces, from the root on, in order. */
export function unitTestsInNamespaces(root: string): string[] {
  return globSync('tests/unit/**/*.test.ts', { cwd: root })
    .filter((path) => MAKES_NAMESPACES.test(readFileSync(join(root, path), 'utf8')))
    .sort();
}

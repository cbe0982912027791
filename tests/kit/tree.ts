/** A small tree of files that stands for the repository, for scripts that work on the tree they lie in. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface Tree {
  /** From the tree's root, as the other paths. */
  path(file: string): string;
  write(file: string, text: string, mode?: number): void;
  /** Runs a script of the tree with `more` in its environment, from another folder. */
  sh(script: string, words: readonly string[], more?: Readonly<Record<string, string>>): SpawnSyncReturns<string>;
}

/** Holds copies of `scripts`, and is removed with the test. */
export function treeWith(...scripts: readonly string[]): Tree {
  const root = mkdtempSync(join(tmpdir(), 'gscip-tree-'));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  const path = (file: string): string => join(root, file);
  for (const script of scripts) cpSync(join(ROOT, script), path(script));
  return {
    path,
    write(file, text, mode) {
      mkdirSync(dirname(path(file)), { recursive: true });
      writeFileSync(path(file), text, { mode });
    },
    sh: (script, words, more = {}) =>
      spawnSync('sh', [path(script), ...words], { cwd: tmpdir(), encoding: 'utf8', env: { ...process.env, ...more } }),
  };
}

/** Writes sources of an addon, and a compiler that makes a file of them without reading any; CC is to name it. */
export function addAddon(tree: Tree): { readonly CC: string } {
  for (const processor of ['x64', 'arm64']) {
    tree.write(`node_modules/node-linux-${processor}/include/node/node_version.h`, '#define NODE_MAJOR_VERSION 24\n');
  }
  tree.write('gateway/native/addon.c', 'int addon;\n');
  tree.write('gateway/native/addon.h', 'extern int addon;\n');
  const compiler = ['#!/bin/sh', 'while [ "$1" != -o ]; do shift; done', 'echo built >"$2"', ''];
  tree.write('compiler', compiler.join('\n'), 0o755);
  return { CC: tree.path('compiler') };
}

/** The licence of an installed package, as its package.json tells it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Manifest {
  readonly license?: unknown;
  /** How npm had it before 2014: any of these. */
  readonly licenses?: readonly { readonly type?: unknown }[];
}

/** An SPDX expression, whatever else stands there, or undefined. `folder` is the package's. */
export function licenceOf(folder: string): unknown {
  const { license, licenses } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
  return license ?? licenses?.map(({ type }) => type).join(' OR ');
}

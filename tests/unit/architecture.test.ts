/**
 * The rules between rooms, read from the imports of the tree as it is (docs/architecture.md), and the sizes of files.
 * A broken rule names the file, the line's import and the rule.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Source {
  /** From the root of the repository, with slashes. */
  readonly path: string;
  readonly text: string;
}

interface Import {
  readonly specifier: string;
  /** Nothing of it is there at run time. */
  readonly typeOnly: boolean;
}

/** What a room may import besides itself; `types` may be imported as types only. */
interface Rule {
  readonly values: readonly string[];
  readonly types?: readonly string[];
  readonly says: string;
}

const RULES: Readonly<Record<string, Rule>> = {
  wire: { values: [], says: 'wire imports nothing of ours' },
  dprp: { values: ['wire'], says: 'dprp imports only wire' },
  pit: { values: ['wire'], says: 'pit imports only wire' },
  transform: { values: ['wire'], says: 'transform imports only wire, and providers/native.ts the addon' },
  native: { values: ['wire'], says: 'native imports only wire' },
  port: { values: ['wire', 'native'], says: 'port imports only wire and native' },
  datapath: {
    values: ['wire', 'dprp', 'pit', 'transform', 'port', 'native'],
    says: 'datapath imports only wire, dprp, pit, transform, port and native',
  },
  keys: {
    values: ['gms', 'wire', 'pit'],
    types: ['dprp', 'transform'],
    says: "keys imports only the GMS's protocol, wire, pit, and types of dprp and transform",
  },
  host: { values: ['config', 'port'], says: 'host imports only config and port' },
  config: { values: ['wire'], types: ['keys'], says: 'config imports only wire and types of keys' },
  api: {
    values: ['config', 'wire'],
    types: ['keys', 'host', 'dprp', 'pit', 'datapath', 'gms'],
    says: 'api imports config, wire, and types of keys, host, dprp, pit and datapath/messages.ts',
  },
  terminal: { values: [], types: ['config'], says: 'terminal imports only types of config' },
  cli: {
    values: ['main', 'config', 'wire', 'host', 'keys', 'terminal'],
    types: ['api'],
    says: 'cli imports main, config, wire, host, keys, terminal, and types of api',
  },
  gms: {
    values: ['wire', 'terminal'],
    types: ['dprp', 'config'],
    says: "gms-lite imports of the gateway only wire and terminal, and dprp's and config's nouns as types",
  },
};

/** Files whose rule differs from their room's, each with the reason. */
const EXCEPTIONS: Readonly<Record<string, readonly string[]>> = {
  'gateway/transform/providers/native.ts': ['native'] /* the one provider that is the addon */,
};

const FORBIDDEN_FOLDERS = new Set(['shared', 'utils', 'util', 'common', 'helpers', 'misc', 'lib']);

/**
 * `import … from`, `export … from`, `import '…'`, `import('…')`, and `new URL('….ts', import.meta.url)` of a worker.
 */
function importsOf(text: string): Import[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '');
  const found: Import[] = [];
  for (const [, type, names, specifier] of code.matchAll(
    /^\s*(?:import|export)\s+(type\s+)?(?:([\w*\s{},$]+?)\s+from\s+)?['"]([^'"]+)['"]/gm,
  )) {
    const braces = names?.match(/^\{([^}]*)\}$/)?.[1];
    const allTypes = braces?.split(',').every((name) => name.trim() === '' || name.trim().startsWith('type ')) ?? false;
    found.push({ specifier, typeOnly: type !== undefined || allTypes });
  }
  for (const [, type, specifier] of code.matchAll(/(typeof\s+)?\bimport\(\s*['"]([^'"]+)['"]/g)) {
    found.push({ specifier, typeOnly: type !== undefined });
  }
  for (const [, specifier] of code.matchAll(/new URL\(\s*['"]([^'"]+\.ts)['"]/g))
    found.push({ specifier, typeOnly: false });
  return found;
}

/** `wire` for gateway/wire/…, `main` for main.ts and what lies beside it, `gms` for gms-lite, `tests` for the tests. */
function roomOf(path: string): string {
  const [top, second = ''] = path.split('/');
  if (top === 'gms-lite') return 'gms';
  if (top !== 'gateway') return top;
  return second.endsWith('.ts') ? 'main' : second;
}

/** Path of an imported file of ours, undefined for packages and Node's modules. */
function resolve(from: string, specifier: string, map: Readonly<Record<string, string>>): string | undefined {
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier));
  const [room, ...rest] = specifier.split('/');
  return room.startsWith('#')
    ? normalize(join(map[`${room}/*`]?.replace('/*', '') ?? `unknown${room}`, ...rest))
    : undefined;
}

function brokenImports(sources: readonly Source[], map: Readonly<Record<string, string>>): string[] {
  const broken: string[] = [];
  for (const { path, text } of sources) {
    const from = roomOf(path);
    for (const { specifier, typeOnly } of importsOf(text)) {
      const target = resolve(path, specifier, map);
      if (target === undefined) continue;
      const refuse = (rule: string) =>
        broken.push(`${path} imports ${typeOnly ? 'types of ' : ''}${specifier}: ${rule}`);
      const to = roomOf(target);
      if (target.startsWith('unknown#')) refuse('package.json maps no such room');
      if (from === to) continue;
      if (to === 'tests') refuse('only tests import tests');
      if (to === 'gms' && !target.startsWith('gms-lite/protocol/') && from !== 'tests') {
        refuse('of gms-lite the gateway sees only gms-lite/protocol, as #gms/…');
      }
      if (from === 'tests' || from === 'main') continue;
      if (specifier.startsWith('.') && to !== 'main') refuse('rooms are imported by their #room/… names');
      const rule = RULES[from];
      if (rule === undefined) refuse(`the room "${from}" has no rule: give it one in tests/unit/architecture.test.ts`);
      else if (
        !(rule.values.includes(to) || EXCEPTIONS[path]?.includes(to) || (typeOnly && rule.types?.includes(to)))
      ) {
        refuse(rule.says);
      } else if (from === 'api' && to === 'datapath' && target !== 'gateway/datapath/messages.ts') {
        refuse('api sees the datapath only through datapath/messages.ts');
      }
    }
  }
  return broken;
}

function brokenFolders(paths: readonly string[]): string[] {
  return paths.flatMap((path) =>
    dirname(path)
      .split('/')
      .filter((folder) => FORBIDDEN_FOLDERS.has(folder))
      .map((folder) => `${path}: no folder is called "${folder}": the side that answers owns what both use`),
  );
}

function brokenSizes(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split('\n').length - (text.endsWith('\n') ? 1 : 0);
    const most = /\.[ch]$/.test(path) ? 300 : path.startsWith('gateway/wire/') ? 250 : 450;
    return lines > most ? [`${path}: ${lines} lines, at most ${most}: divide it by its nouns`] : [];
  });
}

function tree(): Source[] {
  return ['gateway', 'gms-lite', 'tests']
    .flatMap((top) =>
      readdirSync(join(ROOT, top), { recursive: true, withFileTypes: true })
        .filter(
          (entry) => entry.isFile() && /\.(ts|tsx|c|h)$/.test(entry.name) && !entry.parentPath.includes('node_modules'),
        )
        .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length)),
    )
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));
}

const MAP: Readonly<Record<string, string>> = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).imports;

describe('the tree', () => {
  const sources = tree();

  test('was found', () => {
    expect(sources.map(({ path }) => path)).toContain('gateway/wire/parse.ts');
    expect(sources.flatMap(({ text }) => importsOf(text)).length).toBeGreaterThan(100);
  });

  test('imports only what each room may', () => {
    expect(brokenImports(sources, MAP)).toEqual([]);
  });

  test('has no folder for what nobody owns', () => {
    expect(brokenFolders(sources.map(({ path }) => path))).toEqual([]);
  });

  test('has no file that is too long to read', () => {
    expect(brokenSizes(sources)).toEqual([]);
  });
});

describe('made-up trees that break a rule are found out', () => {
  const broken = (path: string, text: string) => brokenImports([{ path, text }], MAP);

  test.each([
    ['gateway/wire/x.ts', "import { a } from '#pit/index.ts';", 'wire imports nothing of ours'],
    ['gateway/wire/x.ts', "import type { A } from '#dprp/spec.ts';", 'wire imports nothing of ours'],
    ['gateway/pit/x.ts', "export { a } from '#dprp/spec.ts';", 'pit imports only wire'],
    ['gateway/dprp/x.ts', "import {\n  a,\n  b,\n} from '#transform/work.ts';", 'dprp imports only wire'],
    ['gateway/transform/x.ts', "import { native } from '#native/native.ts';", 'transform imports only wire'],
    ['gateway/datapath/x.ts', "import '#keys/ring.ts';", 'datapath imports only'],
    ['gateway/datapath/x.ts', "const api = await import('#api/app.ts');", 'datapath imports only'],
    ['gateway/keys/x.ts', "import { a } from '#dprp/spec.ts';", 'keys imports only'],
    ['gateway/keys/x.ts', "import { type A, b } from '#dprp/spec.ts';", 'keys imports only'],
    ['gateway/keys/x.ts', "import type { A } from '../../gms-lite/store/store.ts';", 'only gms-lite/protocol'],
    ['gateway/host/x.ts', "import { a } from '#wire/address.ts';", 'host imports only config and port'],
    ['gateway/api/x.ts', "import { a } from '#datapath/messages.ts';", 'api imports'],
    ['gateway/api/x.ts', "import type { A } from '#datapath/datapath.ts';", 'only through datapath/messages.ts'],
    ['gateway/host/x.ts', "import type { A } from '#api/app.ts';", 'host imports only config and port'],
    ['gateway/cli/x.ts', "import { a } from '#api/app.ts';", 'types of api'],
    ['gateway/api/x.ts', "import { run } from '../main.ts';", 'api imports'],
    ['gateway/pit/x.ts', "import { a } from '../wire/address.ts';", '#room/…'],
    ['gateway/pit/x.ts', "import { a } from '#nowhere/x.ts';", 'maps no such room'],
    ['gateway/newroom/x.ts', "import { a } from '#wire/address.ts';", 'has no rule'],
    ['gateway/wire/x.ts', "import { a } from '../../tests/kit/x.ts';", 'only tests import tests'],
    ['gateway/main.ts', "import { a } from '../gms-lite/app.ts';", 'only gms-lite/protocol'],
    ['gms-lite/app.ts', "import { a } from '#pit/index.ts';", 'gms-lite imports of the gateway only wire'],
    ['gms-lite/app.ts', "import { a } from '#config/text.ts';", 'gms-lite imports of the gateway only wire'],
    ['gateway/terminal/x.ts', "import { a } from '#config/text.ts';", 'terminal imports only types'],
    ['gateway/pit/x.ts', "new Worker(new URL('../api/app.ts', import.meta.url));", 'pit imports only wire'],
  ])('%s with %s', (path, text, rule) => {
    const [message = ''] = broken(path, text).filter((line) => line.includes(rule));
    expect(message).toContain(rule);
    expect(message).toContain(path);
  });

  test.each([
    [
      'gateway/wire/x.ts',
      "import { a } from './address.ts';\nimport { isIP } from 'node:net';\nimport x from 'ipaddr.js';",
    ],
    [
      'gateway/pit/x.ts',
      "/* import { a } from '#api/app.ts'; */\n// import '#api/app.ts'\nconst s = \"from '#api/app.ts'\";",
    ],
    ['gateway/keys/x.ts', "import { type A, type B } from '#dprp/spec.ts';\nimport { a } from '#gms/bundle.ts';"],
    ['gateway/transform/providers/native.ts', "import { native } from '#native/native.ts';"],
    ['gateway/cli/x.ts', "import type { App } from '#api/app.ts';\nimport { run } from '../main.ts';"],
    ['gateway/main.ts', "import { createApp } from '#api/app.ts';"],
    ['gateway/config/x.ts', "let a: typeof import('#keys/ring.ts');"],
    ['tests/unit/api/x.test.ts', "import { createApp } from '#api/app.ts';\nimport '../../../gms-lite/app.ts';"],
  ])('%s may', (path, text) => {
    expect(broken(path, text)).toEqual([]);
  });

  test('folders and sizes', () => {
    expect(brokenFolders(['gateway/shared/x.ts', 'tests/kit/helpers/y.ts', 'gateway/wire/x.ts'])).toHaveLength(2);
    const of = (path: string, lines: number) => brokenSizes([{ path, text: 'x\n'.repeat(lines) }]);
    expect([of('gateway/wire/x.ts', 250), of('gateway/api/x.ts', 450), of('gateway/native/x.c', 300)].flat()).toEqual(
      [],
    );
    expect(of('gateway/wire/x.ts', 251)).toEqual(['gateway/wire/x.ts: 251 lines, at most 250: divide it by its nouns']);
    expect(of('gateway/api/x.ts', 451)).toHaveLength(1);
    expect(of('gateway/native/x.c', 301)).toHaveLength(1);
  });
});

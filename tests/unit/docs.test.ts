/**
 * What the documentation says about the code is true: names of drops with their sentences, limits with their values,
 * rooms, dependencies, and links from page to page.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import * as limits from '#datapath/limits.ts';
import { licenceOf } from '#kit/licence.ts';
import { DROPS } from '#wire/drops.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const page = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** The part of a page under the heading that ends in `title`, up to the next heading of level 2. */
function section(text: string, title: string): string {
  const part = text.split(/^## /m).find((each) => each.split('\n', 1)[0].endsWith(title));
  if (part === undefined) throw new Error(`there is no section "${title}"`);
  return part;
}

/** Rows of the tables in a text whose first cell is code, with their cells. */
const rows = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.slice(2, -2).split(' | '));

describe('docs/packet-path.md', () => {
  test('lists every drop with its sentences, in the order of gateway/wire/drops.ts', () => {
    const listed = rows(section(page('docs/packet-path.md'), 'Drops')).map((cells) => `| ${cells.join(' | ')} |`);
    expect(listed).toEqual(DROPS.map(({ name, en, ja }) => `| \`${name}\` | ${en} | ${ja} |`));
  });

  test('lists every limit of the datapath with its value', () => {
    const line = (name: string, value: number): string => `\`${name}\` ${value.toLocaleString('en-US')}`;
    const held = Object.entries(limits).flatMap(([name, value]: [string, number | object]) =>
      typeof value === 'number'
        ? [line(name, value)]
        : Object.entries(value).map(([key, each]) => line(`${name}.${key}`, each as number)),
    );
    const named = rows(section(page('docs/packet-path.md'), 'Limits')).map(([name, value]) => `${name} ${value}`);
    expect(named.toSorted()).toEqual(held.toSorted());
  });

  test('mentions no limit that is not in its table', () => {
    const text = page('docs/packet-path.md');
    const table = new Set(rows(section(text, 'Limits')).map(([name]) => name.slice(1, -1)));
    const prose = text.slice(0, text.indexOf('## 10 Limits')).match(/\b[A-Z]+(?:_[A-Z]+)+\b|\bBATCH\b/g) ?? [];
    expect(prose.filter((name) => !table.has(name))).toEqual([]);
  });
});

describe('docs/architecture.md', () => {
  const text = page('docs/architecture.md');

  test('has a row for every room', () => {
    const rooms = readdirSync(join(ROOT, 'gateway'), { withFileTypes: true }).filter((entry) => entry.isDirectory());
    const table = rows(section(text, 'Rooms, in packet order')).map(([room]) => room);
    expect(table.toSorted()).toEqual(
      [...rooms.map(({ name }) => `\`${name}/\``), '`gms-lite/`', '`main.ts`'].toSorted(),
    );
  });

  test('names every dependency with its licence', () => {
    const { dependencies } = JSON.parse(page('package.json')) as { dependencies: Record<string, string> };
    const table = new Map(rows(section(text, 'Dependencies')).map(([name, , licence]) => [name, licence]));
    for (const name of Object.keys(dependencies)) {
      const licence = licenceOf(join(ROOT, 'node_modules', name));
      expect([name, table.get(`\`${name}\``)]).toEqual([name, licence]);
    }
  });
});

describe('links', () => {
  const pages = [
    'README.md',
    'CHANGELOG.md',
    ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.md'))
      .map((path) => `docs/${path}`),
  ];

  /** Relative targets of links that are not there, each behind its page. */
  const broken = (path: string, text: string): string[] =>
    [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => target)
      .filter((target) => !/^[a-z]+:|^#/.test(target))
      .filter((target) => !existsSync(join(ROOT, dirname(path), target.replace(/#.*$/, ''))))
      .map((target) => `${path}: ${target}`);

  test('between pages lead somewhere', () => {
    expect(pages).toContain('docs/packet-path.md');
    expect(pages.flatMap((path) => broken(path, page(path)))).toEqual([]);
  });

  test('that lead nowhere are found', () => {
    const text = '[a](nowhere.md) [b](dprp.md#x) [c](https://example.net/x) [d](#here)';
    expect(broken('docs/x.md', text)).toEqual(['docs/x.md: nowhere.md']);
  });

  test('docs/decisions/README.md lists every decision, numbered without a gap', () => {
    const files = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => name !== 'README.md');
    const listed = [...page('docs/decisions/README.md').matchAll(/\]\((\d{4}-[a-z0-9-]+\.md)\)/g)].map(([, to]) => to);
    expect(listed).toEqual(files.toSorted());
    expect(listed.map((name) => Number(name.slice(0, 4)))).toEqual(listed.map((_, i) => i + 1));
  });
});

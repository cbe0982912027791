import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseConfig } from '#config/parse.ts';

const operations = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8');
const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');

/** A whole file, or fields that stand behind a bridge's three lines. */
const examples = [
  ...[...operations.matchAll(/```yaml\n(.*?)```/gs)].map((match) => match[1]!),
  ...[...readme.matchAll(/<<'END'\n(.*?)END\n/gs)].map((match) => match[1]!),
].map((text) => (text.startsWith('kind:') ? text : `kind: bridge\nouter: eth0\ninner: eth1\n${text}`));

test('every configuration in the documentation is correct', () => {
  expect(examples).toHaveLength(5);
  for (const text of examples) expect(parseConfig(text, 'operations.md')).toHaveProperty('config');
});

test('the reference names every field', () => {
  const unknown = parseConfig(
    'kind: bridge\nouter: a\ninner: b\nx: 1\nmanagement: {y: 1}\nexceptions: [{z: 1}]\n',
    'x',
  );
  const allowed =
    'problems' in unknown ? unknown.problems.map((problem) => problem.message.en.split('allowed here: ')[1]) : [];
  const fields = allowed.flatMap((list) => list?.split(', ') ?? []);
  expect(fields).toContain('withoutKeys');
  expect(fields).toContain('direction');
  for (const field of fields) expect(operations).toContain(`\`${field}\``);
});

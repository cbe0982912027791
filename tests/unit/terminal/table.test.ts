import { expect, test } from 'vitest';
import { cells, harmless, list, table } from '#terminal/table.ts';

test('wide characters take two cells, marks none', () => {
  expect(cells('abc')).toBe(3);
  expect(cells('生産ライン')).toBe(10);
  expect(cells('ｱｲｳ')).toBe(3);
  expect(cells('(全角)')).toBe(8 - 2);
  expect(cells('e\u0301')).toBe(1);
});

test('columns line up in cells, not in characters', () => {
  const rows = table(
    [{ title: '名前' }, { title: 'N', right: true }],
    [
      ['生産', '1'],
      ['a', '1,000'],
    ],
  );
  expect(rows).toEqual(['名前      N', '生産      1', 'a     1,000']);
  expect(new Set(rows.map(cells)).size).toBe(1);
  expect(
    list([
      ['状態', 'a'],
      ['MTU', 'b'],
    ]),
  ).toEqual(['状態  a', 'MTU   b']);
});

test('a name from elsewhere cannot steer the terminal', () => {
  expect(harmless('a\u001b[2Jb\nc\u202e')).toBe('a\ufffd[2Jb\ufffdc\ufffd');
  expect(table([{ title: 'X' }], [['\u001b[31m']])[1]).not.toContain('\u001b');
});

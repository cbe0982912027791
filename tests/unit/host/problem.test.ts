import { expect, test } from 'vitest';
import { textOf } from '#config/text.ts';
import { blame, CommandError, HostError } from '#host/problem.ts';

const fix = { en: 'see dmesg', ja: 'dmesgを確認してください' };

/** What `blame` makes of an error. */
async function blamed(error: unknown): Promise<HostError> {
  const told = await blame('outer', fix, () => Promise.reject(error)).catch((each: unknown) => each);
  if (!(told instanceof HostError)) throw new Error('blame told nothing');
  return told;
}

test('a failed program is told in both languages, with its own words, the field and what to do', async () => {
  const told = await blamed(new CommandError('ip', ['link', 'set', 'dev', 'eth0', 'up'], 'Operation not permitted\n'));
  expect(textOf(told)).toEqual({
    en: 'outer: ip link set dev eth0 up: Operation not permitted; see dmesg',
    ja: 'outer: 「ip link set dev eth0 up」に失敗しました (Operation not permitted)。dmesgを確認してください',
  });
  expect(told.message).toBe(told.text.en);
});

test('a program that said nothing failed', async () => {
  const { problems } = await blamed(new CommandError('nft', ['-f', '-'], ''));
  expect(problems[0]?.problem).toEqual({ en: 'nft -f -: failed', ja: '「nft -f -」に失敗しました' });
});

test('an error without words of its own keeps its message', async () => {
  const { problems } = await blamed(new Error('EROFS'));
  expect(problems).toEqual([{ field: 'outer', problem: { en: 'EROFS', ja: 'EROFS' }, fix }]);
});

test('the first blame counts, and several problems are a line each', async () => {
  const problem = { en: 'gone', ja: 'なくなりました' };
  const first = new HostError([
    { field: 'outer', problem, fix },
    { field: 'inner', problem, fix },
  ]);
  expect(await blamed(first)).toBe(first);
  expect(first.text.ja).toBe(
    'outer: なくなりました。dmesgを確認してください\ninner: なくなりました。dmesgを確認してください',
  );
});

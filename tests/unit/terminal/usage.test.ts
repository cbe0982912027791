import { Command, CommanderError, InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { speak, usageMistake } from '#terminal/usage.ts';

/** What a program of one command prints, and what it says of its command line. */
async function said(words: readonly string[], language: 'en' | 'ja'): Promise<{ out: string; mistake: string }> {
  const lines: string[] = [];
  const program = new Command('gscip').description('a program');
  program
    .command('show')
    .argument('<what>', 'which')
    .option('--limit <n>', 'rows', () => {
      throw new InvalidArgumentError('not a number');
    })
    .requiredOption('--state <dir>', 'where')
    .action(() => undefined);
  speak(program, language, (line) => lines.push(line));
  try {
    await program.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { out: lines.join('\n'), mistake: error.exitCode === 0 ? '' : usageMistake(error, language) };
  }
  return { out: lines.join('\n'), mistake: '' };
}

test.each([
  [['sow'], 'there is no command sow; "--help" lists them', 'sowというコマンドはありません'],
  [[], 'name a command; "--help" lists them', 'コマンドを指定してください'],
  [['show', 'a', '--state', 'x', '--fast'], 'there is no option --fast here', '--fastというオプションは'],
  [['show', '--state', 'x'], 'the argument what is missing', '引数whatが'],
  [['show', 'a', '--state'], 'the option --state <dir> needs a value', 'オプション--state <dir>には値が必要です'],
  [['show', 'a'], 'the option --state <dir> must be given', 'オプション--state <dir>を必ず'],
  [['show', 'a', 'b', '--state', 'x'], 'too many arguments', '引数が多すぎます'],
  [['show', 'a', '--state', 'x', '--limit', 'ten'], '--limit <n>: not a number', '--limit <n>: not a number'],
])('%j', async (words, english, japanese) => {
  expect((await said(words, 'en')).mistake).toContain(english);
  expect((await said(words, 'ja')).mistake).toContain(japanese);
});

test('help speaks the language, in subcommands too, and is no mistake', async () => {
  const { out, mistake } = await said(['show', '--help'], 'ja');
  expect(mistake).toBe('');
  expect(out).toMatch(/使い方:.*show[\s\S]*引数:[\s\S]*オプション:[\s\S]*このヘルプを表示する/);
  expect(out).not.toMatch(/Usage|Options|Arguments|display/);
});

/** What commander says of a command line, in the person's language: titles of the help, and mistakes. */
import type { Command, CommanderError } from 'commander';
import type { Language, Text } from '#config/text.ts';
import { fill } from './message.ts';

const TITLES: Readonly<Record<string, Text>> = {
  'Usage:': { en: 'Usage:', ja: '使い方:' },
  'Options:': { en: 'Options:', ja: 'オプション:' },
  'Arguments:': { en: 'Arguments:', ja: '引数:' },
  'Commands:': { en: 'Commands:', ja: 'コマンド:' },
};
const SHOW_HELP: Text = { en: 'show this help', ja: 'このヘルプを表示する' };

/** By commander's code; `{what}` is the word that is wrong. */
const MISTAKES: Readonly<Record<string, Text>> = {
  'commander.unknownCommand': {
    en: 'there is no command {what}; "--help" lists them',
    ja: '{what}というコマンドはありません。「--help」で一覧を表示できます',
  },
  'commander.help': {
    en: 'name a command; "--help" lists them',
    ja: 'コマンドを指定してください。「--help」で一覧を表示できます',
  },
  'commander.unknownOption': {
    en: 'there is no option {what} here; "--help" lists them',
    ja: '{what}というオプションはここでは使えません。「--help」で一覧を表示できます',
  },
  'commander.missingArgument': { en: 'the argument {what} is missing', ja: '引数{what}が指定されていません' },
  'commander.optionMissingArgument': {
    en: 'the option {what} needs a value',
    ja: 'オプション{what}には値が必要です',
  },
  'commander.missingMandatoryOptionValue': {
    en: 'the option {what} must be given',
    ja: 'オプション{what}を必ず指定してください',
  },
  'commander.excessArguments': { en: 'too many arguments', ja: '引数が多すぎます' },
  'commander.invalidArgument': { en: '{what}: {why}', ja: '{what}: {why}' },
};

/**
 * Help of a command and its subcommands in the language; nothing is printed by commander itself, no process ended by
 * it.
 */
export function speak(command: Command, language: Language, out: (text: string) => void): void {
  command
    .exitOverride()
    .helpCommand(false)
    .helpOption('-h, --help', SHOW_HELP[language])
    .configureHelp({ styleTitle: (title) => TITLES[title]?.[language] ?? title })
    .configureOutput({
      writeOut: (text) => out(text.replace(/\n$/, '')),
      writeErr: () => undefined,
      outputError: () => undefined,
    });
  for (const child of command.commands) speak(child, language, out);
}

/**
 * Commander's own sentence names the word that is wrong in single quotes; behind "is invalid." stands the program's.
 */
export function usageMistake({ code, message }: CommanderError, language: Language): string {
  const plain = message.replace(/^error: /, '');
  const template = MISTAKES[code];
  if (template === undefined) return plain;
  const what = /'([^']*)'/.exec(plain)?.[1] ?? '';
  return fill(template[language], { what, why: plain.split(' is invalid. ')[1] ?? '' });
}

/** Everything `npm test` says of its own, in English and Japanese; both languages use the same `{values}`. */
import type { Text } from '#config/text.ts';
import { type SayOf, speaker } from '#terminal/message.ts';

export const messages = {
  'unknown-part': {
    en: 'there is no part {asked}; parts: {parts}',
    ja: '「{asked}」という部分はありません。指定できる部分: {parts}',
  },
  'part-took': { en: '── {part}: {seconds} s', ja: '── {part}: {seconds}秒' },
  'sanitized-addon': {
    en: 'the addon with address and undefined-behaviour sanitizers: {files}',
    ja: 'アドレスと未定義動作のサニタイザを組み込んだアドオンでの実行: {files}',
  },
  'shipped-addon': {
    en: 'for the addon as it is shipped only: {files}',
    ja: '出荷時のアドオンでのみ実行: {files}',
  },

  /* what was not run, and why */
  'no-tests': { en: '{folder} has no tests', ja: '{folder}にテストがありません' },
  skipped: { en: '{test}: skipped', ja: '{test}: スキップされました' },
  'no-sanitizers': {
    en: 'they need clang and its runtime: apt-get install clang libclang-rt-14-dev',
    ja: 'clangとそのランタイムが必要です: apt-get install clang libclang-rt-14-dev',
  },
  'not-linux': {
    en: 'needs Linux network namespaces',
    ja: 'Linuxのネットワーク名前空間が必要です',
  },
  'not-root': {
    en: 'needs root for network namespaces; run npm test as root',
    ja: 'ネットワーク名前空間のためにroot権限が必要です。npm testをrootで実行してください',
  },

  /* the outcome */
  'part-outcome': { en: '{part}: {passed} passed, {failed} failed', ja: '{part}: 成功{passed}、失敗{failed}' },
  'not-run': { en: 'not run: {part}: {reason}', ja: '未実行: {part}: {reason}' },
  'ci-fails': { en: 'under CI, what is not run has failed', ja: 'CIでは、実行しなかったものは失敗とみなします' },
  outcome: {
    en: '{passed} passed, {failed} failed, {left} not run',
    ja: '成功{passed}、失敗{failed}、未実行{left}',
  },
} satisfies Record<string, Text>;

export type MessageKey = keyof typeof messages;
export type Say = SayOf<MessageKey>;
export const sayIn = speaker(messages);

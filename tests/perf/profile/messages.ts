/** Everything `npm run profile` says, in English and Japanese; both languages use the same `{values}`. */
import type { Text } from '#config/text.ts';
import { type SayOf, speaker } from '#terminal/message.ts';
import { shared } from '../messages.ts';

export const messages = {
  ...shared,
  usage: {
    en:
      'npm run profile -- [--mode {modes}] [--direction {directions}] [--load {loads}] [--profile {profiles}] ' +
      '[--seconds N] [--output FOLDER]\n' +
      'two gateways under load: system calls, functions, symbols; the first of each list when none is named',
    ja:
      'npm run profile -- [--mode {modes}] [--direction {directions}] [--load {loads}] [--profile {profiles}] ' +
      '[--seconds 秒数] [--output フォルダ]\n' +
      '負荷をかけた2台のゲートウェイのシステムコール、関数、シンボルを調べます(省略時は各一覧の先頭)',
  },
  'bad-choice': { en: '{option}: {allowed}; not {word}', ja: '{option}: {allowed}。{word}は使えません' },
  'bad-seconds': {
    en: '--seconds: a number from {least} to {most}; not {word}',
    ja: '--seconds: {least}～{most}の数を指定してください。{word}は使えません',
  },
  'unknown-word': {
    en: '{word} is not understood; --help shows what there is',
    ja: '{word}は解釈できません。--helpで使い方を表示します',
  },
  'needs-root': {
    en: 'profiles need Linux and root, for network namespaces and perf',
    ja: 'プロファイルの取得にはLinuxとroot権限が必要です(ネットワーク名前空間とperfを使うため)',
  },
  failed: { en: 'the profile failed: {error}', ja: 'プロファイルの取得に失敗しました: {error}' },

  /* what a load achieved */
  bits: { en: '{rate} Gbit/s', ja: '{rate} Gbit/s' },
  datagrams: { en: '{rate} datagrams/s', ja: '毎秒{rate}データグラム' },

  /* headings */
  functions: {
    en: '{box}: functions by the time in themselves ({rate} while sampled)',
    ja: '{box}: 関数自身での所要時間順(サンプリング中{rate})',
  },
  collections: {
    en: 'collections: {count} a second, {time} ms a second',
    ja: 'ガベージコレクション: 毎秒{count}回、1秒あたり{time} ms',
  },
  symbols: {
    en: '{box}: symbols, kernel and addon too ({rate} while recorded)',
    ja: '{box}: カーネルとアドオンを含むシンボル(記録中{rate})',
  },
  files: {
    en: '{folder}/: .svg (flame graphs), .folded (speedscope), .cpuprofile (Chrome, speedscope), .perf.data (perf report)',
    ja: '{folder}/: .svg(フレームグラフ)、.folded(speedscope)、.cpuprofile(Chrome、speedscope)、.perf.data(perf report)',
  },

  /* the table of counters */
  'per-second': { en: 'a second', ja: '1秒あたり' },
  'frames-in': { en: 'frames in, both ports', ja: '受信フレーム、両ポート' },
  'frames-out': { en: 'frames out, both ports', ja: '送信フレーム、両ポート' },
  'bytes-per-frame': { en: 'bytes per frame in', ja: '受信フレームの平均バイト数' },
  calls: { en: 'system calls', ja: 'システムコール' },
  'calls-full': { en: '  recvmmsg that found frames', ja: '  recvmmsg(フレームあり)' },
  'calls-empty': { en: '  recvmmsg that found none', ja: '  recvmmsg(フレームなし)' },
  'calls-send': { en: '  sendmmsg', ja: '  sendmmsg' },
  'calls-wait': { en: '  ppoll', ja: '  ppoll' },
  'calls-per-frame': { en: 'system calls per frame in', ja: '受信フレームあたりのシステムコール' },
  'frames-per-receive': {
    en: 'frames per receive call that found some',
    ja: 'フレームのあった受信1回あたりのフレーム',
  },
  'frames-per-send': { en: 'frames per send call', ja: '送信1回あたりのフレーム' },
  'time-user': { en: 'processor, user, %', ja: 'CPU、ユーザモード(%)' },
  'time-kernel': { en: 'processor, kernel, %', ja: 'CPU、カーネル(%)' },

  /* the table of costs */
  costs: { en: 'what the time goes for', ja: '処理時間の内訳' },
  'per-frame': { en: 'ns/frame', ja: 'ns/フレーム' },
  'per-kilobyte': { en: 'ns/kB', ja: 'ns/kB' },
  'far-end': { en: 'the far end of the link (veth, merging, its sockets)', ja: 'リンクの対向側(veth、結合、ソケット)' },
  'copied-in': { en: 'receiving: copying', ja: '受信: コピー' },
  receive: { en: 'receiving: the rest', ja: '受信: その他' },
  'copied-out': { en: 'sending: copying', ja: '送信: コピー' },
  cutting: { en: 'sending: cutting superpackets, checksums', ja: '送信: スーパーパケットの分割、チェックサム' },
  rules: { en: 'sending: the egress rule', ja: '送信: 送出規則' },
  send: { en: 'sending: the rest', ja: '送信: その他' },
  waiting: { en: 'waiting', ja: '待機' },
  cipher: { en: 'ciphers', ja: '暗号処理' },
  typescript: { en: 'TypeScript', ja: 'TypeScript' },
  node: { en: 'Node, and the addon beside ciphers', ja: 'Nodeと、暗号以外のアドオン' },
  kernel: { en: 'the kernel otherwise', ja: 'カーネルのその他' },
  'all-costs': { en: 'all', ja: '合計' },
} satisfies Record<string, Text>;

export type MessageKey = keyof typeof messages;
export type Say = SayOf<MessageKey>;
export const sayIn = speaker(messages);

/** What the demonstration says, in English and Japanese. */
import type { Text } from '#config/text.ts';
import { type SayOf, speaker } from '#terminal/message.ts';

export const words = {
  'need-root': {
    en: 'The demonstration makes network namespaces and needs root: sudo npm run demo',
    ja: 'デモはネットワーク名前空間を作るため、root権限が必要です: sudo npm run demo',
  },
  usage: {
    en: 'usage: npm run demo -- [--check] [--json FILE]',
    ja: '使い方: npm run demo -- [--check] [--json ファイル]',
  },
  building: {
    en: 'Building a network: two devices behind a router, two servers behind bridges, a plain host, a key server.',
    ja: 'ネットワークを構築しています: ルータ配下の機器2台、ブリッジ配下のサーバ2台、ゲートウェイのないホスト、鍵サーバ。',
  },
  enrolled: {
    en: 'Gateway {name} ({kind}, {mode}) has enrolled and holds the keys of: {groups}.',
    ja: 'ゲートウェイ{name}（{kind}、{mode}）が登録され、グループ{groups}の鍵を受け取りました。',
  },
  first: {
    en: 'First packets: {pairs} pairs that have never talked send one packet each (ping, DNS, TCP; IPv4, IPv6). Lost: {lost}.',
    ja: '最初のパケット: 未通信の{pairs}組が1パケットずつ送信（ping・DNS・TCP、IPv4・IPv6）。損失: {lost}。',
  },
  programs: {
    en: 'The devices use their programs. They know nothing of the gateways:',
    ja: '機器がふだんのプログラムを使います。ゲートウェイの存在は意識しません:',
  },
  plaintext: {
    en: 'Between the gateways an independent capture saw {frames} frames; {readable} of them show the devices’ bytes.',
    ja: 'ゲートウェイ間の独立したキャプチャ: {frames}フレーム中、機器のデータが読めるものは{readable}。',
  },
  frame: {
    en: 'One frame of {server}, transform {transform}, before and behind its gateway (sequence number {sequence} in both):',
    ja: '{server}の同じフレームを、ゲートウェイの前後で比較（変換{transform}、シーケンス番号はどちらも{sequence}）:',
  },
  'frame-sent': { en: 'as the device sends it, {bytes} bytes', ja: '機器が送信した時点、{bytes}バイト' },
  'frame-carried': { en: 'as the wire carries it, {bytes} bytes (+{added})', ja: '回線上、{bytes}バイト（+{added}）' },
  outsiders: {
    en: 'Host 3 has no gateway. The open gateways let it through ({passed} of {openTried}); the closed one refused {refused} of {closedTried}.',
    ja: 'ホスト3にはゲートウェイがありません。開放モードは通し（{openTried}回中{passed}回）、閉域モードは拒否しました（{closedTried}回中{refused}回）。',
  },
  flows: {
    en: 'The flows of {name}, each with its verdict and the reason:',
    ja: '{name}のフローと、判定およびその理由:',
  },
  negotiation: {
    en: 'Negotiation of a new pair: median {median} ms over {samples} pairs ({minimum}–{maximum} ms).',
    ja: '新しい組のネゴシエーション: 中央値{median}ミリ秒（{samples}組、{minimum}～{maximum}ミリ秒）。',
  },
  control: {
    en: 'The control: with the gateways released, the same capture reads {readable} of {frames} frames.',
    ja: '対照実験: ゲートウェイを開放すると、同じキャプチャで{frames}フレーム中{readable}が読めます。',
  },
  'check-good': { en: 'ok     {name}: {detail}', ja: '合格   {name}: {detail}' },
  'check-bad': { en: 'WRONG  {name}: {detail}', ja: '不合格 {name}: {detail}' },
  explore: {
    en: 'The network is yours to explore; the gateways protect again. In another terminal, as root:',
    ja: 'ネットワークを自由に調べられます（保護は再開済み）。別の端末でrootとして:',
  },
  'explore-end': { en: 'Ctrl-C ends it and removes everything.', ja: 'Ctrl-Cで終了し、すべて削除します。' },
  failed: { en: 'The demonstration failed: {why}', ja: 'デモが失敗しました: {why}' },
  'kind-router': { en: 'router', ja: 'ルータ' },
  'kind-bridge': { en: 'bridge', ja: 'ブリッジ' },
  'mode-open': { en: 'open', ja: '開放モード' },
  'mode-closed': { en: 'closed', ja: '閉域モード' },
} as const satisfies Readonly<Record<string, Text>>;

export type Word = keyof typeof words;
export type Tell = SayOf<Word>;
export const tellIn = speaker(words);

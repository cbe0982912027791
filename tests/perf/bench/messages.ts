/** Everything the benchmark says, in English and Japanese; both languages use the same `{values}`. */
import type { Language, Text } from '#config/text.ts';
import { fill, type Values } from '#terminal/message.ts';

export const messages = {
  usage: {
    en: 'npm run bench -- [ROW…] [--profile {profiles}] [--json FILE]\nrows: {rows} (all when none is named)',
    ja: 'npm run bench -- [測定項目…] [--profile {profiles}] [--json ファイル]\n測定項目: {rows}(省略時はすべて)',
  },
  'unknown-row': { en: 'there is no row {row}; rows: {rows}', ja: '測定項目{row}はありません。測定項目: {rows}' },
  'unknown-profile': {
    en: '--profile: there is no profile {profile}; profiles: {profiles}',
    ja: '--profile: プロファイル{profile}はありません。プロファイル: {profiles}',
  },
  'unknown-option': {
    en: 'there is no option {option}; --help shows what there is',
    ja: 'オプション{option}はありません。--helpで使い方を表示します',
  },
  'value-missing': { en: '{option} needs a value', ja: '{option}には値が必要です' },
  'no-folder': {
    en: '--json: files cannot be written in {folder}',
    ja: '--json: {folder}にファイルを書き込めません',
  },
  'needs-root': {
    en: 'the benchmark needs Linux and root, for network namespaces',
    ja: 'ベンチマークにはLinuxとroot権限が必要です(ネットワーク名前空間を使うため)',
  },
  failed: { en: 'the benchmark failed: {error}', ja: 'ベンチマークに失敗しました: {error}' },

  /* while it runs */
  building: {
    en: 'building two labs: kernel bridges, gateways',
    ja: '2つのラボを構築しています: カーネルブリッジ、ゲートウェイ',
  },
  measuring: { en: 'measuring {row}', ja: '{row}を測定しています' },
  removing: { en: 'removing the labs', ja: 'ラボを削除しています' },

  /* the environment */
  machine: { en: 'Machine', ja: '測定環境' },
  kernel: { en: 'Kernel', ja: 'カーネル' },
  node: { en: 'Node', ja: 'Node' },
  profile: { en: 'Profile', ja: 'プロファイル' },
  congestion: { en: 'Congestion control', ja: '輻輳制御' },
  gateways: { en: 'Gateways', ja: 'ゲートウェイ' },
  load: { en: 'Load before', ja: '測定前の負荷' },
  cores: { en: '{model}, {count} CPUs', ja: '{model}、CPU {count}個' },
  'gateway-workers': { en: '{workers} worker each, cipher {cipher}', ja: 'ワーカー各{workers}個、暗号実装{cipher}' },
  'profile-wire': {
    en: 'wire: real segments and checksums, merged by each receiver',
    ja: 'wire: 実際のセグメントとチェックサム。受信側が結合する',
  },
  'profile-packet': { en: 'packet: one frame at a time', ja: 'packet: 1フレームずつ' },
  'profile-offload': {
    en: 'offload: superpackets travel unchanged; flatters everybody',
    ja: 'offload: 結合済みパケットをそのまま渡す(いずれにも有利)',
  },

  /* the table */
  row: { en: 'row', ja: '測定項目' },
  plain: { en: 'plain', ja: 'plain' },
  sealed: { en: 'sealed', ja: 'sealed' },
  ratio: { en: 'ratio', ja: '比' },
  added: { en: 'added', ja: '増分' },
  spread: {
    en: 'Medians of {samples} samples that alternate between plain and sealed (smallest–largest).',
    ja: 'plainとsealedで交互に取った{samples}回の測定の中央値(最小～最大)。',
  },

  /* what each row is */
  'is-memory': {
    en: 'resident memory of a gateway that was just started, has keys and has seen no traffic',
    ja: '起動直後で鍵を持ち、通信のないゲートウェイの常駐メモリ',
  },
  'is-negotiation-first': {
    en: 'TCP connect of the first pair after both gateways were started; plain: first of fresh addresses',
    ja: '両ゲートウェイ起動後、最初の組のTCP接続時間(plain: 新しいアドレスの最初)',
  },
  'is-negotiation-100th': {
    en: 'TCP connect of the hundredth pair after the start',
    ja: '起動後100番目の組のTCP接続時間',
  },
  'is-negotiation': {
    en: 'TCP connect between addresses that never spoke, pairs {first} to {last} after the start; neighbours known',
    ja: '一度も通信していないアドレス間のTCP接続時間(起動後{first}～{last}番目の組、隣接アドレスは解決済み)',
  },
  'is-negotiation-own': {
    en: "of this, by the gateway's own clock: from the first DDE to usable keys (status)",
    ja: 'そのうち、ゲートウェイ自身の計測による最初のDDEから鍵が使えるまでの時間(status)',
  },
  'is-known': {
    en: 'TCP connect of a new flow between addresses that are negotiated',
    ja: 'ネゴシエーション済みのアドレス間での新しいフローのTCP接続時間',
  },
  'is-ping': {
    en: 'round trip, {count} echo requests at {interval} ms, known pair',
    ja: '往復時間(既知の組、{interval} ms間隔でエコー要求{count}回)',
  },
  'is-tcp': {
    en: 'iperf3, one stream, {seconds} s: what arrived',
    ja: 'iperf3、1ストリーム、{seconds}秒: 到着した量',
  },
  'is-tcp-frame': {
    en: "mean size of frames received on the inner port of the sender's gateway (bytesIn/framesIn)",
    ja: '送信側ゲートウェイのinnerポートで受信したフレームの平均サイズ(bytesIn/framesIn)',
  },
  'is-udp64': {
    en:
      'datagrams of 64 bytes that reached UDP on the far host, counted by its kernel, read in time or not; ' +
      'sent by iperf3, one stream, {seconds} s each at {offers}: the offer of which most arrived',
    ja:
      '相手ホストのUDPに到達した64バイトのデータグラム(読み取りの遅れを問わず、相手のカーネルが計数)。' +
      'iperf3、1ストリームで{offers}を各{seconds}秒送信し、最も多く届いた回の値',
  },
  'offer-unlimited': { en: 'no limit', ja: '無制限' },
  'offer-rate': { en: '{rate}/s', ja: '毎秒{rate}' },
  'frames-above': {
    en: 'sealed: frames on the inner port have {bytes} B on average, above 10 KB: superpackets arrive',
    ja: 'sealed: innerポートのフレームは平均{bytes} Bで10 KBを上回る(結合済みパケットで到着)',
  },
  'frames-below': {
    en: 'sealed: frames on the inner port have {bytes} B on average, below 10 KB: few or no superpackets arrive',
    ja: 'sealed: innerポートのフレームは平均{bytes} Bで10 KBを下回る(結合済みパケットは少ないか、ない)',
  },
} satisfies Record<string, Text>;

export type MessageKey = keyof typeof messages;
export type Say = (key: MessageKey, values?: Values) => string;

export const sayIn =
  (language: Language): Say =>
  (key, values = {}) =>
    fill(messages[key][language], values);

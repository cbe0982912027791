/** Everything the benchmark says, in English and Japanese; both languages use the same `{values}`. */
import type { Text } from '#config/text.ts';
import { type SayOf, speaker } from '#terminal/message.ts';
import { shared } from '../messages.ts';

export const messages = {
  ...shared,
  usage: {
    en:
      'npm run bench -- [ROW…] [--rows ROW,…] [--modes MODE,…] [--profile {profiles}] [--samples N] [--json FILE]\n' +
      'rows: {rows} (all when none is named)\nmodes: {modes} (all when none is named)',
    ja:
      'npm run bench -- [測定項目…] [--rows 測定項目,…] [--modes 方式,…] [--profile {profiles}] [--samples 回数] ' +
      '[--json ファイル]\n測定項目: {rows}(省略時はすべて)\n方式: {modes}(省略時はすべて)',
  },
  'unknown-row': { en: 'there is no row {row}; rows: {rows}', ja: '測定項目{row}はありません。測定項目: {rows}' },
  'unknown-mode': {
    en: '--modes: there is no mode {mode}; modes: {modes}',
    ja: '--modes: 方式{mode}はありません。方式: {modes}',
  },
  'unknown-profile': {
    en: '--profile: there is no profile {profile}; profiles: {profiles}',
    ja: '--profile: プロファイル{profile}はありません。プロファイル: {profiles}',
  },
  'bad-samples': {
    en: '--samples: a whole number from 1 to {most}; not {samples}',
    ja: '--samples: 1～{most}の整数を指定してください。{samples}は使えません',
  },
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
  building: { en: 'building the lab of {mode}', ja: '{mode}のラボを構築しています' },
  'mode-missing': { en: 'not available: {reason}', ja: '利用できません: {reason}' },
  measuring: { en: 'measuring {row} ({profile})', ja: '{row}を測定しています({profile})' },
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
  mode: { en: 'mode', ja: '方式' },
  'to-plain': { en: '/ plain', ja: '/ plain' },
  'to-peer': { en: '× best peer', ja: '×最良の他方式' },
  added: { en: 'added', ja: '増分' },
  spread: {
    en:
      'Medians of {samples} samples, modes in turns; ± is half the range. “/ plain” is a plain ratio; ' +
      '“× best peer” is above 1 where the gateway is better.',
    ja:
      '方式を交互に替えて取った{samples}回の測定の中央値。±は範囲の半分。「/ plain」は単純な比、' +
      '「×最良の他方式」はゲートウェイが優れていれば1を超える。',
  },

  /* targets */
  target: { en: 'target (profile wire)', ja: '目標(プロファイルwire)' },
  'target-first': { en: 'first', ja: '当初' },
  'target-aim': { en: 'aim', ja: '目標' },
  'target-figure': { en: 'measured', ja: '測定値' },
  'target-holds': { en: 'holds', ja: '判定' },
  'holds-aim': { en: 'aim reached', ja: '目標達成' },
  'holds-first': { en: 'first target reached', ja: '当初目標達成' },
  'holds-no': { en: 'no', ja: '未達' },
  'holds-unknown': { en: 'not measured', ja: '未測定' },
  'target-tcp-plain': { en: 'TCP, ratio to plain', ja: 'TCP、plainとの比' },
  'target-tcp-peer': { en: 'TCP, times the best peer', ja: 'TCP、最良の他方式との比' },
  'target-verdict': { en: 'plaintext verdict, ratio to the kernel bridge', ja: '平文判定、カーネルブリッジとの比' },
  'target-udp64': { en: '64-byte UDP, times the best peer', ja: '64バイトUDP、最良の他方式との比' },
  'target-download': { en: 'download at 1 Gbit/s, plain = 1', ja: '1 Gbit/sでのダウンロード、plain = 1' },
  'target-negotiation': { en: 'cold pair, added to a TCP connect, ms', ja: '未知の組、TCP接続への増分(ms)' },
  'target-known': { en: 'known pair, added to a TCP connect, ms', ja: '既知の組、TCP接続への増分(ms)' },
  'target-ike': { en: 'IKEv2 / DPRP negotiation time', ja: 'IKEv2 / DPRPのネゴシエーション時間' },
  'target-negotiations': { en: 'negotiations a second, one worker', ja: '毎秒のネゴシエーション数、1ワーカー' },
  'target-pit-flow': { en: 'memory per flow at a million, B', ja: '100万件でのフロー1件のメモリ(B)' },
  'target-pit-pair': { en: 'memory per pair at a million, B', ja: '100万件での組1件のメモリ(B)' },
  'target-ping': { en: 'ping round trip added, known pair, ms', ja: '既知の組、ping往復時間の増分(ms)' },
  'target-memory': { en: 'memory of an idle gateway, MB', ja: '待機中のゲートウェイのメモリ(MB)' },

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
    en:
      'TCP connect between addresses that never spoke, pairs {first} to {last} after the start; neighbours known. ' +
      'wireguard-go: after its session was forgotten',
    ja:
      '一度も通信していないアドレス間のTCP接続時間(起動後{first}～{last}番目の組、隣接アドレスは解決済み)。' +
      'wireguard-go: セッションを破棄した後',
  },
  'is-negotiation-own': {
    en:
      "by the gateway's own clock: from the first DDE to usable keys (status). strongswan: from the start of IKE to " +
      'the CHILD_SA as charon logs it, mean of {count}',
    ja:
      'ゲートウェイ自身の計測による、最初のDDEから鍵が使えるまでの時間(status)。' +
      'strongswan: charonのログによるIKE開始からCHILD_SA確立まで({count}回の平均)',
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
  'is-verdict': {
    en: 'the same, {seconds} s, between a pair that gateways without a common group let pass in plaintext',
    ja: '共通の通信グループがなく、平文で通過する組での同じ測定({seconds}秒)',
  },
  'is-download': {
    en: '{megabytes} MB over HTTP, nginx to curl, on a link shaped to 1 Gbit/s in both directions',
    ja: '双方向1 Gbit/sに制限したリンクで、nginxからcurlへHTTPで{megabytes} MB',
  },
  'is-negotiations': {
    en: 'what one worker could negotiate and do nothing else: its slower side',
    ja: '1ワーカーがネゴシエーションだけを行う場合の回数(遅い側)',
  },
  'is-negotiations-initiator': { en: 'the same, as initiator', ja: '同、開始側' },
  'is-negotiations-responder': { en: 'the same, as responder', ja: '同、応答側' },
  'is-pit-flow': {
    en: 'a frame finds and counts its flow, in a random order, with so many flows in the table',
    ja: 'フロー表の登録数ごとの、ランダムな順でフローを検索し計数する時間',
  },
  'is-pit-pair': {
    en: 'a frame finds its pair, in a random order, with so many pairs in the table',
    ja: '組の表の登録数ごとの、ランダムな順で組を検索する時間',
  },
  'is-pit-entry': {
    en: 'memory per entry, index included, at a million',
    ja: '100万件での1件あたりのメモリ(索引を含む)',
  },
  'offer-unlimited': { en: 'no limit', ja: '無制限' },
  'offer-rate': { en: '{rate}/s', ja: '毎秒{rate}' },
  'frames-above': {
    en: 'frames on the inner port have {bytes} B on average, above 10 KB: superpackets arrive',
    ja: 'innerポートのフレームは平均{bytes} Bで10 KBを上回る(結合済みパケットで到着)',
  },
  'frames-below': {
    en: 'frames on the inner port have {bytes} B on average, below 10 KB: few or no superpackets arrive',
    ja: 'innerポートのフレームは平均{bytes} Bで10 KBを下回る(結合済みパケットは少ないか、ない)',
  },
} satisfies Record<string, Text>;

export type MessageKey = keyof typeof messages;
export type Say = SayOf<MessageKey>;
export const sayIn = speaker(messages);

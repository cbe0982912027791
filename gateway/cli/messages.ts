/**
 * Everything the command line says, in English and Japanese. `{name}` stands for a value; both languages use the same
 * ones. Verdicts and their reasons are in `reasons.ts`; mistakes in the configuration come from #config with their
 * words.
 */
import type { Text } from '#config/text.ts';
import { type SayOf, speaker } from '#terminal/message.ts';

export const messages = {
  /* help */
  'help-program': {
    en: 'Protects the devices behind this machine: runs the gateway and shows what it does.',
    ja: '背後にある機器の通信を保護するゲートウェイを実行し、その動作を表示します。',
  },
  'help-run': { en: 'run the gateway until it is stopped', ja: 'ゲートウェイを実行する(停止されるまで)' },
  'help-enrol': {
    en: 'enrol this gateway at a Group Management Server (GMS)',
    ja: 'グループ管理サーバ(GMS)にこのゲートウェイを登録する',
  },
  'help-status': { en: 'show how the running gateway is', ja: '動作中のゲートウェイの状態を表示する' },
  'help-flows': {
    en: 'show the flows, each with its verdict and the reason',
    ja: '通信フローを、その扱いと理由とともに表示する',
  },
  'help-pairs': {
    en: 'show the pairs of device and peer, each with its verdict and the reason',
    ja: '機器と通信相手の組を、その扱いと理由とともに表示する',
  },
  'help-explain': {
    en: 'explain what happens to packets to ADDRESS, and why',
    ja: 'ADDRESS宛てのパケットがどう扱われるか、その理由を説明する',
  },
  'help-drops': { en: 'show how many packets were dropped, by reason', ja: '破棄したパケットの数を理由別に表示する' },
  'help-release': {
    en: 'stop the gateway and let everything pass UNPROTECTED; the reason is recorded',
    ja: 'ゲートウェイを停止し、すべての通信を保護せずに通す(理由は記録される)',
  },
  'help-check': { en: 'check a configuration file; changes nothing', ja: '設定ファイルを検査する(何も変更しない)' },
  'help-events': { en: 'follow what happens until interrupted', ja: '発生したイベントを表示し続ける(中断するまで)' },
  'help-version': { en: 'show the version', ja: 'バージョンを表示する' },
  'option-enrol-config': {
    en: 'configuration file, from which the GMS learns the kind of a gateway that is not running',
    ja: '設定ファイル(停止中のゲートウェイの種別をGMSに伝える)',
  },
  'option-config': { en: 'configuration file', ja: '設定ファイル' },
  'option-state': {
    en: 'state directory (if not given: {default})',
    ja: '状態ディレクトリ(省略時: {default})',
  },
  'option-json': { en: 'print JSON', ja: 'JSONで出力する' },
  'option-json-log': { en: 'log in JSON also on a terminal', ja: '端末でもログをJSONで出力する' },
  'option-verbose': { en: 'log details as well', ja: '詳細なログも出力する' },
  'option-device': {
    en: 'only this device behind the gateway',
    ja: 'ゲートウェイの背後にあるこの機器だけを対象にする',
  },
  'option-peer': { en: 'only this peer', ja: 'この通信相手だけを対象にする' },
  'option-verdict': {
    en: 'only this verdict: encrypt, plain, discard, negotiating or unknown',
    ja: 'この扱いのものだけを表示する: encrypt、plain、discard、negotiating、unknown',
  },
  'option-limit': { en: 'at most this many rows, 1 to 10000', ja: '表示する最大行数(1～10000)' },
  'option-from': { en: 'as a packet from this device', ja: 'この機器からのパケットとして説明する' },
  'option-reason': { en: 'why; recorded', ja: '理由(記録される)' },
  'option-force': {
    en: 'replace the enrolment that this gateway already has',
    ja: '既存の登録を新しい登録で置き換える',
  },
  'argument-token': {
    en: 'the token from the GMS, or - to read it from standard input',
    ja: 'GMSが発行したトークン(「-」を指定すると標準入力から読み込む)',
  },
  'argument-address': { en: 'IPv4 or IPv6 address of the peer', ja: '通信相手のIPv4またはIPv6アドレス' },

  /* usage mistakes */
  'usage-reason': {
    en: '--reason must be one line of 1 to 500 characters: it is recorded for whoever asks later',
    ja: '--reasonには1～500文字の1行を指定してください。後で確認できるように記録されます',
  },
  'enrol-paste': {
    en: 'Paste the token, then press Enter and Ctrl-D:',
    ja: 'トークンを貼り付け、EnterとCtrl-Dを押してください:',
  },
  'usage-token': { en: 'no token was given', ja: 'トークンが指定されていません' },

  /* talking to the running gateway */
  'not-running': {
    en: 'no gateway is running with the state directory {state}; start one with "run", or name another directory with --state',
    ja: '状態ディレクトリ{state}を使うゲートウェイは動作していません。「run」で起動するか、--stateで別のディレクトリを指定してください',
  },
  'not-allowed': {
    en: 'you may not talk to the gateway ({state}); try as root',
    ja: 'ゲートウェイに接続する権限がありません({state})。rootで実行してください',
  },
  'no-answer': {
    en: 'the gateway does not answer ({why})',
    ja: 'ゲートウェイが応答しません({why})',
  },
  'not-understood': {
    en: 'the gateway gave an answer that this program does not understand; are both of the same version?',
    ja: 'ゲートウェイの応答を解釈できません。両者のバージョンが同じか確認してください',
  },
  'connection-ended': { en: 'the gateway ended the connection', ja: 'ゲートウェイが接続を終了しました' },

  /* status */
  'state-starting': { en: 'starting', ja: '起動中' },
  'state-closed': {
    en: 'no keys yet: closed, only exceptions pass',
    ja: '鍵なし: 閉じています(例外の通信だけを通します)',
  },
  'state-open': {
    en: 'no keys: OPEN, everything passes unprotected but what was protected before',
    ja: '鍵なし: 開いています(保護していた相手との通信を除き、すべて保護せずに通します)',
  },
  'state-running': { en: 'running', ja: '動作中' },
  'state-stopping': { en: 'stopping', ja: '停止処理中' },
  'gms-unenrolled': { en: 'not enrolled; use "enrol TOKEN"', ja: '未登録(「enrol トークン」で登録してください)' },
  'gms-connecting': { en: 'connecting', ja: '接続中' },
  'gms-connected': { en: 'connected', ja: '接続済み' },
  'gms-lost': { en: 'no contact; working with stored keys', ja: '通信不可(保存済みの鍵で動作中)' },
  'gms-removed': {
    en: 'removed this gateway; "enrol --force" with a new token enrols it anew',
    ja: 'このゲートウェイは削除されました(新しいトークンを使い「enrol --force」で登録し直してください)',
  },
  'kind-bridge': { en: 'bridge', ja: 'ブリッジ' },
  'kind-router': { en: 'router', ja: 'ルータ' },
  'kind-host': { en: 'host', ja: 'ホスト' },
  'mode-open': { en: 'open', ja: '開放' },
  'mode-closed': { en: 'closed', ja: '閉域' },
  'port-up': { en: 'up', ja: 'リンクあり' },
  'port-down': { en: 'down', ja: 'リンクなし' },
  'port-missing': { en: 'missing', ja: 'なし' },
  'port-outer': { en: 'outer', ja: 'ネットワーク側' },
  'port-inner': { en: 'inner', ja: '機器側' },
  'port-mgmt': { en: 'management', ja: '管理' },
  'label-gateway': { en: 'Gateway', ja: 'ゲートウェイ' },
  'label-state': { en: 'State', ja: '状態' },
  'label-mode': { en: 'Mode', ja: '動作モード' },
  'label-gms': { en: 'GMS', ja: 'GMS' },
  'label-gms-error': { en: 'GMS problem', ja: 'GMSの問題' },
  'label-last-contact': { en: 'Last contact', ja: '最後の通信' },
  'label-bundle': { en: 'Bundle', ja: 'バンドル' },
  'label-keys-until': { en: 'Keys valid until', ja: '鍵の有効期限' },
  'label-domain-key': { en: 'Domain key', ja: 'ドメイン鍵' },
  'label-pairs': { en: 'Pairs', ja: '通信相手の組' },
  'label-flows': { en: 'Flows', ja: 'フロー' },
  'label-negotiation': { en: 'Negotiation', ja: 'ネゴシエーション' },
  'label-uptime': { en: 'Running for', ja: '稼働時間' },
  'label-memory': { en: 'Memory', ja: 'メモリ' },
  'label-workers': { en: 'Workers', ja: 'ワーカー' },
  'value-version': { en: 'version {version}', ja: 'バージョン{version}' },
  'value-negotiation': {
    en: 'median {median}, longest {longest} (last {count})',
    ja: '中央値{median}、最大{longest}(直近{count}回)',
  },
  'value-evicted': {
    en: '{count} made room in the full table',
    ja: '表が満杯のため{count}件を破棄',
  },
  'value-held': { en: '{frames} frames held, {bytes}', ja: '{frames}フレームを保留中、{bytes}' },
  'value-none': { en: 'none', ja: 'なし' },
  'value-any': { en: 'any', ja: 'すべて' },

  /* tables */
  'column-port': { en: 'PORT', ja: 'ポート' },
  'column-interface': { en: 'INTERFACE', ja: 'インタフェース' },
  'column-state': { en: 'STATE', ja: '状態' },
  'column-received': { en: 'RECEIVED', ja: '受信' },
  'column-sent': { en: 'SENT', ja: '送信' },
  'column-group': { en: 'GROUP', ja: '通信グループ' },
  'column-name': { en: 'NAME', ja: '名前' },
  'column-key-version': { en: 'KEY VERSION', ja: 'グループ鍵のバージョン' },
  'column-transform': { en: 'TRANSFORM', ja: '変換方式' },
  'column-protocol': { en: 'PROTOCOL', ja: 'プロトコル' },
  'column-device': { en: 'DEVICE', ja: '機器' },
  'column-peer': { en: 'PEER', ja: '通信相手' },
  'column-verdict': { en: 'VERDICT', ja: '扱い' },
  'column-reason': { en: 'REASON', ja: '理由' },
  'column-out': { en: 'OUT', ja: '送信' },
  'column-in': { en: 'IN', ja: '受信' },
  'column-idle': { en: 'IDLE', ja: '無通信' },
  'column-peer-gateway': { en: 'FAR GATEWAY', ja: '相手側ゲートウェイ' },
  'column-count': { en: 'COUNT', ja: '数' },
  'column-exception': { en: 'EXCEPTION', ja: '例外' },
  'column-hits': { en: 'PACKETS', ja: 'パケット' },
  'no-flows': { en: 'no flows', ja: 'フローはありません' },
  'no-pairs': { en: 'no pairs', ja: '通信相手の組はありません' },
  'no-drops': { en: 'nothing was dropped', ja: '破棄したパケットはありません' },
  'more-rows': {
    en: '{shown} of {total} shown; narrow the choice or raise --limit',
    ja: '{total}件のうち{shown}件を表示しています。条件で絞り込むか--limitを増やしてください',
  },
  'dropped-in-all': { en: '{total} dropped in all', ja: '合計{total}個を破棄しました' },

  /* explain */
  'explain-title': { en: 'Packets to {peer}: {verdict}', ja: '{peer}宛てのパケット: {verdict}' },
  'explain-title-from': {
    en: 'Packets from {device} to {peer}: {verdict}',
    ja: '{device}から{peer}宛てのパケット: {verdict}',
  },
  'explain-reason': { en: 'Reason: {reason}', ja: '理由: {reason}' },
  'explain-exception': {
    en: 'The exception {exception} covers them: they pass without protection.',
    ja: '例外「{exception}」に該当するため、保護せずに通します。',
  },
  'explain-no-exception': { en: 'No exception covers them.', ja: '該当する例外はありません。' },
  'explain-some-excepted': {
    en: 'The exception {exception} lets some of them pass without protection. For all others:',
    ja: '例外「{exception}」に該当するものは、保護せずに通します。それ以外については次のとおりです。',
  },
  'explain-never': {
    en: 'Multicast, broadcast, link-local and loopback addresses are never negotiated: an open gateway passes them, a closed one only what an exception names.',
    ja: 'マルチキャスト、ブロードキャスト、リンクローカル、ループバックのアドレスはネゴシエーションの対象外です。開放モードでは通し、閉域モードでは例外で指定したものだけを通します。',
  },
  'explain-keys': {
    en: 'The gateway has its keys (state: {state}).',
    ja: 'ゲートウェイは鍵を保持しています(状態: {state})。',
  },
  'explain-without-keys-closed': {
    en: 'The gateway has no keys, and the configuration says "withoutKeys: closed": only exceptions pass.',
    ja: 'ゲートウェイに鍵がなく、設定が「withoutKeys: closed」のため、例外の通信だけを通します。',
  },
  'explain-without-keys-open': {
    en: 'The gateway has no keys, and the configuration says "withoutKeys: open": everything passes unprotected.',
    ja: 'ゲートウェイに鍵がなく、設定が「withoutKeys: open」のため、すべての通信を保護せずに通します。',
  },
  'explain-without-keys-refused': {
    en: 'The gateway has no keys, and the configuration says "withoutKeys: open": all but what was or must be protected passes unprotected.',
    ja: 'ゲートウェイに鍵がなく、設定が「withoutKeys: open」のため、保護していた相手や保護対象の宛先以外の通信を、保護せずに通します。',
  },
  'explain-pair': {
    en: '{device} and {peer} are a known pair: {verdict}; {reason}.',
    ja: '{device}と{peer}の組の扱いは決まっています: {verdict}({reason})。',
  },
  'explain-pair-encrypted': {
    en: '{device} and {peer} are a known pair: {verdict} by {transform} in group {group}, with gateway {ge}.',
    ja: '{device}と{peer}の組の扱いは決まっています: {verdict}(変換方式{transform}、通信グループ{group}、相手側ゲートウェイ{ge})。',
  },
  'explain-no-pair': { en: 'Nothing is known about this pair yet.', ja: 'この組についてはまだ何も決まっていません。' },
  'explain-prefix': {
    en: 'The GMS names the address as protected: nothing ever goes there in plaintext.',
    ja: 'GMSが保護対象に指定したアドレスのため、平文で送ることはありません。',
  },
  'explain-no-prefix': {
    en: 'The GMS does not name the address as protected.',
    ja: 'GMSが保護対象に指定したアドレスではありません。',
  },
  'explain-remembered': {
    en: 'The address was protected before, by gateway {ge} with {transform}: without proof from it, packets are discarded.',
    ja: '以前ゲートウェイ{ge}が{transform}で保護していたアドレスです。そのゲートウェイであることを確認できなければ破棄します。',
  },
  'explain-not-remembered': {
    en: 'The address is not remembered as protected.',
    ja: '保護されていたアドレスとしての記憶はありません。',
  },
  'explain-negotiate': {
    en: 'The first packet is held and starts a negotiation (DPRP); what it finds decides.',
    ja: '最初のパケットを保留してネゴシエーション(DPRP)を開始し、その結果で扱いを決めます。',
  },
  'explain-negotiate-open': {
    en: 'The first packet is held and starts a negotiation (DPRP): encrypted when a gateway of a common group is there, otherwise in plaintext, because this gateway is open.',
    ja: '最初のパケットを保留してネゴシエーション(DPRP)を開始します。共通の通信グループのゲートウェイがあれば暗号化し、なければ動作モードが開放なので平文で通します。',
  },
  'explain-negotiate-closed': {
    en: 'The first packet is held and starts a negotiation (DPRP): encrypted when a gateway of a common group is there, otherwise discarded.',
    ja: '最初のパケットを保留してネゴシエーション(DPRP)を開始します。共通の通信グループのゲートウェイがあれば暗号化し、なければ破棄します。',
  },

  /* check, run, enrol, release */
  'check-good': { en: '{file}: correct ({kind})', ja: '{file}: 問題ありません({kind})' },
  'problems-found': {
    en: '{count} to correct; nothing was changed',
    ja: '{count}件の誤りがあります。何も変更していません',
  },
  'state-dir': {
    en: 'the state directory {state} cannot be used ({why})',
    ja: '状態ディレクトリ{state}を使用できません({why})',
  },
  'run-failed': { en: 'the gateway could not start: {why}', ja: 'ゲートウェイを起動できません: {why}' },
  'enrol-done': { en: 'Enrolled as {name} (GE {ge}).', ja: '{name}として登録しました(GE {ge})。' },
  'enrol-next': {
    en: 'The gateway fetches its keys when it starts: use "run".',
    ja: 'ゲートウェイは起動時に鍵を取得します。「run」で起動してください。',
  },
  'enrol-fetching': {
    en: 'The running gateway fetches its keys now; "status" shows them.',
    ja: '動作中のゲートウェイが鍵を取得します。「status」で確認できます。',
  },
  'enrol-failed': { en: 'not enrolled: {why}', ja: '登録できませんでした: {why}' },
  'release-still-running': {
    en: 'the gateway did not stop within {seconds} s; nothing was opened',
    ja: 'ゲートウェイが{seconds}秒以内に停止しなかったため、開放していません',
  },
  'release-failed': { en: 'the machine could not be opened: {why}', ja: '開放できませんでした: {why}' },
  'release-done': {
    en: 'OPEN: everything passes UNPROTECTED until "run" is started again. Recorded in {file}.',
    ja: '開放しました。次に「run」を起動するまで、すべての通信が保護されずに通ります。{file}に記録しました。',
  },
  'audit-failed': {
    en: 'this cannot be recorded in {file} ({why}), so it is not done',
    ja: '{file}に記録できないため({why})、実行しませんでした',
  },
  'own-fault': { en: 'a fault of this program: {why}', ja: 'このプログラムの内部エラーです: {why}' },

  /* events */
  'level-info': { en: 'info', ja: '情報' },
  'level-warning': { en: 'WARNING', ja: '注意' },
  'level-alarm': { en: 'ALARM', ja: '警報' },
  'event-starting': { en: 'the gateway is starting', ja: 'ゲートウェイを起動しています' },
  'event-running': { en: 'the gateway is running with its keys', ja: 'ゲートウェイが鍵を保持して動作を開始しました' },
  'event-closed': { en: 'there are no keys: only exceptions pass', ja: '鍵がないため、例外の通信だけを通します' },
  'event-open': {
    en: 'there are no keys: everything passes unprotected but what was protected before',
    ja: '鍵がないため、保護していた相手との通信を除き、すべて保護せずに通します',
  },
  'event-stopping': { en: 'the gateway is stopping', ja: 'ゲートウェイを停止しています' },
  'event-bundle': { en: 'new keys and policy from the GMS', ja: 'GMSから新しい鍵とポリシーを受信しました' },
  'event-bundle-refused': { en: 'a bundle from the GMS was refused', ja: 'GMSからのバンドルを拒否しました' },
  'event-keys-ended': {
    en: 'the keys ended because the GMS was silent for too long',
    ja: 'GMSと長時間通信できなかったため、鍵の有効期限が切れました',
  },
  'event-removed': {
    en: 'the GMS removed this gateway; its keys are of no more use',
    ja: 'このゲートウェイはGMSから削除されたため、鍵は無効になりました',
  },
  'event-wrong-root': {
    en: 'a server at the address of the GMS is not the one of the token: somebody may be in between',
    ja: 'GMSのアドレスのサーバがトークンの発行元ではありません。第三者が介在している可能性があります',
  },
  'event-store-failed': {
    en: 'keys cannot be stored: they are in use, but would be missing after a restart',
    ja: '鍵を保存できません。現在は使用中ですが、再起動すると失われます',
  },
  'event-gms-connected': { en: 'connected to the GMS', ja: 'GMSに接続しました' },
  'event-gms-lost': {
    en: 'no contact with the GMS; going on with stored keys',
    ja: 'GMSと通信できません。保存済みの鍵で動作を続けます',
  },
  'event-port-up': { en: 'port {port} is up', ja: 'ポート{port}のリンクが確立しました' },
  'event-port-down': { en: 'port {port} is down', ja: 'ポート{port}のリンクが切れました' },
  'event-worker-failed': {
    en: 'a worker failed; the gateway ends, and nothing passes',
    ja: 'ワーカーが異常終了しました。ゲートウェイを終了し、すべての通信を遮断します',
  },
  'event-locked-memory': {
    en: 'keys may need {needed} MiB of locked memory, {allowed} MiB are allowed: set LimitMEMLOCK={needed}M in the service, or ulimit -l {kib}',
    ja: '鍵には最大{needed} MiBのロックメモリが必要ですが、上限は{allowed} MiBです。サービスにLimitMEMLOCK={needed}Mを設定するか、「ulimit -l {kib}」を実行してください',
  },
  'event-no-key-room': {
    en: 'no more memory can be locked for keys: idle pairs lose theirs, and new ones are refused for a while; set LimitMEMLOCK={needed}M in the service, or ulimit -l {kib}',
    ja: '鍵のためにこれ以上メモリをロックできません。通信の少ない相手の鍵を破棄し、新しい相手との通信を一時的に拒否します。サービスにLimitMEMLOCK={needed}Mを設定するか、「ulimit -l {kib}」を実行してください',
  },
  'event-drops-restored': {
    en: 'somebody had removed the rules that keep {ports} closed; they are back',
    ja: '{ports}を遮断する規則が削除されていたため、元に戻しました',
  },
  'event-decision-differs': {
    en: 'a gateway on the path decides otherwise for {device} and {peer}; its message was refused',
    ja: '{device}と{peer}について経路上のゲートウェイの判断が異なるため、そのメッセージを拒否しました',
  },
  'event-downgrade': {
    en: '{peer} was protected before and now nobody proves it; traffic from {device} is discarded',
    ja: '以前保護されていた{peer}を証明するゲートウェイがないため、{device}からの通信を破棄しています',
  },
  'event-statement': {
    en: 'a gateway toward {peer} showed no valid statement of the GMS',
    ja: '{peer}側のゲートウェイがGMSの有効な証明書を示しませんでした',
  },
  'event-other-ge': {
    en: 'another gateway than before answers for {peer}',
    ja: '{peer}について以前とは異なるゲートウェイが応答しました',
  },
  'event-events-lost': {
    en: '{count} events were skipped: they came faster than they were read',
    ja: '読み取りが追いつかず、{count}件のイベントを省略しました',
  },
} as const satisfies Readonly<Record<string, Text>>;

export type MessageKey = keyof typeof messages;
export type Say = SayOf<MessageKey>;
export const sayIn = speaker(messages);

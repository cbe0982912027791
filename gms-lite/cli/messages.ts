/** The words of the GMS's command line. Refusals have their own sentences in #gms/errors.ts. */
import type { Language, Text } from '#config/text.ts';
import { fill, type Values } from '#terminal/message.ts';

const messages = {
  program: { en: 'the group management server', ja: 'グループ管理サーバ' },
  'option.state': { en: 'directory of the GMS (or GMS_STATE)', ja: 'GMSのディレクトリ(環境変数GMS_STATEでも可)' },
  'option.json': { en: 'print JSON', ja: 'JSONで出力する' },
  'init.help': { en: 'make a new GMS', ja: '新しいGMSを作る' },
  'init.address': {
    en: 'IP address and port at which gateways reach this GMS; several are tried in this order',
    ja: 'ゲートウェイがこのGMSに接続するIPアドレスとポート。複数指定した場合はこの順に試す',
  },
  'init.done': {
    en: 'GMS made in {directory}. Back up {directory}/master.key apart from the rest: without it the store cannot be read.',
    ja: '{directory}にGMSを作りました。{directory}/master.keyは別に控えてください。これがないと保存データを読めません。',
  },
  'run.help': { en: 'serve gateways until stopped', ja: '停止されるまでゲートウェイに応答する' },
  'run.listen': {
    en: 'address and port to listen on (default: all addresses)',
    ja: '待ち受けるアドレスとポート(既定: すべてのアドレス)',
  },
  'run.listening': { en: 'listening on {endpoints}', ja: 'listening on {endpoints}(待ち受け中)' },
  'run.stopped': { en: 'stopped', ja: '停止しました' },
  'group.help': { en: 'communication groups', ja: '通信グループ' },
  'group.create.help': { en: 'make a group', ja: 'グループを作る' },
  'group.create.number': { en: 'group number (default: the next free one)', ja: 'グループ番号(既定: 次の空き番号)' },
  'group.create.transform': {
    en: 'how packets are protected: sealed, or pccom, which adds no byte and does not notice changes on the way',
    ja: 'パケットの保護方式: sealed、またはpccom(1バイトも増えないが、経路上の改ざんは検出できない)',
  },
  'group.create.checksum': {
    en: 'of pccom: ordinary, or keyed (16 bits against changes, only where nobody on the way looks at checksums)',
    ja: 'pccomのチェックサム: ordinary、またはkeyed(改ざんを16ビットで検出。経路上でチェックサムを検査しない場合のみ)',
  },
  'group.create.rotate': {
    en: 'renew the key daily at HH:MM, or "never"',
    ja: '鍵を毎日HH:MMに更新する。「never」で更新しない',
  },
  'group.create.zone': { en: 'time zone of the renewal', ja: '更新時刻のタイムゾーン' },
  'group.created': { en: 'group {name} made, number {number}', ja: 'グループ{name}を作りました(番号{number})' },
  'group.list.help': { en: 'list groups', ja: 'グループを一覧する' },
  'group.add.help': { en: 'let a gateway into a group', ja: 'ゲートウェイをグループに加える' },
  'group.added': { en: '{ge} belongs to group {group} now', ja: '{ge}をグループ{group}に加えました' },
  'group.remove.help': { en: 'take a gateway out of a group', ja: 'ゲートウェイをグループから外す' },
  'group.removed': {
    en: '{ge} is out of group {group}; the others get a new key',
    ja: '{ge}をグループ{group}から外しました。残りのゲートウェイには新しい鍵が配られます',
  },
  'ge.help': { en: 'gateways', ja: 'ゲートウェイ' },
  'ge.list.help': { en: 'list gateways', ja: 'ゲートウェイを一覧する' },
  'ge.set.help': { en: 'change name, mode or kind of a gateway', ja: 'ゲートウェイの名前、モード、種類を変える' },
  'ge.set': { en: '{name}: {kind}, {mode}', ja: '{name}: {kind}、{mode}' },
  'ge.remove.help': { en: 'take a gateway out of everything', ja: 'ゲートウェイをすべてから削除する' },
  'ge.removed': {
    en: '{name} is removed; groups and domain get new keys',
    ja: '{name}を削除しました。グループとドメインに新しい鍵が配られます',
  },
  'token.help': { en: 'enrolment tokens', ja: '登録トークン' },
  'token.create.help': {
    en: 'make a token that lets one gateway in, at once and once',
    ja: 'ゲートウェイ1台を承認なしで1回だけ登録できるトークンを作る',
  },
  'token.name': { en: 'name of the gateway', ja: 'ゲートウェイの名前' },
  'token.kind': { en: 'bridge, router or host', ja: 'bridge、router、host' },
  'token.mode': { en: 'open or closed', ja: 'open(開放)またはclosed(閉域)' },
  'token.group': { en: 'group that the gateway joins; may be repeated', ja: '参加するグループ。繰り返し指定できる' },
  'token.ttl': { en: 'life of the token: 30m, 1h, 7d', ja: 'トークンの有効期間: 30m、1h、7d' },
  'token.created': {
    en: '{token}\nOne gateway can enrol with it until {expiry}. It is shown only now.',
    ja: '{token}\n{expiry}までゲートウェイ1台の登録に使えます。表示されるのは今だけです。',
  },
  'rotate.help': { en: 'renew keys now', ja: '鍵を今すぐ更新する' },
  'rotate.all': { en: 'of all groups and the domain', ja: 'すべてのグループとドメイン' },
  'rotate.domain': { en: 'of the domain', ja: 'ドメイン' },
  'rotate.done': { en: '{group}: key version {version}', ja: '{group}: 鍵バージョン{version}' },
  'rotate.what': {
    en: 'name a group, --all or --domain',
    ja: 'グループ名、--all、--domainのいずれかを指定してください',
  },
  'word.domain': { en: 'domain', ja: 'ドメイン' },
  'policy.help': { en: 'what every gateway is told', ja: 'すべてのゲートウェイに伝える方針' },
  'policy.set.help': { en: 'change the policy', ja: '方針を変える' },
  'policy.show.help': { en: 'show the policy', ja: '方針を表示する' },
  'policy.protected': {
    en: 'prefix to which no plaintext goes, ever; repeat for several, "none" for none',
    ja: '平文を決して通さないプレフィックス。繰り返し可。「none」で空にする',
  },
  'policy.exception': {
    en: 'PREFIX[,PROTOCOL[,PORT]][,in|out|both] that always passes (default: out); repeat for several, "none" for none',
    ja: '常に通す例外 PREFIX[,プロトコル[,ポート]][,in|out|both](既定はout)。繰り返し可。「none」で空にする',
  },
  'policy.offline': {
    en: 'hours for which keys stay valid without the GMS, 0 for without end',
    ja: 'GMSなしで鍵が有効な時間数。0で無期限',
  },
  'policy.forget': { en: 'let gateways forget remembered peers', ja: '記憶した相手をゲートウェイに忘れさせる' },
  'policy.nothing': { en: 'name at least one thing to change', ja: '変更する項目を一つ以上指定してください' },
  'status.help': { en: 'state of the GMS', ja: 'GMSの状態' },
  'status.addresses': { en: 'Addresses', ja: 'アドレス' },
  'status.fingerprint': { en: 'Fingerprint', ja: 'フィンガープリント' },
  'status.incarnation': { en: 'Incarnation', ja: '世代' },
  'status.gateways': { en: 'Gateways', ja: 'ゲートウェイ' },
  'status.current': {
    en: '{gateways}, of which {current} hold their newest bundle',
    ja: '{gateways}台(うち{current}台が最新のバンドルを保持)',
  },
  'status.groups': { en: 'Groups', ja: '通信グループ' },
  'status.domain': { en: 'Domain key versions', ja: 'ドメイン鍵のバージョン' },
  'status.audit': { en: 'Audit entries', ja: '監査記録の件数' },
  'policy.shown.protected': { en: 'Protected prefixes', ja: '保護対象プレフィックス' },
  'policy.shown.exceptions': { en: 'Exceptions', ja: '例外' },
  'policy.shown.offline': { en: 'Keys valid without GMS', ja: 'GMSなしで鍵が有効な期間' },
  'policy.hours': { en: '{hours} h', ja: '{hours}時間' },
  'policy.endless': { en: 'without end', ja: '無期限' },
  'audit.help': { en: 'who changed what', ja: '変更の記録' },
  'audit.intact': { en: 'the chain of {count} entries is intact', ja: '{count}件の連鎖は無傷です' },
  'audit.broken': { en: 'the chain is broken at entry {number}', ja: '連鎖は{number}番目で壊れています' },
  'list.empty': { en: 'none', ja: 'なし' },
  'column.name': { en: 'NAME', ja: '名前' },
  'column.number': { en: 'NUMBER', ja: '番号' },
  'column.transform': { en: 'TRANSFORM', ja: '方式' },
  'column.version': { en: 'KEY VERSION', ja: '鍵バージョン' },
  'column.members': { en: 'MEMBERS', ja: 'メンバー' },
  'column.id': { en: 'ID', ja: 'ID' },
  'column.kind': { en: 'KIND', ja: '種類' },
  'column.mode': { en: 'MODE', ja: 'モード' },
  'column.state': { en: 'STATE', ja: '状態' },
  'column.groups': { en: 'GROUPS', ja: 'グループ' },
  'column.bundle': { en: 'BUNDLE', ja: 'バンドル' },
  'column.held': { en: 'HELD', ja: '保持' },
  'column.seen': { en: 'LAST SEEN', ja: '最終確認' },
  'column.time': { en: 'TIME', ja: '時刻' },
  'column.who': { en: 'WHO', ja: '実行者' },
  'column.action': { en: 'ACTION', ja: '操作' },
  'column.subject': { en: 'SUBJECT', ja: '対象' },
  'bad.duration': {
    en: '“{text}” is not a duration: a number and s, m, h or d, such as 1h',
    ja: '「{text}」は期間ではありません。数字とs、m、h、dで指定してください(例 1h)',
  },
  'bad.choice': {
    en: '“{text}” is not one of {choices}',
    ja: '「{text}」ではなく、{choices}のいずれかを指定してください',
  },
  'bad.number': { en: '“{text}” is not a whole number', ja: '「{text}」は整数ではありません' },
} as const satisfies Readonly<Record<string, Text>>;

export type MessageKey = keyof typeof messages;

export type Translate = ((key: MessageKey, values?: Values) => string) & { readonly language: Language };

export function translator(language: Language): Translate {
  const translate = (key: MessageKey, values: Values = {}): string => fill(messages[key][language], values);
  return Object.assign(translate, { language });
}

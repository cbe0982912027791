/**
 * Every reason for which the GMS refuses something, or a gateway refuses what a GMS sent, once: the code travels in
 * the answer, the sentence is what a person reads. `{name}` is replaced by the value of that name.
 */
const sentences = {
  /* enrolment */
  'token-mistyped': {
    en: 'the token is mistyped or incomplete: copy all of it again, from "gscip1." to the end',
    ja: 'トークンが誤っているか途中で切れています。「gscip1.」から最後まで、もう一度コピーしてください',
  },
  'token-newer': {
    en: 'the token was made by a newer GMS: update this gateway first',
    ja: 'このトークンは新しいGMSで作られています。先にこのゲートウェイを更新してください',
  },
  'token-unknown': {
    en: 'this GMS does not know the token: it was withdrawn or belongs to another GMS; ask for a new one',
    ja: 'このGMSはトークンを知りません。取り消されたか別のGMSのものです。新しいトークンを発行してもらってください',
  },
  'token-expired': {
    en: 'the token expired at {expiry}: ask for a new one',
    ja: 'トークンは{expiry}に期限切れになりました。新しいトークンを発行してもらってください',
  },
  'token-used': {
    en: 'the token was already used by another gateway: ask for a new one',
    ja: 'トークンはすでに別のゲートウェイで使われています。新しいトークンを発行してもらってください',
  },
  'wrong-root': {
    en: 'the server at {address} is not the GMS that made the token: somebody may be in between, or the GMS was set up anew',
    ja: '{address}のサーバはトークンを発行したGMSではありません。第三者が介在しているか、GMSが作り直されています',
  },
  'gms-unreachable': {
    en: 'no GMS address answers ({addresses}): check the cable, the addresses and the firewall',
    ja: 'GMSのどのアドレスも応答しません({addresses})。ケーブル、アドレス、ファイアウォールを確認してください',
  },
  'already-enrolled': {
    en: 'this gateway is already enrolled as {name} ({ge}): --force gives that up and enrols anew',
    ja: 'このゲートウェイはすでに{name}({ge})として登録済みです。破棄して登録し直すには--forceを指定してください',
  },
  'bad-answer': {
    en: 'the GMS answered something that this version does not understand: {problem}',
    ja: 'GMSの応答をこのバージョンでは解釈できません: {problem}',
  },
  /* requests of a gateway */
  'not-authenticated': {
    en: 'the request bears no valid signature of a known gateway',
    ja: '既知のゲートウェイの正しい署名がない要求です',
  },
  clock: {
    en: 'the clock differs from the GMS’s by more than {seconds} s',
    ja: '時計がGMSと{seconds}秒以上ずれています',
  },
  replayed: { en: 'the request was already made once', ja: '同じ要求がすでに行われています' },
  'too-many-requests': { en: 'too many requests: ask again later', ja: '要求が多すぎます。後で再試行してください' },
  'body-too-long': {
    en: 'the request is longer than {limit} bytes',
    ja: '要求の本文が{limit}バイトを超えています',
  },
  'body-broken': { en: 'the request broke off in its body', ja: '要求の本文が途中で切れています' },
  removed: { en: 'the GMS removed this gateway', ja: 'このゲートウェイはGMSから削除されました' },
  /* bundles */
  'bundle-unreadable': {
    en: 'a bundle cannot be opened: it was changed on its way or made for another gateway',
    ja: 'バンドルを開けません。途中で改変されたか、別のゲートウェイ宛てです',
  },
  'bundle-signature': {
    en: 'a bundle does not bear the signature of the GMS',
    ja: 'バンドルにGMSの正しい署名がありません',
  },
  'bundle-lower': {
    en: 'the GMS offers bundle {offered}, older than {held}: it may have been restored without a new incarnation',
    ja: 'GMSが提示したバンドル{offered}は保持中の{held}より古いものです。GMSが古い状態に戻された可能性があります',
  },
  'bundle-differs': {
    en: 'the GMS offers another content under the number {held} of the held bundle',
    ja: 'GMSが保持中のバンドルと同じ番号{held}で異なる内容を提示しました',
  },
  /* stores */
  'key-file-mode': {
    en: '{file} may be read by others (mode {mode}): make it 0600',
    ja: '{file}が他人に読める状態です(モード{mode})。0600にしてください',
  },
  'key-file-bad': {
    en: '{file} is not a key file of 32 bytes: put the right one back',
    ja: '{file}は32バイトの鍵ファイルではありません。正しいものに戻してください',
  },
  'store-unreadable': {
    en: 'the record {record} cannot be opened with this key file: file and store do not belong together',
    ja: '記録{record}をこの鍵ファイルで開けません。鍵ファイルと保存データの組み合わせが違います',
  },
  'already-initialized': {
    en: '{directory} already holds a GMS: choose another directory',
    ja: '{directory}にはすでにGMSがあります。別のディレクトリを指定してください',
  },
  'not-initialized': {
    en: '{directory} holds no GMS: make one with "init" first',
    ja: '{directory}にGMSがありません。先に「init」で作ってください',
  },
  /* administration */
  'bad-field': { en: '{field}: {problem}', ja: '{field}: {problem}' },
  'bad-address': {
    en: '“{text}” is not an IP address with an optional port (192.0.2.1, 192.0.2.1:7443, [2001:db8::1]:7443)',
    ja: '「{text}」はIPアドレス(ポートは省略可)ではありません(例 192.0.2.1、192.0.2.1:7443、[2001:db8::1]:7443)',
  },
  'bad-prefix': {
    en: '“{text}” is not a prefix (192.0.2.0/24, 2001:db8::/32)',
    ja: '「{text}」はプレフィックスではありません(例 192.0.2.0/24、2001:db8::/32)',
  },
  'bad-exception': {
    en: '“{text}” is not an exception: PREFIX[,PROTOCOL[,PORT]][,in|out|both], for example 192.0.2.10/32,udp,123,out',
    ja: '「{text}」は例外ではありません。形式: PREFIX[,プロトコル[,ポート]][,in|out|both](例 192.0.2.10/32,udp,123,out)',
  },
  'group-exists': { en: 'group {group} already exists', ja: 'グループ{group}はすでに存在します' },
  'group-unknown': { en: 'there is no group {group}', ja: 'グループ{group}はありません' },
  'group-number-used': {
    en: 'group number {number} was already used: leave it out to get a free one',
    ja: 'グループ番号{number}は使用済みです。省略すれば空き番号になります',
  },
  'checksum-without-pccom': {
    en: 'a keyed checksum belongs to transform “pccom”: “sealed” has its own proof; leave --checksum out or add --transform pccom',
    ja: '鍵付きチェックサムは方式「pccom」の機能です。「sealed」は自ら認証するため不要です。--checksumを省くか--transform pccomを指定してください',
  },
  'ge-unknown': { en: 'there is no gateway {ge}', ja: 'ゲートウェイ{ge}はありません' },
  'ge-exists': {
    en: 'a gateway named {name} already exists',
    ja: '{name}という名前のゲートウェイはすでに存在します',
  },
  'already-member': {
    en: '{ge} already belongs to group {group}',
    ja: '{ge}はすでにグループ{group}に属しています',
  },
  'not-member': { en: '{ge} does not belong to group {group}', ja: '{ge}はグループ{group}に属していません' },
  'too-many': { en: 'at most {limit} {what} are possible', ja: '{what}は最大{limit}個です' },
  'not-running': {
    en: 'no gms-lite is running in {directory}: start it with "run"',
    ja: '{directory}で動作中のgms-liteがありません。「run」で起動してください',
  },
  'already-running': {
    en: 'a gms-lite is already running in {directory}',
    ja: '{directory}ではすでにgms-liteが動作中です',
  },
  'not-found': { en: 'there is no such address here', ja: 'そのアドレスはありません' },
  internal: {
    en: 'the GMS failed inside; its log tells why',
    ja: 'GMSの内部エラーです。ログを確認してください',
  },
} as const;

export type GmsErrorCode = keyof typeof sentences;
export type GmsErrorValues = Readonly<Record<string, string | number>>;

/** HTTP status of an answer that bears the code; 400 for every other. */
const STATUS: Partial<Record<GmsErrorCode, 401 | 403 | 404 | 409 | 410 | 413 | 429 | 500>> = {
  'token-unknown': 403,
  'token-expired': 403,
  'token-used': 403,
  'not-authenticated': 401,
  clock: 401,
  replayed: 401,
  'too-many-requests': 429,
  'body-too-long': 413,
  removed: 410,
  'group-exists': 409,
  'group-number-used': 409,
  'group-unknown': 404,
  'ge-unknown': 404,
  'ge-exists': 409,
  'already-member': 409,
  'not-member': 409,
  'not-found': 404,
  internal: 500,
};

/** The sentence of a code in a language, values filled in. */
export function gmsSentence(code: GmsErrorCode, values: GmsErrorValues, language: 'en' | 'ja'): string {
  return sentences[code][language].replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** An expected refusal. Its message is the English sentence; it never holds key bytes. */
export class GmsError extends Error {
  readonly code: GmsErrorCode;
  readonly values: GmsErrorValues;

  constructor(code: GmsErrorCode, values: GmsErrorValues = {}) {
    super(gmsSentence(code, values, 'en'));
    this.name = 'GmsError';
    this.code = code;
    this.values = values;
  }

  /** The sentence in both languages. */
  get text(): { readonly en: string; readonly ja: string } {
    return { en: this.message, ja: gmsSentence(this.code, this.values, 'ja') };
  }

  get status(): 400 | 401 | 403 | 404 | 409 | 410 | 413 | 429 | 500 {
    return STATUS[this.code] ?? 400;
  }

  /** Body of the HTTP answer. */
  toJSON(): { error: GmsErrorCode; values: GmsErrorValues; message: string } {
    return { error: this.code, values: this.values, message: this.message };
  }

  /** The error that an answer's body tells of; undefined when it is none that this version knows. */
  static fromJSON(body: unknown): GmsError | undefined {
    if (typeof body !== 'object' || body === null || !('error' in body)) return undefined;
    const code = body.error;
    if (typeof code !== 'string' || !Object.hasOwn(sentences, code)) return undefined;
    const values: Record<string, string | number> = {};
    if ('values' in body && typeof body.values === 'object' && body.values !== null) {
      for (const [name, value] of Object.entries(body.values)) {
        if (typeof value === 'string' || typeof value === 'number') values[name] = value;
      }
    }
    return new GmsError(code as GmsErrorCode, values);
  }
}

/**
 * Every reason for which a packet or a message is dropped, once: the index is the counter's number everywhere
 * (datapath, API, page, metrics), the sentence is what a person reads. No packet disappears without one.
 * New names go to the end of their block; docs/packet-path.md lists them from here.
 */
export interface DropReason {
  readonly name: string;
  readonly en: string;
  readonly ja: string;
}

const reason = (name: string, en: string, ja: string): DropReason => ({ name, en, ja });

export const DROPS = [
  /* port */
  reason('port-receive-overrun', 'the kernel ran out of receive buffer', 'カーネルの受信バッファがあふれた'),
  reason('port-receive-error', 'the port reported a receive error', 'ポートが受信エラーを報告した'),
  reason('port-transmit-queue-full', 'the transmit queue of the port was full', 'ポートの送信キューが満杯だった'),
  reason('port-transmit-error', 'the port refused the frame', 'ポートがフレームを拒否した'),
  reason('port-too-large', 'larger than the port carries', 'ポートのMTUより大きい'),
  reason('port-down', 'the port is down or gone', 'ポートが停止しているか存在しない'),
  reason('frame-truncated', 'the frame is larger than a receive slot', 'フレームが受信スロットより大きい'),
  /* headers */
  reason('ethernet-short', 'shorter than an Ethernet header', 'Ethernetヘッダより短い'),
  reason(
    'vlan-too-deep',
    'more VLAN tags than are looked through: nobody sees what the frame carries',
    'VLANタグの段数が多すぎ、フレームの中身を確認できない',
  ),
  reason('ip-bad-header', 'the IP header is malformed', 'IPヘッダが不正'),
  reason('ip-bad-length', 'the IP length does not fit the frame', 'IP長がフレームと合わない'),
  reason('tcp-bad-header', 'the TCP header or its options are malformed', 'TCPヘッダまたはオプションが不正'),
  reason('udp-bad-length', 'the UDP length does not fit the packet', 'UDP長がパケットと合わない'),
  reason('icmp-bad-header', 'the ICMP message is too short', 'ICMPメッセージが短すぎる'),
  reason('bad-checksum', 'the checksum is wrong', 'チェックサムが誤っている'),
  reason('gso-bad', 'the superpacket contradicts its own headers', 'スーパーパケットの記述がヘッダと矛盾する'),
  reason(
    'checksum-misplaced',
    'an unfinished checksum where the packet has none',
    '未完了のチェックサムの位置にチェックサム欄がない',
  ),
  /* decisions */
  reason('no-keys', 'the gateway has no keys yet and is closed', '鍵がまだなく、ゲートウェイは閉じている'),
  reason(
    'refused-closed',
    'closed mode: the far end is not in a common group',
    '閉域モード: 相手は共通の通信グループに属さない',
  ),
  reason(
    'refused-peer-closed',
    'the far gateway is in closed mode and shares no group',
    '相手のゲートウェイが閉域モードで、共通の通信グループがない',
  ),
  reason(
    'refused-remembered',
    'the address was protected before; no plaintext goes to it',
    '以前に保護された宛先のため平文では送らない',
  ),
  reason('refused-protected-prefix', 'the address is in a protected prefix', '保護対象のプレフィックスに含まれる宛先'),
  reason(
    'refused-negotiation',
    'the negotiation with the far gateway failed',
    '相手ゲートウェイとのネゴシエーションが失敗した',
  ),
  reason('refused-non-ip', 'non-IP frames are refused here', '非IPフレームはここでは拒否される'),
  reason(
    'refused-multicast',
    'closed mode or no keys: multicast that no exception names',
    '閉域モードまたは鍵なし: 例外にないマルチキャスト',
  ),
  reason('ip-mapped-address', 'an IPv6 packet with an IPv4-mapped address', 'IPv4射影アドレスを持つIPv6パケット'),
  /* hold queue */
  reason('hold-full', 'too many wait for a negotiation or a key switch', 'ネゴシエーションや鍵切替の待機が多すぎる'),
  reason(
    'hold-full-inbound',
    'too many packets from outside wait for a negotiation or a key switch',
    'ネゴシエーションや鍵切替を待つ、外部からのパケットが多すぎる',
  ),
  reason(
    'inbound-budget',
    'from outside for an unknown pair, and no negotiation may begin yet',
    '外部から届いた未知のアドレス対のパケットで、まだネゴシエーションを開始できない',
  ),
  reason('hold-abandoned', 'the pair was forgotten while packets waited', '待機中にアドレス対が破棄された'),
  /* associations */
  reason('sealed-unknown-association', 'protected with keys that are not held here', 'ここにない鍵で保護されている'),
  reason(
    'notice-not-ours',
    'a notice about a packet that was not sent lately',
    '最近送信していないパケットについての通知',
  ),
  reason('notice-limit', 'too many notices or errors in one second', '1秒あたりの通知またはエラーが多すぎる'),
  reason('too-big', 'too large for the next hop; the sender was told', '次ホップには大きすぎる(送信元へ通知済み)'),
  reason('dprp-from-inside', 'a DPRP message from behind this gateway', 'ゲートウェイ配下からのDPRPメッセージ'),
  /* dprp */
  reason('dprp-short', 'a DPRP message shorter than its header', 'ヘッダより短いDPRPメッセージ'),
  reason('dprp-version', 'a DPRP message of a format version not known here', '未知の形式バージョンのDPRPメッセージ'),
  reason(
    'dprp-type',
    'a DPRP message of unknown type, or carried by the wrong ICMP message',
    '種別が不明、またはICMP種別と合わないDPRPメッセージ',
  ),
  reason(
    'dprp-length',
    'the lengths of a DPRP message contradict each other or the limits',
    'DPRPメッセージの長さが矛盾するか上限を超える',
  ),
  reason(
    'dprp-no-keys',
    'a DPRP message arrived while this gateway has no keys',
    '鍵がない状態でDPRPメッセージを受信した',
  ),
  reason(
    'dprp-domain-key',
    'sealed with a version of the domain key not held here',
    'ここにないバージョンのドメイン鍵で封印されたDPRPメッセージ',
  ),
  reason('dprp-seal', 'the seal of a DPRP message does not verify', 'DPRPメッセージの封印が検証できない'),
  reason('dprp-body', 'the content of a DPRP message is malformed', 'DPRPメッセージの内容が不正'),
  reason(
    'dprp-path',
    'a DPRP message names more gateways on a side than are supported',
    '片側のゲートウェイ数が対応範囲を超えるDPRPメッセージ',
  ),
  reason('dprp-own', 'a DPRP message that this gateway made itself', 'このゲートウェイ自身が作成したDPRPメッセージ'),
  reason(
    'dprp-statement',
    'the far gateway’s statement is forged, expired or malformed',
    '相手ゲートウェイの証明書が偽造・期限切れ・不正のいずれか',
  ),
  reason(
    'dprp-groups',
    'the far gateway offers a group that its statement does not name',
    '証明書にないグループを相手ゲートウェイが提示した',
  ),
  reason(
    'dprp-revoked',
    'the far gateway was removed from a group it offers',
    '相手ゲートウェイは提示したグループから除外されている',
  ),
  reason(
    'dprp-unknown-negotiation',
    'belongs to no negotiation known here: late, replayed or misdirected',
    '既知のネゴシエーションに属さない(遅延・再送・誤配)',
  ),
  reason('dprp-hash-chain', 'does not continue the message before it', '直前のメッセージと連鎖していない'),
  reason('dprp-mac', 'not made by the gateway its statement names', '証明書の示すゲートウェイが作成したものではない'),
  reason('dprp-exchange', 'the key exchange gives no usable secret', '鍵交換で有効な秘密が得られない'),
  reason(
    'dprp-decision',
    'the far gateway decided otherwise than its own list allows',
    '相手ゲートウェイの決定が一覧から導かれる結果と異なる',
  ),
  reason('dprp-proof', 'the far gateway does not hold the group key', '相手ゲートウェイがグループ鍵を持っていない'),
  reason(
    'dprp-echo',
    'an echo of a DPRP message that was not sent from here',
    'ここから送っていないDPRPメッセージのエコー',
  ),
  reason(
    'dprp-notice',
    'a DPRP notice about a message that was not sent from here',
    'ここから送っていないメッセージについてのDPRP通知',
  ),
  reason('dprp-budget', 'more DPRP work than this gateway takes on at once', '一度に処理できる量を超えたDPRP処理'),
  reason('dprp-key-room', 'no memory to lock for the keys of a pair', '鍵用にロックできるメモリがない'),
  /* transform sealed */
  reason('sealed-missing-tag', 'no tag where every packet must bear one', 'すべてのパケットにあるはずの認証タグがない'),
  reason('sealed-forged', 'the tag does not verify', '認証タグが一致しない'),
  reason('sealed-replay', 'the packet was received before', '受信済みのパケットの再送(リプレイ)'),
  reason('sealed-too-old', 'the packet is older than the replay window', 'リプレイ検査の範囲より古いパケット'),
  reason('sealed-unknown-generation', 'no key of that generation is held', 'その世代の鍵を保持していない'),
  reason(
    'sealed-superpacket',
    'merged segments cannot be sealed ones',
    '結合されたセグメントは保護パケットではありえない',
  ),
  reason('sealed-exhausted', 'the packet numbers of the key are used up', '鍵のパケット番号を使い切った'),
  reason('sealed-no-room', 'the path MTU leaves no room for payload', '経路MTUにペイロードの余地がない'),
  reason(
    'sealed-too-long',
    'with its trailer the datagram exceeds the largest IP packet',
    'トレーラを加えるとIPの最大長を超える',
  ),
  reason('tcp-authenticated', 'TCP-MD5 and TCP-AO cannot be sealed', 'TCP-MD5とTCP-AOはsealedで保護できない'),
  /* transform pccom */
  reason(
    'pccom-short-budget',
    'too many payloads of less than 16 bytes in one second',
    '1秒あたりの16バイト未満のペイロードが多すぎる',
  ),
  reason(
    'pccom-superpacket',
    'merged segments have lost their keyed checksums',
    '結合されたセグメントは鍵付きチェックサムを失っている',
  ),
  reason('pccom-forged-checksum', 'the keyed checksum does not verify', '鍵付きチェックサムが一致しない'),
  reason(
    'pccom-before-switch',
    'the far gateway has not said yet which keys it sends with',
    '相手ゲートウェイがどの鍵で送信するかをまだ通知していない',
  ),
  reason(
    'pccom-old-keys',
    'sent before a key switch, under keys that are gone',
    '鍵の切り替え前に送信され、その鍵はすでに破棄されている',
  ),
  reason(
    'transform-no-room',
    'protecting the packet would take more work than a batch may hold',
    'パケットの保護処理が1バッチの作業領域に収まらない',
  ),
  reason(
    'cipher-failed',
    'the cipher gave no result: the packet is neither protected nor opened',
    '暗号処理が失敗し、パケットを保護も復元もできない',
  ),
  /* fragments */
  reason(
    'fragment-bad',
    'the fragment contradicts the others of its datagram',
    'フラグメントが同じデータグラムの他と矛盾する',
  ),
  reason('fragment-overlap', 'fragments overlap', 'フラグメントが重なっている'),
  reason('fragment-duplicate', 'the fragment was received before', '受信済みのフラグメント'),
  reason('fragment-timeout', 'the other fragments did not come in time', '残りのフラグメントが時間内に届かない'),
  reason('fragment-memory', 'room for fragments ran out', 'フラグメント用の領域が足りない'),
  reason('fragment-no-room', 'the path MTU leaves no room for a fragment', '経路MTUにフラグメントの余地がない'),
  /* ICMP errors about an association's packets */
  reason(
    'icmp-error-unrelated',
    'the ICMP error quotes nothing that was sent',
    'ICMPエラーが送信していないパケットを引用している',
  ),
] as const satisfies readonly DropReason[];

export type DropName = (typeof DROPS)[number]['name'];

/** The counter's number of a drop name. */
export const DROP = Object.fromEntries(DROPS.map((d, i) => [d.name, i])) as Readonly<Record<DropName, number>>;

/** What a parser or transform returns on the hot path to refuse a packet: -(counter's number + 1), never 0. */
export const dropCode = (name: DropName): number => -(DROP[name] + 1);

/** The counter's number of such a code. */
export const dropOfCode = (code: number): number => -code - 1;

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
  reason('port-down', 'the port is down or gone', 'ポートが停止しているか存在しない'),
  reason('frame-truncated', 'the frame is larger than a receive slot', 'フレームが受信スロットより大きい'),
  /* headers */
  reason('ethernet-short', 'shorter than an Ethernet header', 'Ethernetヘッダより短い'),
  reason('ip-bad-header', 'the IP header is malformed', 'IPヘッダが不正'),
  reason('ip-bad-length', 'the IP length does not fit the frame', 'IP長がフレームと合わない'),
  reason('tcp-bad-header', 'the TCP header or its options are malformed', 'TCPヘッダまたはオプションが不正'),
  reason('udp-bad-length', 'the UDP length does not fit the packet', 'UDP長がパケットと合わない'),
  reason('icmp-bad-header', 'the ICMP message is too short', 'ICMPメッセージが短すぎる'),
  reason('bad-checksum', 'the checksum is wrong', 'チェックサムが誤っている'),
  reason('gso-bad', 'the superpacket contradicts its own headers', 'スーパーパケットの記述がヘッダと矛盾する'),
] as const satisfies readonly DropReason[];

export type DropName = (typeof DROPS)[number]['name'];

/** The counter's number of a drop name. */
export const DROP = Object.fromEntries(DROPS.map((d, i) => [d.name, i])) as Readonly<Record<DropName, number>>;

/** What a parser or transform returns on the hot path to refuse a packet: -(counter's number + 1), never 0. */
export const dropCode = (name: DropName): number => -(DROP[name] + 1);

/** The counter's number of such a code. */
export const dropOfCode = (code: number): number => -code - 1;

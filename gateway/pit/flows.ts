/**
 * Flows of one worker: 5-tuples seen from the device behind us, for counting, showing and offloading. A flow has no
 * verdict of its own: that is its pair's. Entries live in typed arrays; nothing is allocated per packet.
 * Owner: the worker. When the table is full the idlest of a few makes room and is counted.
 */
import { wordsText } from '#wire/address.ts';
import { FORM_TCP, type Frame, PROTO_TCP } from '#wire/frame.ts';
import { TCP_FIN, TCP_RST, TCP_SYN, tcpRepeatsSyn } from '#wire/tcp.ts';
import { type FillRandom, HashIndex } from './index.ts';
import { type AskedEnds, isBetween } from './look.ts';

/**
 * A flow's record, 112 bytes: the key in 32-bit words, more words, then the same bytes seen as 64-bit floats.
 *
 *    word 0        4      8       9          10     11    12        13  14          16          18 … 25            26, 27
 *         +--------+------+-------+----------+------+-----+---------+---+-----------+-----------+------------------+-------+
 *         | device | peer | ports | version, | pair | TCP | sent up | – | first     | last      | packets out, in, | chain |
 *         |        |      |       | protocol | row  |     | to      |   | seen (ms) | seen (ms) | bytes out, in    |       |
 *         +--------+------+-------+----------+------+-----+---------+---+-----------+-----------+------------------+-------+
 *
 * The version keeps IPv6's ::ffff:0:0/96 apart from IPv4.
 */
const PEER = 4;
const PORTS = 8; /* device's ‖ peer's, 16 bits each */
const PROTOCOL = 9; /* IP version ‖ protocol, 8 bits each */
const KEY_WORDS = 10;
const PAIR = 10;
const TCP = 11; /* TCP_SYN, TCP_FIN, TCP_RST as seen; SEQUENCE_KNOWN */
const SENT_UP_TO = 12; /* sequence number behind the newest byte from the device */
/* Rows + 1 of the neighbours in the chain of the pair's connections, those with SEQUENCE_KNOWN; 0 at the ends. */
const BEFORE = 26;
const NEXT = 27;
const WORDS = 28;

/** Columns as floats; a record has half as many floats as words. */
const FIRST_SEEN = 7;
const LAST_SEEN = 8;
const PACKETS = 9; /* out, in */
const BYTES = 11; /* out, in */
const FLOATS = WORDS / 2;

/** Beside the TCP flags: SENT_UP_TO holds a number. */
const SEQUENCE_KNOWN = 0x100;

/** A flow as it is shown. */
export interface FlowView {
  readonly device: string;
  readonly peer: string;
  readonly ipVersion: 4 | 6;
  /** IP protocol number. */
  readonly protocol: number;
  /** 0 without ports; ICMP Echo has its identifier in both. */
  readonly devicePort: number;
  readonly peerPort: number;
  readonly packetsOut: number;
  readonly packetsIn: number;
  /** Bytes of IP packets; a superpacket's headers count once. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Milliseconds on the owner's clock. */
  readonly firstSeen: number;
  readonly lastSeen: number;
  /** What was seen of a TCP connection's life, in either direction. */
  readonly tcp?: { readonly syn: boolean; readonly fin: boolean; readonly rst: boolean };
}

/** The addresses of a pair, four words each. */
export interface PairEnds {
  readonly device: Int32Array;
  readonly peer: Int32Array;
  readonly ipVersion: number;
}

/** What `connectionsOf` asks of a pair. */
export interface FlowsPair extends PairEnds {
  readonly row: number;
}

export interface FlowTableOptions {
  readonly random: FillRandom;
  readonly capacity: number;
  /** A flow without traffic is forgotten after this, ms. */
  readonly idleMs: number;
  /** The same for TCP after FIN or RST, ms: the last acknowledgements still count. */
  readonly closedIdleMs: number;
}

export class FlowTable {
  /** Flows that had to make room. */
  evicted = 0;
  readonly #options: FlowTableOptions;
  readonly #index: HashIndex;
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #age = (row: number): number => this.lastSeen(row);
  #cursor = 0;
  /** Row + 1 of the first in a pair's chain, by the pair's row; grows with the rows that pairs have. */
  #chains = new Int32Array(1_024);

  constructor(options: FlowTableOptions) {
    this.#options = options;
    this.#index = new HashIndex(options.capacity, KEY_WORDS, WORDS, options.random);
    this.#words = this.#index.records;
    this.#floats = new Float64Array(this.#index.records.buffer);
  }

  get size(): number {
    return this.#index.size;
  }

  /** Rows ever used are below this. */
  get rows(): number {
    return this.#index.rows;
  }

  /**
   * Counts a frame (a superpacket as its segments) for its flow, which is made when it is new.
   * @param pair row of its pair
   * @param outward true when the frame goes from the device to the peer
   * @returns the flow's row; it stays the same while the flow lives
   */
  count(frame: Frame, pair: number, outward: boolean, now: number): number {
    const row = this.#row(frame, outward, now);
    const at = row * FLOATS;
    const way = outward ? 0 : 1;
    this.#floats[at + PACKETS + way] += frame.gsoSize === 0 ? 1 : Math.ceil(frame.payloadLength / frame.gsoSize);
    this.#floats[at + BYTES + way] += frame.l3End - frame.l3;
    this.#floats[at + LAST_SEEN] = now;
    if (this.#words[row * WORDS + PAIR] !== pair) this.#setPair(row, pair);
    if (frame.form === FORM_TCP) this.#noteTcp(row, frame, outward);
    return row;
  }

  #setPair(row: number, pair: number): void {
    const at = row * WORDS;
    const chained = (this.#words[at + TCP] & SEQUENCE_KNOWN) !== 0;
    if (chained) this.#unchain(row);
    this.#words[at + PAIR] = pair;
    if (chained) this.#chain(row);
  }

  /** The pair's connections are found without a walk over all flows. */
  #chain(row: number): void {
    const words = this.#words;
    const pair = words[row * WORDS + PAIR];
    if (pair >= this.#chains.length) {
      const longer = new Int32Array(2 ** Math.ceil(Math.log2(pair + 1)));
      longer.set(this.#chains);
      this.#chains = longer;
    }
    const first = this.#chains[pair];
    words[row * WORDS + BEFORE] = 0;
    words[row * WORDS + NEXT] = first;
    if (first > 0) words[(first - 1) * WORDS + BEFORE] = row + 1;
    this.#chains[pair] = row + 1;
  }

  #unchain(row: number): void {
    const words = this.#words;
    const before = words[row * WORDS + BEFORE];
    const next = words[row * WORDS + NEXT];
    if (before > 0) words[(before - 1) * WORDS + NEXT] = next;
    else this.#chains[words[row * WORDS + PAIR]] = next;
    if (next > 0) words[(next - 1) * WORDS + BEFORE] = before;
  }

  #noteTcp(row: number, frame: Frame, outward: boolean): void {
    const words = this.#words;
    const at = row * WORDS;
    const flags = frame.tcpFlags & (TCP_SYN | TCP_FIN | TCP_RST);
    const begins = (flags & TCP_SYN) !== 0;
    /* SYN begins anew: ports are used again. */
    words[at + TCP] = begins ? flags | (words[at + TCP] & SEQUENCE_KNOWN) : words[at + TCP] | flags;
    if (!outward) return;
    const end = (frame.sequence + frame.payloadLength + ((flags & (TCP_SYN | TCP_FIN)) !== 0 ? 1 : 0)) | 0;
    const known = (words[at + TCP] & SEQUENCE_KNOWN) !== 0;
    const anew = begins && !tcpRepeatsSyn(frame.sequence, words[at + SENT_UP_TO]);
    if (!known || anew || ((end - words[at + SENT_UP_TO]) | 0) > 0) words[at + SENT_UP_TO] = end;
    if (known) return;
    words[at + TCP] |= SEQUENCE_KNOWN;
    this.#chain(row);
  }

  /**
   * For an ICMP error that quotes a packet from the device: the sequence number behind the newest byte that the device
   * sent on that TCP flow, -1 when the flow is unknown.
   */
  newestSequence(
    device: Int32Array,
    peer: Int32Array,
    devicePort: number,
    peerPort: number,
    ipVersion: number,
  ): number {
    this.#setKey(device, peer, (devicePort << 16) | peerPort, (ipVersion << 8) | PROTO_TCP);
    const row = this.#index.find();
    const at = row * WORDS;
    return row < 0 || (this.#words[at + TCP] & SEQUENCE_KNOWN) === 0 ? -1 : this.#words[at + SENT_UP_TO] >>> 0;
  }

  /**
   * TCP flows of a pair, two words each: ports, the device's ‖ the peer's, and the sequence number behind the newest
   * byte from the device. Its row may have been another pair's before. Control path: walks the pair's connections, and
   * ends behind `limit` of them.
   */
  connectionsOf(of: FlowsPair, limit: number): Int32Array {
    const { row: pair, ipVersion } = of;
    /* Its addresses are made anew each time they are read. */
    const ends = { device: of.device, peer: of.peer };
    const protocol = (ipVersion << 8) | PROTO_TCP;
    const found: number[] = [];
    const words = this.#words;
    for (let row = (this.#chains[pair] ?? 0) - 1; row >= 0 && found.length <= 2 * limit; ) {
      const at = row * WORDS;
      row = words[at + NEXT] - 1;
      if (words[at + PROTOCOL] !== protocol || !isBetween(words, at, ends)) continue;
      found.push(words[at + PORTS], words[at + SENT_UP_TO]);
    }
    return Int32Array.from(found);
  }

  /**
   * True when the device has sent on the flow of these ends; ports as in a Frame, 0 for protocols without them. What
   * came for it proves nothing: it is counted before anybody has opened it.
   */
  hasSent(
    device: Int32Array,
    peer: Int32Array,
    devicePort: number,
    peerPort: number,
    ipVersion: number,
    protocol: number,
  ): boolean {
    this.#setKey(device, peer, (devicePort << 16) | peerPort, (ipVersion << 8) | protocol);
    const row = this.#index.find();
    return row >= 0 && this.#floats[row * FLOATS + PACKETS] > 0;
  }

  #setKey(device: Int32Array, peer: Int32Array, ports: number, protocol: number): void {
    const key = this.#index.key;
    for (let word = 0; word < 4; word++) {
      key[word] = device[word];
      key[PEER + word] = peer[word];
    }
    key[PORTS] = ports;
    key[PROTOCOL] = protocol;
  }

  #row(frame: Frame, outward: boolean, now: number): number {
    const device = outward ? frame.source : frame.destination;
    const peer = outward ? frame.destination : frame.source;
    const ports = outward
      ? (frame.sourcePort << 16) | frame.destinationPort
      : (frame.destinationPort << 16) | frame.sourcePort;
    this.#setKey(device, peer, ports, (frame.ipVersion << 8) | frame.protocol);
    const row = this.#index.find();
    return row < 0 ? this.#add(now) : row;
  }

  /** The index's key is set. */
  #add(now: number): number {
    let row = this.#index.insert();
    if (row < 0) {
      this.#remove(this.#index.lowest(this.#age));
      this.evicted++;
      row = this.#index.insert();
    }
    this.#floats[row * FLOATS + FIRST_SEEN] = now;
    return row;
  }

  #remove(row: number): void {
    if ((this.#words[row * WORDS + TCP] & SEQUENCE_KNOWN) !== 0) this.#unchain(row);
    this.#index.remove(row);
  }

  /** Forgets idle flows among the next `budget` rows. Returns how many. */
  sweep(now: number, budget: number): number {
    const before = this.#index.size;
    for (let step = Math.min(budget, this.#index.rows); step > 0; step--) {
      const row = this.#cursor;
      this.#cursor = row + 1 < this.#index.rows ? row + 1 : 0;
      if (!this.#index.isUsed(row)) continue;
      const closed = (this.#words[row * WORDS + TCP] & (TCP_FIN | TCP_RST)) !== 0;
      const idle = closed ? this.#options.closedIdleMs : this.#options.idleMs;
      if (now - this.#age(row) >= idle) this.#remove(row);
    }
    return before - this.#index.size;
  }

  /* ---- what people see: control path ------------------------------------------------------------------------- */

  lastSeen(row: number): number {
    return this.#floats[row * FLOATS + LAST_SEEN];
  }

  /** True for a used row of these ends. */
  isOf(row: number, ends: AskedEnds): boolean {
    return this.#index.isUsed(row) && isBetween(this.#words, row * WORDS, ends);
  }

  /**
   * The ends of a used row, whose pair has the flow's verdict; none of its own, as the pair may have left, and its row
   * be another's.
   */
  endsOf(row: number): PairEnds {
    const at = row * WORDS;
    return {
      device: this.#words.subarray(at, at + PEER),
      peer: this.#words.subarray(at + PEER, at + PORTS),
      ipVersion: this.#words[at + PROTOCOL] >>> 8,
    };
  }

  /** A used row as a plain object. */
  view(row: number): FlowView {
    const words = this.#words.subarray(row * WORDS, (row + 1) * WORDS);
    const floats = this.#floats.subarray(row * FLOATS, (row + 1) * FLOATS);
    const protocol = words[PROTOCOL] & 0xff;
    const seen = (flag: number) => (words[TCP] & flag) !== 0;
    return {
      device: wordsText(words.subarray(0, PEER)),
      peer: wordsText(words.subarray(PEER, PORTS)),
      ipVersion: words[PROTOCOL] >>> 8 === 4 ? 4 : 6,
      protocol,
      devicePort: words[PORTS] >>> 16,
      peerPort: words[PORTS] & 0xffff,
      packetsOut: floats[PACKETS],
      packetsIn: floats[PACKETS + 1],
      bytesOut: floats[BYTES],
      bytesIn: floats[BYTES + 1],
      firstSeen: floats[FIRST_SEEN],
      lastSeen: floats[LAST_SEEN],
      ...(protocol === PROTO_TCP ? { tcp: { syn: seen(TCP_SYN), fin: seen(TCP_FIN), rst: seen(TCP_RST) } } : {}),
    };
  }
}

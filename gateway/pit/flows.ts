/**
 * Flows of one worker: 5-tuples seen from the device behind us, for counting, showing and offloading. A flow has no
 * verdict of its own: that is its pair's. Entries live in typed arrays; nothing is allocated per packet.
 * Owner: the worker. When the table is full the idlest of a few makes room and is counted.
 */
import { wordsText } from '#wire/address.ts';
import { FORM_TCP, type Frame, PROTO_TCP } from '#wire/frame.ts';
import { TCP_FIN, TCP_RST, TCP_SYN } from '#wire/tcp.ts';
import { type FillRandom, HashIndex } from './index.ts';

/** Key: device, peer, both ports, IP version and protocol. The version keeps IPv6's ::ffff:0:0/96 apart from IPv4. */
const KEY_PORTS = 8;
const KEY_PROTOCOL = 9;
const KEY_WORDS = 10;

/** Beside the seen flags: the newest sequence number is known. */
const SEQUENCE_KNOWN = 0x80;

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
  /** Row of the pair the flow belongs to. */
  readonly pair: number;
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
  readonly #pair: Int32Array;
  readonly #tcp: Uint8Array; /* TCP_SYN, TCP_FIN, TCP_RST as seen */
  readonly #firstSeen: Float64Array;
  readonly #lastSeen: Float64Array;
  /** TCP: sequence number behind the newest byte from the device. */
  readonly #sentUpTo: Int32Array;
  /** Per row: packets out, packets in, bytes out, bytes in. */
  readonly #counters: Float64Array;
  readonly #age = (row: number): number => this.#lastSeen[row];
  #cursor = 0;

  constructor(options: FlowTableOptions) {
    this.#options = options;
    this.#index = new HashIndex(options.capacity, KEY_WORDS, options.random);
    this.#pair = new Int32Array(options.capacity);
    this.#tcp = new Uint8Array(options.capacity);
    this.#firstSeen = new Float64Array(options.capacity);
    this.#lastSeen = new Float64Array(options.capacity);
    this.#sentUpTo = new Int32Array(options.capacity);
    this.#counters = new Float64Array(4 * options.capacity);
  }

  get size(): number {
    return this.#index.size;
  }

  /**
   * Counts a frame (a superpacket as its segments) for its flow, which is made when it is new.
   * @param pair row of its pair
   * @param outward true when the frame goes from the device to the peer
   * @returns the flow's row; it stays the same while the flow lives
   */
  count(frame: Frame, pair: number, outward: boolean, now: number): number {
    const row = this.#row(frame, outward, now);
    const at = 4 * row + (outward ? 0 : 1);
    this.#counters[at] += frame.gsoSize === 0 ? 1 : Math.ceil(frame.payloadLength / frame.gsoSize);
    this.#counters[at + 2] += frame.l3End - frame.l3;
    this.#pair[row] = pair;
    this.#lastSeen[row] = now;
    if (frame.form === FORM_TCP) {
      const flags = frame.tcpFlags & (TCP_SYN | TCP_FIN | TCP_RST);
      if (outward) this.#noteSequence(row, frame, flags);
      /* SYN begins anew: ports are used again. */
      this.#tcp[row] = (flags & TCP_SYN) !== 0 ? flags | (this.#tcp[row] & SEQUENCE_KNOWN) : this.#tcp[row] | flags;
    }
    return row;
  }

  #noteSequence(row: number, frame: Frame, flags: number): void {
    const end = (frame.sequence + frame.payloadLength + ((flags & (TCP_SYN | TCP_FIN)) !== 0 ? 1 : 0)) | 0;
    const known = (this.#tcp[row] & SEQUENCE_KNOWN) !== 0 && (flags & TCP_SYN) === 0;
    if (!known || ((end - this.#sentUpTo[row]) | 0) > 0) this.#sentUpTo[row] = end;
    this.#tcp[row] |= SEQUENCE_KNOWN;
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
    return row < 0 || (this.#tcp[row] & SEQUENCE_KNOWN) === 0 ? -1 : this.#sentUpTo[row] >>> 0;
  }

  #setKey(device: Int32Array, peer: Int32Array, ports: number, protocol: number): void {
    const key = this.#index.key;
    for (let word = 0; word < 4; word++) {
      key[word] = device[word];
      key[4 + word] = peer[word];
    }
    key[KEY_PORTS] = ports;
    key[KEY_PROTOCOL] = protocol;
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
      const key = Int32Array.from(this.#index.key); /* only a full table pays for the copy */
      this.#index.remove(this.#index.lowest(this.#age));
      this.evicted++;
      this.#index.key.set(key);
      row = this.#index.insert();
    }
    this.#firstSeen[row] = now;
    this.#tcp[row] = 0;
    this.#counters.fill(0, 4 * row, 4 * row + 4);
    return row;
  }

  /** Row of the pair a flow belongs to. */
  pairOf(row: number): number {
    return this.#pair[row];
  }

  /** Forgets idle flows among the next `budget` rows. Returns how many. */
  sweep(now: number, budget: number): number {
    const before = this.#index.size;
    for (let step = Math.min(budget, this.#index.rows); step > 0; step--) {
      const row = this.#cursor;
      this.#cursor = row + 1 < this.#index.rows ? row + 1 : 0;
      if (!this.#index.isUsed(row)) continue;
      const closed = (this.#tcp[row] & (TCP_FIN | TCP_RST)) !== 0;
      const idle = closed ? this.#options.closedIdleMs : this.#options.idleMs;
      if (now - this.#lastSeen[row] >= idle) this.#index.remove(row);
    }
    return before - this.#index.size;
  }

  /** The `limit` flows seen last, the latest first. Control path: walks all rows once. */
  views(limit: number): FlowView[] {
    const rows: number[] = [];
    /* Insertion into a short list: most rows are older than the list's last and cost one comparison. */
    for (let row = 0; row < this.#index.rows && limit > 0; row++) {
      if (!this.#index.isUsed(row)) continue;
      const seen = this.#lastSeen[row];
      if (rows.length === limit && seen <= this.#lastSeen[rows[limit - 1]]) continue;
      let low = 0;
      let high = rows.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (this.#lastSeen[rows[middle]] >= seen) low = middle + 1;
        else high = middle;
      }
      rows.splice(low, 0, row);
      if (rows.length > limit) rows.pop();
    }
    return rows.map((row) => this.view(row));
  }

  /** A used row as a plain object. */
  view(row: number): FlowView {
    const key = this.#index.keys.subarray(KEY_WORDS * row, KEY_WORDS * (row + 1));
    const protocol = key[KEY_PROTOCOL] & 0xff;
    const [packetsOut, packetsIn, bytesOut, bytesIn] = this.#counters.subarray(4 * row, 4 * row + 4);
    const flags = this.#tcp[row];
    const seen = (flag: number) => (flags & flag) !== 0;
    return {
      device: wordsText(key.subarray(0, 4)),
      peer: wordsText(key.subarray(4, 8)),
      ipVersion: key[KEY_PROTOCOL] >>> 8 === 4 ? 4 : 6,
      protocol,
      devicePort: key[KEY_PORTS] >>> 16,
      peerPort: key[KEY_PORTS] & 0xffff,
      pair: this.#pair[row],
      packetsOut,
      packetsIn,
      bytesOut,
      bytesIn,
      firstSeen: this.#firstSeen[row],
      lastSeen: this.#lastSeen[row],
      ...(protocol === PROTO_TCP ? { tcp: { syn: seen(TCP_SYN), fin: seen(TCP_FIN), rst: seen(TCP_RST) } } : {}),
    };
  }
}

/**
 * Pairs of one worker: (device behind us, peer), the unit of negotiation (docs/dprp.md: what is negotiated, and when).
 * A Pair is made once, on the control path, and found by its addresses for every packet without allocation.
 * `T` is what the owner keeps per generation: its association. Owner: the worker.
 */
import { wordsToBytes } from '#wire/address.ts';
import { copyLinkHeader, ETHER_HEADER, INLINE_TAGS_MAX, macSwap, VLAN_TAG } from '#wire/ethernet.ts';
import type { Frame } from '#wire/frame.ts';
import { type FillRandom, HashIndex } from './index.ts';

const KEY_VERSION = 8;
const KEY_WORDS = 9;

/** Generations of a pair's association that can be held at once: two bits on the wire. */
export const GENERATIONS = 4;

/** Of `Pair.receiving`: nothing is expected without a tag. */
export const NO_FORM = -1;
/** Of `Pair.receiving`: what comes without a tag is plaintext. */
export const PLAIN_FORM = -2;

export type Verdict = 'unknown' | 'negotiating' | 'encrypt' | 'plain' | 'discard';

/** The layer-2 header that frames of our own bear on one side of the gateway. */
export class LinkHeader {
  readonly bytes = new Uint8Array(ETHER_HEADER + INLINE_TAGS_MAX * VLAN_TAG);
  /** 0 while no frame has shown it. */
  length = 0;
  /** The tag beside the frame, as F_VLAN_TCI and F_VLAN_TPID. */
  vlanTci = -1;
  vlanTpid = 0;
}

export class Pair<T> {
  readonly row: number;
  readonly ipVersion: number;
  readonly device = new Int32Array(4);
  readonly peer = new Int32Array(4);
  verdict: Verdict = 'unknown';
  /** Why, in the word of whoever set the verdict. */
  reason = '';
  /** When the verdict ends, ms on the owner's clock. */
  until = 0;
  readonly firstSeen: number;
  lastOut = 0;
  lastIn = 0;
  /** Toward the peer and toward the device. */
  readonly outward = new LinkHeader();
  readonly inward = new LinkHeader();
  readonly associations: (T | undefined)[] = Array.from({ length: GENERATIONS }, () => undefined);
  /** Which of them sends, -1 for none. */
  sendGeneration = -1;
  /** What a packet that bears no tag is taken for: a generation, or NO_FORM, PLAIN_FORM (docs/dprp.md § 11). */
  receiving = NO_FORM;
  /** Agreements so far, and the place among them of the last one that the far end said it sends with (docs/dprp.md § 11.10). */
  agreements = 0;
  followed = 0;
  /** PLAIN_FORM counts until then, ms. */
  receivesPlainUntil = 0;
  /** When a packet last left without a tag, in plaintext or under keys that are gone, ms. */
  sentBareAt = Number.NEGATIVE_INFINITY;
  /** 0, or which packets toward the peer wait for a key switch: the owner's numbers. */
  switching = 0;
  /** Layer-3 bytes that the path to the peer carries, as an ICMP error said, and until when that counts, ms. */
  pathMtu = 0;
  pathMtuUntil = 0;
  /** Packets from outside begin no negotiation before this, ms. */
  inboundNotBefore = 0;
  /** When its peer was last told that there is no association, ms. */
  noticedAt = Number.NEGATIVE_INFINITY;

  constructor(row: number, device: Int32Array, peer: Int32Array, ipVersion: number, now: number) {
    this.row = row;
    this.ipVersion = ipVersion;
    this.device.set(device);
    this.peer.set(peer);
    this.firstSeen = now;
  }

  /** 16 bytes each, made anew: control path. */
  get deviceBytes(): Uint8Array {
    return wordsToBytes(this.device);
  }

  get peerBytes(): Uint8Array {
    return wordsToBytes(this.peer);
  }

  /** When a packet of the pair was last seen, in either direction; its making counts. */
  get lastSeen(): number {
    return Math.max(this.firstSeen, this.lastOut, this.lastIn);
  }

  /**
   * Learns from a parsed frame toward the peer how frames on this way are addressed. The way back is taken to be the
   * same turned round until a frame shows it.
   */
  setOutwardLink(slab: Uint8Array, frame: Frame): void {
    learn(this.outward, slab, frame);
    if (this.inward.length === 0) learnReverse(this.inward, slab, frame);
  }

  /** The same from a frame toward the device. */
  setInwardLink(slab: Uint8Array, frame: Frame): void {
    learn(this.inward, slab, frame);
    if (this.outward.length === 0) learnReverse(this.outward, slab, frame);
  }
}

function learn(header: LinkHeader, slab: Uint8Array, frame: Frame): void {
  header.length = copyLinkHeader(slab, frame.offset, frame.l3, header.bytes, 0);
  header.vlanTci = frame.vlanTci;
  header.vlanTpid = frame.vlanTpid;
}

function learnReverse(header: LinkHeader, slab: Uint8Array, frame: Frame): void {
  learn(header, slab, frame);
  macSwap(header.bytes, 0);
}

export interface PairTableOptions<T> {
  readonly capacity: number;
  /** A pair without traffic is forgotten after this, ms. */
  readonly idleMs: number;
  readonly random: FillRandom;
  /** Told about every pair that leaves the table, before it does: the owner releases its keys. */
  readonly onForget: (pair: Pair<T>) => void;
}

export class PairTable<T> {
  /** Pairs that had to make room. */
  evicted = 0;
  readonly #options: PairTableOptions<T>;
  readonly #index: HashIndex;
  readonly #pairs: (Pair<T> | undefined)[] = [];
  /** Pairs without an association go first: made-up peers cannot push out negotiated ones while others are left. */
  readonly #worth = (row: number): number => {
    const pair = this.#pairs[row] as Pair<T>;
    return pair.lastSeen + (pair.sendGeneration < 0 ? 0 : this.#options.idleMs);
  };
  #cursor = 0;

  constructor(options: PairTableOptions<T>) {
    this.#options = options;
    this.#index = new HashIndex(options.capacity, KEY_WORDS, KEY_WORDS, options.random);
  }

  get size(): number {
    return this.#index.size;
  }

  /** The pair of these addresses (four words each), undefined when unknown. */
  find(device: Int32Array, peer: Int32Array, ipVersion: number): Pair<T> | undefined {
    this.#setKey(device, peer, ipVersion);
    const row = this.#index.find();
    return row < 0 ? undefined : this.#pairs[row];
  }

  /** The pair of these addresses, made when unknown; then the idlest of a few makes room if the table is full. */
  findOrAdd(device: Int32Array, peer: Int32Array, ipVersion: number, now: number): Pair<T> {
    const known = this.find(device, peer, ipVersion);
    if (known !== undefined) return known;
    if (this.#index.size === this.#options.capacity) {
      this.evicted++;
      this.remove(this.#pairs[this.#index.lowest(this.#worth)] as Pair<T>);
    }
    this.#setKey(device, peer, ipVersion);
    const row = this.#index.insert();
    const pair = new Pair<T>(row, device, peer, ipVersion, now);
    this.#pairs[row] = pair;
    return pair;
  }

  at(row: number): Pair<T> | undefined {
    return this.#pairs[row];
  }

  /** Forgets a pair of this table; nothing happens when it has left already. */
  remove(pair: Pair<T>): void {
    if (this.#pairs[pair.row] !== pair) return;
    this.#options.onForget(pair);
    this.#pairs[pair.row] = undefined;
    this.#index.remove(pair.row);
  }

  /** Forgets idle pairs among the next `budget` rows. Returns how many. */
  sweep(now: number, budget: number): number {
    const before = this.#index.size;
    for (let step = Math.min(budget, this.#index.rows); step > 0; step--) {
      const pair = this.#pairs[this.#cursor];
      this.#cursor = this.#cursor + 1 < this.#index.rows ? this.#cursor + 1 : 0;
      if (pair !== undefined && now - pair.lastSeen >= this.#options.idleMs) this.remove(pair);
    }
    return before - this.#index.size;
  }

  *values(): Generator<Pair<T>> {
    for (const pair of this.#pairs) if (pair !== undefined) yield pair;
  }

  #setKey(device: Int32Array, peer: Int32Array, ipVersion: number): void {
    const key = this.#index.key;
    for (let word = 0; word < 4; word++) {
      key[word] = device[word];
      key[4 + word] = peer[word];
    }
    key[KEY_VERSION] = ipVersion;
  }
}

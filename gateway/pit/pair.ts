/**
 * A pair: (device behind us, peer), the unit of negotiation (docs/dprp.md: what is negotiated, and when). What is known
 * of it stands in a record of its table, pairs.ts. Owner: the worker.
 */
import { wordsToBytes } from '#wire/address.ts';
import { copyLinkHeader, ETHER_HEADER, INLINE_TAGS_MAX, macSwap, VLAN_TAG } from '#wire/ethernet.ts';
import type { Frame } from '#wire/frame.ts';

/**
 * A pair's record, 104 bytes: the key in 32-bit words, then the same bytes seen as signed bytes, floats and bytes.
 *
 *    word 0        4      8         9                            10 … 17                         18        25  26
 *         +--------+------+---------+----------------------------+-------------------------------+---------+---+
 *         | device | peer | version | verdict, sending and       | last seen, until, sent bare,  | link    | – |
 *         |        |      |         | receiving form, switching  | none from outside before (ms) | outward |   |
 *         +--------+------+---------+----------------------------+-------------------------------+---------+---+
 *
 *    the link, 28 bytes:  | header, up to 22 | its length | 1: a tag stands beside the frame | its TCI | its TPID |
 *
 * Whatever every pair has stands in its record, what few have in an object of its own, made when it is needed. Measured
 * at a million pairs: 201 bytes each, index included; as objects with arrays of their own it was 1,453.
 */
export const PEER = 4;
export const KEY_VERSION = 8;
export const KEY_WORDS = 9;
export const WORDS = 26;
const FLOATS = WORDS / 2;
const BYTES = WORDS * 4;

/** Columns as signed bytes. */
const VERDICT = 36;
const SENDS = 37;
const RECEIVES = 38;
const SWITCHING = 39;
/** Columns as floats. */
const LAST_SEEN = 5;
const UNTIL = 6;
const SENT_BARE_AT = 7;
const INBOUND_NOT_BEFORE = 8;
/** Column as bytes, and places in the link. */
const OUTWARD = 72;
const LINK_LENGTH = ETHER_HEADER + INLINE_TAGS_MAX * VLAN_TAG;
const LINK_TAGGED = LINK_LENGTH + 1;
const LINK_TCI = LINK_LENGTH + 2;
const LINK_TPID = LINK_LENGTH + 4;

/** Generations of a pair's association that can be held at once: two bits on the wire. */
export const GENERATIONS = 4;

/** Of `Pair.receiving`: nothing is expected without a tag. */
export const NO_FORM = -1;
/** Of `Pair.receiving`: what comes without a tag is plaintext. */
export const PLAIN_FORM = -2;

const VERDICTS = ['unknown', 'negotiating', 'encrypt', 'plain', 'discard'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** The layer-2 header that frames of our own to the peer bear. */
export interface LinkHeader {
  readonly bytes: Uint8Array;
  /** 0 while no frame has shown it. */
  readonly length: number;
  /** The tag beside the frame, as F_VLAN_TCI and F_VLAN_TPID. */
  readonly vlanTci: number;
  readonly vlanTpid: number;
}

/** PairRecords of pairs, and the same memory in other forms. */
export class PairRecords {
  readonly words: Int32Array<ArrayBuffer>;
  readonly signed: Int8Array;
  readonly floats: Float64Array;
  readonly bytes: Uint8Array;

  constructor(words: Int32Array<ArrayBuffer>) {
    this.words = words;
    this.signed = new Int8Array(words.buffer);
    this.floats = new Float64Array(words.buffer);
    this.bytes = new Uint8Array(words.buffer);
  }

  lastSeen(at: number): number {
    return this.floats[at * FLOATS + LAST_SEEN];
  }

  sends(at: number): boolean {
    return this.signed[at * BYTES + SENDS] >= 0;
  }

  verdict(at: number): Verdict {
    return VERDICTS[this.signed[at * BYTES + VERDICT]];
  }
}

/** What few pairs have. */
class Extras<T> {
  readonly associations: (T | undefined)[] = Array.from({ length: GENERATIONS }, () => undefined);
  agreements = 0;
  followed = 0;
  receivesPlainUntil = 0;
  pathMtu = 0;
  pathMtuUntil = 0;
  noticedAt = Number.NEGATIVE_INFINITY;
}

/** Of a pair that has none of it. */
const NO_EXTRAS: Extras<never> = new Extras<never>();

/** A thin object over its record. What a packet asks for allocates nothing; `T` is what stands under a generation. */
export class Pair<T> {
  readonly row: number;
  /** Why, in the word of whoever set the verdict. */
  reason = '';
  #records: PairRecords;
  /** Which of the records, counted in records. */
  #at: number;
  #extras: Extras<T> = NO_EXTRAS;

  /** The record bears the addresses and is zero behind them. */
  constructor(row: number, records: PairRecords, now: number) {
    this.row = row;
    this.#records = records;
    this.#at = row;
    this.sendGeneration = -1;
    this.receiving = NO_FORM;
    this.lastSeen = now;
    this.sentBareAt = Number.NEGATIVE_INFINITY;
  }

  /** Four words each, made anew: control path. */
  get device(): Int32Array {
    return this.#address(0);
  }

  get peer(): Int32Array {
    return this.#address(PEER);
  }

  #address(word: number): Int32Array {
    const at = this.#at * WORDS + word;
    return this.#records.words.slice(at, at + 4);
  }

  /** 16 bytes each, made anew: control path. */
  get deviceBytes(): Uint8Array {
    return wordsToBytes(this.device);
  }

  get peerBytes(): Uint8Array {
    return wordsToBytes(this.peer);
  }

  get ipVersion(): number {
    return this.#records.words[this.#at * WORDS + KEY_VERSION];
  }

  get verdict(): Verdict {
    return this.#records.verdict(this.#at);
  }

  set verdict(verdict: Verdict) {
    this.#records.signed[this.#at * BYTES + VERDICT] = VERDICTS.indexOf(verdict);
  }

  /** When the verdict ends, ms on the owner's clock. */
  get until(): number {
    return this.#records.floats[this.#at * FLOATS + UNTIL];
  }

  set until(at: number) {
    this.#records.floats[this.#at * FLOATS + UNTIL] = at;
  }

  /** When a packet of the pair was last seen, in either direction, ms; its making counts. */
  get lastSeen(): number {
    return this.#records.floats[this.#at * FLOATS + LAST_SEEN];
  }

  set lastSeen(now: number) {
    this.#records.floats[this.#at * FLOATS + LAST_SEEN] = now;
  }

  /** Which generation sends, -1 for none. */
  get sendGeneration(): number {
    return this.#records.signed[this.#at * BYTES + SENDS];
  }

  set sendGeneration(generation: number) {
    this.#records.signed[this.#at * BYTES + SENDS] = generation;
  }

  /** What a packet that bears no tag is taken for: a generation, or NO_FORM, PLAIN_FORM (docs/dprp.md § 11). */
  get receiving(): number {
    return this.#records.signed[this.#at * BYTES + RECEIVES];
  }

  set receiving(form: number) {
    this.#records.signed[this.#at * BYTES + RECEIVES] = form;
  }

  /** 0, or which packets toward the peer wait for a key switch: the owner's numbers, below 128. */
  get switching(): number {
    return this.#records.signed[this.#at * BYTES + SWITCHING];
  }

  set switching(phase: number) {
    this.#records.signed[this.#at * BYTES + SWITCHING] = phase;
  }

  /** When a packet last left without a tag, in plaintext or under keys that are gone, ms. */
  get sentBareAt(): number {
    return this.#records.floats[this.#at * FLOATS + SENT_BARE_AT];
  }

  set sentBareAt(now: number) {
    this.#records.floats[this.#at * FLOATS + SENT_BARE_AT] = now;
  }

  /** Packets from outside begin no negotiation before this, ms. */
  get inboundNotBefore(): number {
    return this.#records.floats[this.#at * FLOATS + INBOUND_NOT_BEFORE];
  }

  set inboundNotBefore(at: number) {
    this.#records.floats[this.#at * FLOATS + INBOUND_NOT_BEFORE] = at;
  }

  /** Made anew: control path. */
  get outward(): LinkHeader {
    return linkAt(this.#records.bytes, this.#at * BYTES + OUTWARD);
  }

  /** Learns from a parsed frame toward the peer how frames on this way are addressed. */
  setOutwardLink(slab: Uint8Array, frame: Frame): void {
    learn(this.#records.bytes, this.#at * BYTES + OUTWARD, slab, frame);
  }

  /** From one toward the device: the same turned round, until one toward the peer shows it. */
  guessOutwardLink(slab: Uint8Array, frame: Frame): void {
    const { bytes } = this.#records;
    const at = this.#at * BYTES + OUTWARD;
    if (bytes[at + LINK_LENGTH] > 0) return;
    learn(bytes, at, slab, frame);
    macSwap(bytes, at);
  }

  /* ---- what few pairs have ------------------------------------------------------------------------------------ */

  /** By generation. */
  get associations(): readonly (T | undefined)[] {
    return this.#extras.associations;
  }

  /** Control path, like every setter below. */
  setAssociation(generation: number, association: T | undefined): void {
    this.#own().associations[generation] = association;
  }

  /**
   * Agreements so far, and the place among them of the last one that the far end said it sends with (docs/dprp.md §
   * 11.10).
   */
  get agreements(): number {
    return this.#extras.agreements;
  }

  set agreements(count: number) {
    this.#own().agreements = count;
  }

  get followed(): number {
    return this.#extras.followed;
  }

  set followed(order: number) {
    this.#own().followed = order;
  }

  /** PLAIN_FORM counts until then, ms. */
  get receivesPlainUntil(): number {
    return this.#extras.receivesPlainUntil;
  }

  set receivesPlainUntil(at: number) {
    this.#own().receivesPlainUntil = at;
  }

  /** Layer-3 bytes that the path to the peer carries, as an ICMP error said, and until when that counts, ms. */
  get pathMtu(): number {
    return this.#extras.pathMtu;
  }

  set pathMtu(bytes: number) {
    this.#own().pathMtu = bytes;
  }

  get pathMtuUntil(): number {
    return this.#extras.pathMtuUntil;
  }

  set pathMtuUntil(at: number) {
    this.#own().pathMtuUntil = at;
  }

  /** When its peer was last told that there is no association, ms. */
  get noticedAt(): number {
    return this.#extras.noticedAt;
  }

  set noticedAt(now: number) {
    this.#own().noticedAt = now;
  }

  #own(): Extras<T> {
    if (this.#extras === NO_EXTRAS) this.#extras = new Extras<T>();
    return this.#extras;
  }

  /**
   * The table's: the pair leaves it, and its row may become another's. Whoever still holds the pair finds it as it was.
   */
  moveTo(records: PairRecords, at: number): void {
    const from = this.#at * WORDS;
    const { words } = this.#records;
    for (let word = 0; word < WORDS; word++) records.words[at * WORDS + word] = words[from + word];
    this.#records = records;
    this.#at = at;
  }
}

/** A parsed frame's header fits: the parser refuses what has more than INLINE_TAGS_MAX tags. */
function learn(bytes: Uint8Array, at: number, slab: Uint8Array, frame: Frame): void {
  bytes[at + LINK_LENGTH] = copyLinkHeader(slab, frame.offset, frame.l3, bytes, at);
  bytes[at + LINK_TAGGED] = frame.vlanTci < 0 ? 0 : 1;
  bytes[at + LINK_TCI] = frame.vlanTci >>> 8;
  bytes[at + LINK_TCI + 1] = frame.vlanTci;
  bytes[at + LINK_TPID] = frame.vlanTpid >>> 8;
  bytes[at + LINK_TPID + 1] = frame.vlanTpid;
}

function linkAt(bytes: Uint8Array, at: number): LinkHeader {
  const length = bytes[at + LINK_LENGTH];
  const word = (place: number): number => (bytes[at + place] << 8) | bytes[at + place + 1];
  return {
    bytes: bytes.slice(at, at + length),
    length,
    vlanTci: bytes[at + LINK_TAGGED] === 0 ? -1 : word(LINK_TCI),
    vlanTpid: word(LINK_TPID),
  };
}

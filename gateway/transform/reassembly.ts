/**
 * Reassembly of fragmented packets (RFC 791 §3.2, RFC 8200 §4.5, RFC 5722): a transform works on whole packets.
 *
 * Fragments lie in cells of a fixed pool, linked per datagram; nothing is allocated after the constructor. Bounded in
 * datagrams, in datagrams per address pair, in bytes and in time; when a bound is hit the oldest goes. Owner: the
 * worker; one Reassembly per port, so that nobody on the network evicts what the devices sent.
 *
 *   new ──► collecting ──► complete: written to the work area, forgotten
 *                │ overlap, contradiction
 *                └──► poisoned: remembered until its time is up, so that later fragments die too
 */
import { dropCode } from '#wire/drops.ts';
import { type Frame, IP_LENGTH_MAX } from '#wire/frame.ts';
import { IPV4_FLAGS_OFFSET, IPV4_TOS, ipv4SetTotalLength, ipv4SetWord, ipv4WriteChecksum } from '#wire/ipv4.ts';
import { FRAGMENT_HEADER, IPV6_HEADER, ipv6SetPayloadLength, nextHeaderField } from '#wire/ipv6.ts';
import { F_LENGTH, F_OFFSET, F_STRIDE, F_VLAN_TCI, F_VLAN_TPID } from '#wire/record.ts';
import type { Work } from './work.ts';

/** Datagrams that are collected at a time. */
export const DATAGRAMS = 256;
/** Of one pair of addresses: a lossy flow must not evict the others'. */
export const DATAGRAMS_PER_PAIR = 64;
/** 4 MB in all: a cell holds a fragment of an ordinary Ethernet. */
const CELLS = 2048;
const CELL = 2048;
/** Link and IP headers of a first fragment; longer chains of extension headers are refused. */
const HEADER_MAX = 256;
/** Milliseconds from the first fragment. Shorter than a kernel's 30 s: ids of a fast sender come round sooner. */
export const FRAGMENT_TIMEOUT = 5000;
/** Room in the work area for `add`: ask `work.fits(0, REASSEMBLY_BYTES)` first. */
export const REASSEMBLY_BYTES = HEADER_MAX + IP_LENGTH_MAX + 8;

const BAD = dropCode('fragment-bad');
const OVERLAP = dropCode('fragment-overlap');
const DUPLICATE = dropCode('fragment-duplicate');
const TIMEOUT = dropCode('fragment-timeout');
const MEMORY = dropCode('fragment-memory');

const FREE = 0;
const COLLECTING = 1;
const POISONED = 2;

const ECN_MASK = 3;
const ECN_CE = 3;

/** Told the drop code and how many fragments fall under it; also of fragments that were held until then. */
export type FragmentDrops = (code: number, fragments: number) => void;

export class Reassembly {
  /** After `add` returned 1: the record of the whole packet, for `parseFrame`. */
  readonly batch = new Int32Array(F_STRIDE);
  /** Then also: bytes of its longest fragment, an IP packet like every fragment. */
  longest = 0;
  readonly #drops: FragmentDrops;
  readonly #state = new Uint8Array(DATAGRAMS);
  readonly #id = new Int32Array(DATAGRAMS);
  /** Addresses 8 words, then IP version and protocol, then VLAN. */
  readonly #key = new Int32Array(DATAGRAMS * KEY);
  readonly #started = new Float64Array(DATAGRAMS);
  readonly #total = new Int32Array(DATAGRAMS); /* data bytes of the whole, -1 until the last fragment came */
  readonly #have = new Int32Array(DATAGRAMS);
  readonly #reach = new Int32Array(DATAGRAMS); /* highest end seen */
  readonly #fragments = new Int32Array(DATAGRAMS);
  readonly #congestion = new Uint8Array(DATAGRAMS);
  readonly #first = new Int32Array(DATAGRAMS); /* cell, -1 for none */
  readonly #headers = new Uint8Array(DATAGRAMS * HEADER_MAX);
  readonly #headerLength = new Int32Array(DATAGRAMS); /* 0 until the first fragment came */
  readonly #l3 = new Int32Array(DATAGRAMS); /* within the header */
  readonly #longest = new Int32Array(DATAGRAMS); /* IP packet among its fragments, bytes */
  readonly #cells = new Uint8Array(CELLS * CELL);
  readonly #next = new Int32Array(CELLS);
  readonly #cellOffset = new Int32Array(CELLS); /* within the datagram's data */
  readonly #cellLength = new Int32Array(CELLS);
  #freeCell = 0;
  #freeCells = CELLS;
  #collecting = 0;
  #identification: number;

  /** @param seed where `nextIdentification` begins: random, so that ids of two starts do not meet */
  constructor(drops: FragmentDrops, seed: number) {
    this.#drops = drops;
    this.#identification = seed >>> 0;
    for (let i = 0; i < CELLS; i++) this.#next[i] = i + 1 < CELLS ? i + 1 : -1;
  }

  /** Datagrams that are collected or remembered as poisoned. */
  get size(): number {
    return this.#collecting;
  }

  /** An identification for packets that the gateway itself makes fragments of. */
  nextIdentification(): number {
    this.#identification = (this.#identification + 1) >>> 0;
    return this.#identification;
  }

  /**
   * Takes a frame of FORM_FRAGMENT. Drops are reported through the constructor's function, also this frame's.
   * @param now milliseconds, monotonic
   * @returns 1 when the packet is complete and lies in the work area (parse `batch`'s record 0), 0 when the fragment
   *   was held or dropped
   */
  add(work: Work, frame: Frame, now: number): 0 | 1 {
    this.expire(now);
    let entry = this.#find(frame);
    if (entry < 0) entry = this.#begin(frame, now);
    if (this.#state[entry] === POISONED) return this.#drop(OVERLAP);
    const start = frame.fragmentOffset;
    const end = start + frame.payloadLength;
    const overlap = this.#overlap(entry, work.slab, frame);
    if (overlap < 0) return this.#drop(DUPLICATE);
    if (overlap > 0) return this.#poison(entry, OVERLAP);
    const total = this.#total[entry];
    if (frame.fragmentMore ? total >= 0 && end > total : total >= 0 || end < this.#reach[entry]) {
      return this.#poison(entry, BAD);
    }
    if (start === 0 && !this.#keepHeader(entry, work.slab, frame)) return this.#poison(entry, BAD);
    const whole = frame.fragmentMore ? total : end;
    if (this.#tooLong(entry, frame.ipVersion, whole)) return this.#poison(entry, BAD);
    if (!this.#store(entry, work.slab, frame)) return this.#drop(MEMORY);
    this.#total[entry] = whole;
    this.#reach[entry] = Math.max(this.#reach[entry], end);
    /* Nothing overlaps, so as many bytes as the whole has are the whole, its first fragment among them. */
    if (this.#have[entry] !== whole) return 0;
    this.longest = this.#longest[entry];
    this.#write(entry, work, frame);
    this.#free(entry);
    return 1;
  }

  /** True where a datagram of `whole` bytes of data is longer, with its header, than any IP packet; -1: not known. */
  #tooLong(entry: number, ipVersion: number, whole: number): boolean {
    if (this.#headerLength[entry] === 0 || whole < 0) return false;
    const counted = this.#headerLength[entry] - this.#l3[entry] - (ipVersion === 6 ? IPV6_HEADER : 0);
    return counted + whole > IP_LENGTH_MAX;
  }

  /** Forgets what has waited too long. */
  expire(now: number): void {
    if (this.#collecting === 0) return;
    for (let entry = 0; entry < DATAGRAMS; entry++) {
      if (this.#state[entry] === FREE || now - this.#started[entry] < FRAGMENT_TIMEOUT) continue;
      this.#evict(entry, TIMEOUT);
    }
  }

  #drop(code: number): 0 {
    this.#drops(code, 1);
    return 0;
  }

  /** The held fragments and the one at hand fall under `code`, later ones under 'fragment-overlap'. */
  #poison(entry: number, code: number): 0 {
    this.#drops(code, this.#fragments[entry] + 1);
    this.#freeCellsOf(entry);
    this.#state[entry] = POISONED;
    return 0;
  }

  #evict(entry: number, code: number): void {
    if (this.#fragments[entry] > 0) this.#drops(code, this.#fragments[entry]);
    this.#free(entry);
  }

  #free(entry: number): void {
    this.#freeCellsOf(entry);
    this.#state[entry] = FREE;
    this.#collecting--;
  }

  #freeCellsOf(entry: number): void {
    for (let cell = this.#first[entry]; cell >= 0; ) {
      const next = this.#next[cell];
      this.#next[cell] = this.#freeCell;
      this.#freeCell = cell;
      this.#freeCells++;
      cell = next;
    }
    this.#first[entry] = -1;
    this.#fragments[entry] = 0;
  }

  #find(frame: Frame): number {
    for (let entry = 0; entry < DATAGRAMS; entry++) {
      if (this.#id[entry] !== (frame.fragmentId | 0) || this.#state[entry] === FREE) continue;
      const k = entry * KEY;
      if (this.#key[k + 8] === ((frame.ipVersion << 8) | keyProtocol(frame)) && this.#samePair(k, frame)) return entry;
    }
    return -1;
  }

  #samePair(k: number, frame: Frame): boolean {
    for (let i = 0; i < 4; i++) {
      if (this.#key[k + i] !== frame.source[i] || this.#key[k + 4 + i] !== frame.destination[i]) return false;
    }
    return this.#key[k + 9] === frame.vlanTci;
  }

  #begin(frame: Frame, now: number): number {
    let free = -1;
    let oldest = 0;
    let ofPair = 0;
    let oldestOfPair = -1;
    for (let entry = 0; entry < DATAGRAMS; entry++) {
      if (this.#state[entry] === FREE) {
        free = entry;
        continue;
      }
      if (this.#started[entry] < this.#started[oldest] || this.#state[oldest] === FREE) oldest = entry;
      if (!this.#samePair(entry * KEY, frame)) continue;
      ofPair++;
      if (oldestOfPair < 0 || this.#started[entry] < this.#started[oldestOfPair]) oldestOfPair = entry;
    }
    const victim = ofPair >= DATAGRAMS_PER_PAIR ? oldestOfPair : free < 0 ? oldest : -1;
    if (victim >= 0) this.#evict(victim, MEMORY);
    const entry = victim >= 0 ? victim : free;
    const k = entry * KEY;
    for (let i = 0; i < 4; i++) {
      this.#key[k + i] = frame.source[i];
      this.#key[k + 4 + i] = frame.destination[i];
    }
    this.#key[k + 8] = (frame.ipVersion << 8) | keyProtocol(frame);
    this.#key[k + 9] = frame.vlanTci;
    this.#id[entry] = frame.fragmentId;
    this.#state[entry] = COLLECTING;
    this.#started[entry] = now;
    this.#total[entry] = -1;
    this.#have[entry] = 0;
    this.#reach[entry] = 0;
    this.#fragments[entry] = 0;
    this.#congestion[entry] = 0;
    this.#first[entry] = -1;
    this.#headerLength[entry] = 0;
    this.#longest[entry] = 0;
    this.#collecting++;
    return entry;
  }

  /** 0: nothing of it is held; -1: all of it is, with equal bytes; 1: it overlaps otherwise. */
  #overlap(entry: number, slab: Uint8Array, frame: Frame): number {
    const start = frame.fragmentOffset;
    const end = start + frame.payloadLength;
    let covered = 0;
    for (let cell = this.#first[entry]; cell >= 0; cell = this.#next[cell]) {
      const from = Math.max(start, this.#cellOffset[cell]);
      const to = Math.min(end, this.#cellOffset[cell] + this.#cellLength[cell]);
      const shift = cell * CELL - this.#cellOffset[cell];
      for (let i = from; i < to; i++) {
        if (this.#cells[shift + i] !== slab[frame.payload + i - start]) return 1;
        covered++;
      }
    }
    if (covered === 0) return 0;
    const sameEnd = frame.fragmentMore ? end !== this.#total[entry] : end === this.#total[entry];
    return covered === end - start && sameEnd ? -1 : 1;
  }

  #keepHeader(entry: number, slab: Uint8Array, frame: Frame): boolean {
    const end = frame.ipVersion === 4 ? frame.l4 : frame.l4 - FRAGMENT_HEADER;
    const length = end - frame.offset;
    if (length > HEADER_MAX) return false;
    const at = entry * HEADER_MAX;
    for (let i = 0; i < length; i++) this.#headers[at + i] = slab[frame.offset + i];
    if (frame.ipVersion === 6) {
      const field = nextHeaderField(slab, frame.l3, end);
      if (field < 0) return false;
      this.#headers[at + field - frame.offset] = frame.protocol;
    }
    this.#headerLength[entry] = length;
    this.#l3[entry] = frame.l3 - frame.offset;
    return true;
  }

  #store(entry: number, slab: Uint8Array, frame: Frame): boolean {
    const needed = Math.ceil(frame.payloadLength / CELL);
    while (this.#freeCells < needed) {
      const victim = this.#oldestBut(entry);
      if (victim < 0) return false;
      this.#evict(victim, MEMORY);
    }
    for (let done = 0; done < frame.payloadLength; done += CELL) {
      const length = Math.min(CELL, frame.payloadLength - done);
      const cell = this.#freeCell;
      this.#freeCell = this.#next[cell];
      this.#freeCells--;
      this.#next[cell] = this.#first[entry];
      this.#first[entry] = cell;
      this.#cellOffset[cell] = frame.fragmentOffset + done;
      this.#cellLength[cell] = length;
      const from = frame.payload + done;
      this.#cells.set(slab.subarray(from, from + length), cell * CELL);
    }
    this.#have[entry] += frame.payloadLength;
    this.#fragments[entry]++;
    this.#longest[entry] = Math.max(this.#longest[entry], frame.l3End - frame.l3);
    const ecn = frame.ipVersion === 4 ? slab[frame.l3 + IPV4_TOS] & ECN_MASK : (slab[frame.l3 + 1] >>> 4) & ECN_MASK;
    if (ecn === ECN_CE) this.#congestion[entry] = 1;
    return true;
  }

  #oldestBut(entry: number): number {
    let oldest = -1;
    for (let other = 0; other < DATAGRAMS; other++) {
      if (other === entry || this.#first[other] < 0 || this.#state[other] !== COLLECTING) continue;
      if (oldest < 0 || this.#started[other] < this.#started[oldest]) oldest = other;
    }
    return oldest;
  }

  /** A mark of congestion on any fragment is one on the whole (RFC 3168 §5.3). */
  #write(entry: number, work: Work, frame: Frame): void {
    const { slab, view } = work;
    const header = this.#headerLength[entry];
    const total = this.#total[entry];
    const at = work.reserve(header + total);
    const l3 = at + this.#l3[entry];
    slab.set(this.#headers.subarray(entry * HEADER_MAX, entry * HEADER_MAX + header), at);
    for (let cell = this.#first[entry]; cell >= 0; cell = this.#next[cell]) {
      const from = cell * CELL;
      slab.set(this.#cells.subarray(from, from + this.#cellLength[cell]), at + header + this.#cellOffset[cell]);
    }
    if (frame.ipVersion === 4) {
      ipv4SetTotalLength(view, l3, header - this.#l3[entry] + total);
      ipv4SetWord(view, l3, IPV4_FLAGS_OFFSET, 0);
      if (this.#congestion[entry] !== 0) {
        slab[l3 + IPV4_TOS] |= ECN_CE;
        ipv4WriteChecksum(slab, view, l3);
      }
    } else {
      ipv6SetPayloadLength(view, l3, header - this.#l3[entry] - IPV6_HEADER + total);
      if (this.#congestion[entry] !== 0) slab[l3 + 1] |= ECN_CE << 4;
    }
    this.batch.fill(0);
    this.batch[F_OFFSET] = at;
    this.batch[F_LENGTH] = header + total;
    this.batch[F_VLAN_TCI] = frame.vlanTci;
    this.batch[F_VLAN_TPID] = frame.vlanTpid;
  }
}

const KEY = 10;

/** IPv6 tells datagrams apart without the protocol (RFC 8200 §4.5): only the first fragment's counts. */
function keyProtocol(frame: Frame): number {
  return frame.ipVersion === 4 ? frame.protocol : 0;
}

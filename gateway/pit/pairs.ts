/**
 * Pairs of one worker. A Pair is made once, on the control path, and found by its addresses for every packet without
 * allocation. `T` is what the owner keeps per generation: its association. Owner: the worker.
 */
import { type FillRandom, HashIndex } from './index.ts';
import { type AskedEnds, isBetween } from './look.ts';
import { KEY_VERSION, KEY_WORDS, Pair, PairRecords, PEER, type Verdict, WORDS } from './pair.ts';

/** Pairs that leave share memory: one by one it would cost an allocation each, in a flood one per packet. */
const DEPARTED = 16;

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
  readonly #records: PairRecords;
  readonly #pairs: (Pair<T> | undefined)[] = [];
  /** Records of pairs that left: memory for a few at once, which ends with the last who holds one of them. */
  #departed: PairRecords | undefined;
  #departedCount = 0;
  /** Pairs without an association go first: made-up peers cannot push out negotiated ones while others are left. */
  readonly #worth = (row: number): number =>
    this.#records.lastSeen(row) + (this.#records.sends(row) ? this.#options.idleMs : 0);
  #cursor = 0;

  constructor(options: PairTableOptions<T>) {
    this.#options = options;
    this.#index = new HashIndex(options.capacity, KEY_WORDS, WORDS, options.random);
    this.#records = new PairRecords(this.#index.records);
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
    const pair = new Pair<T>(row, this.#records, now);
    this.#pairs[row] = pair;
    return pair;
  }

  at(row: number): Pair<T> | undefined {
    return this.#pairs[row];
  }

  /** Rows ever used are below this. */
  get rows(): number {
    return this.#index.rows;
  }

  /** Forgets a pair of this table; nothing happens when it has left already. */
  remove(pair: Pair<T>): void {
    if (this.#pairs[pair.row] !== pair) return;
    this.#options.onForget(pair);
    this.#pairs[pair.row] = undefined;
    this.#bury(pair);
    this.#index.remove(pair.row);
  }

  #bury(pair: Pair<T>): void {
    if (this.#departed === undefined || this.#departedCount === DEPARTED) {
      this.#departed = new PairRecords(new Int32Array(DEPARTED * WORDS));
      this.#departedCount = 0;
    }
    pair.moveTo(this.#departed, this.#departedCount++);
  }

  /** Forgets idle pairs among the next `budget` rows. Returns how many. */
  sweep(now: number, budget: number): number {
    const before = this.#index.size;
    for (let step = Math.min(budget, this.#index.rows); step > 0; step--) {
      const row = this.#cursor;
      this.#cursor = row + 1 < this.#index.rows ? row + 1 : 0;
      if (!this.#index.isUsed(row)) continue;
      if (now - this.#records.lastSeen(row) >= this.#options.idleMs) this.remove(this.#pairs[row] as Pair<T>);
    }
    return before - this.#index.size;
  }

  *values(): Generator<Pair<T>> {
    for (const pair of this.#pairs) if (pair !== undefined) yield pair;
  }

  /* ---- what people see: control path ------------------------------------------------------------------------- */

  lastSeen(row: number): number {
    return this.#records.lastSeen(row);
  }

  /** True for a used row of these addresses. */
  isOf(row: number, ends: AskedEnds): boolean {
    return this.#index.isUsed(row) && isBetween(this.#records.words, row * WORDS, ends);
  }

  /** How many pairs have each verdict; those that none has are left out. */
  countByVerdict(): Partial<Record<Verdict, number>> {
    const counts: Partial<Record<Verdict, number>> = {};
    for (let row = 0; row < this.#index.rows; row++) {
      if (!this.#index.isUsed(row)) continue;
      const verdict = this.#records.verdict(row);
      counts[verdict] = (counts[verdict] ?? 0) + 1;
    }
    return counts;
  }

  #setKey(device: Int32Array, peer: Int32Array, ipVersion: number): void {
    const key = this.#index.key;
    for (let word = 0; word < 4; word++) {
      key[word] = device[word];
      key[PEER + word] = peer[word];
    }
    key[KEY_VERSION] = ipVersion;
  }
}

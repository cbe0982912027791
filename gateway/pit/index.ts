/**
 * Open-addressing index from keys of a fixed number of 32-bit words to rows 0 … capacity-1, in typed arrays: lookups,
 * insertion and removal allocate nothing. Owned by one thread.
 *
 *    slots    | upper bits of the hash ‖ row + 1 | … | 0 | …      linear probing; at most two thirds full
 *    records  | row 0: key words, then the owner's | row 1: … |
 *
 * What an owner keeps about a row stands behind its key: at a million flows every array of its own costs a cache miss
 * per packet (measured: seven arrays 0.8 million packets a second, one record 2.1 million).
 *
 * A slot is one word, since slots are read at random too: the hash's upper bits spare nearly every record that is
 * another key's, and the rest is hashed anew from the records when a removal moves it.
 *
 * The hash is Multilinear-HM over 16-bit halves with random coefficients, one product for two halves (Lemire and Kaser,
 * "Strongly universal string hashing is fast", 2013, § 3): whoever does not know the coefficients cannot choose keys
 * that collide, so nobody floods a chain. Removal shifts the rest of a chain back: no tombstones, lookups stay as short
 * as the table is full.
 */

/** Fills an array with random bytes: `crypto.getRandomValues`, or a seeded generator in tests. */
export type FillRandom = (into: Uint8Array<ArrayBuffer>) => unknown;

/** Entries that are compared when one must go: the idlest of a few is nearly the idlest of all, at a fixed price. */
const SAMPLE = 8;
/** Rows whose memory is there from the start; of more, each page is met once. */
const ROWS_TOUCHED = 4_096;

export class HashIndex {
  readonly capacity: number;
  readonly words: number;
  /** The key asked for: the caller writes its words here before `find` and `insert`. */
  readonly key: Int32Array;
  /** Word w of row r is records[r * stride + w]; the key's words come first. A new row's other words are zero. */
  readonly records: Int32Array<ArrayBuffer>;
  readonly stride: number;
  /** Rows ever used are below this: sweeps stop here. */
  rows = 0;
  size = 0;
  readonly #slots: Int32Array;
  readonly #mask: number;
  /** Bits of a slot that name the row; those above are the hash's. */
  readonly #rowMask: number;
  readonly #used: Uint8Array;
  readonly #free: Int32Array;
  #freeCount = 0;
  #hand = 0;
  readonly #coefficients: Uint32Array;

  /** @param stride words of a record, the key's `words` included */
  constructor(capacity: number, words: number, stride: number, fillRandom: FillRandom) {
    this.capacity = capacity;
    this.words = words;
    this.key = new Int32Array(words);
    this.stride = stride;
    this.records = new Int32Array(capacity * stride);
    const slots = 2 ** Math.ceil(Math.log2(capacity * 1.5));
    /* The first write to a page costs 8 µs (measured), which would be in the way of a first packet: it is done now. */
    this.#slots = new Int32Array(slots).fill(0);
    this.records.fill(0, 0, Math.min(capacity, ROWS_TOUCHED) * stride);
    this.#mask = slots - 1;
    this.#rowMask = 2 ** Math.ceil(Math.log2(capacity + 1)) - 1;
    this.#used = new Uint8Array(capacity);
    this.#free = new Int32Array(capacity);
    /* Per half of the hash: one constant and two coefficients a word. */
    const random = new Uint8Array(4 * 2 * (1 + 2 * words));
    fillRandom(random);
    this.#coefficients = new Uint32Array(random.buffer);
  }

  /** Row of `key`, -1 when it is not there. */
  find(): number {
    const hash = this.#hash(this.key, 0);
    const slots = this.#slots;
    const rowMask = this.#rowMask;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const entry = slots[slot];
      if (entry === 0) return -1;
      if (((entry ^ hash) & ~rowMask) !== 0) continue;
      const row = (entry & rowMask) - 1;
      if (this.#holds(row)) return row;
    }
  }

  /** A new row for `key`, which is not there yet; -1 when all rows are taken. */
  insert(): number {
    if (this.size === this.capacity) return -1;
    const row = this.#freeCount > 0 ? this.#free[--this.#freeCount] : this.rows++;
    const hash = this.#hash(this.key, 0);
    const slots = this.#slots;
    let slot = hash & this.#mask;
    while (slots[slot] !== 0) slot = (slot + 1) & this.#mask;
    slots[slot] = (hash & ~this.#rowMask) | (row + 1);
    const at = row * this.stride;
    for (let word = 0; word < this.stride; word++) this.records[at + word] = word < this.words ? this.key[word] : 0;
    this.#used[row] = 1;
    this.size++;
    return row;
  }

  /** Frees a used row; `key` stays. */
  remove(row: number): void {
    const slots = this.#slots;
    let hole = this.#homeOfRow(row);
    while ((slots[hole] & this.#rowMask) !== row + 1) hole = (hole + 1) & this.#mask;
    /* Whoever stands behind the hole and would have liked to stand there or before it moves into it. */
    for (let slot = (hole + 1) & this.#mask; slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const home = this.#homeOfRow((slots[slot] & this.#rowMask) - 1);
      if (((slot - home) & this.#mask) < ((slot - hole) & this.#mask)) continue;
      slots[hole] = slots[slot];
      hole = slot;
    }
    slots[hole] = 0;
    this.#used[row] = 0;
    this.#free[this.#freeCount++] = row;
    this.size--;
  }

  isUsed(row: number): boolean {
    return this.#used[row] === 1;
  }

  /** The slot where a search for this key begins: for the test that looks at how keys spread. */
  homeOf(key: ArrayLike<number>): number {
    this.key.set(key);
    return this.#hash(this.key, 0) & this.#mask;
  }

  #homeOfRow(row: number): number {
    return this.#hash(this.records, row * this.stride) & this.#mask;
  }

  /** Of a few used rows the one with the lowest value, -1 when the index is empty. Each call looks at other rows. */
  lowest(value: (row: number) => number): number {
    let best = -1;
    let bestValue = 0;
    for (let seen = 0, steps = 0; seen < SAMPLE && steps < this.rows; steps++) {
      this.#hand = this.#hand + 1 < this.rows ? this.#hand + 1 : 0;
      if (this.#used[this.#hand] === 0) continue;
      seen++;
      const candidate = value(this.#hand);
      if (best >= 0 && candidate >= bestValue) continue;
      best = this.#hand;
      bestValue = candidate;
    }
    return best;
  }

  #holds(row: number): boolean {
    const records = this.records;
    const at = row * this.stride;
    for (let word = this.words - 1; word >= 0; word--) if (records[at + word] !== this.key[word]) return false;
    return true;
  }

  /** Two independent sums of which the upper 16 bits are strongly universal each. */
  #hash(words: Int32Array, at: number): number {
    const c = this.#coefficients;
    let high = c[0];
    let low = c[1];
    for (let word = 0, i = 2; word < this.words; word++, i += 4) {
      const first = words[at + word] >>> 16;
      const second = words[at + word] & 0xffff;
      high = (high + Math.imul(c[i] + first, c[i + 1] + second)) | 0;
      low = (low + Math.imul(c[i + 2] + first, c[i + 3] + second)) | 0;
    }
    return (high & 0xffff0000) | (low >>> 16);
  }
}

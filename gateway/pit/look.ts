/**
 * A look at a table, for people: how many rows match, and which of these were seen last. It goes on some rows at a time
 * between two turns of the owner's, while rows come, change and leave: each is judged as it is met. Control path.
 */

/** What a look needs of a table. */
export interface Looked {
  /** Rows ever used are below this. */
  readonly rows: number;
  /** Of a used row, ms on the owner's clock. */
  lastSeen(row: number): number;
}

/** Addresses of four words each; undefined is any. */
export interface AskedEnds {
  readonly device: Int32Array | undefined;
  readonly peer: Int32Array | undefined;
}

/** Of both tables: a record at word `at` begins with the device, and the peer stands behind it. */
export function isBetween(words: Int32Array, at: number, { device, peer }: AskedEnds): boolean {
  return (device === undefined || isAt(words, at, device)) && (peer === undefined || isAt(words, at + 4, peer));
}

function isAt(words: Int32Array, at: number, address: Int32Array): boolean {
  for (let word = 0; word < 4; word++) if (words[at + word] !== address[word]) return false;
  return true;
}

export class Look {
  /** Rows that matched. */
  total = 0;
  readonly #table: Looked;
  readonly #matches: (row: number) => boolean;
  readonly #limit: number;
  /** A heap: what was seen longest ago is at the root and makes room first. */
  readonly #rows: number[] = [];
  readonly #seen: number[] = [];
  #next = 0;

  /** @param matches false also for a row that is not in use */
  constructor(table: Looked, limit: number, matches: (row: number) => boolean) {
    this.#table = table;
    this.#limit = limit;
    this.#matches = matches;
  }

  /** Meets the next `budget` rows. False once all were met. */
  goOn(budget: number): boolean {
    const end = Math.min(this.#next + budget, this.#table.rows);
    for (; this.#next < end; this.#next++) {
      if (!this.#matches(this.#next)) continue;
      this.total++;
      this.#offer(this.#next, this.#table.lastSeen(this.#next));
    }
    return this.#next < this.#table.rows;
  }

  /** Of the rows that matched the `limit` that had been seen last, in no order. One may match no longer. */
  get latest(): readonly number[] {
    return this.#rows;
  }

  #offer(row: number, seen: number): void {
    if (this.#rows.length < this.#limit) this.#raise(this.#rows.length, row, seen);
    else if (this.#limit > 0 && seen > this.#seen[0]) this.#sink(row, seen);
  }

  /** From a leaf toward the root. */
  #raise(at: number, row: number, seen: number): void {
    let place = at;
    for (let above = (place - 1) >> 1; place > 0 && this.#seen[above] > seen; above = (place - 1) >> 1) {
      this.#set(place, this.#rows[above], this.#seen[above]);
      place = above;
    }
    this.#set(place, row, seen);
  }

  /** From the root, whose row leaves, toward the leaves. */
  #sink(row: number, seen: number): void {
    const count = this.#rows.length;
    let place = 0;
    for (let below = 1; below < count; below = 2 * place + 1) {
      if (below + 1 < count && this.#seen[below + 1] < this.#seen[below]) below++;
      if (this.#seen[below] >= seen) break;
      this.#set(place, this.#rows[below], this.#seen[below]);
      place = below;
    }
    this.#set(place, row, seen);
  }

  #set(place: number, row: number, seen: number): void {
    this.#rows[place] = row;
    this.#seen[place] = seen;
  }
}

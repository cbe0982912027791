/**
 * Grants of the `noble` provider: a table in shared memory, because every thread has modules, and maps, of its own.
 *
 * Whoever creates providers in several threads makes one table and passes it to each. An entry is taken from one
 * state to the next by compare-and-exchange, so no lock is needed:
 *
 *   FREE → BUSY → POSTED → BUSY → FREE
 *         grant          claim or withdraw
 */
import { randomBytes } from 'node:crypto';
import { SYMMETRIC_KEY_LENGTH } from '../cipher.ts';

/** Tickets outstanding at once. */
const GRANTS = 4096;

/* An entry: state, uses, ticket, key. */
const STATE = 0; /* Int32 index in the entry */
const USES = 1;
const TICKET = 8; /* byte offset */
const KEY = 16;
const ENTRY = KEY + SYMMETRIC_KEY_LENGTH;

const FREE = 0;
const BUSY = 1;
const POSTED = 2;

/** Memory for the grants of a process; goes to workers as `workerData`. */
export function createGrantMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(GRANTS * ENTRY);
}

export class GrantTable {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #tickets: BigUint64Array;

  constructor(memory: SharedArrayBuffer) {
    if (memory.byteLength !== GRANTS * ENTRY) {
      throw new RangeError('grants: memory made by createGrantMemory expected');
    }
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
    this.#tickets = new BigUint64Array(memory);
  }

  /** Throws when all entries are outstanding. */
  post(key: Uint8Array, uses: number): bigint {
    let ticket = 0n;
    while (ticket === 0n) ticket = randomBytes(8).readBigUInt64LE();
    for (let i = 0; i < GRANTS; i++) {
      if (!this.#change(i, FREE, BUSY)) continue;
      this.#bytes.set(key, i * ENTRY + KEY);
      this.#words[this.#word(i, USES)] = uses;
      this.#tickets[(i * ENTRY + TICKET) / 8] = ticket;
      this.#change(i, BUSY, POSTED);
      return ticket;
    }
    throw new Error(`grant: ${GRANTS} tickets are outstanding; claim or withdraw some`);
  }

  /** The key and its uses, once; undefined when the ticket is unknown, claimed or withdrawn. */
  take(ticket: bigint): { readonly key: Uint8Array; readonly uses: number } | undefined {
    for (let i = 0; i < GRANTS; i++) {
      const at = (i * ENTRY + TICKET) / 8;
      if (this.#tickets[at] !== ticket || !this.#change(i, POSTED, BUSY)) continue;
      /* Between the two steps it may have been claimed by another thread and posted anew. */
      if (this.#tickets[at] !== ticket) {
        this.#change(i, BUSY, POSTED);
        continue;
      }
      const key = this.#bytes.slice(i * ENTRY + KEY, (i + 1) * ENTRY);
      const uses = this.#words[this.#word(i, USES)];
      this.#bytes.fill(0, i * ENTRY + TICKET, (i + 1) * ENTRY);
      this.#change(i, BUSY, FREE);
      return { key, uses };
    }
    return undefined;
  }

  #word(entry: number, column: number): number {
    return (entry * ENTRY) / 4 + column;
  }

  #change(entry: number, from: number, to: number): boolean {
    return Atomics.compareExchange(this.#words, this.#word(entry, STATE), from, to) === from;
  }
}

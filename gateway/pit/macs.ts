/**
 * Which port a MAC address was last seen on: frames of the management port leave by it (docs/architecture.md: kinds).
 * One table per worker; what is new is told to the others as (macNumber, port). Bounded, aged out as a bridge does
 * (IEEE 802.1Q §8.8.3: 300 s).
 */
import { macIsGroup, macNumber } from '#wire/ethernet.ts';
import { type FillRandom, HashIndex } from './index.ts';

export const MAC_AGE_MS = 300_000;
/**
 * An address that was on the other port within this, ms, counts as unknown, so that frames for it go both ways: whoever
 * borrows the address of the technician's machine does not cut it off from the box.
 */
export const MAC_MOVED_MS = 60_000;
/** A known address tells its age again only after this, ms, so that the other workers' entries do not age out. */
const TELL_AGAIN_MS = MAC_AGE_MS / 5;

export class MacTable {
  readonly #index: HashIndex;
  readonly #port: Int8Array;
  readonly #seen: Float64Array;
  /** When the others were last told. */
  readonly #told: Float64Array;
  /** When it was last seen on another port than before. */
  readonly #moved: Float64Array;
  readonly #age = (row: number): number => this.#seen[row];
  #cursor = 0;

  constructor(capacity: number, random: FillRandom) {
    this.#index = new HashIndex(capacity, 2, 2, random);
    this.#port = new Int8Array(capacity);
    this.#seen = new Float64Array(capacity);
    this.#told = new Float64Array(capacity);
    this.#moved = new Float64Array(capacity);
  }

  get size(): number {
    return this.#index.size;
  }

  /**
   * Notes the source address at `at` of a frame that came in by `port`. Group addresses are no sources.
   * @returns true when the other workers must be told: new, moved, or not told for a while
   */
  learn(bytes: Uint8Array, at: number, port: number, now: number): boolean {
    if (macIsGroup(bytes, at)) return false;
    return this.learnNumber(macNumber(bytes, at), port, now);
  }

  /** The same for an address as `macNumber` gives it, from another worker. */
  learnNumber(mac: number, port: number, now: number): boolean {
    this.#setKey(mac);
    let row = this.#index.find();
    const known = row >= 0 && this.#port[row] === port && now - this.#told[row] < TELL_AGAIN_MS;
    if (row < 0) {
      row = this.#add();
      this.#moved[row] = Number.NEGATIVE_INFINITY;
    } else if (this.#port[row] !== port) this.#moved[row] = now;
    this.#port[row] = port;
    this.#seen[row] = now;
    if (!known) this.#told[row] = now;
    return !known;
  }

  /** The port behind which the address at `at` is; -1 when unknown, aged out, or seen on both of late. */
  lookup(bytes: Uint8Array, at: number, now: number): number {
    this.#setKey(macNumber(bytes, at));
    const row = this.#index.find();
    const certain = row >= 0 && now - this.#seen[row] < MAC_AGE_MS && now - this.#moved[row] >= MAC_MOVED_MS;
    return certain ? this.#port[row] : -1;
  }

  /** Forgets what aged out among the next `budget` rows. Returns how many. */
  sweep(now: number, budget: number): number {
    const before = this.#index.size;
    for (let step = Math.min(budget, this.#index.rows); step > 0; step--) {
      const row = this.#cursor;
      this.#cursor = row + 1 < this.#index.rows ? row + 1 : 0;
      if (this.#index.isUsed(row) && now - this.#seen[row] >= MAC_AGE_MS) this.#index.remove(row);
    }
    return before - this.#index.size;
  }

  /** The index's key is set. */
  #add(): number {
    const row = this.#index.insert();
    if (row >= 0) return row;
    this.#index.remove(this.#index.lowest(this.#age));
    return this.#index.insert();
  }

  #setKey(mac: number): void {
    this.#index.key[0] = mac / 0x1_0000_0000;
    this.#index.key[1] = mac | 0;
  }
}

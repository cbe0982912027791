/**
 * Peers that were once protected (docs/dprp.md: downgrade): while one is remembered, nobody who merely drops
 * negotiation messages turns its traffic into plaintext. One list for all devices behind us.
 * Control path. Owner: a worker; every worker and the store are told what `remember` and `refresh` return.
 * `Ge` and `Transform` are the owner's words for who the peer's gateway is and what it uses.
 */
import { addressFromText, addressText, wordsToBytes } from '#wire/address.ts';
import { Shares } from './shares.ts';

/** How long a peer is remembered without traffic, ms. */
export const REMEMBER_MS = 24 * 3_600_000;
/** A refresh is written only after this share of the life has passed, ms: one write an hour, not one a packet. */
export const REFRESH_AFTER_MS = REMEMBER_MS / 24;

/** Peers remembered at most, by a worker and by the store: far more than one site talks to. */
export const REMEMBERED_MAX = 65_536;

/** As it is stored and told between threads. */
export interface RememberedPeer<Ge extends string = string, Transform extends string = string> {
  /** Text of the address. */
  readonly address: string;
  readonly ge: Ge;
  readonly transform: Transform;
  /**
   * Milliseconds left when this was made. Not a time of day: clocks jump. Read back after a stop, the full rest counts
   * again, so a peer is rather remembered longer.
   */
  readonly left: number;
}

interface Entry<Ge, Transform> {
  readonly ge: Ge;
  readonly transform: Transform;
  until: number;
}

export class RememberedPeers<Ge extends string = string, Transform extends string = string> {
  /** Peers that had to make room before their time. */
  evicted = 0;
  readonly #capacity: number;
  /** By the address's text. */
  readonly #entries = new Map<string, Entry<Ge, Transform>>();
  /** Who makes room: a member that invents addresses pushes out its own. */
  readonly #shares = new Shares<Ge>();

  constructor(capacity: number = REMEMBERED_MAX) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Who was last negotiated with at this address (four words), while remembered. */
  get(words: Int32Array, now: number): { readonly ge: Ge; readonly transform: Transform } | undefined {
    const entry = this.#entries.get(addressText(wordsToBytes(words)));
    return entry !== undefined && now < entry.until ? entry : undefined;
  }

  /** The same as it is shown. */
  entry(words: Int32Array, now: number): RememberedPeer<Ge, Transform> | undefined {
    const address = addressText(wordsToBytes(words));
    const entry = this.#entries.get(address);
    if (entry === undefined || now >= entry.until) return undefined;
    return { address, ge: entry.ge, transform: entry.transform, left: entry.until - now };
  }

  /** A negotiation ended in an association. Returns what the others must know, undefined when they know it. */
  remember(words: Int32Array, ge: Ge, transform: Transform, now: number): RememberedPeer<Ge, Transform> | undefined {
    const address = addressText(wordsToBytes(words));
    const entry = this.#entries.get(address);
    if (entry !== undefined && entry.ge === ge && entry.transform === transform && isFresh(entry, now))
      return undefined;
    this.#set(address, { ge, transform, until: now + REMEMBER_MS }, now);
    return { address, ge, transform, left: REMEMBER_MS };
  }

  /** Protected traffic came from the address. Returns what the others must know, undefined for most calls. */
  refresh(words: Int32Array, now: number): RememberedPeer<Ge, Transform> | undefined {
    const known = this.get(words, now);
    return known && this.remember(words, known.ge, known.transform, now);
  }

  /**
   * Takes over peers from the store or another worker: what holds longer wins; entries that name no address are left
   * out.
   */
  restore(peers: readonly RememberedPeer<Ge, Transform>[], now: number): void {
    for (const { address: text, ge, transform, left } of [...peers].sort((a, b) => a.left - b.left)) {
      const bytes = addressFromText(text);
      if (bytes === undefined || !(left > 0)) continue;
      const address = addressText(bytes);
      const until = now + Math.min(left, REMEMBER_MS);
      if ((this.#entries.get(address)?.until ?? 0) < until) this.#set(address, { ge, transform, until }, now);
    }
  }

  /** All that are remembered now, for the store and the page. */
  export(now: number): RememberedPeer<Ge, Transform>[] {
    this.sweep(now);
    return Array.from(this.#entries, ([address, { ge, transform, until }]) => ({
      address,
      ge,
      transform,
      left: until - now,
    }));
  }

  /** A signed bundle or a person clears one peer (text of its address), or all. Returns how many. */
  forget(address?: string): number {
    const before = this.#entries.size;
    const bytes = address === undefined ? undefined : addressFromText(address);
    if (address === undefined) {
      this.#entries.clear();
      this.#shares.clear();
    } else if (bytes !== undefined) this.#delete(addressText(bytes));
    return before - this.#entries.size;
  }

  #set(address: string, entry: Entry<Ge, Transform>, now: number): void {
    this.#entries.set(address, entry);
    this.#shares.set(address, entry.ge);
    if (this.#entries.size > this.#capacity) this.#makeRoom(now);
  }

  #makeRoom(now: number): void {
    const oldest = this.#shares.oldest() ?? '';
    const isOver = now >= (this.#entries.get(oldest)?.until ?? now);
    if (!isOver) this.evicted++;
    this.#delete(isOver ? oldest : (this.#shares.next() ?? ''));
  }

  #delete(address: string): void {
    this.#entries.delete(address);
    this.#shares.delete(address);
  }

  /** Forgets what is past its time. */
  sweep(now: number): void {
    for (const [address, { until }] of this.#entries) if (now >= until) this.#delete(address);
  }
}

function isFresh(entry: { readonly until: number }, now: number): boolean {
  return now - (entry.until - REMEMBER_MS) < REFRESH_AFTER_MS;
}

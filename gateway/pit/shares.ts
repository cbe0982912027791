/**
 * Who gives up a place in a bounded table: the holder that has most places loses the one written longest ago, so that
 * whoever makes entries up pushes out its own. Every call takes the same time, however many entries and holders:
 * linked lists, as the first entry of a Map or Set is far away once those before it are deleted.
 */

interface Place<Holder> {
  readonly key: string;
  readonly share: Share<Holder>;
  /** Neighbours by time of writing: of all, and of the same holder. */
  older: Place<Holder> | undefined;
  newer: Place<Holder> | undefined;
  olderOwn: Place<Holder> | undefined;
  newerOwn: Place<Holder> | undefined;
}

interface Share<Holder> {
  readonly holder: Holder;
  count: number;
  oldest: Place<Holder> | undefined;
  newest: Place<Holder> | undefined;
  /** Where it stands among those with as many places. */
  at: number;
}

export class Shares<Holder> {
  readonly #places = new Map<string, Place<Holder>>();
  readonly #shares = new Map<Holder, Share<Holder>>();
  /** At [n] those with n places. */
  readonly #withCount: Share<Holder>[][] = [];
  #most = 0;
  #oldest: Place<Holder> | undefined;
  #newest: Place<Holder> | undefined;

  get size(): number {
    return this.#places.size;
  }

  /** Written now. */
  set(key: string, holder: Holder): void {
    const former = this.#places.get(key);
    if (former !== undefined) this.#unlink(former);
    const share = this.#shares.get(holder) ?? { holder, count: 0, oldest: undefined, newest: undefined, at: 0 };
    this.#shares.set(holder, share);
    const { newest: olderOwn } = share;
    const place: Place<Holder> = { key, share, older: this.#newest, newer: undefined, olderOwn, newerOwn: undefined };
    if (place.older === undefined) this.#oldest = place;
    else place.older.newer = place;
    if (olderOwn === undefined) share.oldest = place;
    else olderOwn.newerOwn = place;
    this.#newest = place;
    share.newest = place;
    /* A key that a Map loses and gets again makes the way to it longer. */
    this.#places.set(key, place);
    this.#count(share, share.count + 1);
    if (former?.share.count === 0) this.#shares.delete(former.share.holder);
  }

  delete(key: string): void {
    const place = this.#places.get(key);
    if (place === undefined) return;
    this.#places.delete(key);
    this.#unlink(place);
    if (place.share.count === 0) this.#shares.delete(place.share.holder);
  }

  #unlink(place: Place<Holder>): void {
    const { share, older, newer, olderOwn, newerOwn } = place;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    if (olderOwn === undefined) share.oldest = newerOwn;
    else olderOwn.newerOwn = newerOwn;
    if (newerOwn === undefined) share.newest = olderOwn;
    else newerOwn.olderOwn = olderOwn;
    /* What is gone and old would keep what is gone and young alive. */
    place.newer = undefined;
    place.newerOwn = undefined;
    this.#count(share, share.count - 1);
  }

  /** Behind `set`: who gives a place up for the one just written; undefined where there is no other. */
  next(): string | undefined {
    const key = this.#withCount[this.#most]?.[0]?.oldest?.key;
    return key === this.#newest?.key ? undefined : key;
  }

  /** The one written longest ago, whoever holds it. */
  oldest(): string | undefined {
    return this.#oldest?.key;
  }

  #count(share: Share<Holder>, count: number): void {
    if (share.count > 0) {
      const equals = this.#withCount[share.count];
      const last = equals.pop() as Share<Holder>;
      if (last !== share) {
        equals[share.at] = last;
        last.at = share.at;
      }
    }
    share.count = count;
    if (count > 0) {
      this.#withCount[count] ??= [];
      share.at = this.#withCount[count].push(share) - 1;
    }
    /* It is one more or less at a time. */
    if (count > this.#most) this.#most = count;
    else if (this.#most > 0 && this.#withCount[this.#most].length === 0) this.#most--;
  }

  clear(): void {
    this.#places.clear();
    this.#shares.clear();
    this.#withCount.length = 0;
    this.#most = 0;
    this.#oldest = undefined;
    this.#newest = undefined;
  }
}

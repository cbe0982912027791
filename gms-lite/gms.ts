/**
 * The GMS as one value: a store, its authority, a clock; every change to it goes through `change`, which commits and
 * then tells the streams of the GEs concerned. Routes and the command line know nothing below this.
 */
import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AtRest, createKeyFile, readKeyFile } from '#gms/at-rest.ts';
import type { Sequence } from '#gms/delivery.ts';
import type { Endpoint } from '#gms/endpoint.ts';
import { GmsError } from '#gms/errors.ts';
import { Authority, createAuthority, type Leaf } from './authority.ts';
import { type Actor, audit, type Change, siteOf } from './rules/change.ts';
import { bundleContent } from './rules/content.ts';
import { keepHouse, nextHousekeeping } from './rules/housekeeping.ts';
import { putNewVersion } from './rules/keys.ts';
import { openLmdbStore } from './store/lmdb.ts';
import { DOMAIN, type Element, SITE } from './store/records.ts';
import type { Store, Writer } from './store/store.ts';

/** Hours that keys stay valid without the GMS unless the policy says otherwise: a month. */
const OFFLINE_HOURS = 720;
/** Sightings and acknowledgements are written together, this often; ms. */
const SIGHTINGS_MS = 500;
/** Longest time between two looks at the schedule: clocks jump; ms. */
const HOUSEKEEPING_MS = 30_000;

export const SYSTEM: Actor = { who: 'gms', from: 'itself' };

/** What a GMS is made of; tests bring their own clock and randomness. */
export interface GmsDeps {
  readonly store: Store;
  readonly rest: AtRest;
  /** ms since 1970. */
  readonly now: () => number;
  readonly random: (bytes: number) => Uint8Array;
  /** Told about what failed in the background; the GMS goes on and tries again. */
  readonly report: (problem: string) => void;
}
/** What a process gives to its GMS. */
export type GmsEnvironment = Pick<GmsDeps, 'now' | 'random' | 'report'>;

const masterKeyFile = (directory: string): string => join(directory, 'master.key');

/** Makes a GMS in an empty or new directory (mode 0700). @throws GmsError already-initialized */
export async function initGms(
  directory: string,
  endpoints: readonly Endpoint[],
  environment: GmsEnvironment,
  actor: Actor,
): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const file = masterKeyFile(directory);
  const rest = new AtRest(existsSync(file) ? readKeyFile(file) : createKeyFile(file));
  const store = openLmdbStore(join(directory, 'store'));
  /* A key file without a site is an init that was interrupted. */
  if (store.get('site', SITE) !== undefined) {
    await store.close();
    throw new GmsError('already-initialized', { directory });
  }
  const gms = new Gms({ store, rest, ...environment });
  const putAuthority = await createAuthority(rest, gms.now());
  const seconds = gms.seconds;
  await gms.change(actor, (change) => {
    putAuthority(change.tx);
    change.tx.put('site', SITE, { incarnation: 1, endpoints, createdAt: seconds, nextGroup: 1 });
    change.tx.put('policy', SITE, {
      protectedPrefixes: [],
      exceptions: [],
      offlineHours: OFFLINE_HOURS,
      forgetPeers: 0,
    });
    putNewVersion(change, DOMAIN);
    audit(change, 'init', 'site', null, { endpoints });
  });
  await gms.close();
}

/** @throws GmsError not-initialized, key-file-mode, key-file-bad, store-unreadable */
export function openGms(directory: string, environment: GmsEnvironment): Gms {
  let key: Uint8Array;
  try {
    key = readKeyFile(masterKeyFile(directory));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new GmsError('not-initialized', { directory });
    throw error;
  }
  const store = openLmdbStore(join(directory, 'store'));
  if (store.get('site', SITE) === undefined) throw new GmsError('not-initialized', { directory });
  return new Gms({ store, rest: new AtRest(key), ...environment });
}

interface Sighting {
  readonly at: number;
  readonly held?: number;
  readonly software?: string;
}

export class Gms {
  readonly store: Store;
  readonly now: () => number;
  /** Emits `<GE id>` with a Sequence when that GE has another bundle. */
  readonly feed = new EventEmitter<Record<string, [Sequence]>>();
  readonly #rest: AtRest;
  readonly #random: (bytes: number) => Uint8Array;
  readonly #report: (problem: string) => void;
  readonly #sightings = new Map<string, Sighting>();
  #authority: Authority | undefined;
  #sightingTimer: NodeJS.Timeout | undefined;
  #houseTimer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ store, rest, now, random, report }: GmsDeps) {
    this.store = store;
    this.now = now;
    this.#rest = rest;
    this.#random = random;
    this.#report = report;
    this.feed.setMaxListeners(0);
  }

  get authority(): Authority {
    this.#authority ??= new Authority(this.store, this.#rest);
    return this.#authority;
  }

  get seconds(): number {
    return Math.floor(this.now() / 1000);
  }

  /** Runs a change, commits it, tells the GEs concerned. @throws what `work` throws; nothing is written then. */
  async change<R>(actor: Actor, work: (change: Change) => R): Promise<R> {
    const touched = new Set<string>();
    const result = await this.store.transact((tx) => work(this.#begin(tx, actor, touched)));
    for (const ge of touched) {
      const element = this.store.get('element', ge);
      if (element !== undefined) this.feed.emit(ge, this.sequenceOf(element));
    }
    if (this.#houseTimer !== undefined) this.keepHouse();
    return result;
  }

  #begin(tx: Writer, actor: Actor, touched: Set<string>): Change {
    return {
      tx,
      now: this.seconds,
      actor,
      random: this.#random,
      freshMaterial: (record) => {
        const material = this.#random(32);
        const sealed = this.#rest.seal(record, material);
        material.fill(0);
        return sealed;
      },
      touched,
    };
  }

  sequenceOf(element: Element): Sequence {
    return { incarnation: siteOf(this.store).incarnation, counter: element.counter };
  }

  /** The bundle of a GE, sealed for it. */
  bundle(element: Element): Uint8Array {
    return this.authority.bundle(bundleContent(this.store, element), element, this.now());
  }

  /** A TLS leaf for the site's addresses; made and stored when needed. */
  async leaf(): Promise<Leaf> {
    const { leaf, fresh } = await this.authority.leaf(this.store, siteOf(this.store).endpoints, this.now());
    if (fresh !== undefined) {
      await this.change(SYSTEM, (change) => {
        fresh(change.tx);
        audit(change, 'issue certificate', 'TLS leaf', null, null);
      });
    }
    return leaf;
  }

  /** A GE was seen, or acknowledged a bundle: written soon, together with others, so that no fetch waits for a disk. */
  sight(ge: string, held?: { readonly counter: number; readonly software?: string | undefined }): void {
    const before = this.#sightings.get(ge);
    this.#sightings.set(ge, {
      ...before,
      at: this.seconds,
      ...(held === undefined ? {} : { held: held.counter }),
      ...(held?.software === undefined ? {} : { software: held.software }),
    });
    this.#sightingTimer ??= setTimeout(() => {
      this.writeSightings().catch((error) => this.#report(`sightings: ${error}`));
    }, SIGHTINGS_MS);
  }

  async writeSightings(): Promise<void> {
    clearTimeout(this.#sightingTimer);
    this.#sightingTimer = undefined;
    const sightings = [...this.#sightings];
    this.#sightings.clear();
    if (sightings.length === 0) return;
    await this.store.transact((tx) => {
      for (const [ge, { at, held, software }] of sightings) {
        const element = tx.get('element', ge);
        if (element === undefined) continue;
        const updated = { lastSeen: at, held: held ?? element.held, software: software ?? element.software };
        tx.put('element', ge, { ...element, ...updated });
      }
    });
  }

  /** Does what is due now, and sees to it that it is called again in time. */
  keepHouse(): void {
    if (this.#closed) return;
    clearTimeout(this.#houseTimer);
    const wait = Math.max(0, nextHousekeeping(this.store) * 1000 - this.now());
    this.#houseTimer = setTimeout(
      () => {
        this.#houseTimer = undefined;
        this.change(SYSTEM, keepHouse).then(
          () => this.keepHouse(),
          (error) => {
            this.#report(`housekeeping: ${error}`);
            this.#houseTimer = setTimeout(() => this.keepHouse(), HOUSEKEEPING_MS);
          },
        );
      },
      Math.min(wait, HOUSEKEEPING_MS),
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#houseTimer);
    await this.writeSightings();
    await this.store.close();
    this.#rest.close();
  }
}

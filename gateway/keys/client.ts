/**
 * The gateway's side of key delivery: loads what it held, asks the GMS, listens, acknowledges, and hands out key
 * rings. Owned by the main thread; its provider's keys are granted to the workers by whoever takes the ring.
 *
 *   load → stored bundle, start → fetch → event stream ⟲ (fetch on every event, at an interval, and when DPRP asks)
 *
 * One fetch runs at a time. Nothing here throws after `start`: what goes wrong is in `state.error`, what must be seen
 * by a person is an 'alarm'.
 */
import { EventEmitter } from 'node:events';
import { PATHS, sequenceText } from '#gms/delivery.ts';
import type { Endpoint } from '#gms/endpoint.ts';
import { GmsError, type GmsErrorCode } from '#gms/errors.ts';
import { secretObject } from '#gms/raw-keys.ts';
import type { CipherProvider, KeyIndex } from '#transform/cipher.ts';
import { Backoff } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Patience } from './connection.ts';
import { type EnrolOptions, enrolInto } from './enrol.ts';
import {
  becomeRecipient,
  compareBundles,
  importKeys,
  type LoadedBundle,
  makeRing,
  nextExpiry,
  openBundle,
  type Recipient,
} from './opened.ts';
import type { PeerMemory } from './peers.ts';
import { Retiring } from './retiring.ts';
import type { KeyRing } from './ring.ts';
import { GmsSession } from './session.ts';
import type { KeyAlarm, KeyClientOptions, KeyEvents, KeyState } from './state.ts';
import { type Contact, KeyStore, type StoredIdentity } from './store.ts';
import { EventStream } from './stream.ts';
import { Timers } from './timers.ts';

/** A gateway that gets no event asks this often; ms. */
const POLL_MS = 600_000;
/** DPRP's questions lead to one fetch in this time; ms. */
const ASK_MS = 2000;
/** Keys of a replaced ring are kept so long for whoever still takes them over; ms. */
const GRACE_MS = 10_000;
/** The time of the last contact is written this often at most, to spare the flash; ms. */
const CONTACT_WRITE_MS = 3_600_000;
const HOUR_MS = 3_600_000;
/** The ring is made anew when its time and the GMS's are so far apart; a ring's is in whole seconds. */
const TIME_OFF_MS = 2000;

export class KeyClient extends EventEmitter<KeyEvents> {
  readonly #provider: CipherProvider;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #pollMs: number;
  readonly #software: string | undefined;
  readonly #patience: Patience | undefined;
  readonly #store: KeyStore;

  #identity: StoredIdentity | undefined;
  #recipient: Recipient | undefined;
  #session: GmsSession | undefined;
  #loaded: LoadedBundle | undefined;
  #ring: KeyRing | undefined;
  #contact: Contact | undefined;
  #keys: KeyState['keys'] = 'none';
  #fetchError: GmsError | undefined;
  #stream: EventStream | undefined;
  #fetching: Promise<void> | undefined;
  #fetchAgain = false;
  #lastFetch = Number.NEGATIVE_INFINITY;
  readonly #fetchPauses: Backoff;
  #contactWritten = 0;
  #running = false;
  readonly #timers: Timers;
  readonly #retiring: Retiring;

  /** @throws GmsError key-file-mode, key-file-bad */
  constructor(options: KeyClientOptions) {
    super();
    this.#provider = options.provider;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#pollMs = options.pollMs ?? POLL_MS;
    this.#software = options.software;
    this.#patience = options.patience;
    this.#fetchPauses = new Backoff(this.#random);
    this.#store = new KeyStore(options.directory);
    this.#timers = new Timers(this.#clock);
    this.#retiring = new Retiring(this.#provider, this.#timers, options.graceMs ?? GRACE_MS);
  }

  get ring(): KeyRing | undefined {
    return this.#ring;
  }

  /** Where the GMS is reached: as the bundle says, then as the token said; known before `start` and without keys. */
  get endpoints(): readonly Endpoint[] {
    const identity = this.#identity ?? this.#store.identity();
    return [...(this.#loaded?.metadata.gms ?? []), ...(identity?.endpoints ?? [])];
  }

  /** Nothing goes there in plaintext, ever: also where the keys have expired. */
  get protectedPrefixes(): readonly string[] {
    return this.#loaded?.metadata.protectedPrefixes ?? [];
  }

  get peers(): PeerMemory {
    return this.#store.peers;
  }

  get state(): KeyState {
    const hours = this.#loaded?.metadata.offlineHours ?? 0;
    const lastContact = this.#contact?.gmsTime;
    return {
      enrolled: this.#identity !== undefined,
      ge: this.#identity?.ge,
      name: this.#loaded?.metadata.name ?? this.#identity?.name,
      keys: this.#keys,
      sequence: this.#loaded?.metadata.sequence,
      lastContact,
      validUntil: hours === 0 || lastContact === undefined ? undefined : lastContact + hours * HOUR_MS,
      gmsAddress: this.#session?.address,
      connected: this.#stream?.open === true && this.#fetchError === undefined,
      error: this.#fetchError ?? this.#stream?.error,
    };
  }

  /**
   * Takes up what is stored, and asks nobody: the ring of the last bundle is handed out. Not enrolled: only says so.
   * @throws GmsError store-unreadable
   */
  load(): void {
    this.#identity = this.#store.identity();
    const own = this.#store.ownKeys();
    if (this.#identity === undefined || own === undefined) {
      this.#emitState();
      return;
    }
    this.#running = true;
    this.#become(this.#identity, own);
    this.#loadStored();
  }

  /**
   * Loads what was not loaded yet, and makes the first fetch; fulfilled when that came to an end, well or not.
   * @throws GmsError store-unreadable
   */
  async start(): Promise<void> {
    if (!this.#running) this.load();
    if (!this.#running) return;
    const session = this.#session;
    await this.#fetch();
    /* Somebody may have enrolled anew, and started, meanwhile, or since it was loaded. */
    if (this.#session !== session || this.#stream !== undefined) return;
    this.#follow();
    this.#schedulePoll();
  }

  /** Enrols, with the client's own store, and starts. @throws GmsError as `enrol` */
  async enrol(token: string, options: EnrolOptions = {}): Promise<StoredIdentity> {
    const identity = await enrolInto(this.#store, token, options);
    this.#leave();
    await this.#fetching;
    await this.start();
    return identity;
  }

  /** DPRP met another version than ours: asks the GMS, soon and not too often. */
  ask(_why: 'domain-key' | 'group-key'): void {
    if (!this.#running || this.#timers.has('ask')) return;
    const wait = Math.max(0, this.#lastFetch + ASK_MS - this.#clock.monotonic());
    this.#timers.after('ask', wait, () => void this.#fetch());
  }

  async stop(): Promise<void> {
    this.#leave();
    await this.#fetching;
    await this.#store.close();
  }

  /* ── identity ──────────────────────────────────────────────────────────────────────────────────────────────────── */

  #become(identity: StoredIdentity, own: { signing: Uint8Array; static: Uint8Array }): void {
    const signing = secretObject('ed25519', own.signing);
    own.signing.fill(0);
    this.#recipient = becomeRecipient(this.#provider, identity, own.static);
    this.#session = new GmsSession(identity, signing, this.#clock, this.#patience);
  }

  /** The opposite of `start`: no timer, no connection, no key is left. */
  #leave(): void {
    this.#running = false;
    this.#fetchAgain = false;
    this.#timers.cancelAll();
    this.#stream?.stop();
    this.#stream = undefined;
    this.#session?.close();
    this.#session = undefined;
    this.#fetchError = undefined;
    this.#retiring.releaseAll();
    if (this.#loaded !== undefined) this.#release(this.#loaded.keys);
    if (this.#recipient !== undefined) this.#release([this.#recipient.bundleKey, this.#recipient.staticSecret]);
    this.#loaded = undefined;
    this.#recipient = undefined;
    this.#ring = undefined;
    this.#contact = undefined;
    this.#keys = 'none';
  }

  #release(keys: readonly KeyIndex[]): void {
    for (const key of keys) this.#provider.release(key);
  }

  /* ── bundles ───────────────────────────────────────────────────────────────────────────────────────────────────── */

  #loadStored(): void {
    this.#contact = this.#store.contact();
    const bytes = this.#store.bundle();
    if (this.#contact?.removed) this.#keys = 'removed';
    if (this.#contact !== undefined) {
      /* A box whose clock went back, or stands at 1970, counts the time it was off as nothing. */
      const off = Math.max(0, this.#clock.wall() - this.#contact.wallTime);
      this.#session!.setTime(this.#contact.gmsTime + off);
    }
    const opened = bytes && openBundle(bytes, this.#provider, this.#recipient!);
    if (opened === undefined || typeof opened === 'string') {
      if (opened !== undefined) this.#alarm(opened);
      this.#emitState();
      return;
    }
    this.#use(importKeys(this.#provider, opened));
  }

  /** Takes a delivered bundle over, or refuses it. @throws GmsError for what is refused */
  #adopt(delivered: Uint8Array): void {
    const opened = openBundle(delivered, this.#provider, this.#recipient!);
    if (typeof opened === 'string') throw new GmsError(opened);
    const { sequence, forgetPeers } = opened.metadata;
    const { content, time } = opened;
    const before = this.#contact;
    const held = before?.sequence ? { sequence: before.sequence, content: before.content } : undefined;
    const verdict = compareBundles(held, { sequence, content });
    if (verdict === 'lower' || verdict === 'differs') {
      opened.wipe();
      const values = { offered: sequenceText(sequence), held: held === undefined ? '' : sequenceText(held.sequence) };
      throw new GmsError(verdict === 'lower' ? 'bundle-lower' : 'bundle-differs', values);
    }
    this.#session!.setTime(time);
    const known = { sequence, content, forgetPeers, removed: false };
    this.#contact = { ...known, gmsTime: time, wallTime: this.#clock.wall() };
    if (verdict === 'same' && this.#loaded !== undefined) {
      opened.wipe();
      this.#keepContact();
      if (this.#keys === 'expired' || this.#ringIsOff()) this.#use(this.#loaded);
      return;
    }
    if (before !== undefined && forgetPeers > before.forgetPeers) {
      this.peers.clear();
      this.emit('forget-peers');
    }
    this.#write(delivered);
    this.#use(importKeys(this.#provider, opened));
  }

  /** Makes a ring of a bundle whose keys are imported, and hands it out, unless the GMS was away for too long. */
  #use(loaded: LoadedBundle): void {
    const replaced = this.#loaded;
    this.#loaded = loaded;
    this.#session!.endpoints = this.endpoints;
    const now = this.#session!.now();
    const expired = now >= (this.state.validUntil ?? Number.POSITIVE_INFINITY);
    this.#keys = expired ? 'expired' : 'valid';
    this.#ring = expired
      ? undefined
      : makeRing(loaded, this.#recipient!, Math.floor(now / 1000), this.#clock.monotonic());
    if (replaced !== undefined && replaced !== loaded) this.#retiring.retire(replaced.keys);
    this.#watch();
    this.emit('ring', this.#ring);
    this.#emitState();
  }

  /** A ring from the store was made with the time that the box believed; the GMS told another one since. */
  #ringIsOff(): boolean {
    if (this.#ring === undefined) return false;
    const believed = this.#ring.issuedAt * 1000 + this.#clock.monotonic() - this.#ring.receivedAt;
    return Math.abs(believed - this.#session!.now()) > TIME_OFF_MS;
  }

  /** When the ring changes by time alone: an overlap ends, or the GMS has been away for too long. */
  #watch(): void {
    if (this.#loaded === undefined || this.#keys !== 'valid') return;
    const now = this.#session!.now();
    const overlapEnds = nextExpiry(this.#loaded, Math.floor(now / 1000)) * 1000;
    const offlineEnds = this.state.validUntil ?? Number.POSITIVE_INFINITY;
    const next = Math.min(overlapEnds, offlineEnds);
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timers.after('watch', Math.max(0, next - now), () => {
      const later = this.#session!.now();
      const changed = later >= overlapEnds || later >= (this.state.validUntil ?? Number.POSITIVE_INFINITY);
      if (changed && this.#loaded !== undefined) this.#use(this.#loaded);
      else this.#watch();
    });
  }

  /** The GMS says that this gateway is removed: its keys are of no more use. */
  #removed(): void {
    const sequence = this.#contact?.sequence ?? null;
    const rest = { content: this.#contact?.content ?? '', forgetPeers: this.#contact?.forgetPeers ?? 0 };
    this.#contact = { sequence, ...rest, gmsTime: this.#session!.now(), wallTime: this.#clock.wall(), removed: true };
    this.#write(null);
    if (this.#loaded !== undefined) this.#retiring.retire(this.#loaded.keys);
    this.#loaded = undefined;
    this.#ring = undefined;
    this.#keys = 'removed';
    this.#stream?.stop();
    this.#timers.cancel('poll');
    this.emit('ring', undefined);
    this.#emitState();
  }

  #write(bundle?: Uint8Array | null): void {
    try {
      this.#store.keep(this.#contact!, bundle);
      this.#contactWritten = this.#clock.monotonic();
    } catch (error) {
      /* A full disk must not cost the keys that are already in memory. */
      this.emit('alarm', { name: 'store', message: `the key store cannot be written: ${(error as Error).message}` });
    }
  }

  #keepContact(): void {
    if (this.#clock.monotonic() - this.#contactWritten > CONTACT_WRITE_MS) this.#write();
  }

  /* ── the GMS ───────────────────────────────────────────────────────────────────────────────────────────────────── */

  /** One at a time; who asks while one runs gets another one after it. */
  #fetch(): Promise<void> {
    if (this.#fetching !== undefined) {
      this.#fetchAgain = true;
      return this.#fetching;
    }
    this.#lastFetch = this.#clock.monotonic();
    this.#timers.cancel('retry');
    this.#fetching = this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
      if (this.#fetchAgain && this.#running) {
        this.#fetchAgain = false;
        void this.#fetch();
      }
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<void> {
    try {
      const answer = await this.#session!.ask('GET', PATHS.bundle);
      if (!this.#running) return;
      this.#adopt(answer.body);
      this.#fetchError = undefined;
      this.#fetchPauses.reset();
      this.#emitState();
    } catch (error) {
      if (this.#running) this.#fetchFailed(error);
      return;
    }
    const held = this.#loaded?.metadata.sequence;
    if (held !== undefined) await this.#session!.acknowledge(held, this.#software);
  }

  /** The stream may live on: asking again does not wait for its end. */
  #fetchFailed(error: unknown): void {
    this.#fetchError = this.#refusal(error);
    if (this.#keys !== 'removed' && this.#stream?.pausing !== true) {
      this.#timers.after('retry', this.#fetchPauses.next(), () => void this.#fetch());
    }
    this.#emitState();
  }

  /** What went wrong, in the GMS's words; a person is told once of what lasts. */
  #refusal(error: unknown): GmsError {
    const refusal = error instanceof GmsError ? error : new GmsError('bad-answer', { problem: String(error) });
    const { code } = refusal;
    if (code === 'removed' && this.#keys !== 'removed') {
      this.#alarm(code);
      this.#removed();
    } else if ((code.startsWith('bundle-') || code === 'wrong-root') && this.state.error?.code !== code) {
      this.#alarm(code, refusal);
    }
    return refusal;
  }

  #alarm(code: GmsErrorCode, error = new GmsError(code)): void {
    this.emit('alarm', { name: code as KeyAlarm['name'], message: error.message });
  }

  #follow(): void {
    if (!this.#running || this.#keys === 'removed') return;
    this.#stream = new EventStream(this.#session!, this.#timers, this.#random, {
      catchUp: () => this.#fetch(),
      /* A removed gateway is told by a counter that it may already hold: it asks when in doubt. */
      announced: () => {
        if (!this.#holdsAnnounced()) void this.#fetch();
      },
      heard: () => this.#heard(),
      changed: () => {
        if (this.#stream?.pausing === true) this.#timers.cancel('retry');
        this.#emitState();
      },
      refusal: (error) => this.#refusal(error),
    });
    this.#stream.follow();
  }

  #holdsAnnounced(): boolean {
    return this.#stream?.announcedIs(this.#loaded?.metadata.sequence) === true;
  }

  /**
   * A word from the GMS on the stream is contact too, as long as what it announced is here: who lets the stream through
   * and nothing else must not keep old keys and old revocations in use.
   */
  #heard(): void {
    const refused = this.#fetchError?.code.startsWith('bundle-') === true;
    if (this.#contact === undefined || refused || !this.#holdsAnnounced()) return;
    this.#contact = { ...this.#contact, gmsTime: this.#session!.now(), wallTime: this.#clock.wall() };
    this.#keepContact();
    if (this.#keys === 'expired' && this.#loaded !== undefined) this.#use(this.#loaded);
  }

  #schedulePoll(): void {
    if (!this.#running || this.#keys === 'removed') return;
    this.#timers.after('poll', this.#pollMs * (1 - this.#random() / 4), () => {
      void this.#fetch();
      this.#schedulePoll();
    });
  }

  #emitState(): void {
    this.emit('state', this.state);
  }
}

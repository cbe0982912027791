/**
 * Associations of one worker: keys of a pair in up to four generations, which of them sends, and when they end.
 * The sending key lives here, in one worker, with one counter for all flows of the pair (§ 3.4).
 */
import type { Agreement, GeId, Millis, TransformName } from '#dprp/spec.ts';
import type { Pair } from '#pit/pairs.ts';
import type { AeadAlgorithm, CipherProvider, KeyIndex } from '#transform/cipher.ts';
import { sealedKeys } from '#transform/key-schedule.ts';
import { SealedState } from '#transform/state.ts';
import { GRACE_MS, NOTICE_WINDOW_MS } from './limits.ts';

/** Samples of (time, next packet number), NOTICE_WINDOW_MS apart in all: enough to say what was sent when. */
const MARKS = 8;
const MARK_EVERY = NOTICE_WINDOW_MS / (MARKS - 1);

export class Association {
  readonly pair: Pair<Association>;
  readonly state: SealedState;
  readonly negotiation: string;
  readonly peerGe: GeId;
  readonly initiatorGe: GeId;
  readonly group: number;
  readonly keyVersion: number;
  readonly transform: TransformName;
  readonly took: number;
  readonly installedAt: number;
  /** Both ends are known to hold the keys. */
  confirmed = false;
  /** When it ends, ms; Infinity while it serves. */
  endsAt = Number.POSITIVE_INFINITY;
  /** The other end said that it has no such association. */
  doubted = false;
  lastSent = 0;
  lastReceived: number;
  /** First send since something was received, 0 for none. */
  sendingSince = 0;
  renewAt = Number.POSITIVE_INFINITY;
  readonly #markTimes = new Float64Array(MARKS);
  readonly #markNumbers = new Float64Array(MARKS);
  #mark = 0;

  constructor(pair: Pair<Association>, agreement: Agreement, state: SealedState, now: number) {
    this.pair = pair;
    this.state = state;
    this.negotiation = agreement.negotiation;
    this.peerGe = agreement.peerGe;
    this.initiatorGe = agreement.initiatorGe;
    this.group = agreement.group;
    this.keyVersion = agreement.keyVersion;
    this.transform = agreement.transform;
    this.took = agreement.took;
    this.installedAt = now;
    this.lastReceived = now;
  }

  /** Called for every batch that sent with it, before the numbers are used. */
  sending(now: number): void {
    if (this.sendingSince === 0) this.sendingSince = now;
    this.lastSent = now;
    if (now - this.#markTimes[this.#mark] >= MARK_EVERY) {
      this.#mark = (this.#mark + 1) % MARKS;
      this.#markTimes[this.#mark] = now;
      this.#markNumbers[this.#mark] = this.state.nextNumber;
    }
  }

  received(now: number): void {
    this.lastReceived = now;
    this.sendingSince = 0;
    this.doubted = false;
  }

  /** True when the packet with this number was sent within NOTICE_WINDOW_MS (§ 3.4, healing). `low30`: as on the wire. */
  sentRecently(low30: number, now: number): boolean {
    let oldest = this.state.nextNumber;
    for (let i = 0; i < MARKS; i++) {
      if (this.#markTimes[i] !== 0 && now - this.#markTimes[i] <= NOTICE_WINDOW_MS + MARK_EVERY) {
        oldest = Math.min(oldest, this.#markNumbers[i]);
      }
    }
    const back = (this.state.nextNumber - low30) & 0x3fffffff;
    return back >= 1 && this.state.nextNumber - back >= oldest;
  }
}

export class Associations {
  /** By SealedState.slot: settling a batch finds the replay window here. */
  readonly bySlot: (Association | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #provider: CipherProvider;
  readonly #ending = new Set<Association>();
  count = 0;

  constructor(provider: CipherProvider) {
    this.#provider = provider;
  }

  /** Takes the agreement's keys (and releases its PRK); receiving begins at once. */
  install(pair: Pair<Association>, agreement: Agreement, now: Millis): Association {
    const former = pair.associations[agreement.generation];
    if (former !== undefined) this.end(former);
    const prk = agreement.prk as unknown as KeyIndex;
    const keys = sealedKeys(
      this.#provider,
      prk,
      agreement.transcript,
      agreement.role,
      agreement.algorithm as AeadAlgorithm,
    );
    this.#provider.release(prk);
    const slot = this.#free.pop() ?? this.bySlot.length;
    const state = new SealedState({
      slot,
      generation: agreement.generation,
      sendKey: keys.sendKey,
      receiveKey: keys.receiveKey,
      initiator: agreement.role === 'initiator',
    });
    const association = new Association(pair, agreement, state, now);
    this.bySlot[slot] = association;
    pair.associations[agreement.generation] = association;
    this.count += 1;
    return association;
  }

  /** Sends with it from now on, unless the rule for both ends starting at once prefers the one that sends already (§ 3.2). */
  sendWith(association: Association, now: Millis): void {
    const pair = association.pair;
    const current = this.sender(pair);
    if (current === association) return;
    if (
      current !== undefined &&
      startedTogether(current, association) &&
      current.initiatorGe < association.initiatorGe
    ) {
      if (current.confirmed) this.endLater(association, now);
      return;
    }
    pair.sendGeneration = association.state.generation;
    if (current !== undefined && association.confirmed) this.endLater(current, now);
  }

  /** Both ends hold the keys: all other generations of the pair end after the grace. */
  confirm(association: Association, now: Millis): void {
    association.confirmed = true;
    this.sendWith(association, now);
    const sender = this.sender(association.pair);
    if (sender === undefined || !sender.confirmed) return;
    for (const other of association.pair.associations) {
      if (other !== undefined && other !== sender) this.endLater(other, now);
    }
  }

  sender(pair: Pair<Association>): Association | undefined {
    return pair.sendGeneration < 0 ? undefined : pair.associations[pair.sendGeneration];
  }

  byNegotiation(pair: Pair<Association>, negotiation: string): Association | undefined {
    return pair.associations.find((a) => a !== undefined && a.negotiation === negotiation);
  }

  endLater(association: Association, now: Millis): void {
    if (association.endsAt !== Number.POSITIVE_INFINITY) return;
    association.endsAt = now + GRACE_MS;
    this.#ending.add(association);
  }

  /** Keys are gone after this. If it was the sender, the newest that remains sends. */
  end(association: Association): void {
    const { pair, state } = association;
    if (this.bySlot[state.slot] !== association) return;
    this.bySlot[state.slot] = undefined;
    this.#free.push(state.slot);
    this.#ending.delete(association);
    this.#provider.release(state.sendKey);
    this.#provider.release(state.receiveKey);
    this.count -= 1;
    pair.associations[state.generation] = undefined;
    if (pair.sendGeneration !== state.generation) return;
    pair.sendGeneration = -1;
    for (const other of pair.associations) {
      if (other === undefined) continue;
      const best = this.sender(pair);
      if (best === undefined || other.installedAt > best.installedAt) pair.sendGeneration = other.state.generation;
    }
  }

  endAll(pair: Pair<Association>): void {
    for (const association of pair.associations) if (association !== undefined) this.end(association);
  }

  /** Ends what is past its grace. */
  sweep(now: Millis): void {
    for (const association of this.#ending) if (now >= association.endsAt) this.end(association);
  }

  /** When `sweep` has something to do. */
  nextTimeout(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const association of this.#ending) next = Math.min(next, association.endsAt);
    return next;
  }
}

/** Two negotiations of one pair that crossed: different initiators, both young, neither refuted. */
function startedTogether(a: Association, b: Association): boolean {
  return a.initiatorGe !== b.initiatorGe && !a.doubted && Math.abs(a.installedAt - b.installedAt) < GRACE_MS;
}

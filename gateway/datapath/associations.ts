/**
 * Associations of one worker: keys of a pair in up to four generations, which of them sends, and when they end.
 * The sending key lives here, in one worker, with one counter for all flows of the pair (§ 3.4).
 */
import type { Agreement, GeId, Millis, TransformName } from '#dprp/spec.ts';
import { NO_FORM, type Pair } from '#pit/pair.ts';
import type { AeadAlgorithm, CipherProvider, KeyIndex } from '#transform/cipher.ts';
import { pccomKeys, pccomPlaces, sealedKeys } from '#transform/key-schedule.ts';
import { PccomState } from '#transform/pccom-state.ts';
import { GENERATION_SHIFT } from '#transform/replay-window.ts';
import { SealedState } from '#transform/state.ts';
import { KEY_PLACES, WIDE_KEYS } from './key-places.ts';
import {
  FLIGHT_MS,
  GRACE_MS,
  MAX_ASSOCIATIONS,
  NAMED_CONNECTIONS,
  NOTICE_WINDOW_MS,
  ONE_WAY_MS,
  PCCOM_AFTER_MS,
  PCCOM_GRACE_MS,
} from './limits.ts';
import type { SwitchCut } from './switch-cut.ts';

/** Samples of (time, next packet number), NOTICE_WINDOW_MS apart in all: enough to say what was sent when. */
const MARKS = 8;
const MARK_EVERY = NOTICE_WINDOW_MS / (MARKS - 1);

export class Association {
  readonly pair: Pair<Association>;
  readonly state: SealedState | PccomState;
  readonly keys: readonly KeyIndex[];
  readonly negotiation: string;
  readonly peerGe: GeId;
  readonly initiatorGe: GeId;
  readonly group: number;
  readonly keyVersion: number;
  readonly transform: TransformName;
  readonly took: number;
  readonly transcript: Uint8Array;
  readonly peerStatement: Uint8Array;
  /** Generations that both ends held when they agreed, bit 0–3. */
  readonly common: number;
  readonly installedAt: number;
  /** `pccom`: the far end was told that we send with it from its first packet on (docs/dprp.md § 11.3). */
  readonly sends: boolean;
  /** The same the other way; undefined until it spoke. */
  peerSends: boolean | undefined;
  /** Its place among the agreements of the pair: the far end never goes back to one of a lower place (§ 11.10). */
  order = 0;
  /**
   * Older keys for octets before a switch to this one: of what we send, and of what we receive (`cutReceiving` sets
   * it).
   */
  sendCut: SwitchCut | undefined;
  receiveCut: SwitchCut | undefined;
  /** Its keys are gone. */
  ended = false;
  /** Both ends are known to hold the keys. */
  confirmed = false;
  /** Something was opened with it: the far end sends with it. */
  heard = false;
  /** When it ends, ms; Infinity while it serves. */
  endsAt = Number.POSITIVE_INFINITY;
  lastSent = Number.NEGATIVE_INFINITY;
  lastReceived: number;
  /** First send since something was received, 0 for none. */
  sendingSince = 0;
  /** How long it may send and hear nothing, ms; longer after every re-validation that changed nothing. */
  oneWayMs = ONE_WAY_MS;
  renewAt = Number.POSITIVE_INFINITY;
  /** When main was last asked to remember the peer on account of this association's traffic, ms. */
  rememberedAt: number;
  readonly #markTimes = new Float64Array(MARKS);
  readonly #markNumbers = new Float64Array(MARKS);
  #mark = 0;

  constructor(
    pair: Pair<Association>,
    agreement: Agreement,
    state: SealedState | PccomState,
    keys: readonly KeyIndex[],
    now: number,
  ) {
    this.pair = pair;
    this.state = state;
    this.keys = keys;
    this.transcript = agreement.transcript;
    this.peerStatement = agreement.peerStatement;
    this.common = agreement.common;
    this.sends = agreement.sends;
    this.peerSends = agreement.peerSends;
    this.negotiation = agreement.negotiation;
    this.peerGe = agreement.peerGe;
    this.initiatorGe = agreement.initiatorGe;
    this.group = agreement.group;
    this.keyVersion = agreement.keyVersion;
    this.transform = agreement.transform;
    this.took = agreement.took;
    this.installedAt = now;
    this.lastReceived = now;
    this.rememberedAt = now;
  }

  /** ms */
  get lastUsed(): number {
    return Math.max(this.installedAt, this.lastSent, this.lastReceived);
  }

  /** Called for every batch that sent with it, before the numbers are used. */
  sending(now: number): void {
    if (this.sendingSince === 0) this.sendingSince = now;
    this.lastSent = now;
    if (this.state instanceof PccomState) return;
    if (now - this.#markTimes[this.#mark] >= MARK_EVERY) {
      this.#mark = (this.#mark + 1) % MARKS;
      this.#markTimes[this.#mark] = now;
      this.#markNumbers[this.#mark] = this.state.nextNumber;
    }
  }

  received(now: number): void {
    this.lastReceived = now;
    this.sendingSince = 0;
    this.oneWayMs = ONE_WAY_MS;
  }

  /**
   * True when the packet with this number was sent within NOTICE_WINDOW_MS (§ 3.4, healing). `low30`: as on the wire.
   */
  sentRecently(low30: number, now: number): boolean {
    const { state } = this;
    if (state instanceof PccomState) return false;
    let oldest = state.nextNumber;
    for (let i = 0; i < MARKS; i++) {
      if (this.#markTimes[i] !== 0 && now - this.#markTimes[i] <= NOTICE_WINDOW_MS + MARK_EVERY) {
        oldest = Math.min(oldest, this.#markNumbers[i]);
      }
    }
    const back = (state.nextNumber - low30) & (2 ** GENERATION_SHIFT - 1);
    return back >= 1 && state.nextNumber - back >= oldest;
  }
}

interface Expanded {
  readonly state: SealedState | PccomState;
  readonly keys: readonly KeyIndex[];
}

export class Associations {
  /** By SealedState.slot: settling a batch finds the replay window here. */
  readonly bySlot: (Association | undefined)[] = [];
  readonly #free: number[] = [];
  /** Told when a pair lost an association. */
  onEnded: (pair: Pair<Association>) => void = () => {};
  /** Told whenever the provider had no room for an association's keys, though the table had. */
  onNoRoom: () => void = () => {};
  readonly #provider: CipherProvider;
  readonly #flush: () => void;
  readonly #ending = new Set<Association>();
  /** Never later than the earliest end. */
  #due = Number.POSITIVE_INFINITY;
  count = 0;
  /** Connections that far ends named in the switches that are remembered: all, and by gateway. */
  #named = 0;
  readonly #namedBy = new Map<GeId, number>();

  /** Places for keys: two of an association under `sealed`, up to six under `pccom`. */
  #places = 0;
  readonly #limit: number;

  /** `flush` sends what waits: no key is released while a job names it. */
  constructor(provider: CipherProvider, flush: () => void, limit: number = MAX_ASSOCIATIONS) {
    this.#provider = provider;
    this.#flush = flush;
    this.#limit = KEY_PLACES.sealed * limit;
  }

  /**
   * Takes the agreement's keys (and releases its PRK); receiving begins at once. Undefined when the provider has no
   * room for them, nor gets any by the end of idler associations.
   */
  install(pair: Pair<Association>, agreement: Agreement, now: Millis): Association | undefined {
    const former = pair.associations[agreement.generation];
    if (former !== undefined) this.end(former);
    const { transform } = agreement;
    while (this.count > 0 && this.#places + KEY_PLACES[transform] > this.#limit) this.makeRoom();
    const prk = agreement.prk as unknown as KeyIndex;
    const expanded = this.#expand(agreement, prk) ?? this.#expandWithRoom(pair, agreement, prk);
    this.#provider.release(prk);
    if (expanded === undefined) return undefined;
    const { state, keys } = expanded;
    const { slot } = state;
    if (this.#free.at(-1) === slot) this.#free.pop();
    const association = new Association(pair, agreement, state, keys, now);
    association.oneWayMs = this.sender(pair)?.oneWayMs ?? ONE_WAY_MS;
    this.bySlot[slot] = association;
    pair.setAssociation(agreement.generation, association);
    this.count += 1;
    this.#places += keys.length;
    return association;
  }

  /** Into the next slot, which is not taken yet; undefined when the provider has no room. */
  #expand({ transform, transcript, role, generation, algorithm }: Agreement, prk: KeyIndex): Expanded | undefined {
    const slot = this.#free.at(-1) ?? this.bySlot.length;
    const parts = { slot, generation, initiator: role === 'initiator' };
    if (transform === 'sealed') {
      const keys = sealedKeys(this.#provider, prk, transcript, role, algorithm as AeadAlgorithm);
      if (keys === undefined) return undefined;
      return { state: new SealedState({ ...parts, ...keys }), keys: [keys.sendKey, keys.receiveKey] };
    }
    const keys = pccomKeys(this.#provider, prk, transcript, role, transform === 'pccom-keyed');
    if (keys === undefined) return undefined;
    return {
      state: new PccomState({ ...parts, ...keys }),
      keys: [...pccomPlaces(keys.send), ...pccomPlaces(keys.receive)],
    };
  }

  /** Less memory can be locked than the table may need (docs/operations.md): as where the table is full. */
  #expandWithRoom(pair: Pair<Association>, agreement: Agreement, prk: KeyIndex): Expanded | undefined {
    this.onNoRoom();
    const { transform } = agreement;
    const gives = (a: Association): boolean => WIDE_KEYS[transform] === 0 || WIDE_KEYS[a.transform] > 0;
    /* Each of them gives two keys of a kind back, or more. */
    for (let ended = 0; ended < KEY_PLACES[transform] / 2; ended++) {
      /* The keys that these are to replace are missed soonest. */
      if (!this.makeRoom((a) => a.pair !== pair && gives(a)) && !this.makeRoom(gives)) return undefined;
      const expanded = this.#expand(agreement, prk);
      if (expanded !== undefined) return expanded;
    }
    return undefined;
  }

  /**
   * The peer gateway that holds most associations loses the one that was idle longest; its pair is negotiated anew when
   * it speaks again. So a member that invents pairs pushes out its own. False when none `serves` to make room.
   */
  makeRoom(serves: (association: Association) => boolean = () => true): boolean {
    const held = new Map<GeId, number>();
    let most = 0;
    for (const association of this.bySlot) {
      if (association === undefined || !serves(association)) continue;
      const count = (held.get(association.peerGe) ?? 0) + 1;
      held.set(association.peerGe, count);
      most = Math.max(most, count);
    }
    let idlest: Association | undefined;
    for (const association of this.bySlot) {
      if (association === undefined || held.get(association.peerGe) !== most || !serves(association)) continue;
      if (idlest === undefined || association.lastUsed < idlest.lastUsed) idlest = association;
    }
    if (idlest !== undefined) this.end(idlest);
    return idlest !== undefined;
  }

  /** Sends with it from now on. Which of two negotiations that crossed is the one to send with, DPRP knows (§ 6.3). */
  sendWith(association: Association): void {
    association.endsAt = Number.POSITIVE_INFINITY;
    this.#ending.delete(association);
    association.pair.sendGeneration = association.state.generation;
  }

  /**
   * Both ends hold the keys: under `sealed` it is sent with from now on, under `pccom` a key switch says when. All
   * other generations of the pair end after the grace (§ 7.4). Those of `pccom` last longer: retransmissions of what
   * was sent before the switch need them (§ 11.7).
   */
  confirm(association: Association, now: Millis): void {
    association.confirmed = true;
    association.endsAt = Number.POSITIVE_INFINITY;
    this.#ending.delete(association);
    if (association.transform === 'sealed') this.sendWith(association);
    /* CDN, or a packet, says that the far end sends with it; MPIT does not. */
    const grace = association.state.initiator || association.heard ? FLIGHT_MS : GRACE_MS;
    for (const other of association.pair.associations) {
      if (other === undefined || other === association) continue;
      const lasts = other.state instanceof PccomState && association.state instanceof PccomState;
      this.endLater(other, now + (lasts ? PCCOM_GRACE_MS + PCCOM_AFTER_MS / 2 : grace));
    }
  }

  /** The first packet was opened with it: of what is ending only what is in flight may still come. */
  firstHeard(association: Association, now: number): void {
    association.heard = true;
    if (!association.confirmed) return;
    for (const other of association.pair.associations) {
      if (other === undefined || !this.#ending.has(other)) continue;
      if (other.transform === 'sealed' || association.transform === 'sealed') this.endLater(other, now + FLIGHT_MS);
    }
  }

  /** Connections that this gateway may still name in switches of its own. */
  mayName(ge: GeId): number {
    return Math.min(NAMED_CONNECTIONS - this.#named, NAMED_CONNECTIONS / 2 - (this.#namedBy.get(ge) ?? 0));
  }

  /** The far end switched to it, or that is forgotten: its `receiveCut`, and what it takes of the room for names. */
  cutReceiving(association: Association, cut: SwitchCut | undefined): void {
    const { peerGe, receiveCut } = association;
    const more = (cut?.size ?? 0) - (receiveCut?.size ?? 0);
    association.receiveCut = cut;
    this.#named += more;
    const own = (this.#namedBy.get(peerGe) ?? 0) + more;
    if (own > 0) this.#namedBy.set(peerGe, own);
    else this.#namedBy.delete(peerGe);
  }

  /** Called now and then: traffic alone would not end what nobody asks about any more. */
  forgetCuts(now: number): void {
    for (const association of this.bySlot) if (association !== undefined) this.#forgetCuts(association, now);
  }

  /** What is past its time: a cut holds an older association, and that one's cut another. */
  #forgetCuts(association: Association, now: number): void {
    const { sendCut, receiveCut } = association;
    if (sendCut !== undefined && now >= sendCut.until) association.sendCut = undefined;
    if (receiveCut !== undefined && now >= receiveCut.until) this.cutReceiving(association, undefined);
  }

  sender(pair: Pair<Association>): Association | undefined {
    return pair.sendGeneration < 0 ? undefined : pair.associations[pair.sendGeneration];
  }

  byNegotiation(pair: Pair<Association>, negotiation: string): Association | undefined {
    return pair.associations.find((a) => a !== undefined && a.negotiation === negotiation);
  }

  /** At `at`, or earlier if that was said before. */
  endLater(association: Association, at: number): void {
    association.endsAt = Math.min(association.endsAt, at);
    this.#ending.add(association);
    this.#due = Math.min(this.#due, at);
  }

  /**
   * Keys are gone after this. If it was the sender, the newest that remains sends; under `pccom` only a key switch may
   * say so, and without one nothing does.
   */
  end(association: Association): void {
    const { pair, state } = association;
    if (this.bySlot[state.slot] !== association) return;
    this.#flush();
    this.bySlot[state.slot] = undefined;
    this.#free.push(state.slot);
    this.#ending.delete(association);
    for (const key of association.keys) this.#provider.release(key);
    association.ended = true;
    this.#forgetCuts(association, Number.POSITIVE_INFINITY);
    this.count -= 1;
    this.#places -= association.keys.length;
    pair.setAssociation(state.generation, undefined);
    if (state instanceof PccomState) pair.sentBareAt = Math.max(pair.sentBareAt, association.lastSent);
    if (pair.receiving === state.generation) pair.receiving = NO_FORM;
    if (pair.sendGeneration === state.generation) this.#succeed(pair);
    this.onEnded(pair);
  }

  /** The newest that may. */
  #succeed(pair: Pair<Association>): void {
    pair.sendGeneration = -1;
    for (const other of pair.associations) {
      if (other === undefined || other.state instanceof PccomState) continue;
      const best = this.sender(pair);
      if (best === undefined || other.installedAt > best.installedAt) pair.sendGeneration = other.state.generation;
    }
  }

  endAll(pair: Pair<Association>): void {
    for (const association of pair.associations) if (association !== undefined) this.end(association);
  }

  /** Ends what is past its grace. */
  sweep(now: Millis): void {
    if (now < this.#due) return;
    this.#due = Number.POSITIVE_INFINITY;
    for (const association of this.#ending) {
      if (now >= association.endsAt) this.end(association);
      else this.#due = Math.min(this.#due, association.endsAt);
    }
  }

  /** When `sweep` wants to be called. */
  nextTimeout(): number {
    return this.#due;
  }
}

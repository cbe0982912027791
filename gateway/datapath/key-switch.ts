/**
 * Which keys packets without a tag are under, docs/dprp.md § 11: what each direction of a pair uses, and how the
 * sending one is switched. Control path, but for `waits`, which is asked only while a switch runs.
 *
 *     confirm ─► WAITING? ─► GUARD ──KSW──► ASKING ──answer──► the new keys           the far end holds what we send with
 *     install ─► CLOSED ─────────────KSW──► CLOSED ──answer──► the new keys           it does not, or it is plaintext
 */
import type { Action, Dprp, Millis, Switched, SwitchFacts } from '#dprp/spec.ts';
import { NO_FORM, type Pair, PLAIN_FORM } from '#pit/pair.ts';
import { FORM_TCP, type Frame } from '#wire/frame.ts';
import type { Association, Associations } from './associations.ts';
import type { Lane } from './lane.ts';
import {
  FLIGHT_MS,
  GRACE_MS,
  GUARD_MAX_MS,
  GUARD_MS,
  PCCOM_AFTER_MS,
  PCCOM_GRACE_MS,
  PLAIN_GRACE_MS,
  STARTED_MS,
  SWITCH_CONNECTIONS,
} from './limits.ts';
import { portsKey, SwitchCut } from './switch-cut.ts';

/** Of `Pair.switching`. The last switch's older octets are still in flight: nothing waits yet. */
export const WAITING = 1;
/** What is not TCP waits. */
export const GUARD = 2;
/** KSW is out: so does everything but octets before S and segments without octets. */
export const ASKING = 3;
/** Everything waits. */
export const CLOSED = 4;

interface Running {
  readonly pair: Pair<Association>;
  target: Association;
  /** Sends until the answer; undefined where the far end does not hold it. */
  old: Association | undefined;
  /** KSW leaves then, ms; Infinity until the agreement is confirmed. */
  at: number;
  sent: boolean;
  /** All waits from now on, and did not before: the guard begins anew. */
  guardAnew: boolean;
  /** S by ports, once KSW is out. */
  connections: Map<number, number>;
  /** Confirmed meanwhile: the next one to switch to. */
  next: Association | undefined;
}

export interface KeySwitchParts {
  readonly lane: Lane;
  readonly associations: Associations;
  readonly dprp: () => Dprp;
  /** When the worker started, ms. */
  readonly startedAt: number;
  /** Performs what the machine answers. */
  readonly apply: (actions: readonly Action[], now: Millis) => void;
}

export class KeySwitches {
  readonly #parts: KeySwitchParts;
  readonly #running = new Map<Pair<Association>, Running>();
  #due = Number.POSITIVE_INFINITY;
  /** ms */
  #sentBareAt = Number.NEGATIVE_INFINITY;

  constructor(parts: KeySwitchParts) {
    this.#parts = parts;
    parts.associations.onEnded = (pair) => this.#ended(pair);
  }

  /* ---- what DPRP asks (§ 11.1) ---- */

  sends(pair: Pair<Association>, now: number): boolean {
    if (now - this.#parts.startedAt < STARTED_MS) return true;
    if (now - Math.max(pair.sentBareAt, this.#sentBareAt) < FLIGHT_MS) return true;
    const sender = this.#parts.associations.sender(pair);
    return pair.associations.some(
      (a) => a !== undefined && a.transform !== 'sealed' && (a === sender || now - a.lastSent < FLIGHT_MS),
    );
  }

  /** Until `at` packets without a tag may have left for pairs that cannot be named. */
  sentBare(at: number): void {
    this.#sentBareAt = Math.max(this.#sentBareAt, at);
  }

  receives(pair: Pair<Association>, now: number): boolean {
    if (pair.verdict === 'plain') return now < pair.until;
    if (pair.receiving === PLAIN_FORM) return now < pair.receivesPlainUntil;
    return pair.receiving !== NO_FORM;
  }

  facts(pair: Pair<Association>, negotiation: string): SwitchFacts | undefined {
    const found = this.#parts.associations.byNegotiation(pair, negotiation);
    if (found === undefined || found.transform === 'sealed') return undefined;
    const { transcript, peerStatement, group, keyVersion, transform } = found;
    return {
      transcript,
      peerStatement,
      group,
      keyVersion,
      transform,
      followed: found.peerSends === true,
      superseded: found.order < pair.followed,
      mayName: this.#parts.associations.mayName(found.peerGe),
    };
  }

  /** § 11.7: nothing came for it lately, and its number may be given to another. */
  isSpare(association: Association, now: number): boolean {
    const { pair, state, transform, endsAt } = association;
    if (transform === 'sealed' || endsAt === Number.POSITIVE_INFINITY) return false;
    if (pair.sendGeneration === state.generation || pair.receiving === state.generation) return false;
    return now - association.lastUsed >= GRACE_MS && this.#running.get(pair)?.old !== association;
  }

  /* ---- what agreements do ---- */

  /** A `pccom` agreement was installed. `send`: it may be sent with at once. */
  installed(association: Association, send: boolean, wasPlain: boolean, now: Millis): void {
    const { pair } = association;
    association.order = placeOf(association, send);
    if (wasPlain && association.peerSends !== true) {
      pair.receiving = PLAIN_FORM;
      pair.receivesPlainUntil = now + PLAIN_GRACE_MS;
    }
    if (association.peerSends === true) this.#receiveWith(association);
    const { associations } = this.#parts;
    const old = associations.sender(pair);
    if (association.sends) {
      if (send || old === undefined) associations.sendWith(association);
    } else if (old === undefined || (send && !bothHold(old, association))) this.#close(association, now);
  }

  /** § 11.2: a `sealed` agreement whose far end may take our packets for something else until it has MPIT. */
  installedSealed(association: Association, now: Millis): void {
    this.#close(association, now);
  }

  /** Both ends hold it. */
  confirmed(association: Association, peerSends: boolean | undefined, now: Millis): void {
    if (association.transform === 'sealed') {
      this.#drop(association.pair);
      this.#parts.lane.releaseHeld(association.pair, now);
      return;
    }
    if (peerSends !== undefined) this.peerSpoke(association, peerSends, now);
    if (association.sends) {
      if (this.#parts.associations.sender(association.pair) !== association) {
        this.#drop(association.pair);
        this.#parts.associations.sendWith(association);
      }
    } else this.#begin(association, now);
  }

  /** CDN said whether the far end sends with it. */
  peerSpoke(association: Association, sends: boolean, now: Millis): void {
    if (association.peerSends !== undefined) return;
    association.peerSends = sends;
    const { pair } = association;
    if (sends) this.#receiveWith(association);
    this.#parts.lane.releaseHeld(pair, now);
  }

  /** § 11.10: never again with an older one; a word that comes late changes nothing. */
  #receiveWith({ pair, order, state }: Association): void {
    if (order < pair.followed) return;
    pair.followed = order;
    pair.receiving = state.generation;
  }

  /**
   * True while what the far end sends with is not known, but will be in a moment: nothing is to be taken for anything.
   */
  expectsWord(pair: Pair<Association>): boolean {
    return pair.associations.some((a) => a !== undefined && a.transform !== 'sealed' && a.peerSends === undefined);
  }

  /* ---- the far end switches ---- */

  follow(pair: Pair<Association>, { negotiation, old, connections }: Switched, now: Millis): void {
    const { lane, associations } = this.#parts;
    const association = associations.byNegotiation(pair, negotiation);
    if (association === undefined || association.order < pair.followed) return;
    lane.flush(now);
    association.peerSends = true;
    this.#receiveWith(association);
    /* What waits was sent before. */
    lane.dropHeldInbound(pair);
    const older = old === undefined ? undefined : associations.byNegotiation(pair, old);
    if (older === undefined || connections.length === 0) return;
    const cuts = new Map<number, number>();
    for (let i = 0; i < connections.length; i += 2) {
      const ports = connections[i];
      cuts.set(portsKey(ports & 0xffff, ports >>> 16), connections[i + 1]);
    }
    const keptFor = PCCOM_GRACE_MS + PCCOM_AFTER_MS / 2;
    associations.cutReceiving(association, new SwitchCut(older, cuts, now, keptFor, keptFor));
  }

  /* ---- this side switches ---- */

  #close(target: Association, now: Millis): void {
    const { pair } = target;
    this.#cancelSent(pair);
    this.#parts.associations.sendWith(target);
    this.#set(pair, CLOSED, {
      pair,
      target,
      old: undefined,
      at: Number.POSITIVE_INFINITY,
      sent: false,
      guardAnew: false,
      connections: new Map(),
      next: undefined,
    });
    const running = this.#running.get(pair) as Running;
    running.at = target.confirmed ? now + guardOf(target) : Number.POSITIVE_INFINITY;
    this.#due = Math.min(this.#due, running.at);
  }

  #begin(target: Association, now: Millis): void {
    const { pair } = target;
    const running = this.#running.get(pair);
    if (running?.sent === true) {
      if (running.target === target) return;
      /* It will not follow to what it has lost. */
      if (bothHold(running.target, target)) running.next = target;
      else this.#close(target, now);
      return;
    }
    if (running !== undefined && pair.switching === CLOSED) {
      running.target = target;
      this.#parts.associations.sendWith(target);
      running.at = Math.min(running.at, now + guardOf(target));
      this.#due = Math.min(this.#due, running.at);
      return;
    }
    const old = this.#parts.associations.sender(pair);
    if (old === target) return;
    if (old === undefined || old.transform === 'sealed' || !bothHold(old, target)) {
      this.#close(target, now);
      return;
    }
    /* § 11.8: octets that are under the keys before the older ones must have arrived. */
    const quiet = (old.sendCut?.olderSeenAt ?? Number.NEGATIVE_INFINITY) + FLIGHT_MS;
    const waits = old.sendCut !== undefined && now < quiet;
    const at = waits ? quiet : now + guardOf(target);
    this.#set(pair, waits ? WAITING : GUARD, {
      pair,
      target,
      old,
      at,
      sent: false,
      guardAnew: false,
      connections: new Map(),
      next: undefined,
    });
  }

  #set(pair: Pair<Association>, phase: number, running: Running): void {
    pair.switching = phase;
    this.#running.set(pair, running);
    this.#due = Math.min(this.#due, running.at);
  }

  tick(now: Millis): void {
    if (now < this.#due) return;
    this.#due = Number.POSITIVE_INFINITY;
    for (const running of [...this.#running.values()]) {
      if (running.guardAnew) {
        running.guardAnew = false;
        running.at = Math.max(running.at, now + guardOf(running.target));
      }
      if (running.target.ended) this.#targetEnded(running, now);
      else if (!running.sent && now >= running.at) this.#advance(running, now);
      if (this.#running.get(running.pair) === running && !running.sent) this.#due = Math.min(this.#due, running.at);
    }
  }

  #advance(running: Running, now: Millis): void {
    const { pair, target, old } = running;
    if (pair.switching !== WAITING) {
      this.#ask(running, now);
      return;
    }
    const quiet = (old?.sendCut?.olderSeenAt ?? Number.NEGATIVE_INFINITY) + FLIGHT_MS;
    if (now < quiet) running.at = quiet;
    else {
      pair.switching = GUARD;
      running.at = now + guardOf(target);
    }
  }

  #ask(running: Running, now: Millis): void {
    const { lane, dprp, apply } = this.#parts;
    const { pair, target } = running;
    lane.flush(now);
    let connections: Int32Array = new Int32Array(0);
    if (running.old !== undefined) {
      connections = lane.connections(pair, SWITCH_CONNECTIONS);
      if (connections.length > 2 * SWITCH_CONNECTIONS) {
        /* Too many to name: all wait, and no octet is under the older keys afterwards. */
        running.old = undefined;
        running.at = now + guardOf(target);
        pair.switching = CLOSED;
        return;
      }
      for (let i = 0; i < connections.length; i += 2) running.connections.set(connections[i], connections[i + 1]);
    }
    running.sent = true;
    pair.switching = running.old === undefined ? CLOSED : ASKING;
    const { negotiation } = target;
    const of = { device: pair.deviceBytes, peer: pair.peerBytes };
    apply(dprp().beginSwitch({ pair: of, negotiation, old: running.old?.negotiation, connections }, now), now);
  }

  /** The far end follows. */
  switched(pair: Pair<Association>, negotiation: string, now: Millis): void {
    const running = this.#running.get(pair);
    if (running === undefined || running.target.negotiation !== negotiation) return;
    const { target, old, connections, next } = running;
    this.#parts.lane.flush(now);
    if (old !== undefined && connections.size > 0) {
      target.sendCut = new SwitchCut(old, connections, now, PCCOM_GRACE_MS, PCCOM_GRACE_MS + PCCOM_AFTER_MS);
    }
    this.#parts.associations.sendWith(target);
    this.#drop(pair);
    if (next !== undefined && !next.ended) this.#begin(next, now);
    this.#parts.lane.releaseHeld(pair, now);
  }

  /** It never answered: what it takes our packets for is not known. Everything begins anew. */
  failed(pair: Pair<Association>, negotiation: string, now: Millis): void {
    const running = this.#running.get(pair);
    if (running === undefined || running.target.negotiation !== negotiation) return;
    this.#giveUp(running, now);
  }

  #giveUp({ pair }: Running, now: Millis): void {
    const { lane, associations } = this.#parts;
    this.#drop(pair);
    associations.endAll(pair);
    if (pair.verdict === 'encrypt') pair.verdict = 'unknown';
    lane.releaseHeld(pair, now);
  }

  /** Before KSW the older keys simply go on. */
  #targetEnded(running: Running, now: Millis): void {
    const { pair, old, sent } = running;
    if (sent || old === undefined || old.ended) {
      this.#giveUp(running, now);
      return;
    }
    this.#drop(pair);
    this.#parts.lane.releaseHeld(pair, now);
  }

  #ended(pair: Pair<Association>): void {
    const running = this.#running.get(pair);
    if (running === undefined) return;
    if (!running.target.ended && this.#parts.associations.sender(pair) === undefined) {
      pair.sendGeneration = running.target.state.generation;
      if (pair.switching !== CLOSED && !running.sent) running.guardAnew = true;
      pair.switching = CLOSED;
      if (!running.sent) running.old = undefined;
    }
    /* A target that ended is looked after by the next tick. */
    this.#due = 0;
  }

  #cancelSent(pair: Pair<Association>): void {
    const running = this.#running.get(pair);
    if (running?.sent !== true) return;
    this.#parts.dprp().cancelSwitch({ device: pair.deviceBytes, peer: pair.peerBytes }, running.target.negotiation);
  }

  #drop(pair: Pair<Association>): void {
    this.#cancelSent(pair);
    this.#running.delete(pair);
    pair.switching = 0;
  }

  /** The pair leaves the table; its associations are gone. */
  forget(pair: Pair<Association>): void {
    this.sentBare(pair.sentBareAt);
    this.#drop(pair);
  }

  nextTimeout(): number {
    return this.#due;
  }

  /** § 11.5: true when a frame toward the peer has to wait for the switch that runs. */
  waits(frame: Frame, pair: Pair<Association>): boolean {
    if (pair.switching === CLOSED) return true;
    if (pair.switching === WAITING) return false;
    if (frame.form !== FORM_TCP) return true;
    const { old, target, connections } = this.#running.get(pair) as Running;
    const former = old?.sendCut;
    const needsKey = frame.payloadLength > 0 || isKeyed(old) || isKeyed(target) || isKeyed(former?.older);
    if (!needsKey) return false;
    /* § 11.8: nothing may be in flight under keys before the older ones. */
    const ports = portsKey(frame.sourcePort, frame.destinationPort);
    const formerCut = former === undefined ? -1 : former.find(ports, frame.tcpFlags);
    if (formerCut >= 0 && ((frame.sequence - formerCut) | 0) < 0) return true;
    if (pair.switching === GUARD) return false;
    const cut = connections.get(ports);
    if (cut === undefined) return true;
    const end = (frame.sequence + Math.max(1, frame.payloadLength)) | 0;
    return ((end - cut) | 0) > 0;
  }
}

/**
 * § 11.10: behind those before it. One that another negotiation won over, which was ours and crossed it, stands right
 * before that.
 */
function placeOf({ pair, state }: Association, send: boolean): number {
  const next = pair.agreements + 1;
  pair.agreements = next;
  if (state.initiator || send) return next;
  const places = pair.associations.flatMap((a) => (a === undefined || a.order === 0 ? [] : [a]));
  const winner = Math.max(0, ...places.map((a) => (a.state.initiator ? a.order : 0)));
  if (winner === 0) return next;
  return (winner + Math.max(winner - 1, ...places.map((a) => (a.order < winner ? a.order : 0)))) / 2;
}

/** The far end holds `old`, as its list said when `next` was negotiated, or as it confirmed meanwhile. */
function bothHold(old: Association, next: Association): boolean {
  if (((next.common >> old.state.generation) & 1) === 1) return true;
  return old.confirmed && old.installedAt >= next.installedAt - next.took;
}

const isKeyed = (association: Association | undefined): boolean => association?.transform === 'pccom-keyed';

/** § 11.5: how long what is not TCP is silent before KSW, ms. */
function guardOf(target: Association): number {
  return Math.min(Math.max(GUARD_MS, 2 * target.took), GUARD_MAX_MS);
}

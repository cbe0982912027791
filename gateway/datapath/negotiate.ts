/**
 * Between the machine of negotiations, which knows no socket, and the datapath: actions become frames, keys, verdicts
 * and news for main. Control path: runs once per negotiation step, never per packet.
 */
import type {
  Action,
  Agreement,
  Dprp,
  Pair as DprpPair,
  GeId,
  Identity,
  Millis,
  Reason,
  Received,
  TransformName,
} from '#dprp/spec.ts';
import type { Pair } from '#pit/pair.ts';
import type { RememberedPeers } from '#pit/remembered.ts';
import { addressText, bytesToWords } from '#wire/address.ts';
import type { Association, Associations } from './associations.ts';
import type { Counters } from './counters.ts';
import { Expectations } from './expectations.ts';
import { KeySwitches } from './key-switch.ts';
import type { Lane } from './lane.ts';
import {
  NO_ROOM_MS,
  ONE_WAY_MAX_MS,
  PER_PAIR_MS,
  REMEMBER_EVERY_MS,
  RENEW_AFTER_MS,
  RENEW_BEHIND_MS,
  RENEW_PCCOM_MS,
  RENEW_RETRY_MS,
  RENEW_SPREAD_MS,
  REVALIDATE_BEFORE_MS,
} from './limits.ts';

/** Reasons that the far gateway or our own policy proved: they end an association; the others only fail to renew it. */
const PROVEN: ReadonlySet<Reason> = new Set(['no-common-group', 'own-mode-closed', 'peer-mode-closed']);

interface PairTimes {
  lastAsked: number;
}

export class Negotiator {
  readonly #dprp: Dprp;
  readonly #lane: Lane;
  readonly #associations: Associations;
  readonly #remembered: RememberedPeers<GeId, TransformName>;
  readonly #counters: Counters;
  readonly #expecting = new Expectations();
  readonly #times = new WeakMap<Pair<Association>, PairTimes>();
  /** The last times from the first DDE to usable keys, ms. */
  readonly took: number[] = [];
  readonly #random: (length: number) => Uint8Array;
  readonly switches: KeySwitches;
  #identity: Identity | undefined;
  #identitySince = 0;
  #toldNoRoom = false;

  constructor(
    dprp: Dprp,
    lane: Lane,
    associations: Associations,
    remembered: RememberedPeers<GeId, TransformName>,
    counters: Counters,
    random: (length: number) => Uint8Array,
    startedAt: Millis,
  ) {
    this.#dprp = dprp;
    this.#lane = lane;
    this.#associations = associations;
    this.#remembered = remembered;
    this.#counters = counters;
    this.#random = random;
    associations.onNoRoom = () => this.#noRoom();
    this.switches = new KeySwitches({
      lane,
      associations,
      dprp: () => this.#dprp,
      startedAt,
      apply: (actions, now) => this.#apply(actions, now),
    });
  }

  get running(): number {
    return this.#dprp.running;
  }

  /** A device behind us waits for the pair's verdict. */
  begin(pair: Pair<Association>, now: Millis): void {
    pair.verdict = 'negotiating';
    this.#apply(this.#dprp.begin(dprpPair(pair), 'packet', now), now);
  }

  /**
   * A packet from outside waits for it. Where nothing may begin, the devices behind us are not made to wait or refused.
   */
  beginInbound(pair: Pair<Association>, now: Millis): void {
    pair.verdict = 'negotiating';
    const actions = this.#dprp.begin(dprpPair(pair), 'inbound', now);
    const refused = actions.find((a) => a.do === 'discard' && a.reason === 'overloaded');
    if (refused?.do !== 'discard') {
      this.#apply(actions, now);
      return;
    }
    pair.verdict = 'unknown';
    pair.inboundNotBefore = refused.until;
    this.#lane.dropHeld(pair, 'inbound-budget');
  }

  /**
   * A packet speaks against what is known of the pair, which stays until more is known. Anybody can make up such a
   * packet: while others are opened it says nothing.
   */
  stray(pair: Pair<Association>, now: Millis): void {
    const sender = this.#associations.sender(pair);
    if (sender === undefined) this.#ask(pair, 'revalidate', now);
    else if (now - sender.lastReceived >= PER_PAIR_MS) this.#ask(pair, 'heal', now);
  }

  /** True while the far end's MPIT is awaited: what cannot be opened yet may be by then (§ 2). */
  expects(pair: Pair<Association>): boolean {
    return this.#expecting.has(pair);
  }

  /** The same, and what comes without a tag may be under its keys too. */
  expectsBare(pair: Pair<Association>): boolean {
    return this.#expecting.hasBare(pair);
  }

  /** The same, or its word on what it sends with is (§ 11.4). */
  expectsWord(pair: Pair<Association>): boolean {
    return this.expects(pair) || this.switches.expectsWord(pair);
  }

  forget(pair: Pair<Association>): void {
    this.#expecting.delete(pair);
    this.switches.forget(pair);
  }

  /** In the background, at most once per PER_PAIR_MS: what serves goes on serving. */
  #ask(pair: Pair<Association>, why: 'renewal' | 'revalidate' | 'heal', now: Millis): void {
    const times = this.#times.get(pair);
    if (times !== undefined && now - times.lastAsked < PER_PAIR_MS) return;
    this.#times.set(pair, { lastAsked: now });
    this.#apply(this.#dprp.begin(dprpPair(pair), why, now), now);
  }

  /** Called now and then for a pair that carries traffic: keeps its verdict and keys fresh without making it wait. */
  refresh(pair: Pair<Association>, now: Millis): void {
    if (pair.verdict === 'plain') {
      if (now >= pair.until - REVALIDATE_BEFORE_MS) this.#ask(pair, 'revalidate', now);
      return;
    }
    const sender = this.#associations.sender(pair);
    if (pair.verdict !== 'encrypt' || sender === undefined) return;
    if (pair.switching === 0 && (now >= sender.renewAt || sender.state.renewalDue)) {
      sender.renewAt = now + RENEW_RETRY_MS;
      this.#ask(pair, 'renewal', now);
    } else if (sender.sendingSince !== 0 && sender.lastSent - sender.sendingSince >= sender.oneWayMs) {
      sender.sendingSince = now;
      sender.oneWayMs = Math.min(2 * sender.oneWayMs, ONE_WAY_MAX_MS);
      this.#ask(pair, 'revalidate', now);
    }
    if (sender.lastReceived - sender.rememberedAt >= REMEMBER_EVERY_MS) {
      sender.rememberedAt = now;
      const peer = this.#remembered.refresh(pair.peer, now);
      if (peer !== undefined) this.#lane.tell({ type: 'remember', peer });
    }
  }

  receive(message: Received, now: Millis): void {
    this.#lane.flush(now);
    this.#apply(this.#dprp.receive(message, now), now);
  }

  noAssociationNotice(ipVersion: 4 | 6): Uint8Array | undefined {
    return this.#dprp.noAssociationNotice(ipVersion);
  }

  tick(now: Millis): void {
    if (now >= this.#expecting.nextTimeout()) this.#stopExpecting(now);
    if (now >= this.#dprp.nextTimeout()) this.#apply(this.#dprp.tick(now), now);
    this.#associations.sweep(now);
    this.switches.tick(now);
  }

  nextTimeout(): number {
    return Math.min(
      this.#dprp.nextTimeout(),
      this.#associations.nextTimeout(),
      this.switches.nextTimeout(),
      this.#expecting.nextTimeout(),
    );
  }

  #stopExpecting(now: Millis): void {
    for (const pair of this.#expecting.end(now)) {
      /* The other side began and fell silent: what waits behind us begins anew. */
      if (pair.verdict === 'negotiating') pair.verdict = 'unknown';
      this.#lane.releaseHeld(pair, now);
    }
  }

  /** New keys, or none. Associations with a removed GE end now; those of an older key version are renewed soon. */
  setIdentity(identity: Identity | undefined, pairs: Iterable<Pair<Association>>, now: Millis): void {
    this.#lane.flush(now);
    this.#identity = identity;
    this.#identitySince = now;
    this.#apply(this.#dprp.setIdentity(identity, now), now);
    for (const pair of pairs) this.#reconsider(pair, identity, now);
  }

  #reconsider(pair: Pair<Association>, identity: Identity | undefined, now: Millis): void {
    for (const association of pair.associations) {
      if (association === undefined) continue;
      const held = identity?.groupKeys.filter((k) => k.group === association.group) ?? [];
      const removed = identity?.revoked.some((r) => r.ge === association.peerGe && r.group === association.group);
      if (removed === true || !held.some((k) => k.version === association.keyVersion)) {
        this.#associations.end(association);
      } else if (held[0].version !== association.keyVersion || held[0].transform !== association.transform) {
        association.renewAt = Math.min(association.renewAt, now + this.#chance() * RENEW_SPREAD_MS);
      }
    }
    /* Whatever was decided without an association was decided with other groups, or another mode. */
    if (this.#associations.sender(pair) === undefined && pair.verdict !== 'negotiating') {
      pair.verdict = 'unknown';
      this.#lane.releaseHeld(pair, now);
    }
  }

  /** From 0 to 1. */
  #chance(): number {
    const [high, low] = this.#random(2);
    return ((high << 8) | low) / 0x1_0000;
  }

  close(): void {
    this.#dprp.close();
  }

  #apply(actions: readonly Action[], now: Millis): void {
    for (const action of actions) this.#perform(action, now);
  }

  #perform(action: Action, now: Millis): void {
    switch (action.do) {
      case 'send': {
        const pair = this.#lane.pairOf(action.pair, now);
        this.#lane.emitEcho(pair, action.icmp, action.id, action.sequence, action.payload, now);
        break;
      }
      case 'install':
        this.#install(action.agreement, action.send, now);
        break;
      case 'confirm':
        this.#confirm(action.pair, action.negotiation, action.peerSends, now);
        break;
      case 'peer-sends':
      case 'switch':
      case 'switched':
      case 'switch-failed':
        this.#switch(action, now);
        break;
      case 'abandon': {
        const pair = this.#lane.findPair(action.pair);
        const association = pair && this.#associations.byNegotiation(pair, action.negotiation);
        if (association !== undefined) this.#associations.end(association);
        break;
      }
      case 'plain':
      case 'discard':
        this.#settle(action, now);
        break;
      case 'keep':
        this.#keep(action, now);
        break;
      case 'expect':
        this.#expect(action, now);
        break;
      case 'notice':
        this.#lane.emitNotice(action.payload, now);
        break;
      case 'no-association-notice':
        this.#heal(action.pair, now);
        break;
      case 'ask-gms':
        this.#lane.tell({ type: 'ask-gms', why: action.why });
        break;
      case 'alarm':
        this.#lane.tell({
          type: 'alarm',
          name: action.name,
          device: addressText(action.pair.device),
          peer: addressText(action.pair.peer),
        });
        break;
      case 'drop':
        this.#counters.drop(action.name);
        break;
    }
  }

  #expect(action: Extract<Action, { do: 'expect' }>, now: Millis): void {
    const pair = this.#lane.pairOf(action.pair, now);
    /* What waits was sent before the far end could know the keys (§ 11.4). */
    if (action.transform !== 'sealed') this.#lane.dropHeldInbound(pair);
    this.#expecting.add(pair, action.until, this.switches.receives(pair, now));
    if (pair.verdict === 'unknown' && this.#expecting.holdsUp(pair, now)) pair.verdict = 'negotiating';
  }

  #install(agreement: Agreement, send: boolean, now: Millis): void {
    this.#lane.flush(now);
    const pair = this.#lane.pairOf(agreement.pair, now);
    /* What the far end protects with its own agreement is still to come, where both started at once. */
    if (agreement.role === 'responder') this.#expecting.delete(pair);
    const wasPlain = pair.verdict === 'plain';
    const association = this.#associations.install(pair, agreement, now);
    if (association === undefined) {
      /* The far end holds what we do not: its packets are strays, or it is told when it asks (§ 6.4). */
      const until = (now + NO_ROOM_MS) as Millis;
      this.#settle({ do: 'discard', pair: agreement.pair, reason: 'overloaded', until }, now);
      return;
    }
    association.renewAt = now + this.#freshFor(agreement, now);
    if (agreement.transform !== 'sealed') {
      if (agreement.role === 'initiator' && !this.expects(pair)) this.#lane.dropHeldInbound(pair);
      this.switches.installed(association, send, wasPlain, now);
    } else if (agreement.role === 'initiator' && agreement.common === 0 && !send) {
      this.switches.installedSealed(association, now);
    } else if (send || this.#associations.sender(pair) === undefined) this.#associations.sendWith(association);
    pair.verdict = 'encrypt';
    pair.reason = 'common-group';
    pair.until = Number.POSITIVE_INFINITY;
    this.#lane.releaseHeld(pair, now);
  }

  /** Whoever runs the gateway hears it once: it takes a restart to change it. */
  #noRoom(): void {
    this.#counters.drop('dprp-key-room');
    if (this.#toldNoRoom) return;
    this.#toldNoRoom = true;
    this.#lane.tell({ type: 'no-key-room' });
  }

  /** How long an agreement serves before it is renewed, ms: not long where this side holds a newer key of its group. */
  #freshFor(agreement: Agreement, now: Millis): number {
    const newest = this.#identity?.groupKeys.find((k) => k.group === agreement.group);
    const longest = agreement.transform === 'sealed' ? RENEW_AFTER_MS : RENEW_PCCOM_MS;
    if (newest === undefined || newest.version === agreement.keyVersion) return longest;
    const cameMeanwhile = now - agreement.took <= this.#identitySince;
    return cameMeanwhile ? this.#chance() * RENEW_SPREAD_MS : RENEW_BEHIND_MS;
  }

  #confirm(of: DprpPair, negotiation: string, peerSends: boolean | undefined, now: Millis): void {
    const pair = this.#lane.findPair(of);
    const association = pair && this.#associations.byNegotiation(pair, negotiation);
    if (pair === undefined) return;
    if (association === undefined) {
      /* Its keys ended before it was confirmed, for want of room it may be; what is not agreed on begins anew. */
      const sender = this.#associations.sender(pair);
      if (sender === undefined ? pair.verdict !== 'negotiating' : sender.confirmed) return;
      this.#associations.endAll(pair);
      pair.verdict = 'unknown';
      this.#lane.releaseHeld(pair, now);
      return;
    }
    this.#lane.flush(now);
    this.#associations.confirm(association, now);
    this.switches.confirmed(association, peerSends, now);
    this.took.push(association.took);
    if (this.took.length > 1_000) this.took.shift();
    const peer = this.#remembered.remember(bytesToWords(of.peer), association.peerGe, association.transform, now);
    if (peer !== undefined) this.#lane.tell({ type: 'remember', peer });
  }

  #switch(action: Extract<Action, { do: 'peer-sends' | 'switch' | 'switched' | 'switch-failed' }>, now: Millis): void {
    const { negotiation } = action;
    const pair = this.#lane.findPair(action.pair);
    if (pair === undefined) return;
    if (action.do === 'switch') this.switches.follow(pair, action, now);
    else if (action.do === 'switched') this.switches.switched(pair, negotiation, now);
    else if (action.do === 'switch-failed') this.switches.failed(pair, negotiation, now);
    else if (action.do === 'peer-sends') {
      const association = this.#associations.byNegotiation(pair, negotiation);
      if (association !== undefined) this.switches.peerSpoke(association, action.sends, now);
    }
  }

  #settle(action: Extract<Action, { do: 'plain' | 'discard' }>, now: Millis): void {
    const pair = this.#lane.pairOf(action.pair, now);
    this.#expecting.delete(pair);
    if (this.#stands(pair, action.reason, now)) {
      this.#lane.releaseHeld(pair, now);
      return;
    }
    this.#associations.endAll(pair);
    pair.verdict = action.do;
    pair.reason = action.reason;
    pair.until = action.until;
    this.#lane.releaseHeld(pair, now);
  }

  /** What serves the pair goes on: a renewal that failed, or that nobody had time for, proves nothing. */
  #stands(pair: Pair<Association>, reason: Reason, now: Millis): boolean {
    if (this.#associations.sender(pair) !== undefined) return !PROVEN.has(reason);
    return reason === 'overloaded' && pair.verdict === 'plain' && now < pair.until;
  }

  #keep(action: Extract<Action, { do: 'keep' }>, now: Millis): void {
    const pair = this.#lane.findPair(action.pair);
    if (pair === undefined) return;
    const sender = this.#associations.sender(pair);
    if (sender !== undefined) {
      sender.renewAt = Math.max(action.until, now + RENEW_RETRY_MS);
    } else if (pair.verdict === 'negotiating') {
      /* What was to go on is gone meanwhile. */
      pair.verdict = 'discard';
      pair.reason = action.reason;
      pair.until = action.until;
      this.#lane.releaseHeld(pair, now);
    }
  }

  #heal(of: DprpPair, now: Millis): void {
    const pair = this.#lane.findPair(of);
    const sender = pair && this.#associations.sender(pair);
    if (pair === undefined || sender === undefined || !this.#lane.quotedRecently(pair, now)) {
      this.#counters.drop('notice-not-ours');
      return;
    }
    this.#ask(pair, 'heal', now);
  }
}

function dprpPair(pair: Pair<Association>): DprpPair {
  return { device: pair.deviceBytes, peer: pair.peerBytes };
}

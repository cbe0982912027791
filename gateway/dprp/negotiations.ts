/**
 * All negotiations of one worker: docs/dprp.md § 6–§ 8. Routes messages to the one they belong to, keeps the tables
 * bounded, and lets no message do anything before it was opened and found to be somebody else's.
 */
import { addressKey, pairKey } from '#wire/address.ts';
import {
  decodeDde,
  type Header,
  NO_ASSOCIATION_LENGTH,
  TYPE_CDN,
  TYPE_DDE,
  TYPE_GE_HERE,
  TYPE_KSW,
  TYPE_KSW_ANSWER,
  TYPE_MPIT,
  TYPE_NO_ASSOCIATION,
  TYPE_RGI,
} from '#wire/dprp.ts';
import type { DropName } from '#wire/drops.ts';
import { Alarms } from './alarms.ts';
import { Answer, type Rivalry } from './answer.ts';
import { Answers } from './answers.ts';
import { CARRIER, isEcho } from './carrier.ts';
import { EchoTimes } from './echo-times.ts';
import { type Opened, open, peek, type Random } from './envelope.ts';
import { Ephemerals } from './ephemerals.ts';
import { LIMITS, type Limits } from './limits.ts';
import { ask, copyPair, type Machine, type Step } from './machine.ts';
import { Negotiation, type Why } from './negotiation.ts';
import { Notices } from './notices.ts';
import { Peers, type VerifyStatement, verifierOf } from './peers.ts';
import { geIdText, Self } from './self.ts';
import { Spacing } from './spacing.ts';
import type {
  Action,
  DomainKey,
  Dprp,
  DprpCrypto,
  DprpPolicy,
  Identity,
  Millis,
  Pair,
  Received,
  Switched,
} from './spec.ts';
import { Switches } from './switches.ts';
import { after } from './verdict.ts';

export interface DprpOptions {
  readonly identity?: Identity;
  readonly policy: DprpPolicy;
  readonly crypto: DprpCrypto;
  /** Bytes of a cryptographic random source; every call's array is the machine's own. */
  readonly random: Random;
  /** Default: Ed25519 by the running Node. */
  readonly verifyStatement?: VerifyStatement;
  readonly limits?: Partial<Limits>;
}

/** @throws RangeError when the identity contradicts itself, see `setIdentity`. */
export function createDprp(options: DprpOptions): Dprp {
  return new Negotiations(options);
}

/** From the use of an ephemeral key pair to the tick that makes new ones, ms: behind the first packets. */
const REFILL_AFTER = 10;

class Negotiations implements Dprp {
  readonly #machine: Machine;
  readonly #answers: Answers;
  readonly #running = new Map<string, Negotiation>(); /* by pair: detecting or confirming */
  readonly #settled = new Map<string, Negotiation>(); /* by pair, oldest first: waiting for a late RGI */
  readonly #switches: Switches;
  readonly #inbound: Spacing;
  readonly #heals: Spacing;
  readonly #notices: Notices;
  #self: Self | undefined;
  #due = Number.POSITIVE_INFINITY; /* never later than the earliest `due` of a negotiation */
  #refillAt: number = 0;

  constructor(options: DprpOptions) {
    const limits = { ...LIMITS, ...options.limits };
    const { crypto, policy, random } = options;
    this.#machine = {
      crypto,
      policy,
      random,
      limits,
      peers: new Peers(crypto, options.verifyStatement ?? verifierOf(), limits),
      ephemerals: new Ephemerals(crypto, limits.ephemerals),
      asks: new Spacing(limits.askEvery, 2),
      alarms: new Alarms(limits),
      echoTimes: new EchoTimes(limits),
    };
    this.#answers = new Answers(limits);
    this.#switches = new Switches(this.#machine);
    this.#inbound = new Spacing(limits.inboundEvery, limits.running);
    this.#heals = new Spacing(limits.healEvery, limits.running);
    this.#notices = new Notices(this.#machine);
    if (options.identity !== undefined) this.#self = new Self(options.identity);
  }

  get running(): number {
    return this.#running.size;
  }

  /* ---- what starts here ---- */

  begin(pair: Pair, why: Why, now: Millis): Action[] {
    const out: Action[] = [];
    const { limits } = this.#machine;
    const self = this.#self;
    if (self === undefined) {
      return [{ do: 'discard', pair: copyPair(pair), reason: 'no-keys', until: after(now, limits.retryAfter) }];
    }
    const step: Step = { self, now, out };
    const key = pairKey(pair.device, pair.peer);
    const running = this.#running.get(key);
    let gone = 0;
    if (running !== undefined) {
      /* § 6.4: a far end that lost its keys cannot confirm; everyone else joins what runs. */
      if (why !== 'heal' || running.state !== 'confirming') return out;
      gone = running.cancel(step);
      this.#running.delete(key);
    }
    if (this.#overloaded(pair, why, now)) {
      const reason = 'overloaded';
      if (this.#machine.policy.heldGenerations(pair) === 0) {
        out.push({ do: 'discard', pair: copyPair(pair), reason, until: after(now, limits.inboundEvery) });
      } else out.push({ do: 'keep', pair: copyPair(pair), reason, until: after(now, limits.inboundEvery) });
      return out;
    }
    this.#start(step, copyPair(pair), key, why, self.newestDomainKey, gone);
    return out;
  }

  /** § 8: one device has three quarters of the table; packets from outside a quarter, one try per source and second. */
  #overloaded(pair: Pair, why: Why, now: Millis): boolean {
    const { running, runningPerDevice } = this.#machine.limits;
    if (this.#running.size >= running) return true;
    if (this.#running.size >= runningPerDevice && this.#runningOf(pair.device) >= runningPerDevice) return true;
    if (why !== 'inbound') return false;
    let inbound = 0;
    for (const negotiation of this.#running.values()) if (negotiation.why === 'inbound') inbound++;
    return inbound >= running / 4 || !this.#inbound.allow(addressKey(pair.peer), now);
  }

  #runningOf(device: Uint8Array): number {
    const prefix = addressKey(device); /* a pair's key begins with it */
    let count = 0;
    for (const key of this.#running.keys()) if (key.startsWith(prefix)) count++;
    return count;
  }

  #start(step: Step, pair: Pair, key: string, why: Why, domainKey: DomainKey, gone: number): void {
    this.#settled.get(key)?.cancel(step);
    this.#settled.delete(key);
    const ephemeral = this.#takeEphemeral(step.now);
    if (ephemeral === undefined) {
      const until = after(step.now, this.#machine.limits.retryAfter);
      const held = this.#machine.policy.heldGenerations(pair) & ~gone;
      step.out.push({ do: held ? 'keep' : 'discard', pair, reason: 'overloaded', until });
      return;
    }
    const before = this.#answers.lastCompleted(key);
    this.#file(new Negotiation(this.#machine, step, pair, key, why, ephemeral, domainKey, gone, before));
  }

  /* ---- what arrives ---- */

  receive(message: Received, now: Millis): Action[] {
    const out: Action[] = [];
    const self = this.#self;
    const drop = (name: DropName): Action[] => {
      out.push({ do: 'drop', name });
      return out;
    };
    if (self === undefined) return drop('dprp-no-keys');
    if (message.from === 'inner') return drop('dprp-from-inside');
    const step: Step = { self, now, out };
    const key = pairKey(message.pair.device, message.pair.peer);
    const found = this.#running.get(key) ?? this.#settled.get(key);
    if (isEcho(message)) {
      const refused = found === undefined ? 'dprp-echo' : found.echo(step, message);
      if (found !== undefined) this.#file(found);
      return refused === undefined ? out : drop(refused);
    }
    const header = peek(message);
    if (typeof header === 'string') {
      if (header === 'dprp-version') this.#notices.geHere(step, message);
      return drop(header);
    }
    if (CARRIER[header.type] !== message.icmp) return drop('dprp-type');
    if (header.type === TYPE_GE_HERE) {
      const refused = this.#onGeHere(step, found, message, header);
      return refused === undefined ? out : drop(refused);
    }
    if (header.type === TYPE_KSW || header.type === TYPE_KSW_ANSWER) {
      const refused = this.#switches.receive(step, key, message, header);
      return refused === undefined ? out : drop(refused);
    }
    const negotiation = found?.owns(header) ? found : undefined;
    if (message.icmp === 'reply') {
      if (negotiation === undefined) return drop('dprp-unknown-negotiation');
      negotiation.gatewayAnswered();
    }
    const opened = open(this.#machine.crypto, self, message, header);
    if (typeof opened === 'string') {
      if (opened === 'dprp-domain-key') this.#cannotOpen(step, message, header);
      return drop(opened);
    }
    const refused = this.#route(step, key, negotiation, opened, message);
    if (negotiation !== undefined) this.#file(negotiation);
    return refused === undefined ? out : drop(refused);
  }

  #route(
    step: Step,
    key: string,
    negotiation: Negotiation | undefined,
    opened: Opened,
    message: Received,
  ): DropName | undefined {
    switch (opened.header.type) {
      case TYPE_DDE:
        return this.#onDde(step, key, opened, message);
      case TYPE_MPIT:
        return this.#onMpit(step, key, opened, message);
      case TYPE_RGI:
        return negotiation?.rgi(step, opened);
      case TYPE_CDN: {
        const refused = negotiation?.cdn(step, opened);
        if (negotiation?.state === 'ended') this.#announceWinner(step.self, negotiation);
        return refused;
      }
      case TYPE_NO_ASSOCIATION:
        return this.#onNoAssociation(step, key, opened, message);
    }
    return 'dprp-type';
  }

  /** § 3.1: answered always, unless its sender is not who it must be; that one still learns that a GE is here. */
  #onDde(step: Step, key: string, opened: Opened, message: Received): DropName | undefined {
    const { self, now } = step;
    const { peers, alarms } = this.#machine;
    const repeated = this.#answers.get(key, Buffer.from(opened.header.negotiation).toString('hex'));
    if (repeated !== undefined) return repeated.repeatedDde(step, opened, message);
    const dde = decodeDde(opened.body);
    if (typeof dde === 'string') {
      this.#notices.geHere(step, message);
      return dde;
    }
    const pair = copyPair(message.pair);
    const peer = peers.lookup(self, dde.info, now);
    if (typeof peer === 'string') {
      if (peer === 'dprp-statement') alarms.tell(step, { do: 'alarm', name: 'statement', pair });
      if (peer !== 'dprp-own') this.#notices.geHere(step, message);
      return peer;
    }
    const ephemeral = this.#takeEphemeral(now);
    if (ephemeral === undefined) return 'dprp-budget';
    this.#answers.add(new Answer(this.#machine, step, pair, key, opened, message, dde, peer, ephemeral));
    return undefined;
  }

  #onMpit(step: Step, key: string, opened: Opened, message: Received): DropName | undefined {
    const answer = this.#answers.get(key, Buffer.from(opened.header.negotiation).toString('hex'));
    if (answer === undefined) return 'dprp-unknown-negotiation';
    const ours = this.#running.get(key);
    const weWin = step.self.ge < answer.initiatorGe && ours?.idText !== answer.after;
    const rivalry = (): Rivalry => {
      if (ours?.installed && weWin) return { winner: ours.idText, confirmed: false };
      return { winner: answer.winner, confirmed: answer.winner !== undefined };
    };
    const result = answer.mpit(step, opened, message, rivalry);
    if (result === 'repeated') this.#answers.paid(answer);
    if (result !== 'completed') return result === 'repeated' ? undefined : result;
    this.#answers.complete(answer);
    /* § 6.3: before MPIT ours is superfluous; behind it both are kept, and the lower GE id's is sent with. */
    for (const own of [ours, this.#settled.get(key)]) {
      own?.overtake();
      if (own?.installed) {
        own.rival = answer.idText;
        own.yields = !weWin;
      }
      if (own) this.#file(own);
    }
    return undefined;
  }

  /** § 6.3: half-open negotiations of the pair that the far side may still complete are not to be sent with. */
  #announceWinner(self: Self, confirmed: Negotiation): void {
    if (!confirmed.installed || confirmed.yields) return;
    for (const answer of this.#answers.halfOpenOf(confirmed.key)) {
      if (self.ge < answer.initiatorGe && answer.after !== confirmed.idText) answer.winner = confirmed.idText;
    }
  }

  /* ---- key switches ---- */

  beginSwitch(to: Switched, now: Millis): Action[] {
    const self = this.#self;
    if (self === undefined) return [{ do: 'switch-failed', pair: to.pair, negotiation: to.negotiation }];
    const out: Action[] = [];
    this.#switches.begin({ self, now, out }, to);
    return out;
  }

  cancelSwitch(pair: Pair, negotiation: string): void {
    this.#switches.cancel(pairKey(pair.device, pair.peer), negotiation);
  }

  /* ---- notices ---- */

  noAssociationNotice(ipVersion: 4 | 6): Uint8Array | undefined {
    return this.#self && this.#notices.noAssociation(this.#self, ipVersion);
  }

  #cannotOpen(step: Step, message: Received, header: Header): void {
    if (header.domainKeyVersion > step.self.newestDomainKey.version) ask(this.#machine, step, 'domain-key');
    if (header.type === TYPE_DDE) this.#notices.geHere(step, message);
  }

  #onGeHere(step: Step, found: Negotiation | undefined, message: Received, header: Header): DropName | undefined {
    if (found === undefined) return 'dprp-notice';
    const result = found.geHere(step, message, header);
    this.#file(found);
    if (typeof result !== 'object') return result;
    found.cancel(step);
    this.#file(found);
    this.#start(step, found.pair, found.key, found.why, result, 0);
    return undefined;
  }

  #onNoAssociation(step: Step, key: string, opened: Opened, message: Received): DropName | undefined {
    if (opened.body.length !== NO_ASSOCIATION_LENGTH) return 'dprp-body';
    if (geIdText(opened.body) === step.self.ge) return 'dprp-own';
    if (!this.#heals.allow(key, step.now)) return 'dprp-budget';
    step.out.push({ do: 'no-association-notice', pair: copyPair(message.pair) });
    return undefined;
  }

  /* ---- time ---- */

  tick(now: Millis): Action[] {
    const out: Action[] = [];
    const { ephemerals, limits } = this.#machine;
    this.#answers.expire(now);
    if (this.#self !== undefined) {
      this.#answers.answer({ self: this.#self, now, out }, false);
      this.#answers.prepare(this.#self);
    }
    this.#switches.tick(now, out);
    if (this.#self !== undefined && now >= this.#due) {
      const step: Step = { self: this.#self, now, out };
      this.#due = Number.POSITIVE_INFINITY;
      for (const table of [this.#running, this.#settled]) {
        for (const negotiation of [...table.values()]) {
          if (now >= negotiation.due) negotiation.tick(step);
          this.#file(negotiation);
        }
      }
    }
    if (now >= this.#refillAt) {
      ephemerals.refill(limits.ephemeralsPerTick);
      this.#refillAt = ephemerals.full ? Number.POSITIVE_INFINITY : now + REFILL_AFTER;
    }
    return out;
  }

  nextTimeout(): number {
    return Math.min(this.#due, this.#refillAt, this.#answers.nextTimeout(), this.#switches.nextTimeout());
  }

  #takeEphemeral(now: Millis): ReturnType<Ephemerals['take']> {
    this.#refillAt = Math.min(this.#refillAt, now + REFILL_AFTER);
    return this.#machine.ephemerals.take();
  }

  /** Puts a negotiation into the table of its state, or out of both. */
  #file(negotiation: Negotiation): void {
    const { key, state } = negotiation;
    if (this.#running.get(key) === negotiation) {
      if (state === 'detecting' || state === 'confirming') {
        this.#due = Math.min(this.#due, negotiation.due);
        return;
      }
      this.#running.delete(key);
    }
    if (this.#settled.get(key) === negotiation && state !== 'settled') this.#settled.delete(key);
    if (state === 'ended') return;
    this.#due = Math.min(this.#due, negotiation.due);
    if (state !== 'settled') this.#running.set(key, negotiation);
    else if (this.#settled.get(key) !== negotiation) this.#settle(key, negotiation);
  }

  #settle(key: string, negotiation: Negotiation): void {
    if (this.#settled.size >= this.#machine.limits.settled) {
      for (const [oldest, evicted] of this.#settled) {
        evicted.overtake();
        this.#settled.delete(oldest);
        break;
      }
    }
    this.#settled.set(key, negotiation);
  }

  /* ---- identity ---- */

  setIdentity(identity: Identity | undefined, now: Millis): Action[] {
    const out: Action[] = [];
    const before = this.#self;
    /* With the keys that MPIT came with. */
    if (before !== undefined) this.#answers.answer({ self: before, now, out }, true);
    const self = identity === undefined ? undefined : new Self(identity);
    this.#self = self;
    const sameSecret = self?.identity.staticSecret === before?.identity.staticSecret;
    const goesOn = self !== undefined && before !== undefined && self.continues(before);
    if (!goesOn || !sameSecret) this.#machine.peers.clear();
    if (goesOn || before === undefined) return out;

    this.#answers.clear();
    const last: Step = { self: before, now, out };
    const ended = [...this.#running.values()].map((negotiation) => ({ negotiation, gone: negotiation.cancel(last) }));
    for (const negotiation of this.#settled.values()) negotiation.cancel(last);
    this.#running.clear();
    this.#settled.clear();
    for (const { negotiation, gone } of ended) {
      const { pair, key, why } = negotiation;
      if (self !== undefined) this.#start({ self, now, out }, pair, key, why, self.newestDomainKey, gone);
      else {
        out.push({ do: 'discard', pair, reason: 'no-keys', until: after(now, this.#machine.limits.retryAfter) });
      }
    }
    return out;
  }

  close(): void {
    const step = this.#self && { self: this.#self, now: 0 as Millis, out: [] };
    if (step) for (const table of [this.#running, this.#settled]) for (const n of table.values()) n.cancel(step);
    this.#running.clear();
    this.#settled.clear();
    this.#answers.clear();
    this.#switches.clear();
    this.#machine.peers.clear();
    this.#machine.ephemerals.close();
    this.#self = undefined;
    this.#due = this.#refillAt = Number.POSITIVE_INFINITY;
  }
}

/**
 * One negotiation that the far side started: docs/dprp.md § 6.2. Repeats change nothing: they get the same bytes.
 *
 *     answer ◄──DDE──   (RGI, expect)   ──RGI──►   mpit ◄──MPIT──   (install, confirm)   ──CDN──►
 */
import {
  type Dde,
  decodeMpit,
  encodeCdn,
  encodeRgi,
  type Header,
  type Mpit,
  NEGOTIATION_NONCE_LENGTH,
  PROOF_LENGTH,
  TYPE_CDN,
  TYPE_RGI,
} from '#wire/dprp.ts';
import type { DropName } from '#wire/drops.ts';
import type { GeInfo } from '#wire/ge-info.ts';
import { type Decision, decide, encodeDecision, isBehind, isPccom, type Side } from './decision.ts';
import { macFits, type Opened, seal } from './envelope.ts';
import type { Ephemeral } from './ephemerals.ts';
import { addressesOf, ask, type Machine, type Step } from './machine.ts';
import type { Peer } from './peers.ts';
import type { Self } from './self.ts';
import type { GeId, KeyHandle, Millis, Pair, Received } from './spec.ts';
import { RESPONDER, type ResponderEvent, type ResponderState } from './states.ts';
import { type Derived, derive, equal, transcriptHash, type Underivable } from './transcript.ts';
import { after, type Objection, object, objection, settle } from './verdict.ts';

/** § 6.3: what another negotiation of the pair means for this one, asked when MPIT is good. */
export interface Rivalry {
  /** The agreement to send with instead; undefined when this one is. */
  readonly winner: string | undefined;
  /** The winner is confirmed already. */
  readonly confirmed: boolean;
}

/** What CDN says. */
interface Agreed {
  readonly proof: Uint8Array;
  readonly sends: boolean;
}

/** What CDN is made of. */
interface Owed extends Agreed {
  readonly peer: Peer;
  readonly header: Header;
  readonly message: Pick<Received, 'id' | 'sequence' | 'ipVersion'>;
}

/**
 * Under `sealed` CDN waits this long for what came right behind MPIT, ms: the initiator does not wait for it (§ 3.6).
 */
const BEHIND_DATA = 0.05;

export class Answer {
  readonly pair: Pair;
  readonly key: string; /* of the pair, in tables */
  readonly idText: string;
  readonly initiatorGe: GeId;
  /** § 6.3: our negotiation that the initiator had completed when it started this one; zeros for none. */
  readonly after: string;
  /** The answer is forgotten then. */
  expires: Millis;
  /** CDN is due then, ms; Infinity where none is owed. */
  due = Number.POSITIVE_INFINITY;
  /** § 6.3: our own negotiation of the pair was confirmed meanwhile, and is the one to send with. */
  winner: string | undefined;

  #state: ResponderState = 'answered';
  readonly #machine: Machine;
  readonly #startedAt: Millis;
  readonly #ddeHash: Uint8Array;
  readonly #rgi: Uint8Array;
  readonly #rgiHash: Uint8Array;
  readonly #peerInfo: GeInfo;
  readonly #nonceI: Uint8Array;
  readonly #nonceR: Uint8Array;
  readonly #initiatorReceives: boolean;
  /** Generations that both ends held, bit 0–3. */
  readonly #common: number;
  readonly #decision: Decision;
  readonly #encoded: Uint8Array;
  readonly #objection: Objection | undefined;
  #secret: KeyHandle | undefined;
  /** Keys and proofs, and the group key that they were made with. */
  #prepared: (Derived & { readonly groupKey: KeyHandle }) | undefined;
  #mpitHash: Uint8Array | undefined;
  #cdn: Uint8Array | undefined;
  #owed: Owed | undefined;

  /** Takes over the ephemeral key pair. */
  constructor(
    machine: Machine,
    step: Step,
    pair: Pair,
    key: string,
    opened: Opened,
    message: Received,
    dde: Dde,
    peer: Peer,
    ephemeral: Ephemeral,
  ) {
    const { self, now, out } = step;
    const { crypto, policy, limits } = machine;
    this.#machine = machine;
    this.pair = pair;
    this.key = key;
    this.idText = Buffer.from(opened.header.negotiation).toString('hex');
    this.initiatorGe = peer.ge;
    this.after = Buffer.from(dde.after).toString('hex');
    this.expires = after(now, limits.answerFor);
    this.#startedAt = now;
    this.#ddeHash = opened.hash;
    this.#peerInfo = dde.info;
    this.#nonceI = dde.nonce;
    this.#nonceR = machine.random(NEGOTIATION_NONCE_LENGTH);
    this.#secret = ephemeral.secret;

    const addresses = addressesOf(pair.peer, pair.device);
    const initiator: Side = {
      ...peer,
      aesInHardware: dde.info.aesInHardware,
      entries: dde.info.entries,
      held: dde.held,
    };
    const side = self.side(crypto.aesInHardware, policy.heldGenerations(pair));
    this.#initiatorReceives = dde.receives;
    this.#common = dde.held & side.held;
    const translated = !equal(addresses, dde.addresses);
    const common = decide(initiator, side, { translated, refused: false });
    this.#objection = objection(policy, self, pair, peer, common);
    const refuses = this.#objection !== undefined;
    this.#decision = refuses ? decide(initiator, side, { translated, refused: true }) : common;
    this.#encoded = encodeDecision(this.#decision);

    const sealed = seal(crypto, machine.random, {
      type: TYPE_RGI,
      negotiation: opened.header.negotiation,
      domainKey: self.domainKey(opened.header.domainKeyVersion) ?? self.newestDomainKey,
      icmp: 'reply',
      ipVersion: message.ipVersion,
      body: encodeRgi({
        ddeHash: opened.hash,
        nonce: this.#nonceR,
        addresses,
        held: side.held,
        receives: policy.receives(pair),
        refuses,
        info: {
          aesInHardware: side.aesInHardware,
          ephemeral: ephemeral.publicKey,
          entries: side.entries,
          statement: self.identity.statement,
        },
      }),
      macKey: peer.toPeer,
    });
    this.#rgi = sealed.payload;
    this.#rgiHash = sealed.hash;
    this.#reply(step, message, this.#rgi);
    const { outcome, transform } = this.#decision;
    if (outcome === 'protect') out.push({ do: 'expect', pair, transform, until: after(now, limits.expectFor) });
  }

  get state(): ResponderState {
    return this.#state;
  }

  /** A DDE with the same id: the same one gets the same RGI, another one is nobody's. */
  repeatedDde(step: Step, opened: Opened, message: Received): DropName | undefined {
    if (!equal(opened.hash, this.#ddeHash)) return 'dprp-unknown-negotiation';
    this.#reply(step, message, this.#rgi);
    return undefined;
  }

  /**
   * § 8: does what MPIT will need while RGI is on its way. Only Answers calls it, which bounds how many there are.
   * @returns whether there is anything prepared
   */
  prepare(self: Self): boolean {
    const { outcome, group, version } = this.#decision;
    const groupKey = outcome === 'protect' ? self.groupKey(group, version) : undefined;
    if (groupKey === undefined || this.#secret === undefined || this.#mpitHash !== undefined) return false;
    const derived = this.#derive(groupKey, this.#secret);
    if (typeof derived === 'string') return false;
    this.#prepared = { ...derived, groupKey };
    return true;
  }

  #derive(groupKey: KeyHandle, secret: KeyHandle): Derived | Underivable {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    if (prepared?.groupKey === groupKey) return prepared;
    if (prepared !== undefined) this.#machine.crypto.release(prepared.prk);
    return derive(this.#machine.crypto, {
      groupKey,
      secret,
      ephemeral: this.#peerInfo.ephemeral,
      nonceI: this.#nonceI,
      nonceR: this.#nonceR,
      transcript: this.#transcript(),
    });
  }

  #transcript(): Uint8Array {
    return transcriptHash(this.#ddeHash, this.#rgiHash, this.#encoded);
  }

  /** § 3.5: what became of it, or why it was thrown away. */
  mpit(step: Step, opened: Opened, message: Received, rivalry: () => Rivalry): 'completed' | 'repeated' | DropName {
    const { self, now } = step;
    const { alarms, crypto, peers, policy } = this.#machine;
    if (this.#mpitHash !== undefined) {
      if (!equal(opened.hash, this.#mpitHash)) return 'dprp-hash-chain';
      this.answer(step);
      if (this.#cdn !== undefined) this.#reply(step, message, this.#cdn);
      return 'repeated';
    }
    const mpit = decodeMpit(opened.body);
    const secret = this.#secret;
    if (typeof mpit === 'string') return mpit;
    if (secret === undefined) return 'dprp-unknown-negotiation';
    if (!equal(mpit.rgiHash, this.#rgiHash)) return 'dprp-hash-chain';
    const peer = peers.lookup(self, this.#peerInfo, now);
    if (typeof peer === 'string') return peer;
    if (!macFits(crypto, peer.fromPeer, opened)) return 'dprp-mac';
    const decision = this.#decision;
    if (!equal(mpit.decision, this.#encoded) || objection(policy, self, this.pair, peer, decision) !== undefined) {
      alarms.tell(step, { do: 'alarm', name: 'decision-differs', pair: this.pair });
      return 'dprp-decision';
    }

    if (isBehind(self.entries, this.#peerInfo.entries)) ask(this.#machine, step, 'group-key');
    const agreed =
      decision.outcome === 'protect'
        ? this.#protect(step, peer, mpit, secret, rivalry)
        : this.#settle(step, peer, mpit.proof);
    if (typeof agreed === 'string') return agreed;
    this.#complete(step, peer, opened, message, agreed);
    return 'completed';
  }

  /** The keys of a decision that protects, once the initiator has proven that it holds the group's. */
  #protect(step: Step, peer: Peer, mpit: Mpit, secret: KeyHandle, rivalry: () => Rivalry): Agreed | DropName {
    const { crypto, policy } = this.#machine;
    const { group, version, transform } = this.#decision;
    const groupKey = step.self.groupKey(group, version);
    if (groupKey === undefined) return 'dprp-groups';
    const derived = this.#derive(groupKey, secret);
    if (typeof derived === 'string') return derived;
    if (!equal(mpit.proof, derived.proofI)) {
      crypto.release(derived.prk);
      return 'dprp-proof';
    }
    const rival = rivalry();
    /* § 11.3, as for the initiator. */
    const sends =
      isPccom(transform) && rival.winner === undefined && !this.#initiatorReceives && !policy.sends(this.pair);
    this.#install(step, peer, derived.prk, this.#transcript(), rival, sends, mpit.sends);
    return { proof: derived.proofR, sends };
  }

  /** A decision that protects nothing: nobody proves anything. */
  #settle(step: Step, peer: Peer, proofI: Uint8Array): Agreed | DropName {
    const { self, now, out } = step;
    const { alarms, policy, limits } = this.#machine;
    const proof = new Uint8Array(PROOF_LENGTH);
    if (!equal(proofI, proof)) return 'dprp-proof';
    if (this.#objection === undefined) {
      const serves = policy.heldGenerations(this.pair) !== 0;
      out.push(settle(this.pair, peer.ge, this.#decision, self.mode, serves, limits, now));
    } else alarms.tell(step, ...object(this.pair, peer.ge, this.#objection, limits, now));
    return { proof, sends: false };
  }

  #complete(step: Step, peer: Peer, { hash, header }: Opened, message: Received, agreed: Agreed): void {
    const { now } = step;
    this.#go('mpit');
    this.#release();
    this.#mpitHash = hash;
    this.expires = after(now, this.#machine.limits.answerFor);
    const { id, sequence, ipVersion } = message;
    this.#owed = { ...agreed, peer, header, message: { id, sequence, ipVersion } };
    const { outcome, transform } = this.#decision;
    /* Under pccom the initiator needs CDN to read what comes behind it (§ 11.4). */
    if (outcome === 'protect' && !isPccom(transform)) this.due = now + BEHIND_DATA;
    else this.answer(step);
  }

  /** Sends CDN where it is owed. */
  answer(step: Step): void {
    const { self } = step;
    const owed = this.#owed;
    if (owed === undefined || this.#mpitHash === undefined) return;
    const { header, message, peer, proof, sends } = owed;
    this.#owed = undefined;
    this.due = Number.POSITIVE_INFINITY;
    const sealed = seal(this.#machine.crypto, this.#machine.random, {
      type: TYPE_CDN,
      negotiation: header.negotiation,
      domainKey: self.domainKey(header.domainKeyVersion) ?? self.newestDomainKey,
      icmp: 'reply',
      ipVersion: message.ipVersion,
      body: encodeCdn({ mpitHash: this.#mpitHash, proof, sends }),
      macKey: peer.toPeer,
    });
    this.#cdn = sealed.payload;
    this.#reply(step, message, sealed.payload);
  }

  #install(
    step: Step,
    peer: Peer,
    prk: KeyHandle,
    transcript: Uint8Array,
    rivalry: Rivalry,
    sends: boolean,
    peerSends: boolean,
  ): void {
    const { pair, idText } = this;
    const { group, version, transform, generation, algorithm } = this.#decision;
    step.out.push({
      do: 'install',
      send: rivalry.winner === undefined,
      agreement: {
        pair,
        negotiation: idText,
        role: 'responder',
        peerGe: peer.ge,
        initiatorGe: peer.ge,
        group,
        keyVersion: version,
        transform,
        generation,
        algorithm,
        prk,
        transcript,
        peerStatement: this.#peerInfo.statement.slice(),
        sends,
        peerSends,
        common: this.#common,
        took: step.now - this.#startedAt,
      },
    });
    /* MPIT proves that the initiator holds the keys already. */
    if (rivalry.winner === undefined) step.out.push({ do: 'confirm', pair, negotiation: idText });
    else if (rivalry.confirmed) step.out.push({ do: 'confirm', pair, negotiation: rivalry.winner });
  }

  end(event: Extract<ResponderEvent, 'expired' | 'cancelled'>): void {
    if (this.#go(event)) this.#release();
  }

  /** Answers with the request's id and sequence number, as an ordinary echo would. */
  #reply(step: Step, { id, sequence }: Pick<Received, 'id' | 'sequence'>, payload: Uint8Array): void {
    step.out.push({ do: 'send', pair: this.pair, icmp: 'reply', id, sequence, payload });
  }

  #go(event: ResponderEvent): boolean {
    const next = RESPONDER[this.#state][event];
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }

  #release(): void {
    if (this.#prepared !== undefined) this.#machine.crypto.release(this.#prepared.prk);
    this.#prepared = undefined;
    if (this.#secret === undefined) return;
    this.#machine.crypto.release(this.#secret);
    this.#secret = undefined;
  }
}

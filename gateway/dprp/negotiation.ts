/**
 * One negotiation that was started here: docs/dprp.md § 6.1. Functions stand in the order of the messages.
 *
 *     start ──DDE──►   rgi ◄──RGI──   (MPIT, install)   ──MPIT──►   cdn ◄──CDN──   (confirm)
 */
import {
  decodeCdn,
  decodeRgi,
  ECHO_EVIDENCE,
  encodeDde,
  encodeMpit,
  GE_HERE_LENGTH,
  type Header,
  NEGOTIATION_ID_LENGTH,
  NEGOTIATION_NONCE_LENGTH,
  PROOF_LENGTH,
  type Rgi,
  SEALED_AT,
  TYPE_DDE,
  TYPE_MPIT,
} from '#wire/dprp.ts';
import type { DropName } from '#wire/drops.ts';
import type { GeInfo } from '#wire/ge-info.ts';
import { type Decision, decide, encodeDecision, isBehind, isPccom, type Side } from './decision.ts';
import { ipVersionOf, macFits, type Opened, open, seal } from './envelope.ts';
import type { Ephemeral } from './ephemerals.ts';
import { addressesOf, ask, type Machine, type Step } from './machine.ts';
import type { Peer } from './peers.ts';
import { geIdText } from './self.ts';
import type { DomainKey, KeyHandle, Millis, Pair, Received } from './spec.ts';
import { INITIATOR, type InitiatorEvent, type InitiatorState } from './states.ts';
import { type Derived, derive, equal, sha256, transcriptHash } from './transcript.ts';
import { Tries } from './tries.ts';
import { after, object, objection, settle, settleUnanswered, type Unanswered } from './verdict.ts';

export type Why = 'packet' | 'inbound' | 'renewal' | 'revalidate' | 'heal';

/** Where nothing is protected. */
const NO_PROOFS = { proofI: new Uint8Array(PROOF_LENGTH), proofR: new Uint8Array(PROOF_LENGTH) };

/** What RGI left for CDN. */
interface Awaited {
  readonly peer: GeInfo;
  readonly mpitHash: Uint8Array;
  readonly proof: Uint8Array;
}

export class Negotiation {
  readonly pair: Pair;
  readonly key: string; /* of the pair, in tables */
  readonly why: Why;
  readonly idText: string;
  readonly startedAt: Millis;
  /** § 6.3: a completed negotiation of the far side for the same pair; it serves where this one comes to nothing. */
  rival: string | undefined;
  /** § 6.3: the rival's agreement is the one to send with. */
  yields = false;

  #state: InitiatorState = 'detecting';
  readonly #machine: Machine;
  /** Of the key that DDE was sealed with; its handle is the identity's, which may be replaced meanwhile. */
  readonly #domainVersion: number;
  readonly #id: Uint8Array;
  readonly #echoId: number;
  readonly #nonce: Uint8Array;
  readonly #addresses: Uint8Array;
  readonly #side: Side;
  readonly #dde: Uint8Array;
  readonly #ddeHash: Uint8Array;
  #ephemeral: Ephemeral | undefined;
  #sawGateway = false;
  #installed: number | undefined; /* generation */
  /** Generations, bit 0–3, that were given up and that the owner, told in the same step, may still count as held. */
  #gone: number;
  #awaited: Awaited | undefined;

  /* the request that is out: DDE, then MPIT */
  #request: Uint8Array;
  #tries: Tries;
  #deadline: Millis;
  readonly #sentAt: Millis[] = []; /* every request; its sequence number is its place + 1 */

  /** Takes over the ephemeral key pair. `gone`: what the one before gave up in the same step. `before`: § 6.3. */
  constructor(
    machine: Machine,
    step: Step,
    pair: Pair,
    key: string,
    why: Why,
    ephemeral: Ephemeral,
    domain: DomainKey,
    gone: number,
    before: string | undefined,
  ) {
    const { self, now } = step;
    this.#machine = machine;
    this.pair = pair;
    this.key = key;
    this.why = why;
    this.startedAt = now;
    this.#domainVersion = domain.version;
    this.#gone = gone;
    this.#ephemeral = ephemeral;
    this.#id = machine.random(NEGOTIATION_ID_LENGTH);
    this.idText = Buffer.from(this.#id).toString('hex');
    const random = machine.random(NEGOTIATION_NONCE_LENGTH + 2);
    this.#nonce = random.subarray(0, NEGOTIATION_NONCE_LENGTH);
    this.#echoId = (random[NEGOTIATION_NONCE_LENGTH] << 8) | random[NEGOTIATION_NONCE_LENGTH + 1];
    this.#addresses = addressesOf(pair.device, pair.peer);
    this.#side = self.side(machine.crypto.aesInHardware, machine.policy.heldGenerations(pair) & ~gone);
    const sealed = seal(machine.crypto, machine.random, {
      type: TYPE_DDE,
      negotiation: this.#id,
      domainKey: domain,
      icmp: 'request',
      ipVersion: ipVersionOf(pair),
      body: encodeDde({
        nonce: this.#nonce,
        addresses: this.#addresses,
        held: this.#side.held,
        receives: machine.policy.receives(pair),
        after: before === undefined ? new Uint8Array(NEGOTIATION_ID_LENGTH) : Buffer.from(before, 'hex'),
        info: {
          aesInHardware: this.#side.aesInHardware,
          ephemeral: ephemeral.publicKey,
          entries: this.#side.entries,
          statement: self.identity.statement,
        },
      }),
    });
    this.#dde = sealed.payload;
    this.#ddeHash = sealed.hash;
    this.#request = sealed.payload;
    this.#tries = new Tries(machine.limits, now, false);
    this.#deadline = after(now, machine.echoTimes.patience(pair.peer));
    this.#send(step);
  }

  get state(): InitiatorState {
    return this.#state;
  }

  /** Keys of this negotiation are installed and not yet confirmed. */
  get installed(): boolean {
    return this.#installed !== undefined;
  }

  /** When `tick` has something to do. */
  get due(): Millis {
    return Math.min(this.#nextTry(), this.#deadline) as Millis;
  }

  owns(header: Header): boolean {
    return equal(header.negotiation, this.#id);
  }

  /** A message that only a gateway sends came back for this negotiation, whether or not it proves to be good. */
  gatewayAnswered(): void {
    this.#sawGateway = true;
  }

  /** § 5.3: an Echo Reply that carries our own DDE. */
  echo(step: Step, message: Received): DropName | undefined {
    const { payload, sequence } = message;
    const sentAt = this.#sentAt[sequence - 1];
    const ours =
      message.id === this.#echoId &&
      sentAt !== undefined &&
      payload.length >= ECHO_EVIDENCE &&
      equal(payload.subarray(0, ECHO_EVIDENCE), this.#dde.subarray(0, ECHO_EVIDENCE));
    if (!ours) return 'dprp-echo';
    if (!this.#go('echo')) return undefined; /* a second echo says nothing new */
    this.#machine.echoTimes.remember(this.pair.peer, step.now - sentAt);
    this.#settled(step, 'no-gateway-echo');
    return undefined;
  }

  /**
   * § 3.7: a gateway could not, or would not, answer our DDE. Returns the domain key to try anew with, where it named
   * another one that is held here.
   */
  geHere(step: Step, message: Received, header: Header): DomainKey | DropName | undefined {
    const { quote } = message;
    const { self } = step;
    const quotesUs =
      quote !== undefined &&
      quote.length >= SEALED_AT &&
      equal(quote.subarray(0, SEALED_AT), this.#dde.subarray(0, SEALED_AT));
    if (!quotesUs) return 'dprp-notice';
    this.#sawGateway = true;
    const domainKey = self.domainKey(header.domainKeyVersion);
    if (domainKey !== undefined) {
      const opened = open(this.#machine.crypto, self, message, header);
      if (typeof opened === 'string') return opened;
      const fits =
        opened.body.length === GE_HERE_LENGTH &&
        equal(opened.body.subarray(8), sha256(this.#dde.subarray(0, SEALED_AT)).subarray(0, 16));
      if (!fits) return 'dprp-notice';
      if (geIdText(opened.body.subarray(0, 8)) === self.ge) return 'dprp-own';
      /* Once: after that, two gateways that name different versions would send us to and fro. */
      const mayRetry = this.#state === 'detecting' && this.#domainVersion === self.newestDomainKey.version;
      if (mayRetry && domainKey.version !== this.#domainVersion) return domainKey;
    } else if (this.#state === 'detecting') {
      ask(this.#machine, step, 'domain-key');
    }
    if (this.#go('ge-here')) {
      this.#settled(step, header.domainKeyVersion === this.#domainVersion ? 'peer-refused' : 'domain-key-differs');
    }
    return undefined;
  }

  /** § 3.2: with RGI come the decision and the keys. */
  rgi(step: Step, opened: Opened): DropName | undefined {
    const { self, now, out } = step;
    const { crypto, policy, limits, peers, alarms } = this.#machine;
    const ephemeral = this.#ephemeral;
    if (INITIATOR[this.#state].rgi === undefined || ephemeral === undefined) {
      return 'dprp-unknown-negotiation';
    }
    const rgi = decodeRgi(opened.body);
    if (typeof rgi === 'string') return rgi;
    if (!equal(rgi.ddeHash, this.#ddeHash)) return 'dprp-hash-chain';
    const peer = peers.lookup(self, rgi.info, now);
    if (typeof peer === 'string') {
      if (peer === 'dprp-statement') alarms.tell(step, { do: 'alarm', name: 'statement', pair: this.pair });
      return peer;
    }
    if (!macFits(crypto, peer.fromPeer, opened)) return 'dprp-mac';

    const { info } = rgi;
    const responder: Side = { ...peer, aesInHardware: info.aesInHardware, entries: info.entries, held: rgi.held };
    const decision = decide(this.#side, responder, {
      translated: !equal(rgi.addresses, this.#addresses),
      refused: rgi.refuses,
    });
    if (isBehind(this.#side.entries, info.entries)) ask(this.#machine, step, 'group-key');
    const objected = objection(policy, self, this.pair, peer, decision);
    if (objected !== undefined) {
      this.#go('refused');
      this.#release();
      alarms.tell(step, ...object(this.pair, peer.ge, objected, limits, now));
      return undefined;
    }

    const encoded = encodeDecision(decision);
    const transcript = transcriptHash(this.#ddeHash, opened.hash, encoded);
    if (decision.outcome !== 'protect') {
      this.#sendMpit(step, peer, info, opened.hash, encoded, NO_PROOFS, false);
      out.push(settle(this.pair, peer.ge, decision, self.mode, this.#serves(), limits, now));
      return undefined;
    }
    const groupKey = self.groupKey(decision.group, decision.version);
    if (groupKey === undefined) return 'dprp-groups';
    const derived = derive(crypto, {
      groupKey,
      secret: ephemeral.secret,
      ephemeral: info.ephemeral,
      nonceI: this.#nonce,
      nonceR: rgi.nonce,
      transcript,
    });
    if (typeof derived === 'string') return derived;
    const sends = isPccom(decision.transform) && !rgi.receives && !policy.sends(this.pair); /* § 11.3 */
    /* MPIT first, the held packets right behind it: the owner sends them when it installs. */
    this.#sendMpit(step, peer, info, opened.hash, encoded, derived, sends);
    this.#install(step, peer, decision, derived.prk, transcript, sends, rgi);
    return undefined;
  }

  #sendMpit(
    step: Step,
    peer: Peer,
    info: GeInfo,
    rgiHash: Uint8Array,
    decision: Uint8Array,
    { proofI, proofR }: Pick<Derived, 'proofI' | 'proofR'>,
    sends: boolean,
  ): void {
    const sealed = seal(this.#machine.crypto, this.#machine.random, {
      type: TYPE_MPIT,
      negotiation: this.#id,
      domainKey: step.self.domainKey(this.#domainVersion) ?? step.self.newestDomainKey,
      icmp: 'request',
      ipVersion: ipVersionOf(this.pair),
      body: encodeMpit({ rgiHash, decision, proof: proofI, sends }),
      macKey: peer.toPeer,
    });
    this.#go('rgi');
    this.#release();
    this.#awaited = { peer: info, mpitHash: sealed.hash, proof: proofR };
    this.#request = sealed.payload;
    this.#tries = new Tries(this.#machine.limits, step.now, true);
    this.#deadline = after(step.now, this.#machine.limits.mpitFor);
    this.#send(step);
  }

  /** Where both ends hold no generation, nothing else can serve until CDN; nor can `sealed` where § 11.2 says so. */
  #install(
    step: Step,
    peer: Peer,
    d: Decision,
    prk: KeyHandle,
    transcript: Uint8Array,
    sends: boolean,
    rgi: Rgi,
  ): void {
    const common = this.#side.held & rgi.held;
    this.#installed = d.generation;
    step.out.push({
      do: 'install',
      send: common === 0 && (isPccom(d.transform) || !rgi.receives),
      agreement: {
        pair: this.pair,
        negotiation: this.idText,
        role: 'initiator',
        peerGe: peer.ge,
        initiatorGe: step.self.ge,
        group: d.group,
        keyVersion: d.version,
        transform: d.transform,
        generation: d.generation,
        algorithm: d.algorithm,
        prk,
        transcript,
        peerStatement: rgi.info.statement.slice(),
        sends,
        peerSends: undefined,
        common,
        took: step.now - this.startedAt,
      },
    });
  }

  /** § 3.6: the far end holds the keys too. */
  cdn(step: Step, opened: Opened): DropName | undefined {
    const awaited = this.#awaited;
    if (this.#state !== 'confirming' || awaited === undefined) return 'dprp-unknown-negotiation';
    const cdn = decodeCdn(opened.body);
    if (typeof cdn === 'string') return cdn;
    if (!equal(cdn.mpitHash, awaited.mpitHash)) return 'dprp-hash-chain';
    const peer = this.#machine.peers.lookup(step.self, awaited.peer, step.now);
    if (typeof peer === 'string') return peer;
    if (!macFits(this.#machine.crypto, peer.fromPeer, opened)) return 'dprp-mac';
    if (!equal(cdn.proof, awaited.proof)) return 'dprp-proof';
    this.#go('cdn');
    const { pair, idText: negotiation } = this;
    if (!this.installed) return undefined;
    if (this.yields) step.out.push({ do: 'peer-sends', pair, negotiation, sends: cdn.sends });
    else step.out.push({ do: 'confirm', pair, negotiation, peerSends: cdn.sends });
    return undefined;
  }

  /** § 6.3: the far side's negotiation of this pair was completed while ours had not sent MPIT. */
  overtake(): void {
    if (this.#go('overtaken')) this.#release();
  }

  /** § 6.4, § 6.5: ends at once; installed keys are given up. Returns the generations that are thereby gone. */
  cancel(step: Step): number {
    if (this.#go('cancelled')) {
      this.#release();
      this.#giveUpKeys(step);
    }
    return this.#gone;
  }

  tick(step: Step): void {
    if (step.now >= this.#deadline) this.#expire(step);
    else if (step.now >= this.#nextTry()) this.#send(step);
  }

  #expire(step: Step): void {
    switch (this.#state) {
      case 'detecting':
        if (this.#go('silence')) this.#settled(step, 'no-gateway-silence');
        return;
      case 'settled':
        this.#go('expired');
        this.#release();
        return;
      case 'confirming': {
        this.#go('expired');
        if (!this.installed) return;
        this.#giveUpKeys(step);
        if (this.rival === undefined) this.#unanswered(step, 'negotiation-failed');
        return;
      }
      case 'ended':
        return;
    }
  }

  #giveUpKeys(step: Step): void {
    if (this.#installed === undefined) return;
    this.#gone |= 1 << this.#installed;
    this.#installed = undefined;
    step.out.push({ do: 'abandon', pair: this.pair, negotiation: this.idText });
    if (this.rival !== undefined) step.out.push({ do: 'confirm', pair: this.pair, negotiation: this.rival });
  }

  #settled(step: Step, what: Unanswered): void {
    this.#deadline = after(step.now, this.#machine.limits.settledFor);
    this.#unanswered(step, what);
  }

  #unanswered(step: Step, what: Unanswered): void {
    const { policy, limits, alarms } = this.#machine;
    const { self, now } = step;
    const actions = settleUnanswered(policy, this.pair, self.mode, what, this.#sawGateway, this.#serves(), limits, now);
    alarms.tell(step, ...actions);
  }

  /** True when an association serves the pair, other than the one that this negotiation gave up. */
  #serves(): boolean {
    return (this.#machine.policy.heldGenerations(this.pair) & ~this.#gone) !== 0;
  }

  #nextTry(): number {
    const asks = this.#state === 'detecting' || this.#state === 'confirming';
    return asks ? this.#tries.next : Number.POSITIVE_INFINITY;
  }

  #send(step: Step): void {
    this.#tries.sent(step.now);
    this.#sentAt.push(step.now);
    step.out.push({
      do: 'send',
      pair: this.pair,
      icmp: 'request',
      id: this.#echoId,
      sequence: this.#sentAt.length,
      payload: this.#request,
    });
  }

  #go(event: InitiatorEvent): boolean {
    const next = INITIATOR[this.#state][event];
    if (next === undefined) return false;
    this.#state = next;
    return true;
  }

  /** The ephemeral secret has served, or never will. */
  #release(): void {
    if (this.#ephemeral === undefined) return;
    this.#machine.crypto.release(this.#ephemeral.secret);
    this.#ephemeral = undefined;
  }
}

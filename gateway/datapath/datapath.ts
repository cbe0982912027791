/**
 * The datapath of one worker, in the order of a packet's way:
 *
 *   port.receive ─► parse ─► management? ─► classify ─► exception? ─► PIT lookup ─┬─► hold, negotiate
 *                                                                                 ├─► transform ─► cipher ─┐
 *                                                                                 └─► pass or drop         │
 *   port.transmit ◄─────────────────────────── settle ◄───────────────────────────────────────────────────┘
 *
 * Everything is sequential within the worker and owned by it. Frames of one batch are decided first (jobs and records
 * are appended to `work`), then all jobs run, then all records are sent in order. Keys change while `work` is empty.
 */
import { createDprp } from '#dprp/negotiations.ts';
import type { GeId, Identity, Millis, TransformName } from '#dprp/spec.ts';
import { FlowTable } from '#pit/flows.ts';
import { MacTable } from '#pit/macs.ts';
import type { Pair } from '#pit/pair.ts';
import { PairTable } from '#pit/pairs.ts';
import { RememberedPeers } from '#pit/remembered.ts';
import type { Port } from '#port/port.ts';
import type { CipherProvider } from '#transform/cipher.ts';
import { Work } from '#transform/work.ts';
import { versionOfWords } from '#wire/address.ts';
import { isDprp } from '#wire/dprp.ts';
import { FORM_ECHO, FORM_FRAGMENT, FORM_ICMP_ERROR, Frame } from '#wire/frame.ts';
import { ICMP4_ECHO_REQUEST, ICMP6_ECHO_REQUEST } from '#wire/icmp.ts';
import { parseFrame } from '#wire/parse.ts';
import {
  F_GSO_TYPE,
  F_LENGTH,
  F_STRIDE,
  GSO_NONE,
  PORT_INNER,
  PORT_MGMT,
  PORT_OUTER,
  PORTS,
  SLOT_SIZE,
} from '#wire/record.ts';
import { tunnelledPackets } from '#wire/tunnel.ts';
import { Arrivals } from './arrivals.ts';
import { type Association, Associations } from './associations.ts';
import { Counters } from './counters.ts';
import { policyFacts } from './facts.ts';
import { type HeldFrame, HoldQueue, putBack } from './hold.ts';
import { Lane } from './lane.ts';
import {
  BATCH,
  BATCH_OF_SUPERPACKETS,
  FLOW_LIMITS,
  MAX_MACS,
  PAIR_LIMITS,
  SWEEP_ENTRIES,
  SWEEP_MS,
  WORK_BYTES,
  WORK_RECORDS,
} from './limits.ts';
import { Management } from './management.ts';
import type { FromWorker, PolicySettings } from './messages.ts';
import { Negotiator } from './negotiate.ts';
import { ASK_PAIR, PASS, Policy } from './policy.ts';
import { Protect } from './protect.ts';
import { refusalOf } from './refusals.ts';
import { REPLY_ROOM, Replies } from './replies.ts';
import { countLosses, transmitAll } from './transmit.ts';
import { countsNow, verdictNow } from './verdict.ts';
import { decideWithoutPair } from './without-pair.ts';

export interface DatapathStart {
  readonly provider: CipherProvider;
  /** By PORT_*. */
  readonly ports: readonly (Port | undefined)[];
  readonly managementMac: number | undefined;
  readonly policy: PolicySettings;
  /** So many random bytes. */
  readonly random: (length: number) => Uint8Array<ArrayBuffer>;
  readonly tell: (message: FromWorker) => void;
  readonly now: Millis;
}

/** Slot behind the receive slots: held frames, whole or cut, are decided from here; their flow has counted them. */
const REINJECT_SLOT = BATCH;
const CUT_SLOT = BATCH + 1; /* packets that were merged */
const SLOTS = BATCH + 2;

export class Datapath {
  ports: readonly (Port | undefined)[];
  readonly slab = new Uint8Array(SLOTS * SLOT_SIZE + WORK_BYTES);
  readonly batch = new Int32Array(SLOTS * F_STRIDE);
  /** Frames to be taken at once, by port. */
  readonly most = new Int32Array(PORTS).fill(BATCH);
  readonly work = new Work(this.slab, SLOTS * SLOT_SIZE, this.slab.length, WORK_RECORDS);
  readonly frame = new Frame();
  readonly counters = new Counters();
  readonly hold = new HoldQueue();
  readonly policy: Policy;
  readonly pairs: PairTable<Association>;
  readonly flows: FlowTable;
  readonly macs: MacTable;
  readonly remembered: RememberedPeers<GeId, TransformName>;
  readonly associations: Associations;
  readonly negotiator: Negotiator;
  readonly #protect: Protect;
  readonly #replies: Replies;
  readonly #lane: Lane;
  readonly #arrivals: Arrivals;
  readonly #management: Management | undefined;
  /** Index in `batch` and port of the frame at hand: what a hold or a reply needs of it. */
  #index = 0;
  #port = PORT_OUTER;
  #now: Millis;
  #nextSweep: number;

  constructor(start: DatapathStart) {
    this.ports = start.ports;
    this.#now = start.now;
    this.#nextSweep = start.now + SWEEP_MS;
    const fill = (into: Uint8Array<ArrayBuffer>): void => into.set(start.random(into.length));
    this.policy = new Policy(start.policy);
    this.associations = new Associations(start.provider, () => this.flush(this.#now));
    const onForget = (pair: Pair<Association>): void => this.#forget(pair);
    this.pairs = new PairTable<Association>({ ...PAIR_LIMITS, random: fill, onForget });
    this.flows = new FlowTable({ ...FLOW_LIMITS, random: fill });
    this.macs = new MacTable(MAX_MACS, fill);
    this.remembered = new RememberedPeers();
    if (start.managementMac !== undefined) {
      this.#management = new Management({
        slab: this.slab,
        frame: this.frame,
        macs: this.macs,
        mac: start.managementMac,
        forward: (to) => this.#forward(to),
        tell: start.tell,
      });
    }
    this.#replies = new Replies(this.work, this.counters);
    this.#protect = new Protect({
      work: this.work,
      provider: start.provider,
      associations: this.associations,
      counters: this.counters,
      flows: this.flows,
      replies: this.#replies,
      mtu: (role) => this.ports[role]?.mtu ?? 0,
      flush: () => this.flush(this.#now),
      seed: new DataView(start.random(4).buffer).getUint32(0),
    });
    this.#lane = new Lane({
      pairs: this.pairs,
      hold: this.hold,
      flows: this.flows,
      counters: this.counters,
      work: this.work,
      frame: this.frame,
      replies: this.#replies,
      protect: this.#protect,
      flush: (now) => this.flush(now),
      reinject: (held, now) => this.#reinject(held, now),
      tell: start.tell,
    });
    const dprp = createDprp({
      policy: policyFacts(
        this.#lane,
        this.policy,
        this.associations,
        this.remembered,
        () => this.#now,
        () => this.negotiator.switches,
      ),
      crypto: start.provider,
      random: start.random,
    });
    this.negotiator = new Negotiator(
      dprp,
      this.#lane,
      this.associations,
      this.remembered,
      this.counters,
      start.random,
      start.now,
    );
    this.#arrivals = new Arrivals({
      frame: this.frame,
      protect: this.#protect,
      negotiator: this.negotiator,
      lane: this.#lane,
      counters: this.counters,
      keep: (pair) => this.#keep(pair, true),
      forward: () => this.#forward(PORT_INNER),
    });
  }

  /* ---- the batch ------------------------------------------------------------------------------------------ */

  /** Takes what waits on every port, decides, ciphers, sends; then does what time asks for. */
  turn(now: Millis): void {
    this.#now = now;
    for (let role = 0; role < PORTS; role++) {
      const count = this.ports[role]?.receive(this.slab, this.batch, 0, this.most[role]) ?? 0;
      if (count === 0) continue;
      this.most[role] = BATCH;
      for (let i = 0; i < count; i++) this.#receive(i, role, now);
      this.flush(now);
    }
    this.#timers(now);
  }

  nextTimeout(): number {
    return Math.min(this.negotiator.nextTimeout(), this.#nextSweep);
  }

  /** Runs the jobs, settles and sends what the batch holds so far. */
  flush(now: Millis): void {
    if (this.work.recordCount === 0 && this.work.jobCount === 0) return;
    this.#protect.settle(now);
    transmitAll(this.work, this.ports, this.counters);
    this.work.reset();
  }

  #timers(now: Millis): void {
    this.negotiator.tick(now);
    if (now >= this.#nextSweep) {
      this.#nextSweep = now + SWEEP_MS;
      this.flows.sweep(now, SWEEP_ENTRIES);
      this.pairs.sweep(now, SWEEP_ENTRIES);
      this.macs.sweep(now, SWEEP_ENTRIES);
      this.#protect.expire(now);
      this.associations.forgetCuts(now);
      countLosses(this.ports, this.counters);
    }
    this.flush(now);
  }

  /* ---- one frame: sequential, in this order ---------------------------------------------------------------- */

  #receive(index: number, role: number, now: Millis): void {
    const at = index * F_STRIDE;
    const merged = this.batch[at + F_GSO_TYPE] !== GSO_NONE;
    if (merged) this.most[role] = BATCH_OF_SUPERPACKETS;
    this.counters.received(role, this.batch[at + F_LENGTH], merged);
    this.#decide(index, role, now);
  }

  #decide(index: number, role: number, now: Millis): void {
    const { frame } = this;
    this.#index = index;
    this.#port = role;
    const code = parseFrame(this.slab, this.work.view, this.batch, index, frame);
    if (code < 0) {
      const packets = tunnelledPackets(this.slab, this.work.view, this.batch, index, frame);
      if (!this.#decideEach(packets, role, now)) this.counters.dropCode(code);
      return;
    }
    if (frame.ipVersion === 6 && (versionOfWords(frame.source) === 4 || versionOfWords(frame.destination) === 4)) {
      this.counters.drop('ip-mapped-address');
      return;
    }
    if (role === PORT_MGMT) {
      this.#management?.from(now);
      return;
    }
    if (this.#management?.to(role, now) === true) return;
    if (role === PORT_INNER) this.#outward(now);
    else this.#inward(now);
  }

  /** What was merged and has to be decided packet by packet. False when it is nothing. */
  #decideEach(packets: readonly Pick<HeldFrame, 'bytes' | 'record'>[], role: number, now: Millis): boolean {
    /* What was held was counted when it came, and so was what is cut out of it. */
    const slot = this.#index === REINJECT_SLOT ? REINJECT_SLOT : CUT_SLOT;
    for (const packet of packets) this.#decideCopy(slot, packet, role, now);
    return packets.length > 0;
  }

  #outward(now: Millis): void {
    const { frame } = this;
    if (frame.form === FORM_ECHO && isDprp(this.slab, frame.payload, frame.payloadLength)) {
      this.counters.drop('dprp-from-inside');
      return;
    }
    if (this.#decidedWithoutPair(true, PORT_OUTER)) return;
    const pair = this.#pairAt(true, now);
    const verdict = verdictNow(pair, this.associations, now);
    if (countsNow(frame, this.#index === REINJECT_SLOT, verdict)) this.flows.count(frame, pair.row, true, now);
    switch (verdict) {
      case 'encrypt':
        if (pair.switching !== 0 && this.negotiator.switches.waits(frame, pair)) this.#keep(pair, false);
        else this.#protect.outward(frame, pair, now);
        this.negotiator.refresh(pair, now);
        break;
      case 'plain':
        pair.sentBareAt = now;
        this.#forward(PORT_OUTER);
        this.negotiator.refresh(pair, now);
        break;
      case 'discard':
        this.counters.drop(refusalOf(pair.reason));
        break;
      default:
        this.#keep(pair, false);
        if (pair.verdict === 'unknown') this.negotiator.begin(pair, now);
    }
  }

  #inward(now: Millis): void {
    const { frame } = this;
    if (frame.form === FORM_ECHO && isDprp(this.slab, frame.payload, frame.payloadLength)) {
      this.#negotiation(now);
      return;
    }
    if (frame.form === FORM_ICMP_ERROR && this.#errorFromOutside(now)) return;
    if (this.#decidedWithoutPair(false, PORT_INNER)) return;
    const pair = this.#pairAt(false, now);
    if (this.#decideEach(this.#protect.unmixed(frame, pair, this.batch, this.#index), PORT_OUTER, now)) return;
    const verdict = verdictNow(pair, this.associations, now);
    if (countsNow(frame, this.#index === REINJECT_SLOT, verdict)) this.flows.count(frame, pair.row, false, now);
    const whole = frame.form !== FORM_FRAGMENT; /* of a reassembled packet the last fragment alone could be held */
    switch (verdict) {
      case 'encrypt':
        this.#arrivals.ofProtected(pair, whole, now);
        break;
      case 'plain':
      case 'discard':
        this.#arrivals.ofUnprotected(pair, now);
        break;
      case 'unknown':
        this.#arrivals.fromStranger(pair, now);
        break;
      default:
        this.#keep(pair, true);
    }
  }

  /** ARP and the like, non-IP, exceptions, multicast, and everything while there are no keys. */
  #decidedWithoutPair(outward: boolean, to: number): boolean {
    const code = decideWithoutPair(this, outward, this.#now);
    if (code === ASK_PAIR) return false;
    if (code === PASS) this.#forward(to);
    else this.counters.dropCode(code);
    return true;
  }

  /** Sends the frame at hand as it is. */
  #forward(to: number): void {
    const port = this.ports[to];
    if (port === undefined) {
      this.counters.drop('port-down');
      return;
    }
    if (!this.work.fits(1, REPLY_ROOM)) this.flush(this.#now);
    if (this.#port === PORT_INNER && this.#replies.refusesTooBig(this.frame, port.mtu, this.#now)) return;
    this.work.pass(this.batch, this.#index, to);
  }

  /* ---- the PIT ---------------------------------------------------------------------------------------------- */

  #pairAt(outward: boolean, now: Millis): Pair<Association> {
    const { frame } = this;
    const device = outward ? frame.source : frame.destination;
    const peer = outward ? frame.destination : frame.source;
    const pair = this.pairs.findOrAdd(device, peer, frame.ipVersion, now);
    pair.lastSeen = now;
    if (outward) pair.setOutwardLink(this.slab, frame);
    else pair.guessOutwardLink(this.slab, frame);
    return pair;
  }

  #keep(pair: Pair<Association>, inbound: boolean): void {
    const switching = !inbound && pair.switching !== 0;
    if (!this.hold.keep(pair.row, this.#port, inbound, this.slab, this.batch, this.#index, switching)) {
      this.counters.drop(inbound ? 'hold-full-inbound' : 'hold-full');
    }
  }

  #forget(pair: Pair<Association>): void {
    this.flush(this.#now);
    this.associations.endAll(pair);
    this.negotiator.forget(pair);
    this.#lane.dropHeld(pair, 'hold-abandoned');
  }

  /* ---- negotiation: control path ---------------------------------------------------------------------------- */

  #negotiation(now: Millis): void {
    const { frame, slab } = this;
    const request = frame.icmpType === (frame.ipVersion === 4 ? ICMP4_ECHO_REQUEST : ICMP6_ECHO_REQUEST);
    this.pairs.findOrAdd(frame.destination, frame.source, frame.ipVersion, now).guessOutwardLink(slab, frame);
    this.negotiator.receive(this.#replies.received(frame, request ? 'request' : 'reply'), now);
  }

  /** ICMP errors: our notices, errors about protected packets, errors about exceptions. False: an ordinary packet. */
  #errorFromOutside(now: Millis): boolean {
    const notice = this.#replies.noticeBehindQuote(this.frame);
    if (notice !== undefined) {
      this.negotiator.receive(notice, now);
      return true;
    }
    const outcome = this.#protect.quotedError(this.frame, this.pairs, this.policy, now);
    if (outcome === 'forward') this.#forward(PORT_INNER);
    return outcome !== 'ordinary';
  }

  /** Decides about a held frame as if it came now. */
  #reinject(held: HeldFrame, now: Millis): void {
    this.#decideCopy(REINJECT_SLOT, held, held.port, now);
  }

  #decideCopy(slot: number, copy: Pick<HeldFrame, 'bytes' | 'record'>, port: number, now: Millis): void {
    /* The slot may still be named by a record that was not sent yet. */
    this.flush(now);
    putBack(copy, this.slab, this.batch, slot);
    this.#decide(slot, port, now);
  }

  /* ---- for main ---------------------------------------------------------------------------------------------- */

  setIdentity(identity: Identity | undefined, now: Millis): void {
    this.#now = now;
    if (this.policy.openWithoutKeys) this.negotiator.switches.sentBare(now);
    this.policy.setIdentity(identity);
    this.negotiator.setIdentity(identity, this.pairs.values(), now);
    this.flush(now);
  }

  /** Protected prefixes and exceptions changed: verdicts without an association are asked for anew. */
  setPolicy(settings: PolicySettings, now: Millis): void {
    this.#now = now;
    /* What an exception let through without a pair may be the pair's from now on. */
    this.negotiator.switches.sentBare(now);
    this.policy.set(settings);
    for (const pair of this.pairs.values())
      if (pair.verdict === 'plain' || pair.verdict === 'discard') pair.verdict = 'unknown';
  }

  /** The former ports stay their owner's to close. */
  replacePorts(ports: readonly (Port | undefined)[]): void {
    this.flush(this.#now);
    this.ports = ports;
  }

  /** Releases every key. The ports stay their owner's to close. */
  close(): void {
    for (const pair of this.pairs.values()) this.#forget(pair);
    this.negotiator.close();
  }
}

/**
 * The encrypted half of the datapath: frames of pairs with an association go through their transform here, and what the
 * cipher says about them is settled here. Owned by the worker; the functions stand in packet order.
 */
import type { FlowTable } from '#pit/flows.ts';
import { GENERATIONS, type Pair, PLAIN_FORM } from '#pit/pair.ts';
import type { PairTable } from '#pit/pairs.ts';
import type { CipherProvider } from '#transform/cipher.ts';
import { packetsOf } from '#transform/datagram.ts';
import { fragmentRecord, spreadFragments } from '#transform/fragments.ts';
import { type MergedDatagram, mergedDatagrams } from '#transform/merged-datagrams.ts';
import { settleKeyedIn, settleKeyedOut } from '#transform/pccom-checksum.ts';
import { PccomState } from '#transform/pccom-state.ts';
import { Quote, readQuote, translateQuotedError } from '#transform/quoted-error.ts';
import { REASSEMBLY_BYTES, Reassembly } from '#transform/reassembly.ts';
import {
  openDatagram,
  openDatagramBytes,
  sealDatagram,
  sealDatagramBytes,
  sealDatagramRecords,
  sealedDatagramGeneration,
  TRAILER,
} from '#transform/sealed-datagram.ts';
import {
  OPEN_TCP_BYTES,
  openTcp,
  sealedTcpGeneration,
  sealTcp,
  sealTcpBytes,
  sealTcpRecords,
} from '#transform/sealed-tcp.ts';
import { SHORT_PER_SECOND } from '#transform/short-budget.ts';
import { fitsWhole, fragmentMtu, keepFragments, mtuFloor, TOO_BIG, tooBigMtu } from '#transform/size.ts';
import { type SealedState, settleOpened } from '#transform/state.ts';
import { SEALED_OPTION, SEALED_OPTION_NUMBER, sealedOptionAt } from '#transform/tcp-layout.ts';
import {
  hasRoom,
  jobsOutcome,
  KIND_DROPPED,
  KIND_KEYED_IN,
  KIND_KEYED_OUT,
  KIND_OPENED,
  KIND_PLAIN,
  W_JOB,
  W_JOBS,
  W_KIND,
  W_MTU,
  W_STATE,
  type Work,
} from '#transform/work.ts';
import { ADDRESS_UNICAST, addressClass, wordsEqual } from '#wire/address.ts';
import { dropCode } from '#wire/drops.ts';
import { ETHER_HEADER, macIsGroup } from '#wire/ethernet.ts';
import { FORM_FRAGMENT, FORM_TCP, type Frame, PROTO_TCP } from '#wire/frame.ts';
import { icmpErrorReports } from '#wire/icmp.ts';
import { parseFrame } from '#wire/parse.ts';
import { F_LENGTH, F_PORT, F_STRIDE, GSO_UDP_L4, PORT_INNER, PORT_OUTER } from '#wire/record.ts';
import type { Association, Associations } from './associations.ts';
import type { Counters } from './counters.ts';
import { PATH_MTU_MS } from './limits.ts';
import { holdsSealed, Pccom } from './pccom.ts';
import type { Policy } from './policy.ts';
import { REPLY_ROOM, type Replies } from './replies.ts';

/** What became of a frame from the network. */
export const TAKEN = 0;
/** It bears a tag of an association that the pair does not hold. */
export const STRAY = 1;
/** It bears none, and the far end has not said yet with which keys it sends (docs/dprp.md § 11.4). */
export const EARLY = 2;
/** Plaintext of a pair whose far end has still to switch from it. */
export const STILL_PLAIN = 3;

const UNCUT: readonly MergedDatagram[] = [];
const NO_ROOM = dropCode('transform-no-room');
const REPLAY = dropCode('sealed-replay');

export interface ProtectParts {
  readonly work: Work;
  readonly provider: CipherProvider;
  readonly associations: Associations;
  readonly counters: Counters;
  readonly flows: FlowTable;
  readonly replies: Replies;
  /** MTU of a port by PORT_*. */
  readonly mtu: (role: number) => number;
  readonly flush: () => void;
  /** Where the identifications of our own fragments begin. */
  readonly seed: number;
}

export class Protect {
  readonly #work: Work;
  readonly #provider: CipherProvider;
  readonly #associations: Associations;
  readonly #counters: Counters;
  readonly #flows: FlowTable;
  readonly #replies: Replies;
  readonly #mtu: (role: number) => number;
  readonly #flush: () => void;
  /** By port: nobody on the network evicts what the devices sent. */
  readonly #fromDevices: Reassembly;
  readonly #fromNetwork: Reassembly;
  readonly #quote = new Quote();
  readonly #pccom: Pccom;

  constructor(parts: ProtectParts) {
    this.#work = parts.work;
    this.#provider = parts.provider;
    this.#associations = parts.associations;
    this.#counters = parts.counters;
    this.#flows = parts.flows;
    this.#replies = parts.replies;
    this.#mtu = parts.mtu;
    this.#flush = parts.flush;
    const drops = (code: number, fragments: number): void => {
      for (let i = 0; i < fragments; i++) this.#counters.dropCode(code);
    };
    this.#fromDevices = new Reassembly(drops, parts.seed);
    this.#fromNetwork = new Reassembly(drops, parts.seed);
    this.#pccom = new Pccom(parts.work, parts.counters, parts.flush, SHORT_PER_SECOND[parts.provider.name]);
  }

  /** Protects the frame at hand for the pair's peer; a fragment waits for its others. */
  outward(frame: Frame, pair: Pair<Association>, now: number): void {
    const reassembled = frame.form === FORM_FRAGMENT;
    if (reassembled) {
      if (!this.#reassembled(this.#fromDevices, frame, now)) return;
      this.#flows.count(frame, pair.row, true, now);
    }
    const association = this.#associations.sender(pair) as Association;
    association.sending(now);
    const { state } = association;
    /* Frames are enciphered where they lie: what goes to the management port as well leaves first. */
    if (!reassembled && macIsGroup(this.#work.slab, frame.offset)) this.#flush();
    const path = this.#pathMtu(pair, now);
    const mtu = reassembled ? Math.min(path, fragmentMtu(frame.ipVersion, this.#fromDevices.longest)) : path;
    const overhead = state instanceof PccomState ? 0 : TRAILER;
    const outcome =
      state instanceof PccomState
        ? this.#pccom.outward(frame, association, state, mtu, reassembled, now)
        : this.#seal(frame, state, mtu, reassembled);
    if (outcome === TOO_BIG) this.#replies.tooBig(frame, tooBigMtu(frame, mtu, overhead), now);
    else if (outcome < 0) this.#counters.dropCode(outcome);
    else {
      /* `sealed` cuts TCP itself. */
      if (overhead === 0 || frame.form !== FORM_TCP) keepFragments(this.#work, frame, mtu, overhead, outcome);
      if (mtu < this.#mtu(PORT_OUTER)) this.#limitTo(mtu, outcome);
    }
    if (reassembled) this.#flush();
  }

  #seal(frame: Frame, state: SealedState, mtu: number, reassembled: boolean): number {
    const tcp = frame.form === FORM_TCP;
    const records = tcp ? sealTcpRecords(frame, mtu) : sealDatagramRecords(frame, mtu);
    const bytes = tcp ? sealTcpBytes(frame, mtu) : sealDatagramBytes(frame, mtu);
    if (!hasRoom(this.#work, records + 1, bytes + REPLY_ROOM, reassembled, this.#flush)) return NO_ROOM;
    return tcp
      ? sealTcp(this.#work, frame, state, mtu, PORT_OUTER)
      : sealDatagram(this.#work, frame, state, mtu, PORT_OUTER, reassembled);
  }

  /** What the path to the pair's peer carries, as far as it is known (RFC 1191, RFC 8201). */
  #pathMtu(pair: Pair<Association>, now: number): number {
    const mtu = this.#mtu(PORT_OUTER);
    return now < pair.pathMtuUntil ? Math.min(mtu, pair.pathMtu) : mtu;
  }

  /** The last `count` records are cut to fragments of `mtu` bytes. */
  #limitTo(mtu: number, count: number): void {
    const { records, recordCount } = this.#work;
    for (let i = recordCount - count; i < recordCount; i++) records[i * F_STRIDE + W_MTU] = mtu;
  }

  /**
   * Opens the frame at hand, which came for the pair's device. A tag says by itself what it belongs to; everything else
   * is taken for what the far end said that it sends.
   * @returns TAKEN, also for a drop; STRAY, EARLY, STILL_PLAIN: the caller decides
   */
  inward(frame: Frame, pair: Pair<Association>, now: number): number {
    if (pair.receiving === PLAIN_FORM && now < pair.receivesPlainUntil && !this.looksSealed(frame)) return STILL_PLAIN;
    const reassembled = frame.form === FORM_FRAGMENT;
    const pccom = holdsPccom(pair);
    if (pccom && pair.receiving < 0 && !holdsSealed(pair)) return EARLY;
    if (reassembled) {
      if (!this.#reassembled(this.#fromNetwork, frame, now)) return TAKEN;
      this.#flows.count(frame, pair.row, false, now);
    }
    /* Frames are opened where they lie: what goes to the management port as well leaves first. */
    if (!reassembled && macIsGroup(this.#work.slab, frame.offset)) this.#flush();
    const outcome =
      pccom && !this.#pccom.bearsTag(frame, pair)
        ? this.#pccomInward(frame, pair, reassembled, now)
        : this.#open(frame, pair, reassembled);
    if (reassembled) {
      this.#limitAsCame(frame);
      this.#flush();
    }
    return outcome;
  }

  /** What came in fragments, and stands in the work list alone, leaves in none that are larger. */
  #limitAsCame(frame: Frame): void {
    const { records, recordCount } = this.#work;
    if (recordCount === 0) return;
    const { longest } = this.#fromNetwork;
    const mtu = fragmentMtu(frame.ipVersion, longest);
    const length = records[F_LENGTH] - (frame.l3 - frame.offset);
    if (mtu < this.#mtu(PORT_INNER) && !fitsWhole(frame.ipVersion, length, longest)) this.#limitTo(mtu, 1);
  }

  /**
   * While packets with a tag and packets without one may come, two of them may have been merged on the way.
   * @returns the datagrams of the superpacket at hand, record `index` of `batch`; none where it need not be cut
   */
  unmixed(frame: Frame, pair: Pair<Association>, batch: Int32Array, index: number): readonly MergedDatagram[] {
    if (frame.gsoType !== GSO_UDP_L4 || !holdsPccom(pair) || !holdsSealed(pair)) return UNCUT;
    return mergedDatagrams(this.#work.slab, batch, index, frame);
  }

  #open(frame: Frame, pair: Pair<Association>, reassembled: boolean): number {
    const { slab, view } = this.#work;
    const tcp = frame.form === FORM_TCP;
    const packets = tcp ? 1 : packetsOf(frame);
    let taken = 0;
    /* Datagrams that were merged on the way may belong to two generations. */
    for (let index = 0; index < packets; index++) {
      const generation = tcp ? sealedTcpGeneration(slab, view, frame) : sealedDatagramGeneration(view, frame, index);
      if (generation < 0) {
        this.#counters.dropCode(generation);
        taken += 1;
        continue;
      }
      const state = pair.associations[generation]?.state;
      if (state === undefined || state instanceof PccomState) continue;
      taken += 1;
      const bytes = tcp ? OPEN_TCP_BYTES : openDatagramBytes(frame);
      const code = !hasRoom(this.#work, 1, bytes, reassembled, this.#flush)
        ? NO_ROOM
        : tcp
          ? openTcp(this.#work, frame, state, PORT_INNER)
          : openDatagram(this.#work, frame, state, PORT_INNER, index);
      if (code < 0) this.#counters.dropCode(code);
    }
    if (taken === 0) return STRAY;
    if (taken < packets) this.#counters.drop('sealed-unknown-association', packets - taken);
    return TAKEN;
  }

  #pccomInward(frame: Frame, pair: Pair<Association>, reassembled: boolean, now: number): number {
    const association = pair.associations[pair.receiving];
    if (association === undefined || !(association.state instanceof PccomState)) {
      if (!reassembled) return EARLY;
      this.#counters.drop('pccom-before-switch');
      return TAKEN;
    }
    if (!this.#pccom.inward(frame, association, association.state, reassembled, now)) return TAKEN;
    /* With keyed checksums a packet proves something once it is settled; without them anybody's counts. */
    if (association.transform !== 'pccom-keyed') this.#hears(association, now);
    return TAKEN;
  }

  /** Takes a fragment; true when its packet is complete, and then `frame` is that packet, in the work area. */
  #reassembled(reassembly: Reassembly, frame: Frame, now: number): boolean {
    /* The whole lies in the work area until it is sent: begin with an empty one. */
    this.#flush();
    if (!this.#work.fits(0, REASSEMBLY_BYTES) || reassembly.add(this.#work, frame, now) === 0) return false;
    const code = parseFrame(this.#work.slab, this.#work.view, reassembly.batch, 0, frame);
    if (code < 0) this.#counters.dropCode(code);
    return code >= 0;
  }

  /** True for a TCP segment with the sealed option: the only protected packets that can be told by looking. */
  looksSealed(frame: Frame): boolean {
    return frame.form === FORM_TCP && sealedTcpGeneration(this.#work.slab, this.#work.view, frame) >= 0;
  }

  /** Runs the jobs and drops what they refuse; what is left may be sent. */
  settle(now: number): void {
    const work = this.#work;
    work.release();
    if (work.jobCount > 0) this.#provider.run(work.slab, work.jobs, work.jobCount);
    const { records, jobs, recordCount } = work;
    for (let i = 0; i < recordCount; i++) {
      const r = i * F_STRIDE;
      const kind = records[r + W_KIND];
      if (kind === KIND_PLAIN || kind === KIND_DROPPED) continue;
      const opened = kind === KIND_OPENED || kind === KIND_KEYED_IN;
      const association = opened ? this.#associations.bySlot[records[r + W_STATE]] : undefined;
      let code =
        kind === KIND_KEYED_OUT
          ? settleKeyedOut(work, i)
          : kind === KIND_KEYED_IN
            ? settleKeyedIn(work, i)
            : jobsOutcome(jobs, records[r + W_JOB], records[r + W_JOBS]);
      if (code === 0 && kind === KIND_OPENED && !settleOpened(association?.state as SealedState, work.numbers[i])) {
        code = REPLAY;
      }
      if (code < 0) {
        records[r + W_KIND] = KIND_DROPPED;
        this.#counters.dropCode(code);
        continue;
      }
      if (association !== undefined) this.#hears(association, now);
      this.#cut(i);
    }
    if (work.extra > 0) spreadFragments(work);
  }

  /** Something came that the far end made with these keys. */
  #hears(association: Association, now: number): void {
    association.received(now);
    if (!association.heard) this.#associations.firstHeard(association, now);
  }

  /** Larger than its port carries: only a datagram that may leave in fragments comes so far. */
  #cut(record: number): void {
    const { records } = this.#work;
    const r = record * F_STRIDE;
    const mtu = records[r + W_MTU] || this.#mtu(records[r + F_PORT]);
    if (records[r + F_LENGTH] - ETHER_HEADER <= mtu) return;
    const code = fragmentRecord(this.#work, record, mtu, this.#fromDevices.nextIdentification());
    if (code >= 0) return;
    records[r + W_KIND] = KIND_DROPPED;
    this.#counters.dropCode(code);
  }

  /**
   * An ICMP error from the network. What quotes a protected packet of ours is rewritten for the device; what quotes an
   * exception's or a plain pair's packet passes as it is; `ordinary` is a packet like any other.
   */
  quotedError(
    frame: Frame,
    pairs: PairTable<Association>,
    policy: Policy,
    now: number,
  ): 'forward' | 'done' | 'ordinary' {
    const { slab, view } = this.#work;
    const quote = this.#quote;
    const code = readQuote(slab, view, frame, quote);
    if (!quote.addressed || !wordsEqual(frame.destination, quote.source)) return 'ordinary';
    const ofItsPair = wordsEqual(frame.source, quote.destination);
    if (code < 0) return ofItsPair ? 'ordinary' : this.#astray(frame, policy);
    if (policy.exception(quote, true) >= 0) return icmpErrorReports(frame) ? 'forward' : this.#unrelated();
    const pair = pairs.find(quote.source, quote.destination, quote.ipVersion);
    if (pair?.verdict === 'plain') return 'forward';
    /* From the peer itself it is a packet of the pair, and then it is sealed like any other. */
    if (ofItsPair) return 'ordinary';
    if (pair?.verdict !== 'encrypt') return this.#astray(frame, policy);
    const tcp = quote.protocol === PROTO_TCP;
    /* A later fragment names no flow; where one is too big, the first one is too. */
    if (!icmpErrorReports(frame) || quote.fragment || (!tcp && !hasSent(this.#flows, quote))) return this.#unrelated();
    const newest = tcp ? newestSequence(this.#flows, quote) : -1;
    const sealed = this.#associations.sender(pair)?.transform === 'sealed';
    const overhead = !sealed ? 0 : tcp ? SEALED_OPTION : TRAILER;
    const refused = translateQuotedError(slab, view, frame, quote, overhead, newest);
    if (refused < 0) {
      this.#counters.dropCode(refused);
      return 'done';
    }
    if (quote.mtu > 0) {
      pair.pathMtu = Math.max(mtuFloor(quote.ipVersion), quote.mtu);
      pair.pathMtuUntil = now + PATH_MTU_MS;
    }
    return 'forward';
  }

  /**
   * Nothing is known of the packet that is quoted. The error came to the worker of the quoted pair (#port/fanout.ts),
   * and what its own pair agreed on may be with another: here it may pass where no pair is asked for, and nothing else.
   */
  #astray(frame: Frame, policy: Policy): 'done' | 'ordinary' {
    const unicast = [frame.source, frame.destination].every((address) => addressClass(address) === ADDRESS_UNICAST);
    const asksPair = unicast && policy.mode !== undefined && policy.exception(frame, false) < 0;
    return asksPair ? this.#unrelated() : 'ordinary';
  }

  #unrelated(): 'done' {
    this.#counters.drop('icmp-error-unrelated');
    return 'done';
  }

  /** True when the packet that the error at hand quotes was sent within the last two seconds (§ 3.4, healing). */
  quotedRecently(frame: Frame, pair: Pair<Association>, now: number): boolean {
    const { slab, view } = this.#work;
    const quote = this.#quote;
    const sender = this.#associations.sender(pair);
    if (sender === undefined || readQuote(slab, view, frame, quote) < 0 || quote.protocol !== PROTO_TCP) return false;
    const option = sealedOptionAt(view, quote.l4, frame.l3End);
    return option >= 0 && sender.sentRecently(view.getUint32(option + SEALED_OPTION_NUMBER), now);
  }

  /** Forgets fragments whose others never came. */
  expire(now: number): void {
    this.#fromDevices.expire(now);
    this.#fromNetwork.expire(now);
  }
}

function holdsPccom(pair: Pair<Association>): boolean {
  for (let g = 0; g < GENERATIONS; g++) if (pair.associations[g]?.state instanceof PccomState) return true;
  return false;
}

function hasSent(flows: FlowTable, q: Quote): boolean {
  return flows.hasSent(q.source, q.destination, q.sourcePort, q.destinationPort, q.ipVersion, q.protocol);
}

function newestSequence(flows: FlowTable, quote: Quote): number {
  return flows.newestSequence(
    quote.source,
    quote.destination,
    quote.sourcePort,
    quote.destinationPort,
    quote.ipVersion,
  );
}

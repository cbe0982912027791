/**
 * The `pccom` part of protecting: which keys a frame goes through, and whether FF1 has time for it. Owned by the
 * worker.
 */
import { GENERATIONS, type Pair } from '#pit/pair.ts';
import { contentEnd } from '#transform/datagram.ts';
import {
  decipherDatagram,
  encipherDatagram,
  encipherDatagramBytes,
  encipherDatagramRecords,
} from '#transform/pccom-datagram.ts';
import { DECIPHER_BYTES, decipherRecords } from '#transform/pccom-jobs.ts';
import { PccomState } from '#transform/pccom-state.ts';
import { decipherTcp, encipherTcp, encipherTcpBytes, encipherTcpRecords, raiseSegments } from '#transform/pccom-tcp.ts';
import { GENERATION_SHIFT } from '#transform/replay-window.ts';
import { TRAILER } from '#transform/sealed-datagram.ts';
import { sealedTcpGeneration } from '#transform/sealed-tcp.ts';
import { ShortBudget } from '#transform/short-budget.ts';
import type { SealedState } from '#transform/state.ts';
import { hasRoom, type Work } from '#transform/work.ts';
import { dropCode } from '#wire/drops.ts';
import { FORM_FRAGMENT, FORM_TCP, type Frame } from '#wire/frame.ts';
import { PORT_INNER, PORT_OUTER } from '#wire/record.ts';
import type { Association } from './associations.ts';
import type { Counters } from './counters.ts';
import { REPLY_ROOM } from './replies.ts';
import { portsKey } from './switch-cut.ts';

const SHORT_BUDGET = dropCode('pccom-short-budget');
const NO_ROOM = dropCode('transform-no-room');
const OLD_KEYS = dropCode('pccom-old-keys');
/** A number this far above the window's top is none of ours: ciphertext, read as a trailer, is by 2^-28 below it. */
const NUMBER_SLACK = 2 ** 32;

export class Pccom {
  readonly #work: Work;
  readonly #counters: Counters;
  readonly #flush: () => void;
  /** By direction: nobody on the network uses up what the devices send with. */
  readonly #outwardShort: ShortBudget;
  readonly #inwardShort: ShortBudget;
  /** What `#keysOf` found: the older keys for a frame, and from which sequence number on they do not count. */
  #older: PccomState | undefined;
  #sequence = 0;

  /** `shortPerSecond`: payloads of less than 16 bytes that the provider may take on in one direction. */
  constructor(work: Work, counters: Counters, flush: () => void, shortPerSecond: number) {
    this.#work = work;
    this.#counters = counters;
    this.#flush = flush;
    this.#outwardShort = new ShortBudget(shortPerSecond);
    this.#inwardShort = new ShortBudget(shortPerSecond);
  }

  /** Enciphers the frame at hand. @returns records appended, TOO_BIG, or a drop code */
  outward(
    frame: Frame,
    association: Association,
    state: PccomState,
    mtu: number,
    reassembled: boolean,
    now: number,
  ): number {
    const tcp = frame.form === FORM_TCP;
    const code = this.#keysOf(frame, association, true, now);
    if (code < 0) return code;
    const older = this.#older;
    if (tcp) raiseSegments(frame, state, mtu, older);
    if (!this.#outwardShort.admits(frame, now)) return SHORT_BUDGET;
    const records = tcp ? encipherTcpRecords(frame, state, mtu, older) : encipherDatagramRecords(frame, state, mtu);
    const bytes = tcp ? encipherTcpBytes(frame, state, mtu, older) : encipherDatagramBytes(frame, state, mtu);
    if (!hasRoom(this.#work, records + 1, bytes + REPLY_ROOM, reassembled, this.#flush)) return NO_ROOM;
    return tcp
      ? encipherTcp(this.#work, frame, state, mtu, PORT_OUTER, reassembled, older, this.#sequence)
      : encipherDatagram(this.#work, frame, state, mtu, PORT_OUTER, reassembled);
  }

  /** Deciphers the frame at hand where it lies; false when it was dropped. */
  inward(frame: Frame, association: Association, state: PccomState, reassembled: boolean, now: number): boolean {
    let code = this.#inwardShort.admits(frame, now) ? this.#keysOf(frame, association, false, now) : SHORT_BUDGET;
    if (code >= 0 && !hasRoom(this.#work, decipherRecords(frame), DECIPHER_BYTES, reassembled, this.#flush)) {
      code = NO_ROOM;
    }
    if (code >= 0) {
      code =
        frame.form === FORM_TCP
          ? decipherTcp(this.#work, frame, state, PORT_INNER, this.#older, this.#sequence)
          : decipherDatagram(this.#work, frame, state, PORT_INNER);
    }
    if (code < 0) this.#counters.dropCode(code);
    return code >= 0;
  }

  /** § 11.6: finds the older keys for octets before a switch. @returns 0 or a drop code */
  #keysOf(frame: Frame, association: Association, outward: boolean, now: number): number {
    this.#older = undefined;
    if (frame.form !== FORM_TCP) return 0;
    const cut = outward ? association.sendCut : association.receiveCut;
    const ports = outward
      ? portsKey(frame.sourcePort, frame.destinationPort)
      : portsKey(frame.destinationPort, frame.sourcePort);
    if (outward) noteAcknowledged(frame, ports, association.pair);
    if (cut === undefined || now >= cut.until) return 0;
    if (outward) cut.sends(ports, frame.sequence, frame.tcpFlags);
    const sequence = cut.find(ports, frame.tcpFlags);
    if (sequence < 0 || ((frame.sequence - sequence) | 0) >= 0) return 0;
    /* Without octets, and without a mask over them, no key is needed. */
    const needs = frame.payloadLength > 0 || cut.older.transform === 'pccom-keyed';
    if (needs && !cut.serves(now)) return OLD_KEYS;
    if (outward) cut.sentOlder(now);
    else cut.receivedOlder(ports, now);
    if (!cut.older.ended) {
      this.#older = cut.older.state as PccomState;
      this.#sequence = sequence;
    }
    return 0;
  }

  /** True when the frame bears a tag that an association of the pair may verify: the option, or a number that fits. */
  bearsTag(frame: Frame, pair: Pair<Association>): boolean {
    if (!holdsSealed(pair) || frame.form === FORM_FRAGMENT) return false;
    const { slab, view } = this.#work;
    if (frame.form === FORM_TCP) return sealedTcpGeneration(slab, view, frame) >= 0;
    /* A superpacket of datagrams is none here: Protect.unmixed. */
    const trailer = contentEnd(frame) - TRAILER;
    if (trailer < frame.l4) return false;
    const high = view.getUint32(trailer);
    const association = pair.associations[high >>> GENERATION_SHIFT];
    if (association === undefined || association.state instanceof PccomState) return false;
    const number = (high & (2 ** GENERATION_SHIFT - 1)) * 0x1_0000_0000 + view.getUint32(trailer + 4);
    const { top } = (association.state as SealedState).window;
    return number >= 1 && number <= top + NUMBER_SLACK;
  }
}

export function holdsSealed(pair: Pair<Association>): boolean {
  for (let g = 0; g < GENERATIONS; g++) {
    const association = pair.associations[g];
    if (association !== undefined && !(association.state instanceof PccomState)) return true;
  }
  return false;
}

/** § 11.6: what our device says about the stream that it receives. */
function noteAcknowledged(frame: Frame, ports: number, pair: Pair<Association>): void {
  if (pair.receiving < 0) return;
  pair.associations[pair.receiving]?.receiveCut?.acknowledges(ports, frame.acknowledgement, frame.tcpFlags);
}

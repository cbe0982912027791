/**
 * Ports in memory: a link with two ends, for simulations and tests. It has no clock: a frame arrives in the call that
 * sends it, unless a wire function keeps it and delivers it later, elsewhere, twice or never.
 *
 *   left.transmit ─► wire(frame, left, deliver) ─► right's queue ─► right.receive
 */
import { constants } from 'node:os';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_PORT,
  F_STATUS,
  F_STRIDE,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_NONE,
  SLOT_HEADROOM,
  SLOT_SIZE,
  SLOT_TAILROOM,
} from '#wire/record.ts';
import { frameLength, isJoined, linearise, tellJoined } from './chain.ts';
import type { Port } from './port.ts';
import { refuseUnsendable } from './size.ts';

const { ENETDOWN, ENXIO } = constants.errno;

/** A frame on its way, as a record describes it; whoever holds it owns `bytes`. */
export interface FakeFrame {
  readonly bytes: Uint8Array;
  readonly flags: number;
  readonly gsoType: number;
  readonly gsoSize: number;
  readonly csumStart: number;
  readonly csumOffset: number;
  readonly vlanTci: number;
  readonly vlanTpid: number;
}

/** A single untagged frame with complete checksums; `fields` for any other. */
export function fakeFrame(bytes: Uint8Array, fields: Partial<Omit<FakeFrame, 'bytes'>> = {}): FakeFrame {
  const plain = { flags: 0, gsoType: GSO_NONE, gsoSize: 0, csumStart: 0, csumOffset: 0, vlanTci: -1, vlanTpid: 0 };
  return { ...plain, ...fields, bytes };
}

/** What happens to a frame that `from` sent: `deliver` puts a frame into the other end's queue, at once or later. */
export type Wire = (frame: FakeFrame, from: FakePort, deliver: (frame: FakeFrame) => void) => void;

export interface FakeLinkOptions {
  /** Names of the two ends. */
  readonly names?: readonly [left: string, right: string];
  /** Largest layer-3 packet, bytes; default 1500. */
  readonly mtu?: number;
  /** Frames that wait at an end at most; what comes then is an overrun; default 4096. */
  readonly queue?: number;
  /** `Port.superpackets` and `Port.datagrams` of both ends; default true, as a packet socket has it. */
  readonly superpackets?: boolean;
  readonly wire?: Wire;
}

/** Two joined ports. */
export function createFakeLink(options: FakeLinkOptions = {}): FakeLink {
  return new FakeLink(options);
}

export class FakeLink {
  readonly left: FakePort;
  readonly right: FakePort;
  /** May be replaced at any time; undefined for a perfect wire. */
  wire: Wire | undefined;

  constructor(options: FakeLinkOptions) {
    const { names = ['left', 'right'], mtu = 1500, queue = 4096, superpackets = true, wire } = options;
    this.left = new FakePort(this, names[0], mtu, queue, superpackets);
    this.right = new FakePort(this, names[1], mtu, queue, superpackets);
    this.wire = wire;
  }

  /** The port at the other end. */
  peer(port: FakePort): FakePort {
    return port === this.left ? this.right : this.left;
  }

  /** Carries one frame from `from` to the other end. */
  carry(frame: FakeFrame, from: FakePort): void {
    const to = this.peer(from);
    if (this.wire === undefined) to.inject(frame);
    else this.wire(frame, from, (late) => to.inject(late));
  }

  /** Takes both ends down or up; each gets one receive error when it goes down. */
  setUp(up: boolean): void {
    this.left.setState(up ? 0 : ENETDOWN);
    this.right.setState(up ? 0 : ENETDOWN);
  }

  /** The interfaces are deleted: nothing arrives any more, everything sent gets ENXIO. */
  remove(): void {
    this.left.setState(ENXIO);
    this.right.setState(ENXIO);
  }
}

export class FakePort implements Port {
  readonly fd = -1;
  readonly name: string;
  readonly mtu: number;
  readonly superpackets: boolean;
  readonly datagrams: boolean;
  /** Called whenever a frame comes to wait here: a simulation then runs whoever owns the port. */
  onArrival: (() => void) | undefined;
  readonly #link: FakeLink;
  readonly #limit: number;
  #waiting: FakeFrame[] = [];
  #overruns = 0;
  #errors = 0;
  #state = 0; /* 0, or the errno of everything sent */

  constructor(link: FakeLink, name: string, mtu: number, limit: number, superpackets: boolean) {
    this.#link = link;
    this.name = name;
    this.mtu = mtu;
    this.superpackets = superpackets;
    this.datagrams = superpackets;
    this.#limit = limit;
  }

  /** Frames waiting to be received. */
  get waiting(): number {
    return this.#waiting.length;
  }

  receive(slab: Uint8Array, batch: Int32Array, firstSlot: number, max: number): number {
    const taken = this.#waiting.splice(0, max);
    taken.forEach((frame, i) => {
      const slot = firstSlot + i;
      const offset = slot * SLOT_SIZE + SLOT_HEADROOM;
      const room = SLOT_SIZE - SLOT_HEADROOM - SLOT_TAILROOM;
      const length = Math.min(frame.bytes.length, room);
      slab.set(frame.bytes.subarray(0, length), offset);
      const column = slot * F_STRIDE;
      batch[column + F_OFFSET] = offset;
      batch[column + F_LENGTH] = length;
      batch[column + F_FLAGS] = frame.flags;
      batch[column + F_GSO_TYPE] = frame.gsoType;
      batch[column + F_GSO_SIZE] = frame.gsoSize;
      batch[column + F_CSUM_START] = frame.csumStart;
      batch[column + F_CSUM_OFFSET] = frame.csumOffset;
      batch[column + F_VLAN_TCI] = frame.vlanTci;
      batch[column + F_VLAN_TPID] = frame.vlanTpid;
      batch[column + F_STATUS] = frame.bytes.length - length;
    });
    return taken.length;
  }

  transmit(slab: Uint8Array, batch: Int32Array, first: number, count: number, only = -1): void {
    refuseUnsendable(slab, batch, first, count, only, this.mtu);
    for (let record = first; record < first + count; record++) {
      const column = record * F_STRIDE;
      if ((only >= 0 && batch[column + F_PORT] !== only) || isJoined(batch, column)) continue;
      if (batch[column + F_STATUS] === 0) batch[column + F_STATUS] = this.#state;
      tellJoined(batch, column);
      if (batch[column + F_STATUS] !== 0) continue;
      const bytes = new Uint8Array(frameLength(slab, batch, column));
      linearise(slab, batch, column, bytes, 0);
      this.send({
        bytes,
        flags: batch[column + F_FLAGS],
        gsoType: batch[column + F_GSO_TYPE],
        gsoSize: batch[column + F_GSO_SIZE],
        csumStart: batch[column + F_CSUM_START],
        csumOffset: batch[column + F_CSUM_OFFSET],
        vlanTci: batch[column + F_VLAN_TCI],
        vlanTpid: batch[column + F_VLAN_TPID],
      });
    }
  }

  /** Sends one frame as a test's own device would, unchecked. */
  send(frame: FakeFrame): void {
    this.#link.carry(frame, this);
  }

  /** Puts a frame into this end's queue, as if it had come over the link. */
  inject(frame: FakeFrame): void {
    if (this.#state !== 0) return;
    if (this.#waiting.length >= this.#limit) {
      this.#overruns++;
      return;
    }
    this.#waiting.push(frame);
    this.onArrival?.();
  }

  /** Takes everything that waits at this end, as a test's own device would. */
  collect(): FakeFrame[] {
    const frames = this.#waiting;
    this.#waiting = [];
    return frames;
  }

  /** For the link: 0 is up, an errno what everything sent gets. */
  setState(state: number): void {
    if (this.#state === 0 && state !== 0) this.#errors++;
    this.#state = state;
  }

  takeOverruns(): number {
    const overruns = this.#overruns;
    this.#overruns = 0;
    return overruns;
  }

  takeErrors(): number {
    const errors = this.#errors;
    this.#errors = 0;
    return errors;
  }

  close(): void {
    this.#waiting = [];
    this.#state = ENXIO;
  }
}

/**
 * A port on libpcap: a gateway without packet sockets of its own. For the main thread only (pcap-library.ts).
 * Frames come one by one from the event loop into a ring, from which `receive` takes them:
 *
 *   libpcap ─► #arrived ─► FrameRing ─► receive                transmit ─► FrameCutter ─► libpcap
 *
 * The interface hands over and takes single frames with complete checksums: its offloads are off (host/ports.ts).
 */
import { constants } from 'node:os';
import { ETHER_TYPE, ETHERTYPE_QINQ, ETHERTYPE_VLAN, VLAN_TAG } from '#wire/ethernet.ts';
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
} from '#wire/record.ts';
import { isJoined, tellJoined } from './chain.ts';
import { FrameCutter } from './pcap-frames.ts';
import { Capture, type CaptureOptions, FRAME_BYTES, SNAPSHOT_BYTES } from './pcap-library.ts';
import { FrameRing } from './pcap-ring.ts';
import type { Port } from './port.ts';
import { refuseUnsendable } from './size.ts';

const { EAGAIN, ENETDOWN, ENXIO } = constants.errno;
/** What waits in the ring at most. More would only delay what comes behind it. */
const RING_BYTES = 2_097_152;
const RING_FRAMES = 1_024;
/** Too short to be sent: the kernel answers EINVAL where the link is up. */
const PROBE_BYTES = 1;

export class PcapPort implements Port {
  readonly fd = -1;
  readonly name: string;
  /** Its owner's to change. */
  mtu: number;
  readonly superpackets = false;
  /** Called when a frame comes to wait where none waited. */
  onArrival: (() => void) | undefined;
  readonly #options: CaptureOptions;
  /** Where libpcap puts each frame. */
  readonly #frame = Buffer.alloc(FRAME_BYTES);
  #capture: Capture;
  readonly #ring = new FrameRing(RING_BYTES, RING_FRAMES);
  readonly #cutter = new FrameCutter();
  #admitted = false;
  /** The link went down: nothing is heard until the interface is opened anew. */
  #deaf = false;
  /** The interface was deleted. */
  #gone = false;
  /** `cap` must not be called any more. */
  #closed = false;
  #overruns = 0;
  #errors = 0;

  /**
   * `mtu` is the network's, without what the interface has on top for tags.
   * @throws Error with libpcap's words, also for a link that is down
   */
  constructor(name: string, mtu: number, options: CaptureOptions) {
    this.name = name;
    this.mtu = mtu;
    this.#options = options;
    this.#capture = this.#open();
  }

  #open(): Capture {
    return new Capture(this.name, this.#options, this.#frame, (length) => this.#arrived(length));
  }

  /** Lets traffic in; what came before is not received. */
  admit(): void {
    this.#admitted = true;
  }

  /** Frames that wait to be received. */
  get waiting(): number {
    return this.#ring.count;
  }

  #arrived(length: number): void {
    if (!this.#admitted) return;
    if (!this.#ring.push(this.#frame, length)) this.#overruns += 1;
    else if (this.#ring.count === 1) this.onArrival?.();
  }

  receive(slab: Uint8Array, batch: Int32Array, firstSlot: number, max: number): number {
    const ring = this.#ring;
    const count = Math.min(max, ring.count);
    for (let slot = firstSlot; slot < firstSlot + count; slot++) {
      const offset = slot * SLOT_SIZE + SLOT_HEADROOM;
      const column = slot * F_STRIDE;
      const type = ring.word(ETHER_TYPE);
      /* As Linux hands them to a packet socket: these two tags beside the frame, others in it. */
      const tag = type === ETHERTYPE_VLAN || type === ETHERTYPE_QINQ ? VLAN_TAG : 0;
      if (tag > 0) ring.copy(0, ETHER_TYPE, slab, offset);
      ring.copy(tag > 0 ? ETHER_TYPE + tag : 0, ring.length, slab, tag > 0 ? offset + ETHER_TYPE : offset);
      batch[column + F_OFFSET] = offset;
      batch[column + F_LENGTH] = ring.length - tag;
      batch[column + F_FLAGS] = 0;
      batch[column + F_GSO_TYPE] = GSO_NONE;
      batch[column + F_GSO_SIZE] = 0;
      batch[column + F_CSUM_START] = 0;
      batch[column + F_CSUM_OFFSET] = 0;
      batch[column + F_VLAN_TCI] = tag > 0 ? ring.word(ETHER_TYPE + 2) : -1;
      batch[column + F_VLAN_TPID] = tag > 0 ? type : 0;
      batch[column + F_STATUS] = ring.length >= SNAPSHOT_BYTES ? 1 : 0;
      ring.shift();
    }
    return count;
  }

  transmit(slab: Uint8Array, batch: Int32Array, first: number, count: number, only = -1): void {
    refuseUnsendable(slab, batch, first, count, only, this.mtu);
    let stopped = 0;
    for (let column = first * F_STRIDE; column < (first + count) * F_STRIDE; column += F_STRIDE) {
      if ((only >= 0 && batch[column + F_PORT] !== only) || isJoined(batch, column)) continue;
      if (batch[column + F_STATUS] === 0) {
        batch[column + F_STATUS] = stopped === 0 ? this.#transmitOne(slab, batch, column) : stopped;
        if (isHopeless(batch[column + F_STATUS])) stopped = batch[column + F_STATUS];
      }
      tellJoined(batch, column);
    }
    if (this.#deaf && stopped === 0) this.#listenAgain();
  }

  /** 0, or the errno of the first of its frames that failed; those behind it are not tried. */
  #transmitOne(slab: Uint8Array, batch: Int32Array, column: number): number {
    const cutter = this.#cutter;
    const unsendable = cutter.begin(slab, batch, column);
    if (unsendable !== 0) return unsendable;
    for (let length = cutter.next(); length > 0; length = cutter.next()) {
      const error = this.#send(cutter.frame, length);
      if (error !== 0) return error;
    }
    return 0;
  }

  #send(frame: Buffer, length: number): number {
    if (this.#gone || this.#closed) return ENXIO;
    const error = this.#capture.send(frame, length);
    if (error === ENXIO) {
      this.#errors += 1;
      this.#gone = true;
    }
    if (error !== ENETDOWN) return error;
    if (!this.#deaf) this.#errors += 1;
    this.#deaf = true;
    /* The kernel tells once of a link that went down, also when it is up again: then the second try passes. */
    return this.#capture.send(frame, length);
  }

  /** Opens the interface anew, once its link is up. */
  #listenAgain(): void {
    const deaf = this.#capture;
    try {
      this.#capture = this.#open();
    } catch {
      return; /* down again: the next look finds it */
    }
    this.#deaf = false;
    this.#overruns += deaf.takeOverruns();
    /* The kernel went on to collect for it, and nobody reads that any more. */
    this.#errors += deaf.unread;
    deaf.close();
  }

  takeOverruns(): number {
    const overruns = this.#overruns + (this.#closed ? 0 : this.#capture.takeOverruns());
    this.#overruns = 0;
    return overruns;
  }

  /** Also looks whether the link went down or came back while nothing was sent. */
  takeErrors(): number {
    const error = this.#send(this.#cutter.frame, PROBE_BYTES);
    if (this.#deaf && !isHopeless(error)) this.#listenAgain();
    const errors = this.#errors;
    this.#errors = 0;
    return errors;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ring.clear();
    this.onArrival = undefined;
    this.#capture.close();
  }
}

/** Errors that every further frame of the call would get too. */
function isHopeless(error: number): boolean {
  return error === EAGAIN || error === ENETDOWN || error === ENXIO;
}

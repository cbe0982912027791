/**
 * The management port: the box's own address beside the data path. Only a bridge that has one learns MAC addresses, and
 * its frames are neither negotiated nor looked into.
 */
import type { MacTable } from '#pit/macs.ts';
import { ETHER_SOURCE, macIsGroup, macNumber } from '#wire/ethernet.ts';
import type { Frame } from '#wire/frame.ts';
import { PORT_INNER, PORT_MGMT, PORT_OUTER } from '#wire/record.ts';
import { MACS_TOLD_PER_SECOND } from './limits.ts';
import type { FromWorker } from './messages.ts';

export interface ManagementParts {
  readonly slab: Uint8Array;
  /** The frame at hand. */
  readonly frame: Frame;
  readonly macs: MacTable;
  /** MAC address of the box as a number. */
  readonly mac: number;
  /** Sends the frame at hand as it is. */
  readonly forward: (to: number) => void;
  readonly tell: (message: FromWorker) => void;
}

export class Management {
  readonly #parts: ManagementParts;
  #second = 0;
  #toldInSecond = 0;

  constructor(parts: ManagementParts) {
    this.#parts = parts;
  }

  /** The box's own frames leave on the side where their destination was learned, unknown and group ones on both. */
  from(now: number): void {
    const { slab, frame, macs, forward } = this.#parts;
    const side = macIsGroup(slab, frame.offset) ? -1 : macs.lookup(slab, frame.offset, now);
    if (side !== PORT_INNER) forward(PORT_OUTER);
    if (side !== PORT_OUTER) forward(PORT_INNER);
  }

  /** True when the frame is for the box alone. Group frames go to the box too and on their way. */
  to(role: number, now: number): boolean {
    const { slab, frame, macs, mac, forward, tell } = this.#parts;
    if (macs.learn(slab, frame.offset + ETHER_SOURCE, role, now) && this.#mayTell(now)) {
      tell({ type: 'mac', mac: macNumber(slab, frame.offset + ETHER_SOURCE), port: role });
    }
    if (macIsGroup(slab, frame.offset)) {
      forward(PORT_MGMT);
      return false;
    }
    if (macNumber(slab, frame.offset) !== mac) return false;
    forward(PORT_MGMT);
    return true;
  }

  /** A worker that was not told reaches the address on both sides. */
  #mayTell(now: number): boolean {
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#toldInSecond = 0;
    }
    this.#toldInSecond += 1;
    return this.#toldInSecond <= MACS_TOLD_PER_SECOND;
  }
}

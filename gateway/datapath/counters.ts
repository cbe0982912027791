/** Counters of one worker: drops by reason, frames and bytes by port. */
import { DROP, DROPS, type DropName } from '#wire/drops.ts';
import { PORTS } from '#wire/record.ts';

export interface PortCounters {
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Superpackets among framesIn, and their bytes: the mean size of what the kernel merged. */
  readonly mergedIn: number;
  readonly mergedBytesIn: number;
  /** The same among framesOut: the kernel's that passed, and what was merged here. */
  readonly mergedOut: number;
  readonly mergedBytesOut: number;
}

const COLUMNS = 8;

export class Counters {
  /** By the index of DROPS. */
  readonly drops = new Float64Array(DROPS.length);
  readonly #ports = new Float64Array(PORTS * COLUMNS);

  drop(name: DropName, times = 1): void {
    this.drops[DROP[name]]! += times;
  }

  /** `code` is `-(index + 1)`, as parsers and transforms return it. */
  dropCode(code: number): void {
    this.drops[-code - 1]! += 1;
  }

  received(port: number, bytes: number, merged: boolean): void {
    const at = port * COLUMNS;
    this.#ports[at]! += 1;
    this.#ports[at + 1]! += bytes;
    if (merged) {
      this.#ports[at + 4]! += 1;
      this.#ports[at + 5]! += bytes;
    }
  }

  /** A frame, or the first record of one. */
  sent(port: number, bytes: number, merged: boolean): void {
    const at = port * COLUMNS;
    this.#ports[at + 2]! += 1;
    this.#ports[at + 3]! += bytes;
    if (merged) {
      this.#ports[at + 6]! += 1;
      this.#ports[at + 7]! += bytes;
    }
  }

  /** A further record of a superpacket that `sent` counted. */
  sentJoined(port: number, bytes: number): void {
    const at = port * COLUMNS;
    this.#ports[at + 3]! += bytes;
    this.#ports[at + 7]! += bytes;
  }

  port(port: number): PortCounters {
    const c = this.#ports.subarray(port * COLUMNS, (port + 1) * COLUMNS);
    return {
      framesIn: c[0]!,
      bytesIn: c[1]!,
      framesOut: c[2]!,
      bytesOut: c[3]!,
      mergedIn: c[4]!,
      mergedBytesIn: c[5]!,
      mergedOut: c[6]!,
      mergedBytesOut: c[7]!,
    };
  }
}

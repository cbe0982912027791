/**
 * Frames and buffers that the tests of the ports share: a slab with slots to receive into, and a place to send from.
 */

import { readable } from '#kit/readable.ts';
import type { Port } from '#port/port.ts';
import { completeChecksum, fold, sum } from '#wire/checksum.ts';
import { F_LENGTH, F_OFFSET, F_STATUS, F_STRIDE, F_VLAN_TCI, SLOT_SIZE } from '#wire/record.ts';

export const SLOTS = 16;
/** Where frames to be sent are put: behind the slots. */
const SEND_AREA = SLOTS * SLOT_SIZE;

/** One slab with its batch, dirty from the start. */
export class Buffers {
  readonly slab = new Uint8Array(SEND_AREA + 1_200_000).fill(0xa5);
  readonly received = new Int32Array(SLOTS * F_STRIDE).fill(-0x5a5a);
  readonly sent = new Int32Array(64 * F_STRIDE);
  #count = 0;
  #top = SEND_AREA;

  /** Queues a frame to send; `columns` overrides its record. Returns its record's number. */
  add(frame: Uint8Array, columns: Readonly<Record<number, number>> = {}): number {
    const column = this.#count * F_STRIDE;
    this.slab.set(frame, this.#top);
    this.sent.fill(0, column, column + F_STRIDE);
    this.sent[column + F_OFFSET] = this.#top;
    this.sent[column + F_LENGTH] = frame.length;
    this.sent[column + F_VLAN_TCI] = -1;
    this.sent[column + F_STATUS] = 0x5a5a;
    for (const [name, value] of Object.entries(columns)) this.sent[column + Number(name)] = value;
    this.#top += frame.length;
    return this.#count++;
  }

  /** Sends what was queued and returns the statuses. */
  send(port: Port): number[] {
    port.transmit(this.slab, this.sent, 0, this.#count);
    return this.statuses();
  }

  /** Statuses of what was queued; the queue begins anew. */
  statuses(): number[] {
    const all = Array.from({ length: this.#count }, (_, i) => this.sent[i * F_STRIDE + F_STATUS]);
    this.#count = 0;
    this.#top = SEND_AREA;
    return all;
  }

  get queued(): number {
    return this.#count;
  }

  /** Waits until `count` frames came and returns them with their records; less when nothing comes for two seconds. */
  arrivals(port: Port, count: number): Arrival[] {
    const all: Arrival[] = [];
    while (all.length < count) {
      const got = port.receive(this.slab, this.received, 0, SLOTS);
      for (let i = 0; i < got; i++) {
        const record = this.received.slice(i * F_STRIDE, (i + 1) * F_STRIDE);
        all.push({ record, bytes: this.slab.slice(record[F_OFFSET], record[F_OFFSET] + record[F_LENGTH]) });
      }
      if (got === 0 && (port.fd < 0 || readable([port.fd], 2_000)[0] === 0)) break;
    }
    return all;
  }
}

export interface Arrival {
  readonly bytes: Uint8Array;
  readonly record: Int32Array;
}

const DEVICE_MAC = [0x02, 0x00, 0x5e, 0x10, 0x00, 0x01];
const PEER_MAC = [0x02, 0x00, 0x5e, 0x10, 0x00, 0x02];

/** An Ethernet frame of a local experimental type (0x88b5), `size` bytes in all, that tells its number. */
export function plainFrame(size: number, number = 0): Uint8Array {
  const frame = new Uint8Array(size);
  for (let i = 14; i < size; i++) frame[i] = (number + i) & 0xff;
  frame.set([...PEER_MAC, ...DEVICE_MAC, 0x88, 0xb5].slice(0, size));
  return frame;
}

/** `frame` with an 802.1Q or 802.1ad tag in it. */
export function tagged(frame: Uint8Array, tpid: number, tci: number): Uint8Array {
  const tag = [tpid >> 8, tpid & 0xff, tci >> 8, tci & 0xff];
  return Uint8Array.from([...frame.subarray(0, 12), ...tag, ...frame.subarray(12)]);
}

/** Offsets within `tcpFrame`. */
export const TCP_L3 = 14;
export const TCP_L4 = 34;
export const TCP_PAYLOAD = 66;
export const TCP_CSUM_OFFSET = 16;

/** IPv4, TCP with a 12-byte timestamp option, `payload` bytes; the checksum field holds the pseudo-header's sum. */
export function tcpFrame(payload: number): Uint8Array {
  const frame = new Uint8Array(TCP_PAYLOAD + payload);
  const view = new DataView(frame.buffer);
  frame.set([...PEER_MAC, ...DEVICE_MAC, 0x08, 0x00]);
  const total = frame.length - TCP_L3;
  frame.set([0x45, 0, total >> 8, total & 0xff, 0, 1, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2], TCP_L3);
  completeChecksum(frame, TCP_L3, TCP_L4, TCP_L3 + 10);
  frame.set([0x9c, 0x40, 0x13, 0x88, 0, 0, 0, 1, 0, 0, 0, 1, 0x80, 0x10, 0xff, 0xff], TCP_L4);
  frame.set([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1], TCP_L4 + 20);
  for (let i = 0; i < payload; i++) frame[TCP_PAYLOAD + i] = (i * 31 + (i >> 8)) & 0xff;
  view.setUint16(TCP_L4 + TCP_CSUM_OFFSET, pseudoHeader(frame, total - 20));
  return frame;
}

/** True when the TCP checksum of such a frame (or of a segment of it) is complete and right. */
export function tcpChecksumIsRight(frame: Uint8Array): boolean {
  const length = ((frame[TCP_L3 + 2] << 8) | frame[TCP_L3 + 3]) - 20;
  return fold(sum(frame, TCP_L4, length, pseudoHeader(frame, length))) === 0xffff;
}

function pseudoHeader(frame: Uint8Array, length: number): number {
  return fold(sum(frame, TCP_L3 + 12, 8, 6 + length));
}

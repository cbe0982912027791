/**
 * As much of TCP as a transfer over a lossy link needs: one sender that retransmits, one receiver that acknowledges
 * what is there in order. Both are devices behind gateways; time is the world's.
 */
import type { FakePort } from '#port/fake.ts';
import { FORM_TCP } from '#wire/frame.ts';
import { TCP_ACK, TCP_PSH, TCP_SYN } from '#wire/tcp.ts';
import { type Ends, H1, H2, parsed, read, type Seen, tcp } from './sim-frames.ts';
import { segments } from './sim-segments.ts';
import type { SimWorld } from './sim-world.ts';

const CLIENT_PORT = 40_000;
const SERVER_PORT = 80;
/** Sequence numbers go round in the middle of a transfer. */
const FIRST = 0xffff_f000;
const WINDOW = 16; /* segments in flight */
const RETRANSMIT_MS = 400;

export class SimStream {
  /** What the receiver has, in order. */
  readonly received: Uint8Array;
  receivedLength = 0;
  readonly #world: SimWorld;
  readonly #data: Uint8Array;
  readonly #forward: Ends;
  readonly #back: Ends;
  readonly #segment: number;
  readonly #early = new Map<number, Uint8Array>();
  #established = false;
  #acknowledged = 0;
  #sent = 0;
  #timer = 0;

  /** From h1 to h2, `data` in segments of `segment` bytes. */
  constructor(world: SimWorld, version: 4 | 6, data: Uint8Array, segment: number) {
    this.#world = world;
    this.#data = data;
    this.#segment = segment;
    this.#forward = { from: H1, to: H2, version };
    this.#back = { from: H2, to: H1, version };
    this.received = new Uint8Array(data.length);
    listen(world.h1.left, (seen) => this.#atSender(seen));
    listen(world.h2.left, (seen) => this.#atReceiver(seen));
  }

  get complete(): boolean {
    return this.receivedLength === this.#data.length;
  }

  start(): void {
    this.#syn();
  }

  #syn(): void {
    if (this.#established) return;
    this.#world.sendFromH1(
      tcp(this.#forward, {
        sourcePort: CLIENT_PORT,
        destinationPort: SERVER_PORT,
        sequence: FIRST - 1,
        flags: TCP_SYN,
        options: [2, 4, 0x05, 0xb4] /* MSS 1460 */,
      }),
    );
    this.#world.at(this.#world.now + RETRANSMIT_MS, () => this.#syn());
  }

  /* ---- the sender ---- */

  #atSender(seen: Seen): void {
    this.#established = true;
    const acknowledged = (seen.frame.acknowledgement - FIRST) >>> 0;
    if (acknowledged <= this.#data.length) this.#acknowledged = Math.max(this.#acknowledged, acknowledged);
    this.#fill();
  }

  #fill(): void {
    while (this.#sent < this.#data.length && this.#sent - this.#acknowledged < WINDOW * this.#segment) {
      this.#send(this.#sent);
      this.#sent = Math.min(this.#sent + this.#segment, this.#data.length);
    }
    this.#arm();
  }

  /** Nothing was acknowledged for a while: everything from there on comes again. */
  #arm(): void {
    const timer = ++this.#timer;
    if (this.#acknowledged >= this.#data.length) return;
    this.#world.at(this.#world.now + RETRANSMIT_MS, () => {
      if (timer !== this.#timer) return;
      this.#sent = this.#acknowledged;
      this.#fill();
    });
  }

  #send(at: number): void {
    const end = Math.min(at + this.#segment, this.#data.length);
    this.#world.sendFromH1(
      tcp(this.#forward, {
        sourcePort: CLIENT_PORT,
        destinationPort: SERVER_PORT,
        sequence: (FIRST + at) >>> 0,
        acknowledgement: 1,
        flags: end === this.#data.length ? TCP_ACK | TCP_PSH : TCP_ACK,
        data: this.#data.subarray(at, end),
      }),
    );
  }

  /* ---- the receiver ---- */

  #atReceiver(seen: Seen): void {
    if ((seen.frame.tcpFlags & TCP_SYN) === 0) this.#take((seen.frame.sequence - FIRST) >>> 0, seen.payload);
    this.#world.sendFromH2(
      tcp(this.#back, {
        sourcePort: SERVER_PORT,
        destinationPort: CLIENT_PORT,
        sequence: 1,
        acknowledgement: (FIRST + this.receivedLength) >>> 0,
        flags: TCP_ACK,
      }),
    );
  }

  #take(at: number, payload: Uint8Array): void {
    if (payload.length > 0) this.#early.set(at, payload);
    for (let next = this.#early.get(this.receivedLength); next !== undefined; ) {
      this.#early.delete(this.receivedLength);
      this.received.set(next, this.receivedLength);
      this.receivedLength += next.length;
      next = this.#early.get(this.receivedLength);
    }
  }
}

function listen(port: FakePort, take: (seen: Seen) => void): void {
  port.onArrival = () => {
    for (const frame of port.collect().flatMap(segments)) if (parsed(frame)?.form === FORM_TCP) take(read(frame));
  };
}

/**
 * Fills one table of the PIT (`flow` or `pair`) with so many entries, in a process of its own, and looks them up in a
 * random order: one line of JSON. `node --expose-gc pit-process.ts flow|pair ENTRIES`
 */
import { FlowTable } from '#pit/flows.ts';
import { PairTable } from '#pit/pairs.ts';
import { ETHER_HEADER } from '#wire/ethernet.ts';
import { FORM_UDP, Frame, PROTO_UDP } from '#wire/frame.ts';

export interface PitFigures {
  /** Of one lookup with everything that a packet does to its entry. */
  readonly nanoseconds: number;
  readonly bytesPerEntry: number;
}

const DAY_MS = 86_400_000;
const LOOKUPS = 1_000_000;
const ROUNDS = 3;

const random = (into: Uint8Array<ArrayBuffer>): unknown => crypto.getRandomValues(into);

/** Entry i, in a frame: 1,024 devices and as many peers as it takes; the port is the peer's. */
function setKey(frame: Frame, i: number): void {
  frame.source[3] = 0x0a00_0000 + (i & 0x3ff);
  frame.destination[3] = 0x0b00_0000 + (i >>> 10);
  frame.destinationPort = i & 0xffff;
}

/** An Ethernet header, where the frame says that it lies. */
const slab = new Uint8Array(64);

function emptyFrame(): Frame {
  const frame = new Frame();
  frame.form = FORM_UDP;
  frame.ipVersion = 4;
  frame.protocol = PROTO_UDP;
  frame.source[2] = 0xffff;
  frame.destination[2] = 0xffff;
  frame.sourcePort = 5_000;
  frame.l3 = ETHER_HEADER;
  return frame;
}

/** The way of a packet to its entry; `now` in ms. */
function tableOf(kind: string, capacity: number): (frame: Frame, now: number) => unknown {
  if (kind === 'flow') {
    const flows = new FlowTable({ capacity, idleMs: DAY_MS, closedIdleMs: DAY_MS, random });
    return (frame, now) => flows.count(frame, 0, true, now);
  }
  const pairs = new PairTable<object>({ capacity, idleMs: DAY_MS, random, onForget: () => undefined });
  return (frame, now) => {
    const pair = pairs.findOrAdd(frame.source, frame.destination, frame.ipVersion, now);
    pair.lastSeen = now;
    pair.setOutwardLink(slab, frame);
    return pair.verdict;
  };
}

const used = (): number => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage(); // external: array buffers too
  return heapUsed + external;
};

const [kind, count] = [process.argv[2], Number(process.argv[3])];
const frame = emptyFrame();
/* Xorshift over the entries: no order that a cache could know beforehand. */
const order = new Uint32Array(LOOKUPS);
for (let i = 0, x = 0x9e37_79b9; i < LOOKUPS; i++) {
  x ^= x << 13;
  x ^= x >>> 17;
  x ^= x << 5;
  order[i] = (x >>> 0) % count;
}
const before = used();
const touch = tableOf(kind, count);
for (let i = 0; i < count; i++) {
  setKey(frame, i);
  touch(frame, 1);
}
const bytesPerEntry = (used() - before) / count;
const times: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const start = process.hrtime.bigint();
  for (let i = 0; i < LOOKUPS; i++) {
    setKey(frame, order[i]);
    touch(frame, 2);
  }
  times.push(Number(process.hrtime.bigint() - start) / LOOKUPS);
}
times.sort((x, y) => x - y);
const figures: PitFigures = { nanoseconds: times[ROUNDS >> 1], bytesPerEntry };
console.log(JSON.stringify(figures));

/** The program of a lossy wire: moves frames between two links, as the orders on its standard input say. */
import { createInterface } from 'node:readline';
import { setImmediate as breathe } from 'node:timers/promises';
import { openPacketSockets, openPorts, PacketPort } from '#port/packet.ts';
import { F_LENGTH, F_OFFSET, F_PORT, F_STATUS, F_STRIDE, SLOT_SIZE } from '#wire/record.ts';
import { readable } from './readable.ts';
import { type Fate, type Faults, fates, type WireCounts } from './wire.ts';

const SLOTS = 64;
const SOCKET_BYTES = 8 << 20;
/** Largest layer-3 packet of the labs' links. */
const MTU = 1_508;
/** Frames that wait for their time: 200 ms of 1 Gbit/s, both ways. */
const WAITING_MAX = 40_000;
/** Orders are looked at that often, ms. */
const ORDERS_MS = 10;

interface Waiting {
  readonly due: number;
  readonly to: PacketPort;
  readonly record: Int32Array;
  readonly bytes: Uint8Array;
}

const sockets = process.argv.slice(2, 4).map((link) => ({
  link,
  fd: openPacketSockets(link, { workers: 1, mark: 0, receiveBytes: SOCKET_BYTES, sendBytes: SOCKET_BYTES })[0],
}));
const ports = sockets.map(({ link, fd }) => new PacketPort(fd, link, MTU));
const slab = new Uint8Array(SLOT_SIZE * SLOTS);
const batch = new Int32Array(F_STRIDE * SLOTS);
const counts = { arrived: 0, sent: 0, lost: 0, duplicated: 0, reordered: 0, failed: 0 } satisfies WireCounts;
/** Sorted by `due`; equal ones in their order. */
const waiting: Waiting[] = [];
let faults: Faults = { seed: 0 };
let fateOf: () => Fate = fates(faults);

function send(to: PacketPort, from: Uint8Array, records: Int32Array, at: number): void {
  records[at * F_STRIDE + F_STATUS] = 0;
  records[at * F_STRIDE + F_PORT] = 0;
  to.transmit(from, records, at, 1);
  if (records[at * F_STRIDE + F_STATUS] === 0) counts.sent++;
  else counts.failed++;
}

function wait(to: PacketPort, at: number, due: number): void {
  if (waiting.length === WAITING_MAX) {
    counts.failed++;
    return;
  }
  const record = batch.slice(at * F_STRIDE, (at + 1) * F_STRIDE);
  const bytes = slab.slice(record[F_OFFSET], record[F_OFFSET] + record[F_LENGTH]);
  record[F_OFFSET] = 0;
  let place = waiting.length;
  while (place > 0 && waiting[place - 1].due > due) place--;
  waiting.splice(place, 0, { due, to, record, bytes });
}

function move(from: PacketPort, to: PacketPort): void {
  const got = from.receive(slab, batch, 0, SLOTS);
  const now = performance.now();
  for (let i = 0; i < got; i++) {
    counts.arrived++;
    const fate = fateOf();
    if (fate.length === 0) counts.lost++;
    if (fate.length > 1) counts.duplicated++;
    if (fate.length > 0 && fate[0] > (faults.delayMs ?? 0)) counts.reordered++;
    for (const after of fate) {
      if (after === 0) send(to, slab, batch, i);
      else wait(to, i, now + after);
    }
  }
  counts.failed += from.takeOverruns();
}

function release(): void {
  const now = performance.now();
  let due = 0;
  while (due < waiting.length && waiting[due].due <= now) due++;
  for (const w of waiting.splice(0, due)) send(w.to, w.bytes, w.record, 0);
}

const orders = createInterface({ input: process.stdin });
orders.on('close', () => process.exit()); // the lab is gone
orders.on('line', (line) => {
  const order = JSON.parse(line) as Faults | 'counts';
  if (order === 'counts') {
    process.stdout.write(`${JSON.stringify(counts)}\n`);
    return;
  }
  faults = order;
  fateOf = fates(order);
  process.stdout.write('changed\n');
});

openPorts(sockets.map(({ fd }) => fd));
const fds = sockets.map(({ fd }) => fd);
const [left, right] = ports;
for (;;) {
  const next = waiting.length === 0 ? ORDERS_MS : Math.ceil(waiting[0].due - performance.now());
  readable(fds, Math.max(0, Math.min(ORDERS_MS, next)));
  move(left, right);
  move(right, left);
  release();
  await breathe();
}

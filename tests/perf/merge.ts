/**
 * What merging costs and how much of it there is: nanoseconds per segment, printed, never asserted.
 * Run: node_modules/.bin/node tests/perf/merge.ts
 */
import { addRecord } from '#transform/emit.ts';
import { mergeFrames } from '#transform/merge.ts';
import { KIND_OPENED, Work } from '#transform/work.ts';
import { Frame } from '#wire/frame.ts';
import { parseFrame } from '#wire/parse.ts';
import { F_FLAGS, F_LENGTH, F_OFFSET, F_STRIDE, F_VLAN_TCI, PORT_INNER, VNET_DATA_VALID } from '#wire/record.ts';
import { TCP_CHECKSUM } from '#wire/tcp.ts';
import { tcpPacket } from '../unit/transform/plain-packets.ts';

const SEGMENTS = 32;
const SLOT = 66_048; /* as far apart as receive slots are */
const OPTIONS = Buffer.from([1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]);

/** A batch of `SEGMENTS` opened segments of `flows` flows in turns, ready to be merged again and again. */
class Batch {
  readonly work: Work;
  readonly #records: Int32Array;
  readonly #headers: Uint8Array[];

  constructor(version: 4 | 6, flows: number, payload: number) {
    const slab = new Uint8Array(SEGMENTS * SLOT);
    this.work = new Work(slab, 0, slab.length, 2 * SEGMENTS);
    const frame = new Frame();
    const batch = new Int32Array(F_STRIDE);
    this.#headers = Array.from({ length: SEGMENTS }, (_, i) => {
      const turn = Math.floor(i / flows);
      const bytes = tcpPacket(
        { version, id: turn },
        {
          sourcePort: 40_000 + (i % flows),
          destinationPort: 80,
          sequence: turn * payload,
          acknowledgement: 1,
          flags: 16,
          window: 1000,
          urgent: 0,
          options: OPTIONS,
          payload: Buffer.alloc(payload),
        },
      );
      slab.set(bytes, i * SLOT);
      batch[F_OFFSET] = i * SLOT;
      batch[F_LENGTH] = bytes.length;
      batch[F_FLAGS] = VNET_DATA_VALID;
      batch[F_VLAN_TCI] = -1;
      parseFrame(slab, this.work.view, batch, 0, frame);
      addRecord(this.work, KIND_OPENED, frame, i * SLOT, bytes.length, PORT_INNER, 0, 0, frame.l4, TCP_CHECKSUM);
      return bytes.subarray(0, frame.payload - frame.offset);
    });
    this.#records = this.work.records.slice();
  }

  /** Undoes a merge: the records, and the headers of those that begin a superpacket. */
  restore(): void {
    this.work.records.set(this.#records);
    for (let i = 0; i < 8; i++) this.work.slab.set(this.#headers[i], i * SLOT);
  }
}

/** Median of nine runs, nanoseconds per segment. */
function time(round: () => void): number {
  const rounds = 20_000;
  const times = Array.from({ length: 9 }, () => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < rounds; i++) round();
    return Number(process.hrtime.bigint() - start) / rounds / SEGMENTS;
  }).sort((a, b) => a - b);
  return times[4];
}

function measure(name: string, batch: Batch): void {
  const alone = time(() => batch.restore());
  const both = time(() => {
    batch.restore();
    mergeFrames(batch.work, 1 << PORT_INNER, 0);
  });
  console.log(`${name.padEnd(44)} ${(both - alone).toFixed(0).padStart(6)} ns per segment`);
}

measure('merge, one flow, IPv4', new Batch(4, 1, 1428));
measure('merge, one flow, IPv6', new Batch(6, 1, 1408));
measure('merge, eight flows in turns, IPv4', new Batch(4, 8, 1428));
measure('merge, pure acknowledgements (none merged)', new Batch(4, 1, 0));

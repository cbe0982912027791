/** A batch of frames to be merged, and what a link makes of the superpackets that it becomes. */
import { expect } from 'vitest';
import { linearise } from '#port/chain.ts';
import { fakeFrame } from '#port/fake.ts';
import { addRecord } from '#transform/emit.ts';
import { mergeFrames } from '#transform/merge.ts';
import { KIND_OPENED, Work } from '#transform/work.ts';
import { fold, pseudoHeaderSum } from '#wire/checksum.ts';
import { Frame, PROTO_UDP } from '#wire/frame.ts';
import { parseFrame } from '#wire/parse.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_NEXT,
  F_OFFSET,
  F_STRIDE,
  F_VLAN_TCI,
  PORT_INNER,
  VNET_JOINED,
} from '#wire/record.ts';
import { TCP_CHECKSUM } from '#wire/tcp.ts';
import { UDP_CHECKSUM } from '#wire/udp.ts';
import { segments } from '../../kit/sim-segments.ts';

const RECORDS = 256;
const DIRTY = 0xa5;
export const ALL_PORTS = 7;

/** Merges for every port. */
export function merge(work: Work): void {
  mergeFrames(work, ALL_PORTS, ALL_PORTS);
}

/** Frames that went through a transform, each somewhere else in a dirty slab. */
export class Batch {
  readonly slab: Uint8Array;
  readonly work: Work;
  /** What must leave, in the order in which it came. */
  readonly expected: Uint8Array[] = [];
  readonly #frame = new Frame();

  constructor(bytes = 64_000) {
    this.slab = new Uint8Array(bytes).fill(DIRTY);
    this.work = new Work(this.slab, 0, bytes, RECORDS);
    this.work.records.fill(-0x5a5a);
  }

  /** A TCP or UDP frame with its tag beside it; returns the record's index. A UDP checksum of zero stays zero. */
  add(bytes: Uint8Array, kind = KIND_OPENED, tag = -1, port = PORT_INNER): number {
    const { work, slab } = this;
    const at = work.reserve(bytes.length + 77);
    slab.set(bytes, at);
    const arrived = new Int32Array(F_STRIDE);
    arrived[F_OFFSET] = at;
    arrived[F_LENGTH] = bytes.length;
    arrived[F_VLAN_TCI] = tag;
    expect(parseFrame(slab, work.view, arrived, 0, this.#frame)).toBe(0);
    const { l4, l3End, protocol } = this.#frame;
    const field = protocol === PROTO_UDP ? UDP_CHECKSUM : TCP_CHECKSUM;
    const without = protocol === PROTO_UDP && work.view.getUint16(l4 + field) === 0;
    if (!without) work.view.setUint16(l4 + field, fold(pseudoHeaderSum(this.#frame, l3End - l4)));
    this.expected.push(Uint8Array.from(bytes));
    return addRecord(work, kind, this.#frame, at, bytes.length, port, 0, 0, without ? -1 : l4, field);
  }

  get #records(): number[] {
    return Array.from({ length: this.work.recordCount }, (_, i) => i);
  }

  /** Which records leave together, by the index of their first. */
  groups(): number[][] {
    const { records } = this.work;
    const joined = new Set<number>();
    const groups: number[][] = [];
    for (const i of this.#records) {
      if ((records[i * F_STRIDE + F_FLAGS] & VNET_JOINED) !== 0) continue;
      const group = [i];
      for (let next = records[i * F_STRIDE + F_NEXT]; next !== 0; next = records[(next - 1) * F_STRIDE + F_NEXT]) {
        expect(joined.has(next - 1)).toBe(false);
        expect(records[(next - 1) * F_STRIDE + F_FLAGS] & VNET_JOINED).toBe(VNET_JOINED);
        joined.add(next - 1);
        group.push(next - 1);
      }
      groups.push(group);
    }
    expect(joined.size + groups.length).toBe(this.work.recordCount);
    return groups;
  }

  /** What the link makes of every record that leaves, by first record. */
  leaving(): { group: number[]; frames: Uint8Array[] }[] {
    const { records } = this.work;
    return this.groups().map((group) => {
      const r = group[0] * F_STRIDE;
      const length = group.reduce((sum, i) => sum + records[i * F_STRIDE + F_LENGTH], 0);
      const bytes = new Uint8Array(length);
      expect(linearise(this.slab, records, r, bytes, 0)).toBe(length);
      const frame = fakeFrame(bytes, {
        flags: records[r + F_FLAGS],
        gsoType: records[r + F_GSO_TYPE],
        gsoSize: records[r + F_GSO_SIZE],
        csumStart: records[r + F_CSUM_START],
        csumOffset: records[r + F_CSUM_OFFSET],
      });
      return { group, frames: segments(frame) };
    });
  }
}

export const payloadOf = (i: number, length: number): Buffer =>
  Buffer.from(Uint8Array.from({ length }, (_, k) => i * 7 + k));

/** Every flow's frames, cut again by the link, are the frames that came, in their order. */
export function expectSameFlows(batch: Batch, flows: readonly string[]): void {
  const left = new Map<string, Uint8Array[]>();
  for (const { group, frames } of batch.leaving()) {
    expect(frames.length).toBe(group.length);
    left.set(flows[group[0]], [...(left.get(flows[group[0]]) ?? []), ...frames]);
  }
  for (const flow of new Set(flows)) {
    const came = batch.expected.filter((_, i) => flows[i] === flow);
    expect((left.get(flow) ?? []).map((f) => Buffer.from(f).toString('hex'))).toEqual(
      came.map((f) => Buffer.from(f).toString('hex')),
    );
  }
}

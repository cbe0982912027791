/** Merging against a slow twin that reads like the rule, and against a link that cuts superpackets again. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { linearise } from '#port/chain.ts';
import { fakeFrame } from '#port/fake.ts';
import { addRecord } from '#transform/emit.ts';
import { MERGE_FLOWS, mergeOpened } from '#transform/merge.ts';
import { KIND_DROPPED, KIND_OPENED, KIND_PLAIN, KIND_SEALED, W_KIND, Work } from '#transform/work.ts';
import { fold, pseudoHeaderSum } from '#wire/checksum.ts';
import { Frame } from '#wire/frame.ts';
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
  F_PORT,
  F_STRIDE,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  JOINED_MAX,
  PORT_INNER,
  VNET_JOINED,
} from '#wire/record.ts';
import { TCP_CHECKSUM } from '#wire/tcp.ts';
import { segments } from '../../kit/sim-segments.ts';
import { advanced, begun, bytesOf, flowOf, type Shape, shapesOf, step, twinGroups } from './merge-streams.ts';
import { icmpPacket, udpPacket } from './plain-packets.ts';

const RECORDS = 256;
const DIRTY = 0xa5;
const FIN = 1;
const PSH = 8;
const ACK = 16;

/** A batch of opened frames, each somewhere else in a dirty slab. */
class Batch {
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

  /** A TCP frame with its tag beside it; returns the record's index. */
  add(bytes: Uint8Array, kind = KIND_OPENED, tag = -1): number {
    const { work, slab } = this;
    const at = work.reserve(bytes.length + 77);
    slab.set(bytes, at);
    const arrived = new Int32Array(F_STRIDE);
    arrived[F_OFFSET] = at;
    arrived[F_LENGTH] = bytes.length;
    arrived[F_VLAN_TCI] = tag;
    expect(parseFrame(slab, work.view, arrived, 0, this.#frame)).toBe(0);
    const { l4, l3End } = this.#frame;
    work.view.setUint16(l4 + TCP_CHECKSUM, fold(pseudoHeaderSum(this.#frame, l3End - l4)));
    this.expected.push(Uint8Array.from(bytes));
    return addRecord(work, kind, this.#frame, at, bytes.length, PORT_INNER, 0, 0, l4, TCP_CHECKSUM);
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

const payloadOf = (i: number, length: number): Buffer => Buffer.from(Uint8Array.from({ length }, (_, k) => i * 7 + k));

/** Every flow's frames, cut again by the link, are the frames that came, in their order. */
function expectSameFlows(batch: Batch, flows: readonly string[]): void {
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

describe('random streams', () => {
  test('are merged as the twin merges them, and cut again are what they were', () => {
    let merged = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 40 }), (steps) => {
        const shapes = shapesOf(steps);
        const batch = new Batch();
        for (const [i, s] of shapes.entries()) batch.add(bytesOf(s, payloadOf(i, s.length)), KIND_OPENED, s.tag);
        mergeOpened(batch.work);
        const groups = twinGroups(shapes);
        expect(batch.groups()).toEqual(groups);
        expectSameFlows(batch, shapes.map(flowOf));
        merged += groups.filter((g) => g.length > 2).length;
      }),
      { numRuns: 500 },
    );
    expect(merged).toBeGreaterThan(100);
  });

  test('of more flows than can be open keep every flow’s order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(MERGE_FLOWS + 4), { minLength: 60, maxLength: 120 }), (order) => {
        const flows = Array.from({ length: MERGE_FLOWS + 5 }, () => begun(0));
        const batch = new Batch();
        order.forEach((flow, i) => {
          const now = { ...flows[flow], length: 50, tcp: { ...flows[flow].tcp, sourcePort: 1 + flow } };
          batch.add(bytesOf(now, payloadOf(i, 50)));
          flows[flow] = { ...advanced(now, 50), ip: { ...now.ip, id: (now.ip.id + 1) & 0xffff } };
        });
        mergeOpened(batch.work);
        expectSameFlows(
          batch,
          order.map((flow) => `${flow}`),
        );
      }),
      { numRuns: 200 },
    );
  });
});

/* ---- cases --------------------------------------------------------------------------------------------------- */

describe.each([4, 6] as const)('IPv%d', (version) => {
  let batch: Batch;
  let stream: Shape;
  beforeEach(() => {
    batch = new Batch(200_000);
    stream = begun(version === 4 ? 0 : 1);
  });

  /** The next segment of the stream. */
  function next(length: number, flags = ACK, kind = KIND_OPENED): number {
    const shape = { ...stream, length, tcp: { ...stream.tcp, flags } };
    stream = { ...advanced(shape, length), ip: { ...shape.ip, id: (shape.ip.id + 1) & 0xffff } };
    return batch.add(bytesOf(shape, payloadOf(batch.work.recordCount, length)), kind);
  }

  test('segments become one superpacket whose first record says everything', () => {
    for (const length of [1428, 1428, 1428, 500]) next(length);
    mergeOpened(batch.work);
    expect(batch.groups()).toEqual([[0, 1, 2, 3]]);
    const { records } = batch.work;
    expect(records[F_GSO_TYPE]).toBe(version === 4 ? GSO_TCPV4 : GSO_TCPV6);
    expect(records[F_GSO_SIZE]).toBe(1428);
    expect(records.slice(F_STRIDE, 4 * F_STRIDE).filter((_, i) => i % F_STRIDE === F_LENGTH)).toEqual(
      Int32Array.of(1428, 1428, 500),
    );
    expectSameFlows(batch, ['', '', '', '']);
  });

  test('PSH and FIN end a superpacket and stand in its last segment', () => {
    next(100);
    next(100, ACK | PSH);
    next(100);
    next(100, ACK | FIN | PSH);
    mergeOpened(batch.work);
    expect(batch.groups()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expectSameFlows(batch, ['', '', '', '']);
  });

  test('what failed, is sealed or passes as it is, is not touched', () => {
    for (const kind of [KIND_OPENED, KIND_DROPPED, KIND_SEALED, KIND_PLAIN]) next(100, ACK, kind);
    next(100);
    const before = batch.work.records.slice();
    mergeOpened(batch.work);
    expect(batch.work.records).toEqual(before);
    expect(before[F_STRIDE + W_KIND]).toBe(KIND_DROPPED);
  });

  test('a superpacket has at most JOINED_MAX + 1 segments', () => {
    for (let i = 0; i < JOINED_MAX + 3; i++) next(20);
    mergeOpened(batch.work);
    expect(batch.groups().map((g) => g.length)).toEqual([JOINED_MAX + 1, 2]);
    expectSameFlows(
      batch,
      batch.expected.map(() => ''),
    );
  });

  test('a superpacket is no longer than Linux takes', () => {
    for (let i = 0; i < 12; i++) next(8_900);
    mergeOpened(batch.work);
    expect(batch.groups().map((g) => g.length)).toEqual([7, 5]);
    const bytes = batch.groups().map((g) => g.reduce((sum, i) => sum + batch.work.records[i * F_STRIDE + F_LENGTH], 0));
    expect(Math.max(...bytes)).toBeLessThanOrEqual(65_531);
    expectSameFlows(
      batch,
      batch.expected.map(() => ''),
    );
  });
});

describe('what looks alike and is not', () => {
  const stream = (flow: number, i: number): Shape => {
    const shape = advanced({ ...begun(flow), length: 50 }, 50 * i);
    return { ...shape, ip: { ...shape.ip, id: (shape.ip.id + i) & 0xffff } };
  };

  test('a tag that reads like the end of a MAC address', () => {
    const batch = new Batch();
    const tagged = stream(0, 0);
    batch.add(bytesOf({ ...tagged, ip: { ...tagged.ip, tagged: true }, mac: 0x64 }, payloadOf(0, 50)));
    batch.add(bytesOf({ ...stream(0, 1), mac: 0x64 }, payloadOf(1, 50)));
    mergeOpened(batch.work);
    expect(batch.groups()).toEqual([[0], [1]]);
  });

  test('an IPv6 address that holds both IPv4 addresses', () => {
    const batch = new Batch();
    for (const [i, flow] of [1, 0, 1].entries()) {
      const bytes = bytesOf(stream(flow, i >> 1), payloadOf(i, 50));
      if (flow === 1) bytes.set([10, 0, 0, 5, 192, 0, 2, 77], 14 + 12);
      batch.add(bytes);
    }
    mergeOpened(batch.work);
    expect(batch.groups()).toEqual([[0, 2], [1]]);
  });

  test('frames for another port, or with another kind of tag beside them', () => {
    for (const column of [F_PORT, F_VLAN_TPID]) {
      const batch = new Batch();
      for (let i = 0; i < 3; i++) batch.add(bytesOf(stream(0, i), payloadOf(i, 50)), KIND_OPENED, 5);
      batch.work.records[F_STRIDE + column] = 0x88a8;
      mergeOpened(batch.work);
      expect(batch.groups()).toEqual([[0], [1], [2]]);
    }
  });
});

test('datagrams and messages are not merged', () => {
  const batch = new Batch();
  const { work } = batch;
  const frame = new Frame();
  for (const packet of [
    udpPacket({ version: 4 }, 1, 2, Buffer.alloc(100)),
    udpPacket({ version: 4, id: 0x1235 }, 1, 2, Buffer.alloc(100)),
    icmpPacket({ version: 6 }, 128, 0, 1, Buffer.alloc(100)),
    icmpPacket({ version: 6 }, 128, 0, 1, Buffer.alloc(100)),
  ]) {
    const at = work.reserve(packet.length);
    work.slab.set(packet, at);
    const arrived = new Int32Array(F_STRIDE);
    arrived[F_OFFSET] = at;
    arrived[F_LENGTH] = packet.length;
    expect(parseFrame(work.slab, work.view, arrived, 0, frame)).toBe(0);
    addRecord(work, KIND_OPENED, frame, at, packet.length, PORT_INNER, 0, 0, frame.l4, frame.protocol === 17 ? 6 : 2);
  }
  const records = work.records.slice();
  const slab = work.slab.slice();
  mergeOpened(work);
  expect(work.records).toEqual(records);
  expect(Buffer.compare(work.slab, slab)).toBe(0);
  expect(records[F_GSO_TYPE]).toBe(GSO_NONE);
});

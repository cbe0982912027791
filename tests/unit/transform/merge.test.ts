/** Merging against a slow twin that reads like the rule, and against a link that cuts superpackets again. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { addRecord } from '#transform/emit.ts';
import { mergeFrames } from '#transform/merge.ts';
import { KIND_CIPHERED, KIND_DROPPED, KIND_OPENED, KIND_PLAIN, W_KIND } from '#transform/work.ts';
import { Frame } from '#wire/frame.ts';
import { parseFrame } from '#wire/parse.ts';
import {
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_PORT,
  F_STRIDE,
  F_VLAN_TPID,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  JOINED_MAX,
  PORT_INNER,
} from '#wire/record.ts';
import { ALL_PORTS, Batch, expectSameFlows, merge, payloadOf } from './merge-batch.ts';
import { advanced, begun, bytesOf, flowOf, type Shape, shapesOf, step, twinGroups } from './merge-streams.ts';
import { icmpPacket, udpPacket } from './plain-packets.ts';

const FIN = 1;
const PSH = 8;
const ACK = 16;
/** More than can be open at once. */
const FLOWS = 13;

describe('random streams', () => {
  test('are merged as the twin merges them, and cut again are what they were', () => {
    let merged = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 40 }), (steps) => {
        const shapes = shapesOf(steps);
        const batch = new Batch();
        for (const [i, s] of shapes.entries()) batch.add(bytesOf(s, payloadOf(i, s.length)), KIND_OPENED, s.tag);
        merge(batch.work);
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
      fc.property(fc.array(fc.nat(FLOWS - 1), { minLength: 60, maxLength: 120 }), (order) => {
        const flows = Array.from({ length: FLOWS }, () => begun(0));
        const batch = new Batch();
        order.forEach((flow, i) => {
          const now = { ...flows[flow], length: 50, tcp: { ...flows[flow].tcp, sourcePort: 1 + flow } };
          batch.add(bytesOf(now, payloadOf(i, 50)));
          flows[flow] = { ...advanced(now, 50), ip: { ...now.ip, id: (now.ip.id + 1) & 0xffff } };
        });
        merge(batch.work);
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
    merge(batch.work);
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
    merge(batch.work);
    expect(batch.groups()).toEqual([
      [0, 1],
      [2, 3],
    ]);
    expectSameFlows(batch, ['', '', '', '']);
  });

  test('what failed, is sealed or passes as it is, is not touched', () => {
    for (const kind of [KIND_OPENED, KIND_DROPPED, KIND_CIPHERED, KIND_PLAIN]) next(100, ACK, kind);
    next(100);
    const before = batch.work.records.slice();
    merge(batch.work);
    expect(batch.work.records).toEqual(before);
    expect(before[F_STRIDE + W_KIND]).toBe(KIND_DROPPED);
  });

  test('a superpacket has at most JOINED_MAX + 1 segments', () => {
    for (let i = 0; i < JOINED_MAX + 3; i++) next(20);
    merge(batch.work);
    expect(batch.groups().map((g) => g.length)).toEqual([JOINED_MAX + 1, 2]);
    expectSameFlows(
      batch,
      batch.expected.map(() => ''),
    );
  });

  test('a superpacket is no longer than Linux takes', () => {
    for (let i = 0; i < 12; i++) next(8_900);
    merge(batch.work);
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
    merge(batch.work);
    expect(batch.groups()).toEqual([[0], [1]]);
  });

  test('an IPv6 address that holds both IPv4 addresses', () => {
    const batch = new Batch();
    for (const [i, flow] of [1, 0, 1].entries()) {
      const bytes = bytesOf(stream(flow, i >> 1), payloadOf(i, 50));
      if (flow === 1) bytes.set([10, 0, 0, 5, 192, 0, 2, 77], 14 + 12);
      batch.add(bytes);
    }
    merge(batch.work);
    expect(batch.groups()).toEqual([[0, 2], [1]]);
  });

  test('frames for another port, or with another kind of tag beside them', () => {
    for (const column of [F_PORT, F_VLAN_TPID]) {
      const batch = new Batch();
      for (let i = 0; i < 3; i++) batch.add(bytesOf(stream(0, i), payloadOf(i, 50)), KIND_OPENED, 5);
      batch.work.records[F_STRIDE + column] = 0x88a8;
      merge(batch.work);
      expect(batch.groups()).toEqual([[0], [1], [2]]);
    }
  });
});

test('datagrams are not merged for a port that does not take them so, messages for none', () => {
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
  mergeFrames(work, ALL_PORTS, 0);
  expect(work.records).toEqual(records);
  expect(Buffer.compare(work.slab, slab)).toBe(0);
  expect(records[F_GSO_TYPE]).toBe(GSO_NONE);
});

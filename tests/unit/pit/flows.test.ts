import { describe, expect, test } from 'vitest';
import { latestFlows } from '#kit/latest-flows.ts';
import { FlowTable } from '#pit/flows.ts';
import { FORM_OTHER } from '#wire/frame.ts';
import { GSO_TCPV4 } from '#wire/record.ts';
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '#wire/tcp.ts';
import { chances, DEVICE, ipv4, PEER, seeded, tcpFrame } from './seeded.ts';

const table = (capacity = 100) => new FlowTable({ capacity, idleMs: 1000, closedIdleMs: 100, random: seeded(1) });
const out = (more = {}) => tcpFrame(DEVICE, PEER, more);
const back = (more = {}) => tcpFrame(PEER, DEVICE, { sourcePort: 80, destinationPort: 1000, ...more });

const pairAt = (row: number) => ({ row, device: DEVICE, peer: PEER, ipVersion: 4 });

/** Ports and sequence numbers, in the order of the ports. */
const connections = (flows: FlowTable, pair: number, limit = 100): number[][] => {
  const words = [...flows.connectionsOf(pairAt(pair), limit)];
  const pairs = words.flatMap((word, i) => (i % 2 === 0 ? [[word >>> 16, words[i + 1]]] : []));
  return pairs.sort(([x], [y]) => x - y);
};

describe("a pair's connections", () => {
  const from = (sourcePort: number, more = {}) => out({ sourcePort, sequence: sourcePort, payloadLength: 1, ...more });

  test('are those of which the device has sent, of this pair, and no other protocol', () => {
    const flows = table();
    for (const port of [5, 6, 7]) flows.count(from(port), 3, true, 0);
    flows.count(from(8), 4, true, 0);
    flows.count(from(9, { protocol: 17, form: FORM_OTHER }), 3, true, 0);
    flows.count(back({ destinationPort: 10 }), 3, false, 0);
    expect(connections(flows, 3)).toEqual([5, 6, 7].map((port) => [port, port + 1]));
    expect(connections(flows, 4)).toEqual([[8, 9]]);
    expect(connections(flows, 70_000)).toEqual([]);
  });

  test('are no more than were asked for, and one', () => {
    const flows = table();
    for (let port = 1; port <= 50; port++) flows.count(from(port), 3, true, 0);
    expect(connections(flows, 3, 10)).toHaveLength(11);
    expect(connections(flows, 3, 50)).toHaveLength(50);
  });

  test('stay what a walk over all flows would find, whatever comes, moves, makes room and ages', () => {
    const flows = table(60);
    const chance = chances(7);
    const pick = (n: number): number => Math.floor(chance() * n);
    /** By the device's port: the pair that its flow was counted for last. */
    const pairOf: number[] = [];
    for (let now = 0; now < 5_000; now++) {
      const pair = pick(10) === 0 ? 5_000 + pick(2) : pick(4);
      const count = (port: number, outward: boolean): void => {
        pairOf[port] = pair;
        const frame = outward
          ? from(port, pick(8) === 0 ? { tcpFlags: TCP_FIN } : {})
          : back({ destinationPort: port });
        flows.count(frame, pair, outward, now);
      };
      count(pick(90), true);
      if (pick(5) === 0) count(pick(90), false);
      if (pick(50) === 0) flows.sweep(now + pick(1_500), 20);
      if (pick(20) > 0) continue;
      const views = latestFlows(flows, 100).filter(({ packetsOut }) => packetsOut > 0);
      for (const of of [0, 1, 2, 3, 5_000, 5_001]) {
        const ports = views.map((view) => view.devicePort).filter((port) => pairOf[port] === of);
        expect(connections(flows, of).map(([port]) => port)).toEqual(ports.sort((x, y) => x - y));
      }
    }
    expect(flows.evicted).toBeGreaterThan(0);
  });
});

describe('a flow', () => {
  test('is one for both directions and counts them apart', () => {
    const flows = table();
    const row = flows.count(out({ l3End: 14 + 60 }), 5, true, 10);
    expect(flows.count(back({ l3End: 14 + 1500 }), 5, false, 20)).toBe(row);
    expect(flows.count(back({ l3End: 14 + 40 }), 5, false, 30)).toBe(row);
    expect(flows.size).toBe(1);
    expect(flows.endsOf(row)).toEqual({ device: DEVICE, peer: PEER, ipVersion: 4 });
    expect(latestFlows(flows, 10)).toEqual([
      {
        device: '10.0.0.1',
        peer: '10.0.0.2',
        ipVersion: 4,
        protocol: 6,
        devicePort: 1000,
        peerPort: 80,
        packetsOut: 1,
        packetsIn: 2,
        bytesOut: 60,
        bytesIn: 1540,
        firstSeen: 10,
        lastSeen: 30,
        tcp: { syn: false, fin: false, rst: false },
      },
    ]);
  });

  test.each([
    ['a port', out({ sourcePort: 1001 })],
    ['the other port', out({ destinationPort: 81 })],
    ['the protocol', out({ protocol: 17 })],
    ['the device', tcpFrame(ipv4(0x0a000003), PEER)],
    ['the peer', tcpFrame(DEVICE, ipv4(0x0a000003))],
    ['the IP version of a mapped address', out({ ipVersion: 6 })],
  ])('%s tells it from another', (_, frame) => {
    const flows = table();
    expect(flows.count(frame, 0, true, 0)).not.toBe(flows.count(out(), 0, true, 0));
  });

  test('high ports keep their numbers', () => {
    const flows = table();
    flows.count(out({ sourcePort: 65_535, destinationPort: 32_768 }), 0, true, 0);
    expect(latestFlows(flows, 1)[0]).toMatchObject({ devicePort: 65_535, peerPort: 32_768 });
  });

  test('a superpacket counts as its segments', () => {
    const flows = table();
    flows.count(out({ gsoType: GSO_TCPV4, gsoSize: 1448, payloadLength: 1448 * 3 + 1, l3End: 14 + 4397 }), 0, true, 0);
    expect(latestFlows(flows, 1)[0]).toMatchObject({ packetsOut: 4, bytesOut: 4397 });
  });

  test('what is not TCP has no TCP state', () => {
    const flows = table();
    flows.count(out({ form: FORM_OTHER, protocol: 47, sourcePort: 0, destinationPort: 0 }), 0, true, 0);
    expect(latestFlows(flows, 1)[0]).not.toHaveProperty('tcp');
  });

  test('SYN, FIN and RST are remembered; a new SYN begins anew', () => {
    const flows = table();
    flows.count(out({ tcpFlags: TCP_SYN }), 0, true, 0);
    flows.count(back({ tcpFlags: TCP_FIN | TCP_ACK }), 0, false, 0);
    expect(latestFlows(flows, 1)[0].tcp).toEqual({ syn: true, fin: true, rst: false });
    flows.count(back({ tcpFlags: TCP_RST }), 0, false, 0);
    expect(latestFlows(flows, 1)[0].tcp).toEqual({ syn: true, fin: true, rst: true });
    flows.count(out({ tcpFlags: TCP_SYN }), 0, true, 0);
    expect(latestFlows(flows, 1)[0].tcp).toEqual({ syn: true, fin: false, rst: false });
  });
});

test('a device has sent on a flow once it has, whatever came before', () => {
  const flows = table();
  const hasSent = () => flows.hasSent(DEVICE, PEER, 1000, 80, 4, 17);
  const datagram = { form: FORM_OTHER, protocol: 17 };
  expect(hasSent()).toBe(false);
  flows.count(back(datagram), 0, false, 0);
  expect(hasSent()).toBe(false);
  flows.count(out(datagram), 0, true, 0);
  expect(hasSent()).toBe(true);
});

describe('the newest sequence number from the device', () => {
  const newest = (flows: FlowTable) => flows.newestSequence(DEVICE, PEER, 1000, 80, 4);

  test('moves on with what the device sends, not with retransmissions or answers', () => {
    const flows = table();
    expect(newest(flows)).toBe(-1);
    flows.count(back({ sequence: 9, payloadLength: 9 }), 0, false, 0);
    expect(newest(flows)).toBe(-1);
    flows.count(out({ sequence: 0xfffffff0, payloadLength: 0x10 }), 0, true, 0);
    expect(newest(flows)).toBe(0);
    flows.count(out({ sequence: 0, payloadLength: 100 }), 0, true, 0);
    flows.count(out({ sequence: 0xfffffff0, payloadLength: 0x10 }), 0, true, 0);
    expect(newest(flows)).toBe(100);
    flows.count(out({ sequence: 100, payloadLength: 0, tcpFlags: TCP_FIN }), 0, true, 0);
    expect(newest(flows)).toBe(101);
  });

  test('starts anew with a new connection on the same ports', () => {
    const flows = table();
    flows.count(out({ sequence: 5000, payloadLength: 1 }), 0, true, 0);
    flows.count(out({ sequence: 0x8000_0000, tcpFlags: TCP_SYN }), 0, true, 0);
    expect(newest(flows)).toBe(0x8000_0001);
  });

  test('stays what it is when a SYN, or its answer, is repeated behind data', () => {
    const flows = table();
    const answer = out({ sequence: 1_000, tcpFlags: TCP_SYN | TCP_ACK });
    flows.count(answer, 0, true, 0);
    expect(newest(flows)).toBe(1_001);
    flows.count(out({ sequence: 1_001, payloadLength: 500 }), 0, true, 1);
    flows.count(answer, 0, true, 2);
    expect(newest(flows)).toBe(1_501);
  });

  test('is told of the connections of a pair, not of those that its row had before', () => {
    const flows = table();
    flows.count(tcpFrame(PEER, DEVICE, { sequence: 9_000 }), 3, true, 1);
    flows.count(out({ sequence: 5_000 }), 3, true, 2);
    flows.count(out({ sequence: 6_000, sourcePort: 1_001 }), 4, true, 3);
    const connections = flows.connectionsOf(pairAt(3), 9);
    expect([...connections]).toEqual([(1_000 << 16) | 80, 5_000]);
    expect([...flows.connectionsOf({ ...pairAt(3), ipVersion: 6 }, 9)]).toEqual([]);
  });
});

describe('forgetting', () => {
  test('a flow without traffic ends after its idle time, a closed one soon', () => {
    const flows = table();
    flows.count(out(), 0, true, 0);
    flows.count(out({ sourcePort: 1, tcpFlags: TCP_FIN }), 0, true, 0);
    flows.count(out({ sourcePort: 2 }), 0, true, 900);
    expect(flows.sweep(99, 100)).toBe(0);
    expect(flows.sweep(100, 100)).toBe(1);
    expect(flows.sweep(1000, 100)).toBe(1);
    expect(latestFlows(flows, 9).map((flow) => flow.devicePort)).toEqual([2]);
  });

  test('a sweep looks at no more than its budget and goes on where it ended', () => {
    const flows = table();
    for (let port = 0; port < 10; port++) flows.count(out({ sourcePort: port }), 0, true, 0);
    expect(flows.sweep(5000, 4)).toBe(4);
    expect(flows.sweep(5000, 4)).toBe(4);
    expect(flows.sweep(5000, 4)).toBe(2);
    expect(flows.sweep(5000, 4)).toBe(0);
  });

  test('a row used again starts from zero', () => {
    const flows = table();
    const row = flows.count(out({ tcpFlags: TCP_RST }), 3, true, 0);
    flows.sweep(5000, 10);
    expect(flows.count(out({ sourcePort: 9 }), 4, true, 6000)).toBe(row);
    expect(flows.view(row)).toMatchObject({ packetsOut: 1, firstSeen: 6000, tcp: { rst: false } });
  });

  test('a full table lets an idle flow go, counts it, and keeps the busy ones', () => {
    const flows = table(8);
    for (let port = 0; port < 8; port++) flows.count(out({ sourcePort: port }), 0, true, port === 3 ? 1 : 100 + port);
    flows.count(out({ sourcePort: 99 }), 0, true, 200);
    expect(flows.evicted).toBe(1);
    expect(flows.size).toBe(8);
    expect(latestFlows(flows, 9).map((flow) => flow.devicePort)).toEqual([99, 7, 6, 5, 4, 2, 1, 0]);
  });

  test('a flood of new flows never exceeds the capacity', () => {
    const flows = table(64);
    for (let n = 0; n < 5000; n++) flows.count(tcpFrame(DEVICE, ipv4(n)), 0, true, n);
    expect(flows.size).toBe(64);
    expect(flows.evicted).toBe(5000 - 64);
  });
});

test('a look finds the latest seen, and no more than asked for', () => {
  const flows = table();
  const seen = [50, 20, 90, 10, 70, 30];
  for (const now of seen) flows.count(out({ sourcePort: now }), 0, true, now);
  expect(latestFlows(flows, 3).map((flow) => flow.lastSeen)).toEqual([90, 70, 50]);
  expect(latestFlows(flows, 0)).toEqual([]);
  expect(latestFlows(flows, 100)).toHaveLength(6);
});

test('a row is told by its device, its peer, or both, and only while it is used', () => {
  const flows = table();
  const row = flows.count(out(), 0, true, 0);
  const is = (device?: Int32Array, peer?: Int32Array) => flows.isOf(row, { device, peer });
  expect([is(), is(DEVICE), is(undefined, PEER), is(DEVICE, PEER)]).toEqual([true, true, true, true]);
  expect([is(PEER), is(undefined, DEVICE), is(DEVICE, DEVICE), is(PEER, PEER)]).toEqual([false, false, false, false]);
  flows.sweep(5_000, 10);
  expect(is()).toBe(false);
});

/** What every port does, whatever is behind it: the same story for Linux packet sockets and for memory. */
import { constants } from 'node:os';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Port } from '#port/port.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_PORT,
  F_STATUS,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_NONE,
  GSO_TCPV4,
  SLOT_HEADROOM,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import {
  Buffers,
  plainFrame,
  TCP_CSUM_OFFSET,
  TCP_L4,
  TCP_PAYLOAD,
  tagged,
  tcpChecksumIsRight,
  tcpFrame,
} from './packets.ts';

const { EINVAL, EMSGSIZE, ENETDOWN, ENXIO } = constants.errno;

/** Two ports at the ends of one link of MTU 1500 that carries superpackets and partial checksums unchanged. */
export interface Bench {
  readonly left: Port;
  readonly right: Port;
  setUp(up: boolean): void;
  remove(): void;
  close(): void;
}

const PARTIAL = { [F_FLAGS]: VNET_NEEDS_CSUM, [F_CSUM_START]: TCP_L4, [F_CSUM_OFFSET]: TCP_CSUM_OFFSET };
const SUPERPACKET = { ...PARTIAL, [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 1448 };

export function portSuite(open: () => Bench): void {
  let bench: Bench;
  let buffers: Buffers;
  beforeEach(() => {
    bench = open();
    buffers = new Buffers();
  });
  afterEach(() => bench.close());

  test('a frame arrives as it was sent, in a slot of its own, with a clean record', () => {
    const frame = plainFrame(60);
    buffers.add(frame);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [arrival] = buffers.arrivals(bench.right, 1);
    expect(arrival.bytes).toEqual(frame);
    expect(arrival.record[F_OFFSET]).toBe(SLOT_HEADROOM);
    expect(arrival.record[F_GSO_TYPE]).toBe(GSO_NONE);
    expect(arrival.record[F_GSO_SIZE]).toBe(0);
    expect(arrival.record[F_FLAGS] & VNET_NEEDS_CSUM).toBe(0);
    expect(arrival.record[F_VLAN_TCI]).toBe(-1);
    expect(arrival.record[F_STATUS]).toBe(0);
    expect(buffers.slab[SLOT_HEADROOM - 1]).toBe(0xa5);
    expect(buffers.slab[SLOT_HEADROOM + 60]).toBe(0xa5);
  });

  test('nothing waits: receive answers 0', () => {
    expect(bench.left.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
  });

  test('a batch keeps its order, also when it is taken in two parts', () => {
    for (let i = 0; i < 24; i++) buffers.add(plainFrame(64 + i, i));
    expect(new Set(buffers.send(bench.left))).toEqual(new Set([0]));
    expect(buffers.arrivals(bench.right, 24).map((a) => a.bytes.length)).toEqual(
      Array.from({ length: 24 }, (_, i) => 64 + i),
    );
  });

  test('a port sends its own records only, and leaves the others alone', () => {
    buffers.add(plainFrame(61), { [F_PORT]: 0 });
    buffers.add(plainFrame(62), { [F_PORT]: 1 });
    buffers.add(plainFrame(63), { [F_PORT]: 0 });
    bench.left.transmit(buffers.slab, buffers.sent, 0, buffers.queued, 0);
    expect(buffers.statuses()).toEqual([0, 0x5a5a, 0]);
    expect(buffers.arrivals(bench.right, 2).map((a) => a.bytes.length)).toEqual([61, 63]);
  });

  test('both directions work, and no port sees what it sent', () => {
    buffers.add(plainFrame(60));
    buffers.send(bench.left);
    buffers.add(plainFrame(70));
    buffers.send(bench.right);
    expect(buffers.arrivals(bench.right, 1)[0].bytes.length).toBe(60);
    expect(buffers.arrivals(bench.left, 1)[0].bytes.length).toBe(70);
    expect(bench.left.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
    expect(bench.right.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
  });

  test.each([
    ['802.1Q', 0x8100],
    ['802.1ad', 0x88a8],
  ])('an %s tag goes out beside the frame and comes in beside the frame', (_name, tpid) => {
    const frame = plainFrame(100);
    buffers.add(frame, { [F_VLAN_TCI]: 0xa005, [F_VLAN_TPID]: tpid });
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = buffers.arrivals(bench.right, 1);
    expect(bytes).toEqual(frame);
    expect([record[F_VLAN_TCI], record[F_VLAN_TPID]]).toEqual([0xa005, tpid]);
  });

  test('an inner tag stays in the frame', () => {
    const frame = tagged(plainFrame(100), 0x8100, 7);
    buffers.add(frame, { [F_VLAN_TCI]: 5, [F_VLAN_TPID]: 0x88a8 });
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = buffers.arrivals(bench.right, 1);
    expect(bytes).toEqual(frame);
    expect(record[F_VLAN_TCI]).toBe(5);
  });

  test('a superpacket crosses whole, with its segment size and its partial checksum', () => {
    const frame = tcpFrame(40_000);
    buffers.add(frame, SUPERPACKET);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = buffers.arrivals(bench.right, 1);
    expect(bytes).toEqual(frame);
    expect(record[F_GSO_TYPE]).toBe(GSO_TCPV4);
    expect(record[F_GSO_SIZE]).toBe(1448);
    expect(record[F_FLAGS] & VNET_NEEDS_CSUM).toBe(VNET_NEEDS_CSUM);
    expect([record[F_CSUM_START], record[F_CSUM_OFFSET]]).toEqual([TCP_L4, TCP_CSUM_OFFSET]);
  });

  test('a tagged superpacket crosses whole too', () => {
    const frame = tcpFrame(20_000);
    buffers.add(frame, { ...SUPERPACKET, [F_VLAN_TCI]: 9, [F_VLAN_TPID]: 0x8100 });
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = buffers.arrivals(bench.right, 1);
    expect(bytes).toEqual(frame);
    expect([record[F_GSO_SIZE], record[F_VLAN_TCI], record[F_CSUM_START]]).toEqual([1448, 9, TCP_L4]);
  });

  test('the largest superpacket fits a slot', () => {
    /* Linux cuts what reaches 65,536 bytes with the Ethernet header. */
    const frame = tcpFrame(65_535 - TCP_PAYLOAD);
    buffers.add(frame, SUPERPACKET);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = buffers.arrivals(bench.right, 1);
    expect(record[F_STATUS]).toBe(0);
    expect(bytes).toEqual(frame);
  });

  test('a superpacket of a single segment is not lost', () => {
    const frame = tcpFrame(1440);
    buffers.add(frame, SUPERPACKET);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes }] = buffers.arrivals(bench.right, 1);
    expect(bytes.subarray(TCP_PAYLOAD)).toEqual(frame.subarray(TCP_PAYLOAD));
  });

  test('a partial checksum arrives completed, or still named partial', () => {
    const frame = tcpFrame(100);
    buffers.add(frame, PARTIAL);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = buffers.arrivals(bench.right, 1);
    expect(tcpChecksumIsRight(frame)).toBe(false);
    if ((record[F_FLAGS] & VNET_NEEDS_CSUM) === 0) expect(tcpChecksumIsRight(bytes)).toBe(true);
    else expect([bytes, record[F_CSUM_START], record[F_CSUM_OFFSET]]).toEqual([frame, TCP_L4, TCP_CSUM_OFFSET]);
  });

  test('what is too large gets EMSGSIZE, and the next frame goes', () => {
    buffers.add(plainFrame(14 + 1501));
    buffers.add(tcpFrame(10_000), { ...SUPERPACKET, [F_GSO_SIZE]: 1449 });
    buffers.add(plainFrame(14 + 1500));
    buffers.add(tagged(plainFrame(14 + 1500), 0x8100, 7));
    expect(buffers.send(bench.left)).toEqual([EMSGSIZE, EMSGSIZE, 0, 0]);
    expect(buffers.arrivals(bench.right, 2).map((a) => a.record[F_LENGTH])).toEqual([1514, expect.any(Number)]);
  });

  test('frames of 0 to 13 bytes, and records that contradict themselves, get EINVAL, and the next frame goes', () => {
    for (let size = 0; size < 14; size++) buffers.add(plainFrame(size));
    buffers.add(tcpFrame(10_000), { ...SUPERPACKET, [F_GSO_SIZE]: 0 });
    buffers.add(tcpFrame(10_000), { ...SUPERPACKET, [F_CSUM_START]: 20_000 });
    buffers.add(plainFrame(60), { [F_OFFSET]: buffers.slab.length - 59 });
    buffers.add(plainFrame(60), { [F_OFFSET]: -1 });
    buffers.add(plainFrame(60));
    expect(buffers.send(bench.left)).toEqual([...Array(18).fill(EINVAL), 0]);
    expect(buffers.arrivals(bench.right, 1)[0].bytes.length).toBe(60);
  });

  test('a link that goes down and up again: one receive error, ENETDOWN meanwhile, then all is well', () => {
    bench.setUp(false);
    buffers.add(plainFrame(60));
    buffers.add(plainFrame(60));
    expect(buffers.send(bench.left)).toEqual([ENETDOWN, ENETDOWN]);
    expect(bench.left.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
    expect(bench.left.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
    expect([bench.left.takeErrors(), bench.left.takeErrors()]).toEqual([1, 0]);
    bench.setUp(true);
    buffers.add(plainFrame(77));
    expect(buffers.send(bench.left)).toEqual([0]);
    bench.right.receive(buffers.slab, buffers.received, 0, 0);
    expect(buffers.arrivals(bench.right, 1)[0]?.bytes.length).toBe(77);
  });

  test('an interface that was deleted: ENXIO, nothing to receive, one error', () => {
    bench.remove();
    buffers.add(plainFrame(60));
    expect(buffers.send(bench.left)).toEqual([ENXIO]);
    for (let i = 0; i < 3; i++) expect(bench.left.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
    expect(bench.left.takeErrors()).toBe(1);
  });

  test('frames that do not fit the queue are overruns, and are counted once', () => {
    let sent = 0;
    while (bench.right.takeOverruns() === 0 && sent < 20_000) {
      for (let i = 0; i < 64; i++) buffers.add(plainFrame(1514, i));
      buffers.send(bench.left);
      sent += 64;
    }
    expect(sent).toBeLessThan(20_000);
    expect(bench.right.takeOverruns()).toBe(0);
  });
}

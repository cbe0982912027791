/** What every port does, whatever is behind it: the same story for Linux packet sockets and for memory. */
import { constants } from 'node:os';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Port } from '#port/port.ts';
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
  F_STATUS,
  F_STRIDE,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_NONE,
  GSO_TCPV4,
  JOINED_MAX,
  SLOT_HEADROOM,
  VNET_JOINED,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import {
  type Arrival,
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

/**
 * Two ports at the ends of one link of MTU 1500. It carries superpackets and partial checksums unchanged, unless the
 * ports cut and complete what they send.
 */
export interface Bench {
  readonly left: Port;
  readonly right: Port;
  /** For a port without a descriptor that needs the event loop: `Buffers.arrivals`, once frames had time to come. */
  arrivals?(buffers: Buffers, port: Port, count: number): Promise<Arrival[]>;
  setUp(up: boolean): void;
  remove(): void;
  close(): void;
}

const PARTIAL = { [F_FLAGS]: VNET_NEEDS_CSUM, [F_CSUM_START]: TCP_L4, [F_CSUM_OFFSET]: TCP_CSUM_OFFSET };
const SEGMENT = 1448;
const SUPERPACKET = { ...PARTIAL, [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: SEGMENT };

export interface SuiteOptions {
  /** The port sends a superpacket as its segments. */
  readonly cuts?: boolean;
}

export function portSuite(open: () => Bench, { cuts = false }: SuiteOptions = {}): void {
  let bench: Bench;
  let buffers: Buffers;
  beforeEach(() => {
    bench = open();
    buffers = new Buffers();
  });
  afterEach(() => bench.close());
  const arrivals = async (port: Port, count: number): Promise<Arrival[]> =>
    (await bench.arrivals?.(buffers, port, count)) ?? buffers.arrivals(port, count);

  /** As how many frames a superpacket arrives. */
  const piecesOf = (frame: Uint8Array): number => (cuts ? Math.ceil((frame.length - TCP_PAYLOAD) / SEGMENT) : 1);

  /** That `got` is the superpacket `frame`: in one piece as it was sent, or segments that are right each by itself. */
  function expectSuperpacket(got: readonly Arrival[], frame: Uint8Array): void {
    const payload = got.flatMap(({ bytes }) => [...bytes.subarray(TCP_PAYLOAD)]);
    expect(Uint8Array.from(payload)).toEqual(frame.subarray(TCP_PAYLOAD));
    for (const { bytes, record } of got) {
      if (cuts) expect([record[F_GSO_TYPE], tcpChecksumIsRight(bytes)]).toEqual([GSO_NONE, true]);
      else expect([record[F_GSO_TYPE], record[F_GSO_SIZE], bytes]).toEqual([GSO_TCPV4, SEGMENT, frame]);
      expect(record[F_STATUS]).toBe(0);
    }
  }

  async function superpacketArrives(frame: Uint8Array): Promise<readonly Arrival[]> {
    const got = await arrivals(bench.right, piecesOf(frame));
    expectSuperpacket(got, frame);
    return got;
  }

  test('a frame arrives as it was sent, in a slot of its own, with a clean record', async () => {
    const frame = plainFrame(60);
    buffers.add(frame);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [arrival] = await arrivals(bench.right, 1);
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

  test('a batch keeps its order, also when it is taken in two parts', async () => {
    for (let i = 0; i < 24; i++) buffers.add(plainFrame(64 + i, i));
    expect(new Set(buffers.send(bench.left))).toEqual(new Set([0]));
    expect((await arrivals(bench.right, 24)).map((a) => a.bytes.length)).toEqual(
      Array.from({ length: 24 }, (_, i) => 64 + i),
    );
  });

  test('a port sends its own records only, and leaves the others alone', async () => {
    buffers.add(plainFrame(61), { [F_PORT]: 0 });
    buffers.add(plainFrame(62), { [F_PORT]: 1 });
    buffers.add(plainFrame(63), { [F_PORT]: 0 });
    bench.left.transmit(buffers.slab, buffers.sent, 0, buffers.queued, 0);
    expect(buffers.statuses()).toEqual([0, 0x5a5a, 0]);
    expect((await arrivals(bench.right, 2)).map((a) => a.bytes.length)).toEqual([61, 63]);
  });

  test('both directions work, and no port sees what it sent', async () => {
    buffers.add(plainFrame(60));
    buffers.send(bench.left);
    buffers.add(plainFrame(70));
    buffers.send(bench.right);
    expect((await arrivals(bench.right, 1))[0].bytes.length).toBe(60);
    expect((await arrivals(bench.left, 1))[0].bytes.length).toBe(70);
    expect(bench.left.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
    expect(bench.right.receive(buffers.slab, buffers.received, 0, 4)).toBe(0);
  });

  test.each([
    ['802.1Q', 0x8100],
    ['802.1ad', 0x88a8],
  ])('an %s tag goes out beside the frame and comes in beside the frame', async (_name, tpid) => {
    const frame = plainFrame(100);
    buffers.add(frame, { [F_VLAN_TCI]: 0xa005, [F_VLAN_TPID]: tpid });
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = await arrivals(bench.right, 1);
    expect(bytes).toEqual(frame);
    expect([record[F_VLAN_TCI], record[F_VLAN_TPID]]).toEqual([0xa005, tpid]);
  });

  test('an inner tag stays in the frame', async () => {
    const frame = tagged(plainFrame(100), 0x8100, 7);
    buffers.add(frame, { [F_VLAN_TCI]: 5, [F_VLAN_TPID]: 0x88a8 });
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = await arrivals(bench.right, 1);
    expect(bytes).toEqual(frame);
    expect(record[F_VLAN_TCI]).toBe(5);
  });

  test('a superpacket crosses, with its segment size and its partial checksum where it stays whole', async () => {
    const frame = tcpFrame(40_000);
    buffers.add(frame, SUPERPACKET);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ record }] = await superpacketArrives(frame);
    if (cuts) return;
    expect(record[F_FLAGS] & VNET_NEEDS_CSUM).toBe(VNET_NEEDS_CSUM);
    expect([record[F_CSUM_START], record[F_CSUM_OFFSET]]).toEqual([TCP_L4, TCP_CSUM_OFFSET]);
  });

  test('a tagged superpacket crosses too', async () => {
    const frame = tcpFrame(20_000);
    buffers.add(frame, { ...SUPERPACKET, [F_VLAN_TCI]: 9, [F_VLAN_TPID]: 0x8100 });
    expect(buffers.send(bench.left)).toEqual([0]);
    const got = await superpacketArrives(frame);
    expect(new Set(got.map(({ record }) => record[F_VLAN_TCI]))).toEqual(new Set([9]));
    if (!cuts) expect(got[0].record[F_CSUM_START]).toBe(TCP_L4);
  });

  test('the largest superpacket fits a slot', async () => {
    /* Linux cuts what reaches 65,536 bytes with the Ethernet header. */
    const frame = tcpFrame(65_535 - TCP_PAYLOAD);
    buffers.add(frame, SUPERPACKET);
    expect(buffers.send(bench.left)).toEqual([0]);
    await superpacketArrives(frame);
  });

  describe('a frame in several records', () => {
    const JOINED = { [F_FLAGS]: VNET_JOINED, [F_VLAN_TCI]: 77, [F_PORT]: 9 };

    /** Queues `frame` in pieces: the first record, then the others in the order of `places`; returns the indices. */
    function addChain(frame: Uint8Array, cuts: readonly number[], columns: Readonly<Record<number, number>>): number[] {
      const first = buffers.add(frame.subarray(0, cuts[0]), columns);
      const joined = cuts.map((at, i) => buffers.add(frame.subarray(at, cuts[i + 1] ?? frame.length), JOINED));
      chain([first, ...joined]);
      return [first, ...joined];
    }

    function chain(records: readonly number[]): void {
      for (const [i, record] of records.entries()) set(record, F_NEXT, (records[i + 1] ?? -1) + 1);
    }

    const set = (record: number, column: number, value: number): void => {
      buffers.sent[record * F_STRIDE + column] = value;
    };

    test('leaves whole, between its neighbours, and its records share one status', async () => {
      const frame = tcpFrame(40_000);
      buffers.add(plainFrame(60));
      addChain(frame, [1514, 10_000, 30_001], SUPERPACKET);
      buffers.add(plainFrame(61));
      expect(buffers.send(bench.left)).toEqual([0, 0, 0, 0, 0, 0]);
      const got = await arrivals(bench.right, 2 + piecesOf(frame));
      expect([got.at(0)?.bytes.length, got.at(-1)?.bytes.length]).toEqual([60, 61]);
      expectSuperpacket(got.slice(1, -1), frame);
    });

    test('with a tag beside it, and without being a superpacket, too', async () => {
      const frame = tcpFrame(1_000);
      addChain(frame, [100, 500], { ...PARTIAL, [F_VLAN_TCI]: 5, [F_VLAN_TPID]: 0x8100 });
      expect(buffers.send(bench.left)).toEqual([0, 0, 0]);
      const [{ bytes, record }] = await arrivals(bench.right, 1);
      expect(bytes.subarray(TCP_PAYLOAD)).toEqual(frame.subarray(TCP_PAYLOAD));
      expect(record[F_VLAN_TCI]).toBe(5);
    });

    test('is gathered from wherever in the batch its records are', async () => {
      const frame = tcpFrame(3_000);
      const late = buffers.add(frame.subarray(2_000), JOINED);
      const first = buffers.add(frame.subarray(0, 1_000), SUPERPACKET);
      const behind = buffers.add(frame.subarray(1_000, 2_000), JOINED);
      chain([first, behind, late]);
      bench.left.transmit(buffers.slab, buffers.sent, first, 1);
      expect(buffers.statuses()).toEqual([0, 0, 0]);
      await superpacketArrives(frame);
    });

    test('and as many as there may be', async () => {
      const frame = tcpFrame(20_000);
      const cuts = Array.from({ length: JOINED_MAX }, (_, i) => 200 + i * 300);
      for (let i = 0; i < 3; i++) {
        addChain(frame, cuts, SUPERPACKET);
        expect(new Set(buffers.send(bench.left))).toEqual(new Set([0]));
        await superpacketArrives(frame);
      }
    });

    test('a joined record that nothing leads to is not sent', async () => {
      buffers.add(plainFrame(60), JOINED);
      buffers.add(plainFrame(61));
      expect(buffers.send(bench.left)).toEqual([0x5a5a, 0]);
      expect((await arrivals(bench.right, 1))[0].bytes.length).toBe(61);
    });

    test('whose chain lies gets EINVAL, and the next frame goes', async () => {
      const lies: ((records: number[]) => void)[] = [
        ([first]) => set(first, F_NEXT, first + 1),
        ([, one, two]) => set(two, F_NEXT, one + 1),
        ([, , two]) => set(two, F_NEXT, -1),
        ([, , two]) => set(two, F_NEXT, 1_000_000),
        ([, , two]) => set(two, F_NEXT, 64 + 1),
        ([, one]) => set(one, F_FLAGS, 0),
        ([, one]) => set(one, F_OFFSET, -1),
        ([, one]) => set(one, F_OFFSET, buffers.slab.length - 10),
        ([, one]) => set(one, F_LENGTH, -1),
      ];
      for (const lie of lies) {
        const records = addChain(tcpFrame(1_000), [100, 500], PARTIAL);
        /* What is in no chain any more is not sent. */
        buffers.add(plainFrame(60));
        lie(records);
        bench.left.transmit(buffers.slab, buffers.sent, 0, 1);
        bench.left.transmit(buffers.slab, buffers.sent, 3, 1);
        const [status, , , next] = buffers.statuses();
        expect([status, next]).toEqual([EINVAL, 0]);
        expect((await arrivals(bench.right, 1))[0].bytes.length).toBe(60);
      }
    });

    test('that is longer than a chain may be gets EINVAL, as a circle does', () => {
      const cuts = Array.from({ length: JOINED_MAX }, (_, i) => 200 + i * 10);
      const records = addChain(tcpFrame(5_000), cuts, SUPERPACKET);
      const [first, second, third] = records;
      /* The queue has room for JOINED_MAX + 1 records: one of them, twice, is one too many. */
      chain([first, second, third, ...records.slice(3)]);
      set(records[JOINED_MAX], F_NEXT, second + 1);
      expect(buffers.send(bench.left)[0]).toBe(EINVAL);
    });

    test('whose segments exceed the MTU, or which exceeds an IP packet, gets EMSGSIZE in all its records', async () => {
      addChain(tcpFrame(10_000), [1_514, 3_000], { ...SUPERPACKET, [F_GSO_SIZE]: 1449 });
      addChain(tcpFrame(66_000), [1_514, 33_000], SUPERPACKET);
      addChain(tcpFrame(1_449), [100], PARTIAL);
      buffers.add(plainFrame(60));
      expect(buffers.send(bench.left)).toEqual([...Array(8).fill(EMSGSIZE), 0]);
      expect((await arrivals(bench.right, 1))[0].bytes.length).toBe(60);
    });

    test('tells all its records that the link is down', () => {
      bench.setUp(false);
      addChain(tcpFrame(10_000), [1_514, 3_000], SUPERPACKET);
      expect(buffers.send(bench.left)).toEqual([ENETDOWN, ENETDOWN, ENETDOWN]);
      bench.setUp(true);
    });
  });

  test('a superpacket of a single segment is not lost', async () => {
    const frame = tcpFrame(1440);
    buffers.add(frame, SUPERPACKET);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes }] = await arrivals(bench.right, 1);
    expect(bytes.subarray(TCP_PAYLOAD)).toEqual(frame.subarray(TCP_PAYLOAD));
  });

  test('a partial checksum arrives completed, or still named partial', async () => {
    const frame = tcpFrame(100);
    buffers.add(frame, PARTIAL);
    expect(buffers.send(bench.left)).toEqual([0]);
    const [{ bytes, record }] = await arrivals(bench.right, 1);
    expect(tcpChecksumIsRight(frame)).toBe(false);
    if ((record[F_FLAGS] & VNET_NEEDS_CSUM) === 0) expect(tcpChecksumIsRight(bytes)).toBe(true);
    else expect([bytes, record[F_CSUM_START], record[F_CSUM_OFFSET]]).toEqual([frame, TCP_L4, TCP_CSUM_OFFSET]);
  });

  test('what is too large gets EMSGSIZE, and the next frame goes', async () => {
    buffers.add(plainFrame(14 + 1501));
    buffers.add(tcpFrame(10_000), { ...SUPERPACKET, [F_GSO_SIZE]: 1449 });
    buffers.add(plainFrame(14 + 1500));
    buffers.add(tagged(plainFrame(14 + 1500), 0x8100, 7));
    expect(buffers.send(bench.left)).toEqual([EMSGSIZE, EMSGSIZE, 0, 0]);
    expect((await arrivals(bench.right, 2)).map((a) => a.record[F_LENGTH])).toEqual([1514, expect.any(Number)]);
  });

  test('frames of 0 to 13 bytes, and records that contradict themselves, get EINVAL, and the next frame goes', async () => {
    for (let size = 0; size < 14; size++) buffers.add(plainFrame(size));
    buffers.add(tcpFrame(10_000), { ...SUPERPACKET, [F_GSO_SIZE]: 0 });
    buffers.add(tcpFrame(10_000), { ...SUPERPACKET, [F_CSUM_START]: 20_000 });
    buffers.add(plainFrame(60), { [F_OFFSET]: buffers.slab.length - 59 });
    buffers.add(plainFrame(60), { [F_OFFSET]: -1 });
    buffers.add(plainFrame(60));
    expect(buffers.send(bench.left)).toEqual([...Array(18).fill(EINVAL), 0]);
    expect((await arrivals(bench.right, 1))[0].bytes.length).toBe(60);
  });

  test('a link that goes down and up again: one receive error, ENETDOWN meanwhile, then all is well', async () => {
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
    expect((await arrivals(bench.right, 1))[0]?.bytes.length).toBe(77);
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

/** What libpcap is given to send: segments as a link that cuts would make them. */
import { constants } from 'node:os';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FrameCutter } from '#port/pcap-frames.ts';
import { completeChecksum, fold, sum } from '#wire/checksum.ts';
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
  F_VLAN_TPID,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { TCP_ACK, TCP_CWR, TCP_FIN, TCP_FLAGS, TCP_PSH } from '#wire/tcp.ts';
import { plainFrame, tagged } from './packets.ts';

const { EINVAL } = constants.errno;
const MACS = [2, 0, 0x5e, 0x10, 0, 2, 2, 0, 0x5e, 0x10, 0, 1];
const TCP_BYTES = 20;
const UDP_BYTES = 8;

type Version = 4 | 6;

/** Ethernet, IP, TCP or UDP; the checksum field holds the pseudo-header's sum. */
function packet(version: Version, protocol: 'tcp' | 'udp', payload: number): Uint8Array {
  const l4 = 14 + (version === 4 ? 20 : 40);
  const header = protocol === 'tcp' ? TCP_BYTES : UDP_BYTES;
  const frame = new Uint8Array(l4 + header + payload);
  const view = new DataView(frame.buffer);
  frame.set(MACS);
  const number = protocol === 'tcp' ? 6 : 17;
  if (version === 4) {
    view.setUint16(12, 0x0800);
    frame.set([0x45, 0, 0, 0, 0xff, 0xff, 0x40, 0, 64, number, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2], 14);
    view.setUint16(16, frame.length - 14);
    completeChecksum(frame, 14, l4, 24);
  } else {
    view.setUint16(12, 0x86dd);
    frame.set([0x60, 0, 0, 0, 0, 0, number, 64], 14);
    view.setUint16(18, frame.length - l4);
    frame.fill(0x20, 22, 54);
  }
  view.setUint16(l4, 4_000);
  view.setUint16(l4 + 2, 5_000);
  if (protocol === 'tcp') {
    view.setUint32(l4 + 4, 0xffff_ff00);
    frame.set([0x50, TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR], l4 + 12);
  } else view.setUint16(l4 + 4, UDP_BYTES + payload);
  for (let i = 0; i < payload; i++) frame[l4 + header + i] = (i * 31 + (i >> 8)) & 0xff;
  view.setUint16(l4 + (protocol === 'tcp' ? 16 : 6), pseudo(frame, frame.length - l4));
  return frame;
}

function pseudo(frame: Uint8Array, length: number, l3 = 14): number {
  const isIpv4 = frame[l3] >>> 4 === 4;
  const [at, bytes, protocol] = isIpv4 ? [l3 + 12, 8, frame[l3 + 9]] : [l3 + 8, 32, frame[l3 + 6]];
  return fold(sum(frame, at, bytes, protocol + length));
}

/** True when IP header and layer 4 of an untagged frame say what is in it, checksums included. */
function isRight(frame: Uint8Array): boolean {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const isIpv4 = frame[14] >>> 4 === 4;
  const l4 = isIpv4 ? 34 : 54;
  const length = frame.length - l4;
  const ip = isIpv4
    ? view.getUint16(16) === frame.length - 14 && fold(sum(frame, 14, 20, 0)) === 0xffff
    : view.getUint16(18) === length;
  const udp = frame[isIpv4 ? 23 : 20] === 17;
  if (udp && view.getUint16(l4 + 4) !== length) return false;
  return ip && fold(sum(frame, l4, length, pseudo(frame, length))) === 0xffff;
}

function record(frame: Uint8Array, columns: Readonly<Record<number, number>>): Int32Array {
  const batch = new Int32Array(F_STRIDE);
  batch[F_LENGTH] = frame.length;
  batch[F_VLAN_TCI] = -1;
  for (const [name, value] of Object.entries(columns)) batch[Number(name)] = value;
  return batch;
}

/** The frames that a record becomes, or the errno. */
function cut(
  frame: Uint8Array,
  columns: Readonly<Record<number, number>>,
  cutter = new FrameCutter(),
): Uint8Array[] | number {
  const error = cutter.begin(frame, record(frame, columns), 0);
  if (error !== 0) return error;
  const frames: Uint8Array[] = [];
  for (let length = cutter.next(); length > 0; length = cutter.next())
    frames.push(Uint8Array.from(cutter.frame.subarray(0, length)));
  return frames;
}

const GSO = { tcp: { 4: GSO_TCPV4, 6: GSO_TCPV6 }, udp: { 4: GSO_UDP_L4, 6: GSO_UDP_L4 } };
const FIELD = { tcp: 16, udp: 6 };

describe('a superpacket', () => {
  const kinds = ([4, 6] as const).flatMap((version) =>
    (['tcp', 'udp'] as const).map((protocol) => [version, protocol] as const),
  );

  test.each(kinds)('IPv%i, %s: segments that are right, and together what it was', (version, protocol) => {
    const frame = packet(version, protocol, 3_500);
    const l4 = version === 4 ? 34 : 54;
    const header = l4 + (protocol === 'tcp' ? TCP_BYTES : UDP_BYTES);
    const partial = { [F_FLAGS]: VNET_NEEDS_CSUM, [F_CSUM_START]: l4, [F_CSUM_OFFSET]: FIELD[protocol] };
    const gso = { [F_GSO_TYPE]: GSO[protocol][version], [F_GSO_SIZE]: 1_000 };
    const complete = frame.slice();
    completeChecksum(complete, l4, complete.length, l4 + FIELD[protocol]);
    for (const frames of [cut(frame, { ...partial, ...gso }), cut(complete, gso)] as Uint8Array[][]) {
      expect(frames.map((f) => f.length - header)).toEqual([1_000, 1_000, 1_000, 500]);
      expect(frames.map(isRight)).toEqual([true, true, true, true]);
      expect(Uint8Array.from(frames.flatMap((f) => [...f.subarray(header)]))).toEqual(frame.subarray(header));
    }
  });

  test('TCP: numbers go on across 2^32, FIN and PSH stand at the end, CWR at the beginning, identifications count', () => {
    const frames = cut(packet(4, 'tcp', 2_100), {
      [F_GSO_TYPE]: GSO_TCPV4 | GSO_ECN,
      [F_GSO_SIZE]: 1_000,
    }) as Uint8Array[];
    const words = frames.map((f) => new DataView(f.buffer));
    expect(words.map((view) => view.getUint32(38))).toEqual([0xffff_ff00, 0x2e8, 0x6d0]);
    expect(words.map((view) => view.getUint16(18))).toEqual([0xffff, 0, 1]);
    expect(frames.map((f) => f[34 + TCP_FLAGS])).toEqual([TCP_ACK | TCP_CWR, TCP_ACK, TCP_ACK | TCP_PSH | TCP_FIN]);
  });

  test('of a single segment, and one without payload, is one frame', () => {
    const gso = { [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 1_000 };
    for (const payload of [0, 1, 1_000]) {
      const frames = cut(packet(4, 'tcp', payload), gso) as Uint8Array[];
      expect(frames.map((f) => [f.length, isRight(f)])).toEqual([[54 + payload, true]]);
      expect(frames[0][34 + TCP_FLAGS]).toBe(TCP_ACK | TCP_PSH | TCP_FIN | TCP_CWR);
    }
  });

  test('with a tag beside it and one inside: every segment has both', () => {
    const frame = tagged(packet(6, 'tcp', 2_000), 0x8100, 7);
    const columns = { [F_GSO_TYPE]: GSO_TCPV6, [F_GSO_SIZE]: 1_000, [F_VLAN_TCI]: 5, [F_VLAN_TPID]: 0x88a8 };
    const partial = { [F_FLAGS]: VNET_NEEDS_CSUM, [F_CSUM_START]: 58, [F_CSUM_OFFSET]: 16 };
    const frames = cut(frame, { ...columns, ...partial }) as Uint8Array[];
    expect(frames.map((f) => [...f.subarray(12, 20)])).toEqual(Array(2).fill([0x88, 0xa8, 0, 5, 0x81, 0, 0, 7]));
    const bare = frames.map((f) => Uint8Array.from([...f.subarray(0, 12), ...f.subarray(20)]));
    expect(bare.map(isRight)).toEqual([true, true]);
  });

  test('that contradicts itself gets EINVAL', () => {
    const frame = packet(4, 'tcp', 2_000);
    const gso = { [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 1_000 };
    const partial = { ...gso, [F_FLAGS]: VNET_NEEDS_CSUM, [F_CSUM_START]: 34, [F_CSUM_OFFSET]: 16 };
    expect(cut(frame, partial)).toHaveLength(2);
    for (const lie of [
      { ...gso, [F_GSO_SIZE]: 0 },
      { ...gso, [F_GSO_TYPE]: GSO_TCPV6 },
      { ...gso, [F_GSO_TYPE]: 3 },
      { ...partial, [F_CSUM_START]: 33 },
      { ...partial, [F_CSUM_START]: 2_050 },
      { ...partial, [F_CSUM_OFFSET]: 5_000 },
      { ...gso, [F_LENGTH]: 40 },
      { ...gso, [F_NEXT]: 9 },
    ]) {
      expect([lie, cut(frame, lie)]).toEqual([lie, EINVAL]);
    }
    frame[46] = 0x40;
    expect(cut(frame, gso)).toBe(EINVAL);
  });
});

describe('a single frame', () => {
  test('leaves as it is, or with its tag inside', () => {
    const frame = plainFrame(60);
    expect(cut(frame, {})).toEqual([frame]);
    expect(cut(frame, { [F_VLAN_TCI]: 0xa005, [F_VLAN_TPID]: 0x8100 })).toEqual([tagged(frame, 0x8100, 0xa005)]);
  });

  test('has its checksum completed, behind a tag too, and the slab stays as it is', () => {
    const frame = packet(4, 'udp', 333);
    const before = frame.slice();
    const partial = { [F_FLAGS]: VNET_NEEDS_CSUM, [F_CSUM_START]: 34, [F_CSUM_OFFSET]: 6 };
    const [plain] = cut(frame, partial) as Uint8Array[];
    expect(isRight(plain)).toBe(true);
    expect(cut(frame, { ...partial, [F_VLAN_TCI]: 9, [F_VLAN_TPID]: 0x8100 })).toEqual([tagged(plain, 0x8100, 9)]);
    expect(frame).toEqual(before);
  });
});

test('whatever a record says, it becomes frames inside the buffer or EINVAL', () => {
  const cutter = new FrameCutter();
  const column = fc.oneof(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), fc.integer({ min: -2, max: 2_100 }));
  const names = [F_OFFSET, F_LENGTH, F_FLAGS, F_GSO_TYPE, F_GSO_SIZE, F_CSUM_START, F_CSUM_OFFSET, F_VLAN_TCI, F_NEXT];
  const usual = { [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 500 };
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.constantFrom(...names), column), { maxLength: 4 }),
      fc.boolean(),
      fc.uint8Array({ minLength: 14, maxLength: 80 }),
      (wild, isSuper, head) => {
        const frame = packet(4, 'tcp', 2_000);
        if (head.length > 40) frame.set(head, 12);
        const got = cut(
          frame,
          { [F_GSO_TYPE]: GSO_NONE, ...(isSuper ? usual : {}), ...Object.fromEntries(wild) },
          cutter,
        );
        if (typeof got === 'number') expect(got).toBe(EINVAL);
        else for (const each of got) expect(each.length).toBeLessThanOrEqual(frame.length + 4);
      },
    ),
    { numRuns: 2_000 },
  );
});

import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { refuseUnsendable } from '#port/size.ts';
import {
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  GSO_ECN,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { Buffers, plainFrame, TCP_L4, tagged, tcpFrame } from './packets.ts';

const { EINVAL, EMSGSIZE } = constants.errno;

function statusOf(frame: Uint8Array, columns: Readonly<Record<number, number>> = {}, mtu = 1500): number {
  const buffers = new Buffers();
  buffers.add(frame, columns);
  refuseUnsendable(buffers.slab, buffers.sent, 0, 1, -1, mtu);
  return buffers.statuses()[0];
}

describe('the largest packet of a link', () => {
  test('counts from behind all tags', () => {
    expect(statusOf(plainFrame(1514))).toBe(0);
    expect(statusOf(plainFrame(1515))).toBe(EMSGSIZE);
    expect(statusOf(tagged(plainFrame(1514), 0x8100, 1))).toBe(0);
    expect(statusOf(tagged(tagged(plainFrame(1514), 0x8100, 1), 0x88a8, 2))).toBe(0);
    expect(statusOf(tagged(tagged(plainFrame(1515), 0x8100, 1), 0x88a8, 2))).toBe(EMSGSIZE);
  });

  test('is a superpacket’s segment with its headers, found by the checksum or by the headers', () => {
    const frame = tcpFrame(9_000);
    const partial = { [F_FLAGS]: VNET_NEEDS_CSUM, [F_CSUM_START]: TCP_L4 };
    for (const found of [partial, {}]) {
      expect(statusOf(frame, { ...found, [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 1448 })).toBe(0);
      expect(statusOf(frame, { ...found, [F_GSO_TYPE]: GSO_TCPV4 | GSO_ECN, [F_GSO_SIZE]: 1449 })).toBe(EMSGSIZE);
      expect(statusOf(frame, { ...found, [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 0 })).toBe(EINVAL);
    }
    expect(statusOf(frame, { ...partial, [F_GSO_TYPE]: GSO_UDP_L4, [F_GSO_SIZE]: 1472 })).toBe(0);
    expect(statusOf(frame, { ...partial, [F_GSO_TYPE]: GSO_UDP_L4, [F_GSO_SIZE]: 1473 })).toBe(EMSGSIZE);
  });

  test('is the whole packet where one segment would hold more', () => {
    const small = { [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 60_000 };
    expect(statusOf(tcpFrame(1448), small)).toBe(0);
    expect(statusOf(tcpFrame(1449), small)).toBe(EMSGSIZE);
  });
});

test('headers that end before they begin are no frame', () => {
  expect(statusOf(tagged(plainFrame(14), 0x8100, 1).slice(0, 17))).toBe(EINVAL);
  expect(statusOf(tcpFrame(0).slice(0, 40), { [F_GSO_TYPE]: GSO_TCPV4, [F_GSO_SIZE]: 100 })).toBe(EINVAL);
  expect(statusOf(plainFrame(60), { [F_GSO_TYPE]: GSO_TCPV6, [F_GSO_SIZE]: 100 })).toBe(EINVAL);
});

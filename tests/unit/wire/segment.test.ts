/**
 * Whoever cuts writes the same headers: every user of wire/segment.ts beside a twin that builds each segment from its
 * values.
 *
 *   superpacket ─┬─► twin: one packet after the other
 *                ├─► pcap port, tunnel, merged datagrams: equal in every byte
 *                └─► sealed, pccom: equal headers, but for what the transform itself adds
 */
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { FrameCutter } from '#port/pcap-frames.ts';
import { mergedDatagrams } from '#transform/merged-datagrams.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { openDatagram, sealDatagram, TRAILER } from '#transform/sealed-datagram.ts';
import { sealTcp } from '#transform/sealed-tcp.ts';
import { SEALED_OPTION } from '#transform/tcp-layout.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_STRIDE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  PORT_INNER,
  PORT_OUTER,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { tunnelledPackets } from '#wire/tunnel.ts';
import { type Carried, PccomRig } from '../transform/pccom-rig.ts';
import { ipPacket, tcpPacket, udpPacket } from '../transform/plain-packets.ts';
import { Capture } from './packets.ts';

const FIN = 0x01;
const PSH = 0x08;
const ACK = 0x10;
const URG = 0x20;
const ECE = 0x40;
const CWR = 0x80;
const ETHERNET = 14;
const GENERATION = 2;
/** Above every packet here, so that nothing is cut but by its segment size. */
const MTU = 9_000;

interface Super {
  readonly version: 4 | 6;
  readonly id: number;
  readonly payload: Buffer;
  /** Bytes of payload of every segment but the last. */
  readonly size: number;
}

interface SuperTcp extends Super {
  readonly sequence: number;
  readonly flags: number;
  readonly urgent: number;
}

/** At least what `sealed` cuts into, and a last segment that has room for a trailer. */
const superpacket = fc
  .record({
    version: fc.constantFrom(4 as const, 6 as const),
    id: fc.oneof(fc.nat(0xffff), fc.constant(0xfffe)),
    size: fc.integer({ min: 512, max: 1_400 }),
    whole: fc.integer({ min: 1, max: 5 }),
    rest: fc.integer({ min: TRAILER, max: 512 }),
  })
  .map(({ whole, rest, ...more }) => ({ ...more, payload: Buffer.alloc(whole * more.size + rest, 7) }));

const tcpSuperpacket = fc
  .record({
    common: superpacket,
    sequence: fc.oneof(fc.nat(0xffff_ffff), fc.integer({ min: 0xffff_f000, max: 0xffff_ffff })),
    flags: fc.subarray([FIN, PSH, URG, ECE, CWR]).map((some) => some.reduce((all, flag) => all | flag, ACK)),
    urgent: fc.oneof(fc.nat(0xffff), fc.nat(4_000)),
  })
  .map(({ common, ...more }): SuperTcp => ({ ...common, ...more }));

/* ── the twin ── */

const starts = ({ payload, size }: Super): number[] =>
  Array.from({ length: Math.ceil(payload.length / size) }, (_, i) => i * size);

function tcpOf(s: SuperTcp, options: Buffer = Buffer.alloc(0)): Buffer {
  const header = { sourcePort: 4_000, destinationPort: 502, acknowledgement: 9, window: 77, options };
  const { sequence, flags, urgent, payload } = s;
  return tcpPacket({ version: s.version, id: s.id }, { ...header, sequence, flags, urgent, payload });
}

const udpOf = (s: Super): Buffer => udpPacket({ version: s.version, id: s.id }, 4_000, 502, s.payload);

function tcpSegments(s: SuperTcp): SuperTcp[] {
  return starts(s).map((at, index) => {
    const isLast = at + s.size >= s.payload.length;
    const urgent = (s.flags & URG) !== 0 && s.urgent > at ? s.urgent - at : 0;
    const gone = (isLast ? 0 : FIN | PSH) | (index > 0 ? CWR : 0) | (urgent === 0 ? URG : 0);
    return {
      ...s,
      id: (s.id + index) & 0xffff,
      sequence: (s.sequence + at) >>> 0,
      flags: s.flags & ~gone,
      urgent,
      payload: s.payload.subarray(at, at + s.size),
    };
  });
}

const datagrams = (s: Super, added = 0): Super[] =>
  starts(s).map((at, index) => {
    const { length } = s.payload.subarray(at, at + s.size);
    return { ...s, id: (s.id + index) & 0xffff, payload: Buffer.alloc(length + added, 7) };
  });

/* ── the users ── */

const provider = createNativeProvider();
const rig = new PccomRig(provider);
afterAll(() => provider.close());

const gsoOf = (s: Super, udp: boolean): number => (udp ? GSO_UDP_L4 : s.version === 4 ? GSO_TCPV4 : GSO_TCPV6);
const ipBytes = (version: 4 | 6): number => (version === 4 ? 20 : 40);
const hexOf = (frames: readonly Uint8Array[]): string[] => frames.map((one) => Buffer.from(one).toString('hex'));

/** Up to the payload, without the checksum of layer 4. */
function headers(frame: Uint8Array, version: 4 | 6, udp: boolean): string {
  const l4 = ETHERNET + ipBytes(version);
  const bytes = Buffer.from(frame.subarray(0, l4 + (udp ? 8 : (frame[l4 + 12] >>> 4) * 4)));
  bytes.writeUInt16BE(0, l4 + (udp ? 6 : 16));
  return bytes.toString('hex');
}

function byPcap(s: Super, frame: Buffer, udp: boolean): Uint8Array[] {
  const capture = new Capture(frame).set(F_GSO_TYPE, gsoOf(s, udp)).set(F_GSO_SIZE, s.size);
  const cutter = new FrameCutter();
  expect(cutter.begin(capture.slab, capture.batch, capture.record * F_STRIDE)).toBe(0);
  const frames: Uint8Array[] = [];
  for (let length = cutter.next(); length > 0; length = cutter.next()) {
    frames.push(Uint8Array.from(cutter.frame.subarray(0, length)));
  }
  return frames;
}

/** Merged inside a tunnel of either IP version. */
function byTunnel(s: Super, frame: Buffer, udp: boolean, outer: 4 | 6): Uint8Array[] {
  const inTunnel = (inner: Buffer, id: number): Buffer =>
    ipPacket({ version: outer, id }, s.version === 4 ? 4 : 41, inner.subarray(ETHERNET));
  const capture = new Capture(inTunnel(frame, 0xfffe)).set(F_FLAGS, VNET_NEEDS_CSUM).set(F_GSO_TYPE, gsoOf(s, udp));
  capture.set(F_GSO_SIZE, s.size).set(F_CSUM_START, ETHERNET + ipBytes(outer) + ipBytes(s.version));
  expect(capture.parse()).toBe('gso-bad');
  const { slab, view, batch, record } = capture;
  return tunnelledPackets(slab, view, batch, record, capture.frame).map(({ bytes }, index) => {
    const head = bytes.subarray(ETHERNET + ipBytes(outer));
    const inner = Buffer.concat([frame.subarray(0, ETHERNET), head]);
    expect(Buffer.from(bytes).toString('hex')).toBe(inTunnel(inner, (0xfffe + index) & 0xffff).toString('hex'));
    return inner;
  });
}

function byMergedDatagrams(s: Super, frame: Buffer): Uint8Array[] {
  const capture = new Capture(frame).set(F_FLAGS, VNET_NEEDS_CSUM).set(F_GSO_TYPE, GSO_UDP_L4);
  capture
    .set(F_GSO_SIZE, s.size)
    .set(F_CSUM_START, ETHERNET + ipBytes(s.version))
    .set(F_CSUM_OFFSET, 6);
  expect(capture.parse()).toBe('ok');
  return mergedDatagrams(capture.slab, capture.batch, capture.record, capture.frame).map(({ bytes, record }) => {
    const cutter = new FrameCutter();
    expect(cutter.begin(bytes, record.with(0, 0), 0)).toBe(0);
    return Uint8Array.from(cutter.frame.subarray(0, cutter.next()));
  });
}

function arrive(s: Super, frame: Buffer, udp: boolean): void {
  expect(rig.arrive(frame, { gsoType: gsoOf(s, udp), gsoSize: s.size })).toBe(0);
}

function byPccom(s: Super, frame: Buffer, udp: boolean): Uint8Array[] {
  const whole: Carried = { bytes: frame, gsoType: gsoOf(s, udp), gsoSize: s.size };
  const cut = rig.encipher(whole, rig.pccom('initiator', { keyed: true }));
  return (cut as Carried[]).map(({ bytes }) => bytes);
}

/** The superpacket of datagrams that bear a trailer each; all but its number is the payload's own. */
function withTrailers(s: Super): Super {
  const payload = Buffer.from(s.payload);
  starts(s).forEach((at, index) => {
    const end = Math.min(at + s.size, payload.length);
    payload.writeUInt32BE(GENERATION * 2 ** 30, end - TRAILER);
    payload.writeUInt32BE(index + 1, end - TRAILER + 4);
  });
  return { ...s, payload };
}

describe('TCP', () => {
  test('by the pcap port and out of a tunnel: every byte', () => {
    fc.assert(
      fc.property(tcpSuperpacket, fc.constantFrom(4 as const, 6 as const), (s, outer) => {
        const expected = tcpSegments(s).map((one) => tcpOf(one));
        expect(hexOf(byPcap(s, tcpOf(s), false))).toEqual(hexOf(expected));
        expect(hexOf(byTunnel(s, tcpOf(s), false, outer))).toEqual(hexOf(expected));
      }),
    );
  });

  test('by pccom with keyed checksums, and by sealed beside its option: the headers', () => {
    fc.assert(
      fc.property(tcpSuperpacket, (s) => {
        const expected = tcpSegments(s);
        const of = (frame: Uint8Array): string => headers(frame, s.version, false);
        expect(byPccom(s, tcpOf(s), false).map(of)).toEqual(expected.map((one) => of(tcpOf(one))));
        arrive(s, tcpOf(s), false);
        const count = sealTcp(rig.work, rig.frame, rig.state('initiator', GENERATION), MTU, PORT_OUTER);
        expect(count).toBe(expected.length);
        const sealed = rig.settle().map(({ bytes }) => bytes);
        const option = ETHERNET + ipBytes(s.version) + 20;
        expect(sealed.map(of)).toEqual(
          expected.map((one, i) => of(tcpOf(one, sealed[i].subarray(option, option + SEALED_OPTION)))),
        );
      }),
    );
  });
});

describe('UDP', () => {
  test('by the pcap port, out of a tunnel, and while a pair changes its transform: every byte', () => {
    fc.assert(
      fc.property(superpacket, fc.constantFrom(4 as const, 6 as const), (s, outer) => {
        const expected = hexOf(datagrams(s).map(udpOf));
        expect(hexOf(byPcap(s, udpOf(s), true))).toEqual(expected);
        expect(hexOf(byTunnel(s, udpOf(s), true, outer))).toEqual(expected);
        expect(hexOf(byMergedDatagrams(s, udpOf(s)))).toEqual(expected);
      }),
    );
  });

  test('by pccom with keyed checksums, and by sealed with and without its trailers: the headers', () => {
    fc.assert(
      fc.property(superpacket, (s) => {
        const of = (frame: Uint8Array): string => headers(frame, s.version, true);
        const plain = datagrams(s).map((one) => of(udpOf(one)));
        expect(byPccom(s, udpOf(s), true).map(of)).toEqual(plain);

        arrive(s, udpOf(s), true);
        const count = sealDatagram(rig.work, rig.frame, rig.state('initiator', GENERATION), MTU, PORT_OUTER);
        expect(count).toBe(plain.length);
        const longer = datagrams(s, TRAILER).map((one) => of(udpOf(one)));
        expect(rig.settle().map(({ bytes }) => of(bytes))).toEqual(longer);

        arrive(s, udpOf(withTrailers(s)), true);
        const receiver = rig.state('responder', GENERATION);
        for (let i = 0; i < count; i++) {
          expect(openDatagram(rig.work, rig.frame, receiver, PORT_INNER, i)).toBe(0);
        }
        const shorter = datagrams(s, -TRAILER).map((one) => of(udpOf(one)));
        expect(rig.settle().map(({ bytes }) => of(bytes))).toEqual(shorter);
      }),
    );
  });
});

/** ICMP errors about sealed packets, as the device behind the gateway must see them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Quote, readQuote, translateQuotedError } from '#transform/quoted-error.ts';
import { TRAILER } from '#transform/sealed-datagram.ts';
import { SEALED_OPTION } from '#transform/tcp-layout.ts';
import { dropCode } from '#wire/drops.ts';
import { FORM_ICMP_ERROR } from '#wire/frame.ts';
import { SLOT_HEADROOM } from '#wire/record.ts';
import { checksumsAreRight, icmpPacket, onesSum, tcpPacket, udpPacket } from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';
import { Rig } from './sealed-rig.ts';

const rig = new Rig(PROVIDERS[1][1]());
const quote = new Quote();
const SEQUENCE = 0xffff_fff0;
const UNRELATED = dropCode('icmp-error-unrelated');

const tcp = (version: 4 | 6): Buffer =>
  tcpPacket(
    { version },
    {
      sourcePort: 40_001,
      destinationPort: 502,
      sequence: SEQUENCE,
      acknowledgement: 1,
      flags: 16,
      window: 9,
      urgent: 0,
      options: Buffer.alloc(0),
      payload: Buffer.alloc(200, 3),
    },
  ).subarray(14);
const udp = (version: 4 | 6): Buffer => udpPacket({ version }, 5000, 502, Buffer.alloc(300, 3)).subarray(14);

/** "Too big" that a router reports about `packet`. */
const tooBig = (version: 4 | 6, packet: Buffer, mtu: number): Buffer =>
  version === 4 ? icmpPacket({ version }, 3, 4, mtu, packet, true) : icmpPacket({ version }, 2, 0, mtu, packet, true);

function translate(error: Buffer, overhead: number, newest: number): Buffer | number {
  expect(rig.arrive(error)).toBe(0);
  expect(rig.frame.form).toBe(FORM_ICMP_ERROR);
  const { view } = rig.work;
  let code = readQuote(rig.slab, view, rig.frame, quote);
  if (code === 0) code = translateQuotedError(rig.slab, view, rig.frame, quote, overhead, newest);
  const after = Buffer.from(rig.slab.subarray(SLOT_HEADROOM, SLOT_HEADROOM + error.length));
  if (code < 0) expect(after.equals(error)).toBe(true);
  expect(rig.slab[SLOT_HEADROOM + error.length]).toBe(0xa5);
  expect(rig.slab[SLOT_HEADROOM - 1]).toBe(0xa5);
  return code < 0 ? code : after;
}

describe.each([4, 6] as const)('ICMP errors of IPv%i', (version) => {
  const l4 = version === 4 ? 34 : 54;
  const mtuOf = (error: Buffer) => (version === 4 ? error.readUInt16BE(l4 + 6) : error.readUInt32BE(l4 + 4));
  const floor = version === 4 ? 576 : 1280;

  it('report a path MTU less the overhead, with floors, and keep the raw one for the gateway', () => {
    const error = translate(tooBig(version, tcp(version), 1400), SEALED_OPTION, -1);
    expect(error).toBe(UNRELATED); /* the flow is unknown */
    for (const [reported, told] of [
      [1400, 1380],
      [floor + 5, floor],
      [100, floor],
    ]) {
      const fixed = translate(tooBig(version, tcp(version), reported), SEALED_OPTION, (SEQUENCE + 200) >>> 0) as Buffer;
      expect(mtuOf(fixed)).toBe(told);
      expect(quote.mtu).toBe(reported);
      expect(checksumsAreRight(fixed)).toBe(true);
    }
  });

  it('name the flow they are about', () => {
    translate(tooBig(version, tcp(version), 1400), SEALED_OPTION, SEQUENCE);
    expect([quote.protocol, quote.sourcePort, quote.destinationPort, quote.sequence]).toEqual([
      6,
      40_001,
      502,
      SEQUENCE,
    ]);
    expect(quote.source).toEqual(rig.frame.destination);
    expect(quote.destination).toEqual(rig.frame.source);
    translate(tooBig(version, udp(version), 1400), TRAILER, -1);
    expect([quote.protocol, quote.sourcePort, quote.destinationPort, quote.sequence]).toEqual([17, 5000, 502, 0]);
    const echo = icmpPacket({ version }, version === 4 ? 8 : 128, 0, 0x0a0b0001, Buffer.alloc(8)).subarray(14);
    translate(tooBig(version, echo, 1400), TRAILER, -1);
    expect([quote.sourcePort, quote.destinationPort]).toEqual([0x0a0b, 0x0a0b]);
  });

  it('about `pccom`, which adds nothing, keep every value; the quoted payload stays what it is on the wire', () => {
    for (const [packet, newest] of [
      [tcp(version), (SEQUENCE + 200) >>> 0],
      [udp(version), -1],
    ] as const) {
      const error = tooBig(version, packet, 1400);
      expect((translate(error, 0, newest) as Buffer).toString('hex')).toBe(error.toString('hex'));
      expect(mtuOf(translate(tooBig(version, packet, 100), 0, newest) as Buffer)).toBe(floor);
    }
    expect(translate(tooBig(version, tcp(version), 1400), 0, (SEQUENCE - 1) >>> 0)).toBe(UNRELATED);
    expect(translate(tooBig(version, tcp(version), 1400), 0, -1)).toBe(UNRELATED);
  });

  it('quote lengths as the device wrote them', () => {
    const fixed = translate(tooBig(version, udp(version), 1400), TRAILER, -1) as Buffer;
    const quoted = fixed.subarray(l4 + 8);
    if (version === 4) {
      expect(quoted.readUInt16BE(2)).toBe(328 - TRAILER);
      expect(onesSum(quoted.subarray(0, 20))).toBe(0xffff);
      expect(quoted.readUInt16BE(24)).toBe(308 - TRAILER);
    } else {
      expect(quoted.readUInt16BE(4)).toBe(308 - TRAILER);
      expect(quoted.readUInt16BE(44)).toBe(308 - TRAILER);
    }
    expect(mtuOf(fixed)).toBe(1376);
    expect(checksumsAreRight(fixed)).toBe(true);
  });

  it('about other things keep their word, also when only eight bytes are quoted', () => {
    const short = tcp(version).subarray(0, (version === 4 ? 20 : 40) + 8);
    const unreachable = icmpPacket({ version }, version === 4 ? 3 : 1, 1, 0, short, true);
    expect(translate(unreachable, SEALED_OPTION, SEQUENCE)).toEqual(unreachable);
    expect(quote.mtu).toBe(0);
  });

  it('count for nothing when their sequence number was never sent', () => {
    const error = tooBig(version, tcp(version), 1400);
    expect(translate(error, SEALED_OPTION, (SEQUENCE - 1) >>> 0)).toBe(UNRELATED);
    expect(translate(error, SEALED_OPTION, SEQUENCE)).toBeInstanceOf(Buffer);
    expect(translate(error, SEALED_OPTION, (SEQUENCE + 2 ** 30 + 1) >>> 0)).toBe(UNRELATED);
    expect(translate(error, SEALED_OPTION, (SEQUENCE + 2 ** 30) >>> 0)).toBeInstanceOf(Buffer);
  });

  it('count for nothing with a wrong checksum or too little quoted', () => {
    const error = tooBig(version, udp(version), 1400);
    error[error.length - 1] ^= 1;
    expect(translate(error, TRAILER, -1)).toBe(dropCode('bad-checksum'));
    for (let length = 0; length < (version === 4 ? 28 : 48); length++) {
      expect(translate(tooBig(version, udp(version).subarray(0, length), 1400), TRAILER, -1)).toBe(UNRELATED);
    }
  });

  it('survive any quote', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(255), (bytes, first) => {
        const packet = Buffer.from(bytes);
        if (packet.length > 0) packet[0] = (version << 4) | (first & 15);
        translate(tooBig(version, packet, 1400), TRAILER, 5);
      }),
    );
  });
});

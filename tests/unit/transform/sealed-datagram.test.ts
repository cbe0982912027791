/** `sealed` for UDP, ICMP and other protocols against a plain twin, and what happens when the trailer does not fit. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { packetsOf } from '#transform/datagram.ts';
import { fragmentRecord, spreadFragments } from '#transform/fragments.ts';
import {
  openDatagram,
  openDatagramBytes,
  sealDatagram,
  sealDatagramBytes,
  sealDatagramRecords,
  sealedDatagramGeneration,
  TRAILER,
} from '#transform/sealed-datagram.ts';
import { fragmentsOf, TOO_BIG, tooBigMtu } from '#transform/size.ts';
import { NUMBER_LIMIT, settleOpened } from '#transform/state.ts';
import { KIND_FRAGMENT, W_KIND } from '#transform/work.ts';
import { dropCode } from '#wire/drops.ts';
import { F_STRIDE, GSO_UDP_L4, PORT_INNER, PORT_OUTER } from '#wire/record.ts';
import {
  checksumsAreRight,
  type Ip,
  icmpPacket,
  ipPacket,
  pseudoHeader,
  udpPacket,
  word16,
  word32,
} from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';
import { Rig, twinSeal } from './sealed-rig.ts';

const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 5 + 3) & 255));
const addresses = (version: 4 | 6) => pseudoHeader(version, false, 0, 0).subarray(0, version === 4 ? 8 : 32);

/** Ciphertext and trailer of the first packet of generation 2. */
function twinPayload(aad: Buffer, payload: Buffer, number = 1): Buffer {
  const [sealed, tag] = twinSeal(number, aad, payload, 16);
  return Buffer.concat([sealed, word32(0x8000_0000 + Math.floor(number / 2 ** 32)), word32(number >>> 0), tag]);
}

function twinUdp(ip: Ip, payload: Buffer, number = 1, noChecksum = false): Buffer {
  const aad = Buffer.concat([
    Buffer.from([ip.version, 17, 0, 0]),
    word16(payload.length),
    word16(0),
    word32(0),
    word32(0),
    word16(5000),
    word16(502),
    addresses(ip.version),
  ]);
  return udpPacket(ip, 5000, 502, twinPayload(aad, payload, number), noChecksum);
}

function twinIcmp(ip: Ip, type: number, code: number, word: number, data: Buffer): Buffer {
  const aad = Buffer.concat([
    Buffer.from([ip.version, ip.version === 4 ? 1 : 58, type, code]),
    word16(data.length),
    word16(0),
    word32(word),
    word32(0),
    word32(0),
    addresses(ip.version),
  ]);
  return icmpPacket(ip, type, code, word, twinPayload(aad, data));
}

function twinOther(ip: Ip, protocol: number, payload: Buffer): Buffer {
  const aad = Buffer.concat([
    Buffer.from([ip.version, protocol, 0, 0]),
    word16(payload.length),
    word16(0),
    Buffer.alloc(12),
    addresses(ip.version),
  ]);
  return ipPacket(ip, protocol, twinPayload(aad, payload));
}

describe.each(PROVIDERS)('sealed datagrams, provider %s', (_name, create) => {
  const provider = create();
  const rig = new Rig(provider);
  afterAll(() => provider.close());

  function seal(packet: Buffer, state = rig.state('initiator'), mtu = 1500, verified = false): Buffer {
    expect(rig.arrive(packet, { verified })).toBe(0);
    const [records, bytes, top] = [
      sealDatagramRecords(rig.frame, mtu),
      sealDatagramBytes(rig.frame, mtu),
      rig.work.top,
    ];
    expect(sealDatagram(rig.work, rig.frame, state, mtu, PORT_OUTER)).toBe(1);
    expect(records).toBeGreaterThanOrEqual(1);
    expect(rig.work.top - top).toBeLessThanOrEqual(bytes);
    const [settled] = rig.settle();
    expect(settled.ok).toBe(true);
    expect(packet.equals(rig.slab.subarray(256, 256 + packet.length))).toBe(true);
    expect(rig.slab.subarray(rig.work.top).every((byte) => byte === 0xa5)).toBe(true);
    return settled.bytes;
  }

  function open(packet: Buffer, state = rig.state('responder'), verified = false): Buffer | number | undefined {
    expect(rig.arrive(packet, { verified })).toBe(0);
    const code = openDatagram(rig.work, rig.frame, state, PORT_INNER);
    if (code < 0) return code;
    const [settled] = rig.settle();
    if (!settled.ok) return undefined;
    return settleOpened(state, settled.number) ? settled.bytes : undefined;
  }

  function roundTrip(packet: Buffer, expected: Buffer): void {
    const wire = seal(packet);
    expect(wire.toString('hex')).toBe(expected.toString('hex'));
    expect((open(wire) as Buffer).toString('hex')).toBe(packet.toString('hex'));
    expect((open(Buffer.concat([wire, Buffer.alloc(7)])) as Buffer).toString('hex')).toBe(packet.toString('hex'));
  }

  describe.each([4, 6] as const)('IPv%i', (version) => {
    const ip: Ip = { version };
    it('seals UDP of every length', () => {
      for (let n = 0; n <= 70; n++) roundTrip(udpPacket(ip, 5000, 502, pattern(n)), twinUdp(ip, pattern(n)));
      const jumbo = pattern(65_000);
      expect(open(seal(udpPacket(ip, 5000, 502, jumbo), undefined, 65_575))).toEqual(udpPacket(ip, 5000, 502, jumbo));
    });

    it('keeps a UDP checksum of zero', () => {
      roundTrip(udpPacket(ip, 5000, 502, pattern(40), true), twinUdp(ip, pattern(40), 1, true));
    });

    it('seals Echo, other ICMP and ICMP errors behind their first eight bytes', () => {
      for (const type of version === 4 ? [8, 0, 13, 3, 11] : [128, 129, 133, 1, 3]) {
        roundTrip(icmpPacket(ip, type, 1, 0xabcd0007, pattern(56)), twinIcmp(ip, type, 1, 0xabcd0007, pattern(56)));
        roundTrip(icmpPacket(ip, type, 0, 1, pattern(0)), twinIcmp(ip, type, 0, 1, pattern(0)));
      }
    });

    it('seals the whole payload of any other protocol', () => {
      for (const protocol of [132, 47, version === 4 ? 58 : 1]) {
        roundTrip(ipPacket(ip, protocol, pattern(99)), twinOther(ip, protocol, pattern(99)));
        roundTrip(ipPacket(ip, protocol, pattern(0)), twinOther(ip, protocol, pattern(0)));
      }
    });

    it('walks over options, extension headers and tags', () => {
      const extra = version === 4 ? Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]) : Buffer.from([0, 0, 1, 4, 0, 0, 0, 0]);
      roundTrip(udpPacket({ version, extra }, 5000, 502, pattern(40)), twinUdp({ version, extra }, pattern(40)));
      const tagged: Ip = { version, tagged: true, tos: 0xb8 };
      roundTrip(udpPacket(tagged, 5000, 502, pattern(40)), twinUdp(tagged, pattern(40)));
    });

    it('cuts a UDP superpacket into its datagrams', () => {
      const state = rig.state('initiator');
      expect(rig.arrive(udpPacket(ip, 5000, 502, pattern(2500)), { gsoType: GSO_UDP_L4, gsoSize: 1000 })).toBe(0);
      expect(sealDatagramRecords(rig.frame, 1500)).toBe(3);
      const top = rig.work.top;
      const bound = sealDatagramBytes(rig.frame, 1500);
      expect(sealDatagram(rig.work, rig.frame, state, 1500, PORT_OUTER)).toBe(3);
      expect(rig.work.top - top).toBeLessThanOrEqual(bound);
      const wire = rig.settle();
      const all = pattern(2500);
      for (const [i, one] of wire.entries()) {
        const expected = twinUdp({ version, id: 0x1234 + i }, all.subarray(i * 1000, i * 1000 + 1000), i + 1);
        expect(one.bytes.toString('hex')).toBe(expected.toString('hex'));
      }
    });

    it('opens the datagrams of a superpacket, each by its own trailer', () => {
      const all = pattern(2500);
      const parts = [all.subarray(0, 1000), all.subarray(1000, 2000), all.subarray(2000)];
      const header = version === 4 ? 42 : 62;
      const sealed = parts.map((part, i) => twinUdp(ip, part, i + 1).subarray(header));
      sealed[1] = Buffer.from(sealed[1]);
      sealed[1][40] ^= 1;
      /* The third names another generation: it has another association. */
      const foreign = Buffer.from(sealed[2]);
      foreign[foreign.length - 24] ^= 0x40;
      const merged = udpPacket(ip, 5000, 502, Buffer.concat([sealed[0], sealed[1], foreign]));
      const state = rig.state('responder');
      expect(rig.arrive(merged, { gsoType: GSO_UDP_L4, gsoSize: 1024 })).toBe(0);
      expect(packetsOf(rig.frame)).toBe(3);
      const codes = [0, 1, 2].map((i) => {
        expect(sealedDatagramGeneration(rig.work.view, rig.frame, i)).toBe(i === 2 ? 3 : 2);
        const top = rig.work.top;
        const code = openDatagram(rig.work, rig.frame, state, PORT_INNER, i);
        expect(rig.work.top - top).toBeLessThanOrEqual(openDatagramBytes(rig.frame));
        return code;
      });
      expect(codes).toEqual([0, 0, dropCode('sealed-unknown-generation')]);
      const opened = rig.settle();
      expect(opened.map((one) => [one.ok, one.number])).toEqual([
        [true, 1],
        [false, 2],
      ]);
      expect(opened[0].bytes.toString('hex')).toBe(udpPacket(ip, 5000, 502, parts[0]).toString('hex'));
      expect(rig.slab.subarray(rig.work.top).every((byte) => byte === 0xa5)).toBe(true);

      rig.arrive(udpPacket(ip, 5000, 502, Buffer.concat(sealed)), { gsoType: GSO_UDP_L4, gsoSize: 1024 });
      for (let i = 0; i < 3; i++) expect(openDatagram(rig.work, rig.frame, state, PORT_INNER, i)).toBe(0);
      const last = rig.settle()[2];
      expect(last.ok).toBe(true);
      const expected = udpPacket({ version, id: 0x1236 }, 5000, 502, parts[2]);
      expect(last.bytes.toString('hex')).toBe(expected.toString('hex'));
    });

    it('refuses the datagram of a superpacket that is too short for a trailer, and opens the one before', () => {
      const sealed = twinUdp(ip, pattern(76)).subarray(version === 4 ? 42 : 62);
      const merged = udpPacket(ip, 5000, 502, Buffer.concat([sealed, pattern(23)]));
      expect(rig.arrive(merged, { gsoType: GSO_UDP_L4, gsoSize: 100 })).toBe(0);
      expect(sealedDatagramGeneration(rig.work.view, rig.frame, 1)).toBe(dropCode('sealed-missing-tag'));
      const state = rig.state('responder');
      expect(openDatagram(rig.work, rig.frame, state, PORT_INNER, 1)).toBe(dropCode('sealed-missing-tag'));
      expect(openDatagram(rig.work, rig.frame, state, PORT_INNER, 0)).toBe(0);
      expect(rig.settle()[0].bytes.toString('hex')).toBe(udpPacket(ip, 5000, 502, pattern(76)).toString('hex'));
    });

    it('tells the device which size fits, and fits that size', () => {
      const header = version === 4 ? 28 : 48;
      rig.arrive(udpPacket(ip, 5000, 502, pattern(1500 - header - 23)));
      expect(sealDatagram(rig.work, rig.frame, rig.state('initiator'), 1500, PORT_OUTER)).toBe(TOO_BIG);
      expect(tooBigMtu(rig.frame, 1500, TRAILER)).toBe(1476);
      expect(rig.work.recordCount).toBe(0);
      expect(seal(udpPacket(ip, 5000, 502, pattern(1476 - header)))).toHaveLength(1514);
      expect(tooBigMtu(rig.frame, 500, TRAILER)).toBe(version === 4 ? 576 : 1280);
    });

    it('fragments what may not be refused', () => {
      const floor = version === 4 ? 576 : 1280;
      const fitting = floor - (version === 4 ? 28 : 48);
      const whole = twinUdp(ip, pattern(fitting));
      rig.arrive(udpPacket(ip, 5000, 502, pattern(fitting)));
      const bound = { records: sealDatagramRecords(rig.frame, floor), bytes: sealDatagramBytes(rig.frame, floor) };
      const top = rig.work.top;
      expect(sealDatagram(rig.work, rig.frame, rig.state('initiator'), floor, PORT_OUTER)).toBe(1);
      rig.settle();
      expect(fragmentRecord(rig.work, 0, floor, 0xabcd)).toBe(2);
      spreadFragments(rig.work);
      expect(rig.work.recordCount).toBe(2);
      expect(rig.work.recordCount).toBeLessThanOrEqual(bound.records);
      expect(rig.work.top - top).toBeLessThanOrEqual(bound.bytes);
      expect(rig.work.records[W_KIND]).toBe(KIND_FRAGMENT);
      expect(rig.work.records[F_STRIDE + W_KIND]).toBe(KIND_FRAGMENT);
      const parts = [rig.take(0).bytes, rig.take(1).bytes];
      const l4 = version === 4 ? 34 : 62;
      const data = Buffer.concat(parts.map((part) => part.subarray(l4)));
      expect(data.toString('hex')).toBe(whole.subarray(version === 4 ? 34 : 54).toString('hex'));
      for (const part of parts) expect(part.length - 14).toBeLessThanOrEqual(floor);
      if (version === 4) {
        expect(parts.map((part) => part.readUInt16BE(20))).toEqual([0x2000, (parts[0].length - 34) / 8]);
        expect(parts.map((part) => part.readUInt16BE(18))).toEqual([0xabcd, 0xabcd]);
      }
    });

    it('detects a change of every authenticated byte of an Echo', () => {
      const wire = seal(icmpPacket(ip, version === 4 ? 8 : 128, 0, 0x00010002, pattern(20)));
      const l4 = version === 4 ? 34 : 54;
      for (let at = l4; at < wire.length; at++) {
        const changed = Buffer.from(wire);
        changed[at] ^= 1;
        const opened = open(changed, undefined, true);
        expect(Buffer.isBuffer(opened), `byte ${at - l4}`).toBe(at === l4 + 2 || at === l4 + 3);
      }
    });
  });

  it('reassembled datagrams leave in fragments, though IPv6 forbids it to routers', () => {
    rig.arrive(udpPacket({ version: 6 }, 5000, 502, pattern(4000)));
    expect(sealDatagram(rig.work, rig.frame, rig.state('initiator'), 1500, PORT_OUTER)).toBe(TOO_BIG);
    expect(sealDatagram(rig.work, rig.frame, rig.state('initiator'), 1500, PORT_OUTER, true)).toBe(1);
    expect(fragmentsOf(rig.frame, 1500, TRAILER)).toBe(3);
  });

  it('refuses a fragment: it has to be reassembled first', () => {
    const packet = udpPacket({ version: 4, df: false }, 5000, 502, pattern(40));
    word16(0x2000).copy(packet, 20);
    rig.arrive(packet);
    expect(sealDatagram(rig.work, rig.frame, rig.state('initiator'), 1500, 0)).toBe(dropCode('fragment-bad'));
    expect(openDatagram(rig.work, rig.frame, rig.state('responder'), 0)).toBe(dropCode('fragment-bad'));
  });

  it('refuses what has no room for a trailer in any packet', () => {
    rig.arrive(udpPacket({ version: 4, df: false }, 5000, 502, pattern(65_500)));
    expect(sealDatagram(rig.work, rig.frame, rig.state('initiator'), 1500, 0)).toBe(dropCode('sealed-too-long'));
    rig.arrive(udpPacket({ version: 4, df: true }, 5000, 502, pattern(65_500)));
    expect(sealDatagram(rig.work, rig.frame, rig.state('initiator'), 65_535, 0)).toBe(TOO_BIG);
    const state = rig.state('initiator');
    state.nextNumber = NUMBER_LIMIT;
    rig.arrive(udpPacket({ version: 4 }, 5000, 502, pattern(5)));
    expect(sealDatagram(rig.work, rig.frame, state, 1500, 0)).toBe(dropCode('sealed-exhausted'));
  });

  it('carries numbers beyond 32 bits, and refuses impossible ones', () => {
    const state = rig.state('initiator');
    state.nextNumber = 2 ** 40 + 3;
    const wire = seal(udpPacket({ version: 4 }, 5000, 502, pattern(9)), state);
    expect(wire).toEqual(twinUdp({ version: 4 }, pattern(9), 2 ** 40 + 3));
    expect(open(wire)).toBeInstanceOf(Buffer);
    wire[wire.length - 24] |= 1;
    expect(open(wire, undefined, true)).toBe(dropCode('sealed-forged'));
  });

  it('opens nothing twice, nothing short, nothing of another generation', () => {
    const packet = udpPacket({ version: 4 }, 5000, 502, pattern(23));
    const wire = seal(packet);
    const receiver = rig.state('responder');
    expect(open(wire, receiver)).toBeInstanceOf(Buffer);
    expect(open(wire, receiver)).toBe(dropCode('sealed-replay'));
    expect(open(packet)).toBe(dropCode('sealed-missing-tag'));
    expect(open(wire, rig.state('responder', 0))).toBe(dropCode('sealed-unknown-generation'));
    expect(open(wire, rig.state('initiator'))).toBeUndefined();
    rig.arrive(wire);
    expect(sealedDatagramGeneration(rig.work.view, rig.frame)).toBe(2);
    rig.arrive(packet);
    expect(sealedDatagramGeneration(rig.work.view, rig.frame)).toBe(dropCode('sealed-missing-tag'));
  });

  it('notices line errors on both sides', () => {
    const packet = udpPacket({ version: 4 }, 5000, 502, pattern(23));
    packet[50] ^= 4;
    rig.arrive(packet, { verified: false });
    sealDatagram(rig.work, rig.frame, rig.state('initiator'), 1500, 0);
    expect(rig.settle()[0].ok).toBe(false);
    const wire = seal(udpPacket({ version: 4 }, 5000, 502, pattern(24)));
    wire[40] ^= 4;
    expect(open(wire, undefined, false)).toBeUndefined();
    expect(open(wire, undefined, true)).toBeInstanceOf(Buffer);
  });

  it('bears a translated Echo', () => {
    const packet = icmpPacket({ version: 4 }, 8, 0, 0x00010002, pattern(20));
    const wire = seal(packet, rig.state('initiator', 2, 'own'));
    word16(0x7777).copy(wire, 38);
    Buffer.from([203, 0, 113, 1]).copy(wire, 26);
    expect(open(wire, rig.state('responder', 2, 'peer'), true)).toBeInstanceOf(Buffer);
    expect(open(wire, rig.state('responder'), true)).toBeUndefined();
    wire[41] ^= 1;
    expect(open(wire, rig.state('responder', 2, 'peer'), true)).toBeUndefined();
  });

  it('restores every datagram that it sealed', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4, 6),
        fc.uint8Array({ maxLength: 1400 }),
        fc.nat(255),
        fc.constantFrom(17, 1, 58, 132),
        (version, data, tos, protocol) => {
          const ip: Ip = { version: version as 4 | 6, tos };
          const payload = Buffer.from(data);
          const packet =
            protocol === 17
              ? udpPacket(ip, 5000, 502, payload)
              : protocol === 132
                ? ipPacket(ip, 132, payload)
                : icmpPacket(ip, version === 4 ? 8 : 128, 0, 0x11112222, payload);
          const wire = seal(packet);
          expect(checksumsAreRight(wire) || protocol === 132).toBe(true);
          expect((open(wire) as Buffer).toString('hex')).toBe(packet.toString('hex'));
        },
      ),
      { numRuns: 50 },
    );
  });
});

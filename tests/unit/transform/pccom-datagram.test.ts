/** `pccom` for UDP, ICMP and other protocols: what is clear, what is enciphered, superpackets, fragments. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fragmentRecord, spreadFragments } from '#transform/fragments.ts';
import { TOO_BIG } from '#transform/size.ts';
import { dropCode } from '#wire/drops.ts';
import { GSO_NONE, GSO_TCPV4, GSO_UDP_L4 } from '#wire/record.ts';
import { type Carried, hex, merge, PccomRig, segments, twinCipher, twinTweak } from './pccom-rig.ts';
import { checksumsAreRight, type Ip, icmpPacket, ipPacket, udpPacket, word16 } from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';

const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 5 + 3) & 255));
const LENGTHS = [0, 1, 2, 3, 8, 15, 16, 17, 64, 1400, 65_000];

describe.each(PROVIDERS)('pccom datagrams, provider %s', (_name, create) => {
  const provider = create();
  const rig = new PccomRig(provider);
  const sender = rig.pccom('initiator');
  const receiver = rig.pccom('responder');
  afterAll(() => provider.close());

  function one(frames: Carried[] | number): Carried {
    expect(frames).toHaveLength(1);
    return (frames as Carried[])[0];
  }

  function roundTrip(packet: Buffer, expected: Buffer): void {
    for (const verified of [true, false]) {
      const wire = one(rig.encipher(packet, sender, { verified }));
      expect(wire.bytes.toString('hex')).toBe(expected.toString('hex'));
      expect(hex([rig.decipher(wire, receiver, { verified }) as Carried])).toEqual([packet.toString('hex')]);
      /* Ethernet's padding is no part of the packet. */
      const padded = Buffer.concat([wire.bytes, Buffer.alloc(9)]);
      expect(hex([rig.decipher(padded, receiver, { verified }) as Carried])).toEqual([packet.toString('hex')]);
    }
  }

  describe.each([4, 6] as const)('IPv%i', (version) => {
    const ip: Ip = { version };
    const headers = version === 4 ? 34 : 54;

    it('of UDP the payload, of every length', () => {
      const tweak = twinTweak(version, 17, 0, [5000, 502]);
      for (const length of LENGTHS) {
        const payload = twinCipher(provider, sender, tweak, pattern(length));
        roundTrip(udpPacket(ip, 5000, 502, pattern(length)), udpPacket(ip, 5000, 502, payload));
        roundTrip(udpPacket(ip, 5000, 502, pattern(length), true), udpPacket(ip, 5000, 502, payload, true));
      }
    });

    it('of ICMP, errors too, what stands behind eight bytes; type, code and the eight bytes are in the tweak', () => {
      for (const type of version === 4 ? [8, 0, 13, 3] : [128, 129, 133, 1]) {
        for (const length of LENGTHS) {
          const tweak = twinTweak(version, version === 4 ? 1 : 58, 0xabcd0007, [0, 0], type, 1);
          const data = twinCipher(provider, sender, tweak, pattern(length));
          roundTrip(icmpPacket(ip, type, 1, 0xabcd0007, pattern(length)), icmpPacket(ip, type, 1, 0xabcd0007, data));
        }
      }
    });

    it('of any other protocol the whole IP payload', () => {
      for (const protocol of [132, 47, version === 4 ? 58 : 1]) {
        for (const length of LENGTHS) {
          const payload = twinCipher(provider, sender, twinTweak(version, protocol), pattern(length));
          roundTrip(ipPacket(ip, protocol, pattern(length)), ipPacket(ip, protocol, payload));
        }
      }
    });

    it('behind options, extension headers and tags', () => {
      const extra = version === 4 ? Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]) : Buffer.from([0, 0, 1, 4, 0, 0, 0, 0]);
      const payload = twinCipher(provider, sender, twinTweak(version, 17, 0, [5000, 502]), pattern(40));
      for (const around of [
        { version, extra },
        { version, tagged: true, tos: 0xb8 },
      ]) {
        roundTrip(udpPacket(around, 5000, 502, pattern(40)), udpPacket(around, 5000, 502, payload));
      }
    });

    it('leaves what lies behind a UDP length off: nothing travels in the clear', () => {
      const surplus = udpPacket(ip, 5000, 502, pattern(60));
      word16(8 + 40).copy(surplus, headers + 4);
      word16(0).copy(surplus, headers + 6);
      const wire = one(rig.encipher(surplus, sender)).bytes;
      expect(wire).toHaveLength(headers + 48);
      const expected = udpPacket(ip, 5000, 502, pattern(40), true);
      expect(hex([rig.decipher(wire, receiver) as Carried])).toEqual([expected.toString('hex')]);
    });

    it('carries a UDP superpacket whole; on the wire it is what its datagrams are, each for itself', () => {
      for (const [length, gsoSize] of [
        [2500, 1000],
        [3000, 1000],
        [128 * 20, 20],
        [1009, 1000],
        [60, 7],
      ]) {
        const whole = { bytes: udpPacket(ip, 5000, 502, pattern(length)), gsoType: GSO_UDP_L4, gsoSize };
        const wire = one(rig.encipher(whole, sender));
        expect(wire).toMatchObject({ gsoType: GSO_UDP_L4, gsoSize });
        const datagrams = segments(wire);
        expect(datagrams.map((part) => part.toString('hex'))).toEqual(
          segments(whole).flatMap((part) => hex(rig.encipher(part, sender)) as string[]),
        );
        const device = rig.decipher(merge(datagrams, GSO_UDP_L4, gsoSize), receiver) as Carried;
        expect(device).toMatchObject({ gsoType: GSO_UDP_L4, gsoSize });
        expect(device.bytes.equals(whole.bytes)).toBe(true);
      }
    });

    it('gives noise in the wrong direction and to another port, address, type or identifier', () => {
      const packet = icmpPacket(ip, version === 4 ? 8 : 128, 0, 0x00010002, pattern(64));
      const wire = one(rig.encipher(packet, sender)).bytes;
      const noise = (frame: Buffer, state = receiver): string =>
        (rig.decipher(frame, state) as Carried).bytes.subarray(-64).toString('hex');
      const seen = new Set([noise(wire), noise(wire, sender), noise(wire, rig.pccom('responder', { generation: 1 }))]);
      for (const at of [headers - 1, headers - 5, headers + 1, headers + 4, headers + 7, wire.length - 1]) {
        const changed = Buffer.from(wire);
        changed[at] ^= 1;
        seen.add(noise(changed));
      }
      expect(noise(wire)).toBe(pattern(64).toString('hex'));
      expect(seen.size).toBe(9);
    });

    it('bears a translated Echo', () => {
      const packet = icmpPacket(ip, version === 4 ? 8 : 128, 0, 0x00010002, pattern(20));
      const wire = one(rig.encipher(packet, rig.pccom('initiator', { translated: 'own' }))).bytes;
      word16(0x7777).copy(wire, headers + 4);
      wire[version === 4 ? 29 : 37] ^= 0x33;
      const far = rig.pccom('responder', { translated: 'peer' });
      expect((rig.decipher(wire, far) as Carried).bytes.subarray(-20)).toEqual(pattern(20));
      expect((rig.decipher(wire, receiver) as Carried).bytes.subarray(-20)).not.toEqual(pattern(20));
      wire[headers + 7] ^= 1;
      expect((rig.decipher(wire, far) as Carried).bytes.subarray(-20)).not.toEqual(pattern(20));
    });

    it('a packet of exactly the path MTU passes; a larger one is told, or cut behind the cipher', () => {
      const fitting = pattern(1500 - headers - 8 + 14);
      expect(rig.encipher(udpPacket(ip, 5000, 502, fitting), sender, { mtu: 1500 })).toHaveLength(1);
      const large = udpPacket({ version, df: true }, 5000, 502, pattern(3000));
      expect(rig.encipher(large, sender, { mtu: 1500 })).toBe(TOO_BIG);
      for (const [packet, reassembled] of [
        [large, true],
        [udpPacket({ version, df: false }, 5000, 502, pattern(3000)), version === 6],
      ] as const) {
        const whole = one(rig.encipher(packet, sender, { mtu: 1500, reassembled })).bytes;
        expect(fragmentRecord(rig.work, 0, 1500, 0xabcd)).toBe(3);
        spreadFragments(rig.work);
        const parts = [0, 1, 2].map((i) => rig.take(i).bytes.subarray(version === 4 ? 34 : 62));
        expect(Buffer.concat(parts).toString('hex')).toBe(whole.subarray(headers).toString('hex'));
      }
    });

    it('cuts a superpacket of datagrams that have to leave in fragments', () => {
      const whole = {
        bytes: udpPacket({ version, df: false }, 5000, 502, pattern(4000)),
        gsoType: GSO_UDP_L4,
        gsoSize: 1600,
      };
      const parts = rig.encipher(whole, sender, { mtu: 1500, reassembled: version === 6 }) as Carried[];
      expect(parts.map((part) => [part.gsoType, part.bytes.length - headers - 8])).toEqual([
        [GSO_NONE, 1600],
        [GSO_NONE, 1600],
        [GSO_NONE, 800],
      ]);
      expect(hex(parts)).toEqual(segments(whole).flatMap((part) => hex(rig.encipher(part, sender)) as string[]));
      expect(rig.encipher({ ...whole, gsoSize: 1400 }, sender, { mtu: 1500 })).toHaveLength(1);
    });

    it('refuses what arrives with a line error, either way', () => {
      for (const packet of [
        udpPacket(ip, 5000, 502, pattern(30)),
        udpPacket(ip, 5000, 502, pattern(0)),
        icmpPacket(ip, version === 4 ? 8 : 128, 0, 7, pattern(9)),
        icmpPacket(ip, version === 4 ? 8 : 128, 0, 7, pattern(0)),
      ]) {
        const wire = one(rig.encipher(packet, sender)).bytes;
        for (const at of [headers + 3, packet.length - 1]) {
          /* Not the type of an ICMP message or the ports' high bytes: those would still be a packet, and parse as
           * one. */
          const [bad, badWire] = [Buffer.from(packet), Buffer.from(wire)];
          bad[at] ^= 4;
          badWire[at] ^= 4;
          expect(rig.encipher(bad, sender, { verified: false })).toBe(dropCode('bad-checksum'));
          expect(rig.decipher(badWire, receiver, { verified: false })).toBe(dropCode('bad-checksum'));
        }
      }
    });
  });

  it('refuses a fragment: it has to be reassembled first', () => {
    const packet = udpPacket({ version: 4, df: false }, 5000, 502, pattern(40));
    word16(0x2000).copy(packet, 20);
    expect(rig.encipher(packet, sender)).toBe(dropCode('fragment-bad'));
    expect(rig.decipher(packet, receiver)).toBe(dropCode('fragment-bad'));
  });

  it.each([
    ['of 129 datagrams', { gsoType: GSO_UDP_L4, gsoSize: 10 }, 1290, false],
    ['with a segment size of zero', { gsoType: GSO_UDP_L4, gsoSize: 0 }, 1290, false],
    ['with a segment size above its payload', { gsoType: GSO_UDP_L4, gsoSize: 1291 }, 1290, false],
    ['of the type of TCP', { gsoType: GSO_TCPV4, gsoSize: 1000 }, 1290, false],
    ['without checksum', { gsoType: GSO_UDP_L4, gsoSize: 1000 }, 1290, true],
  ])('refuses a superpacket %s, and takes the next one', (_what, how, length, noChecksum) => {
    const bytes = udpPacket({ version: 4 }, 5000, 502, pattern(length), noChecksum);
    expect(rig.encipher({ bytes, ...how }, sender)).toBe(dropCode('gso-bad'));
    expect(rig.decipher({ bytes, ...how }, receiver)).toBe(dropCode('gso-bad'));
    const right = { bytes: udpPacket({ version: 4 }, 5000, 502, pattern(1280)), gsoType: GSO_UDP_L4, gsoSize: 10 };
    expect(rig.encipher(right, sender)).toHaveLength(1);
  });

  it('restores every packet that it enciphered, changed nothing but payload and checksum', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4 as const, 6 as const),
        fc.oneof(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 9000 })),
        fc.nat(255),
        fc.constantFrom(17, 1, 58, 132),
        fc.boolean(),
        (version, data, tos, protocol, verified) => {
          const ip: Ip = { version, tos };
          const payload = Buffer.from(data);
          const packet =
            protocol === 17
              ? udpPacket(ip, 5000, 502, payload)
              : protocol === 132
                ? ipPacket(ip, 132, payload)
                : icmpPacket(ip, version === 4 ? 8 : 128, 0, 0x11112222, payload);
          const wire = one(rig.encipher(packet, sender, { verified }));
          expect(protocol === 132 || checksumsAreRight(wire.bytes)).toBe(true);
          const clear = packet.length - payload.length;
          const masked = Buffer.from(wire.bytes.subarray(0, clear));
          const l4 = version === 4 ? 34 : 54;
          const field = protocol === 132 ? -1 : l4 + (protocol === 17 ? 6 : 2);
          if (field > 0) packet.copy(masked, field, field, field + 2);
          expect(masked.toString('hex')).toBe(packet.subarray(0, clear).toString('hex'));
          if (payload.length >= 16) expect(wire.bytes.subarray(clear).equals(payload)).toBe(false);
          expect(hex([rig.decipher(wire, receiver, { verified }) as Carried])).toEqual([packet.toString('hex')]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

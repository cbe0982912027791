/**
 * `pccom` for TCP: a superpacket goes through whole, and is on the wire what its segments would have been.
 *
 *   device ──frame──► encipher ──frame──► (segmented, merged anew) ──► decipher ──frame──► device
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { fragmentRecord } from '#transform/fragments.ts';
import { TOO_BIG, tooBigMtu } from '#transform/size.ts';
import { RENEW_AFTER_BYTES } from '#transform/state.ts';
import { dropCode } from '#wire/drops.ts';
import { GSO_ECN, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4 } from '#wire/record.ts';
import { type Carried, hex, merge, PccomRig, segments, twinCipher, twinTweak } from './pccom-rig.ts';
import { type Ip, type Tcp, tcpPacket, word16, word32 } from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';

const FIN = 1;
const SYN = 2;
const PSH = 8;
const ACK = 16;
const URG = 32;
const CWR = 128;
const STAMPS = Buffer.concat([Buffer.from([1, 1, 8, 10]), word32(0xdeadbeef), word32(0x01020304)]);
const SIGNATURE = Buffer.concat([Buffer.from([1, 1, 19, 18]), Buffer.alloc(16, 0x5a)]);

const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255));
const segment = (over: Partial<Tcp> = {}): Tcp => ({
  sourcePort: 40_001,
  destinationPort: 502,
  sequence: 0xffff_f000,
  acknowledgement: 0x1000_0000,
  flags: ACK,
  window: 512,
  urgent: 0,
  options: STAMPS,
  payload: Buffer.alloc(0),
  ...over,
});
const gsoOf = (version: 4 | 6): number => (version === 4 ? GSO_TCPV4 : GSO_TCPV6);
const superpacket = (ip: Ip, tcp: Tcp, gsoSize: number): Carried => ({
  bytes: tcpPacket(ip, tcp),
  gsoType: gsoSize > 0 ? gsoOf(ip.version) : GSO_NONE,
  gsoSize,
});

describe.each(PROVIDERS)('pccom TCP, provider %s', (_name, create) => {
  const provider = create();
  const rig = new PccomRig(provider);
  const sender = rig.pccom('initiator');
  const receiver = rig.pccom('responder');
  const renewed = {
    sender: rig.pccom('initiator', { generation: 1 }),
    receiver: rig.pccom('responder', { generation: 1 }),
  };
  afterAll(() => provider.close());

  function one(frames: Carried[] | number): Carried {
    expect(frames).toHaveLength(1);
    return (frames as Carried[])[0];
  }

  describe.each([4, 6] as const)('IPv%i', (version) => {
    const ip: Ip = { version };

    it('enciphers every length of payload under the tweak of its segment, and nothing else', () => {
      for (const length of [0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 100, 1448, 9000]) {
        const tcp = segment({ payload: pattern(length), flags: ACK | PSH });
        const tweak = twinTweak(version, 6, tcp.sequence, [40_001, 502]);
        const expected = tcpPacket(ip, { ...tcp, payload: twinCipher(provider, sender, tweak, tcp.payload) });
        const wire = one(rig.encipher(tcpPacket(ip, tcp), sender, { verified: length % 2 === 0 }));
        expect(wire.bytes.toString('hex'), `${length} bytes`).toBe(expected.toString('hex'));
        const opened = rig.decipher(wire, receiver, { verified: length % 2 === 1 });
        expect(hex([opened as Carried])).toEqual([tcpPacket(ip, tcp).toString('hex')]);
      }
    });

    it('passes SYN, reset, signatures, unknown options and tags as they are', () => {
      for (const over of [
        { flags: SYN, options: Buffer.from([2, 4, 5, 180, 34, 2, 1, 1]) },
        { flags: SYN, payload: pattern(40), options: Buffer.from([34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1]) },
        { flags: 4, options: Buffer.alloc(0) },
        { flags: ACK | PSH, payload: pattern(300), options: SIGNATURE },
        { flags: ACK, payload: pattern(300), options: Buffer.from([5, 200, 1, 1]) },
      ]) {
        for (const around of [ip, { version, tagged: true, tos: 0xb8 }]) {
          const packet = tcpPacket(around, segment(over));
          const wire = one(rig.encipher(packet, sender)).bytes;
          const payload = over.payload?.length ?? 0;
          const field = packet.length - payload - 20 - over.options.length + 16;
          const clear = Buffer.from(wire.subarray(0, packet.length - payload));
          packet.copy(clear, field, field, field + 2);
          expect(clear.toString('hex')).toBe(packet.subarray(0, clear.length).toString('hex'));
          expect(hex([rig.decipher(wire, receiver) as Carried])).toEqual([packet.toString('hex')]);
        }
      }
    });

    it('carries a superpacket whole, in and out, its ECN bit too', () => {
      const tcp = segment({ payload: pattern(45 * 1448 - 5), flags: ACK | PSH | CWR });
      const whole = superpacket(ip, tcp, 1448);
      const wire = one(rig.encipher({ ...whole, gsoType: whole.gsoType | GSO_ECN }, sender));
      expect(wire).toMatchObject({ gsoType: whole.gsoType | GSO_ECN, gsoSize: 1448 });
      expect(wire.bytes).toHaveLength(whole.bytes.length);
      const device = rig.decipher(wire, receiver) as Carried;
      expect(device).toMatchObject({ gsoType: whole.gsoType | GSO_ECN, gsoSize: 1448 });
      expect(device.bytes.equals(whole.bytes)).toBe(true);
    });

    it('refuses what arrives with a line error, either way', () => {
      for (const payload of [pattern(0), pattern(5), pattern(100)]) {
        const packet = tcpPacket(ip, segment({ payload }));
        const wire = one(rig.encipher(packet, sender)).bytes;
        for (const at of [0, 14, packet.length - 1 - (version === 4 ? 34 : 54)]) {
          const [bad, badWire] = [Buffer.from(packet), Buffer.from(wire)];
          bad[(version === 4 ? 34 : 54) + at] ^= 4;
          badWire[(version === 4 ? 34 : 54) + at] ^= 4;
          expect(rig.encipher(bad, sender, { verified: false })).toBe(dropCode('bad-checksum'));
          expect(rig.decipher(badWire, receiver, { verified: false })).toBe(dropCode('bad-checksum'));
        }
        expect(rig.decipher(wire, receiver, { verified: false })).toMatchObject({ bytes: packet });
      }
    });

    it('gives noise in the wrong direction, to another port, another sequence number or another generation', () => {
      const packet = tcpPacket(ip, segment({ payload: pattern(100) }));
      const wire = one(rig.encipher(packet, sender)).bytes;
      const payload = (frame: Buffer): string => frame.subarray(-100).toString('hex');
      const noise = (frame: Buffer, state = receiver): string => payload((rig.decipher(frame, state) as Carried).bytes);
      expect(noise(wire)).toBe(payload(packet));
      const l4 = version === 4 ? 34 : 54;
      const seen = new Set([payload(packet), payload(wire), noise(wire, sender), noise(wire, renewed.receiver)]);
      for (const at of [1, 3, 7]) {
        const changed = Buffer.from(wire);
        changed[l4 + at] ^= 1;
        seen.add(noise(changed));
      }
      const flipped = Buffer.from(wire);
      flipped[flipped.length - 1] ^= 1;
      seen.add(noise(flipped));
      expect(seen.size).toBe(8);
      /* The acknowledgement number, the flags and the window are no part of it: GRO and the network may differ in
       * them. */
      for (const at of [11, 13, 15]) {
        const changed = Buffer.from(wire);
        changed[l4 + at] ^= 8;
        expect(noise(changed)).toBe(payload(packet));
      }
    });

    it('bears the translation of a side that is configured so', () => {
      const packet = tcpPacket(ip, segment({ payload: pattern(100) }));
      const wire = one(rig.encipher(packet, rig.pccom('initiator', { translated: 'own' }))).bytes;
      const l4 = version === 4 ? 34 : 54;
      wire[version === 4 ? 29 : 37] ^= 0x44;
      word16(61_000).copy(wire, l4);
      const far = rig.pccom('responder', { translated: 'peer' });
      expect((rig.decipher(wire, far) as Carried).bytes.subarray(-100)).toEqual(pattern(100));
      expect((rig.decipher(wire, receiver) as Carried).bytes.subarray(-100)).not.toEqual(pattern(100));
      word16(503).copy(wire, l4 + 2);
      expect((rig.decipher(wire, far) as Carried).bytes.subarray(-100)).not.toEqual(pattern(100));
    });

    it('tells the device when a segment does not fit, and fragments where that is allowed', () => {
      const headers = version === 4 ? 52 : 72;
      const fits = superpacket(ip, segment({ payload: pattern(4000) }), 1500 - headers);
      expect(rig.encipher(fits, sender, { mtu: 1500 })).toHaveLength(1);
      const tooLarge = superpacket(ip, segment({ payload: pattern(4000) }), 1501 - headers);
      expect(rig.encipher(tooLarge, sender, { mtu: 1500 })).toBe(TOO_BIG);
      expect(tooBigMtu(rig.frame, 1500, 0)).toBe(1500);
      expect(rig.encipher(tcpPacket(ip, segment({ payload: pattern(1500) })), sender, { mtu: 1500 })).toBe(TOO_BIG);
      const whole = tcpPacket(ip, segment({ payload: pattern(1500) }));
      expect(rig.encipher(whole, sender, { mtu: 1500, reassembled: true })).toHaveLength(1);
      expect(fragmentRecord(rig.work, 0, 1500, 0xabcd)).toBe(2);
      if (version === 6) return;
      const cut = superpacket({ version: 4, df: false }, segment({ payload: pattern(4000) }), 1460);
      const parts = rig.encipher(cut, sender, { mtu: 1500 });
      expect(hex(parts)).toEqual(segments(cut).flatMap((part) => hex(rig.encipher(part, sender)) as string[]));
    });
  });

  it('what is enciphered as a superpacket is what its segments are, each for itself', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(4 as const, 6 as const),
        fc.integer({ min: 1, max: 1448 }),
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 1448 }),
        fc.nat(0xffff_ffff),
        fc.constantFrom(Buffer.alloc(0), STAMPS, SIGNATURE),
        fc.array(fc.nat(29), { maxLength: 4 }),
        (version, gsoSize, count, rest, sequence, options, cuts) => {
          const ip: Ip = { version, tos: rest & 0xff };
          const payload = pattern((count - 1) * gsoSize + Math.min(rest, gsoSize));
          const tcp = segment({ payload, sequence, options, flags: ACK | PSH });
          const whole = superpacket(ip, tcp, count > 1 ? gsoSize : 0);
          const plain = segments(whole);
          const wire = segments(one(rig.encipher(whole, sender)));
          expect(hex(plain.flatMap((part) => rig.encipher(part, sender) as Carried[]))).toEqual(
            wire.map((part) => part.toString('hex')),
          );
          /* The network and GRO group them in any other way; what the device gets is its own segments. */
          const bounds = [0, ...cuts.map((cut) => cut % wire.length), wire.length].sort((a, b) => a - b);
          const groups = bounds.slice(1).map((end, i) => wire.slice(bounds[i], end));
          const device = groups
            .filter((group) => group.length > 0)
            .flatMap((group) => segments(rig.decipher(merge(group, gsoOf(version), gsoSize), receiver) as Carried));
          const ids = (frame: Buffer): string => {
            const copy = Buffer.from(frame);
            /* GRO adds flags up, and cutting counts identifications up from the first. */
            if (version === 4) copy.fill(0, 18, 20).fill(0, 24, 26);
            return copy.toString('hex');
          };
          expect(device.map(ids)).toEqual(plain.map(ids));
        },
      ),
      { numRuns: 40 },
    );
  });

  it('takes the largest superpacket', () => {
    const whole = superpacket({ version: 4 }, segment({ payload: pattern(65_535 - 52) }), 1448);
    const wire = one(rig.encipher(whole, sender));
    expect((rig.decipher(wire, receiver) as Carried).bytes.equals(whole.bytes)).toBe(true);
  });

  describe('at a key switch', () => {
    const ip: Ip = { version: 4 };
    const base = 0xffff_fc00;
    const octet = (bytes: number): number => (base + bytes) >>> 0;
    const send = (frame: Carried, sequence: number) =>
      rig.encipher(frame, renewed.sender, { at: { older: sender, sequence } }) as Carried[];
    const receive = (frame: Carried | Buffer, sequence: number) =>
      rig.decipher(frame, renewed.receiver, { at: { older: receiver, sequence } }) as Carried;
    const part = (from: number, to: number, over: Partial<Tcp> = {}, index = 0) =>
      tcpPacket(
        { version: 4, id: 0x1234 + index },
        segment({ sequence: octet(from), payload: pattern(3000).subarray(from, to), ...over }),
      );

    it('octets before the switch keep the old keys, those from it on have the new ones, mod 2^32', () => {
      const frame = superpacket(ip, segment({ sequence: base, payload: pattern(1000) }), 0);
      for (const [sequence, state] of [
        [octet(0), renewed.sender],
        [octet(-70_000), renewed.sender],
        [octet(1000), sender],
        [octet(900_000), sender],
      ] as const) {
        expect(hex(send(frame, sequence))).toEqual(hex(rig.encipher(frame, state)));
        expect(receive(send(frame, sequence)[0], sequence).bytes).toEqual(frame.bytes);
      }
    });

    it('cuts a segment that straddles it in two', () => {
      const flags = ACK | PSH | FIN | CWR | URG;
      const frame = superpacket(ip, segment({ sequence: base, payload: pattern(1000), flags, urgent: 700 }), 0);
      const wire = send(frame, octet(600));
      const halves = [
        part(0, 600, { flags: ACK | CWR | URG, urgent: 700 }),
        part(600, 1000, { flags: ACK | PSH | FIN | URG, urgent: 100 }, 1),
      ];
      expect(hex(wire)).toEqual([
        ...(hex(rig.encipher(halves[0], sender)) as string[]),
        ...(hex(rig.encipher(halves[1], renewed.sender)) as string[]),
      ]);
      expect(wire.map((half) => receive(half, octet(600)).bytes.toString('hex'))).toEqual(
        halves.map((half) => half.toString('hex')),
      );
      const unverified = { ...frame, bytes: Buffer.from(frame.bytes) };
      const at = { older: sender, sequence: octet(600) };
      expect(hex(rig.encipher(unverified, renewed.sender, { at, verified: false }))).toEqual(hex(wire));
      unverified.bytes[unverified.bytes.length - 1] ^= 1;
      expect(rig.encipher(unverified, renewed.sender, { at, verified: false })).toBe(dropCode('bad-checksum'));
    });

    it('cuts a superpacket into what lies before, two halves of a segment, and what lies behind', () => {
      const frame = superpacket(ip, segment({ sequence: base, payload: pattern(2900), flags: ACK | PSH }), 500);
      const wire = send(frame, octet(1300));
      expect(wire.map((piece) => [piece.bytes.length - 66, piece.gsoSize])).toEqual([
        [1000, 500],
        [300, 0],
        [200, 0],
        [1400, 500],
      ]);
      const device = wire.map((piece) => receive(piece, octet(1300)));
      expect(Buffer.concat(device.map((piece) => piece.bytes.subarray(66)))).toEqual(pattern(2900));
      expect(device.map((piece) => piece.bytes[47])).toEqual([ACK, ACK, ACK, ACK | PSH]);
      expect(device.map((piece) => piece.bytes.readUInt16BE(18) - 0x1234)).toEqual([0, 2, 3, 4]);
    });

    it('leaves the ECN bit with the part that has CWR', () => {
      const frame = superpacket(ip, segment({ sequence: base, payload: pattern(2900), flags: ACK | CWR }), 500);
      const wire = send({ ...frame, gsoType: GSO_TCPV4 | GSO_ECN }, octet(1300));
      expect(wire.map((piece) => piece.gsoType)).toEqual([GSO_TCPV4 | GSO_ECN, GSO_NONE, GSO_NONE, GSO_TCPV4]);
      expect(wire.map((piece) => piece.bytes[47] & CWR)).toEqual([CWR, 0, 0, 0]);
    });

    it('cuts between segments where the switch lies there, and deciphers what GRO merges over it', () => {
      const frame = superpacket(ip, segment({ sequence: base, payload: pattern(2900) }), 500);
      const wire = send(frame, octet(1500));
      expect(wire.map((piece) => piece.bytes.length - 66)).toEqual([1500, 1400]);
      const merged = merge(wire.flatMap(segments), GSO_TCPV4, 500);
      expect(receive(merged, octet(1500)).bytes.subarray(66)).toEqual(pattern(2900));
      expect(receive(merged, octet(1000)).bytes.subarray(66)).not.toEqual(pattern(2900));
    });

    it('a retransmission in other pieces, a pure acknowledgement and a SYN go through', () => {
      const sequence = octet(700);
      for (const [from, to, gsoSize] of [
        [0, 700, 300],
        [600, 800, 0],
        [699, 701, 0],
        [0, 2999, 333],
        [700, 2000, 400],
      ]) {
        const payload = pattern(3000).subarray(from, to);
        const frame = superpacket(ip, segment({ sequence: octet(from), payload }), gsoSize);
        const device = send(frame, sequence).map((piece) => receive(piece, sequence));
        expect(Buffer.concat(device.map((piece) => piece.bytes.subarray(66)))).toEqual(payload);
      }
      for (const over of [{}, { flags: SYN, payload: pattern(900) }]) {
        const packet = tcpPacket(ip, segment({ sequence: base, ...over }));
        const wire = send({ bytes: packet, gsoType: 0, gsoSize: 0 }, sequence);
        expect(wire.map((piece) => receive(piece, sequence).bytes.toString('hex'))).toEqual([packet.toString('hex')]);
      }
    });

    it('equals the same stream cut at the switch, for any frame and switch', () => {
      fc.assert(
        fc.property(
          fc.constantFrom(4 as const, 6 as const),
          fc.integer({ min: 1, max: 400 }),
          fc.integer({ min: 1, max: 2000 }),
          fc.integer({ min: -50, max: 2100 }),
          fc.nat(0xffff_ffff),
          (version, gsoSize, bytes, offset, start) => {
            const length = Math.min(bytes, gsoSize * 20);
            const payload = pattern(length);
            const frame = superpacket(
              { version },
              segment({ sequence: start, payload }),
              length > gsoSize ? gsoSize : 0,
            );
            const sequence = (start + offset) >>> 0;
            const wire = send(frame, sequence);
            const device = wire.flatMap((piece) => segments(piece)).map((piece) => receive(piece, sequence));
            const headers = version === 4 ? 66 : 86;
            let next = start;
            for (const piece of device) {
              expect(piece.bytes.readUInt32BE(headers - 28)).toBe(next);
              next = (next + piece.bytes.length - headers) >>> 0;
            }
            expect(Buffer.concat(device.map((piece) => piece.bytes.subarray(headers)))).toEqual(payload);
          },
        ),
        { numRuns: 40 },
      );
    });
  });

  it('counts what each key enciphers, and asks for new ones in time', () => {
    const older = rig.pccom('initiator');
    const state = rig.pccom('initiator', { generation: 1 });
    const frame = tcpPacket({ version: 4 }, segment({ sequence: 100, payload: pattern(1000) }));
    rig.encipher(frame, state, { at: { older, sequence: 700 } });
    expect([older.encipheredBytes, state.encipheredBytes]).toEqual([600, 400]);
    expect(state.renewalDue).toBe(false);
    state.encipheredBytes = RENEW_AFTER_BYTES + 1;
    expect(state.renewalDue).toBe(true);
  });

  describe('a superpacket that lies is refused by name, and the next frame is fine', () => {
    const tcp = segment({ payload: pattern(3000) });
    const right = superpacket({ version: 4 }, tcp, 1448);
    it.each([
      ['a segment size of zero', { ...right, gsoSize: 0 }, 'gso-bad'],
      ['a segment size above its payload', { ...right, gsoSize: 3001 }, 'gso-bad'],
      ['the type of UDP', { ...right, gsoType: GSO_UDP_L4 }, 'gso-bad'],
      ['the type of the other IP version', { ...right, gsoType: GSO_TCPV6 }, 'gso-bad'],
      ['headers beyond its end', { ...right, bytes: right.bytes.subarray(0, 50) }, 'ip-bad-length'],
      ['a TCP header longer than the packet', superpacket({ version: 4 }, segment(), 0), 'tcp-bad-header'],
    ] as const)('%s', (what, frame, name) => {
      const bytes = Buffer.from(frame.bytes);
      if (what.startsWith('a TCP header')) bytes[46] = 0xf0;
      for (const state of [sender, receiver]) {
        expect(rig.encipher({ ...frame, bytes }, state)).toBe(dropCode(name));
        expect(rig.decipher({ ...frame, bytes }, state)).toBe(dropCode(name));
        expect(rig.encipher(right, state)).toHaveLength(1);
      }
    });
  });
});

/** `checksum: keyed`: the wire checksum tells a forged or changed packet, 16 bits' worth. */
import { afterAll, describe, expect, it } from 'vitest';
import {
  J_AAD_LENGTH,
  J_KEY,
  J_LENGTH,
  J_OP,
  J_SRC,
  J_STATUS,
  J_STRIDE,
  OP_DECIPHER,
  OP_ENCIPHER,
  OP_MASK,
  STATUS_FORGED,
} from '#transform/cipher.ts';
import { settleKeyedOut } from '#transform/pccom-checksum.ts';
import { W_JOBS, Work } from '#transform/work.ts';
import { dropCode } from '#wire/drops.ts';
import { F_CSUM_OFFSET, F_CSUM_START, GSO_NONE, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4 } from '#wire/record.ts';
import { type Carried, hex, PccomRig, segments, twinCipher, twinTweak } from './pccom-rig.ts';
import {
  checksumsAreRight,
  type Ip,
  icmpPacket,
  ipPacket,
  onesSum,
  type Tcp,
  tcpPacket,
  udpPacket,
  word16,
  word32,
} from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';

const FORGED = dropCode('pccom-forged-checksum');
const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 11 + 3) & 255));
const tcp = (over: Partial<Tcp> = {}): Tcp => ({
  sourcePort: 40_001,
  destinationPort: 502,
  sequence: 0xffff_ff00,
  acknowledgement: 0x1000_0000,
  flags: 0x18,
  window: 512,
  urgent: 0,
  options: Buffer.alloc(0),
  payload: pattern(100),
  ...over,
});

describe.each(PROVIDERS)('keyed checksums, provider %s', (_name, create) => {
  const provider = create();
  const rig = new PccomRig(provider);
  const sender = rig.pccom('initiator', { keyed: true });
  const receiver = rig.pccom('responder', { keyed: true });
  afterAll(() => provider.close());

  const one = (frames: Carried[] | number): Buffer => {
    expect(frames).toHaveLength(1);
    return (frames as Carried[])[0].bytes;
  };

  /** The mask as the specification says it. */
  function twinMask(tweak: Buffer, acknowledgement: number, flags: number, ciphertext: Buffer): number {
    const header = Buffer.concat([tweak, word32(acknowledgement), Buffer.from([flags, 0, 0, 0])]);
    const job = new Int32Array(J_STRIDE);
    job[J_OP] = OP_MASK;
    job[J_KEY] = sender.send.mask as number;
    job[J_SRC] = header.length;
    job[J_LENGTH] = ciphertext.length;
    job[J_AAD_LENGTH] = header.length;
    provider.run(new Uint8Array(Buffer.concat([header, ciphertext])), job, 1);
    return job[J_STATUS];
  }

  describe.each([4, 6] as const)('IPv%i', (version) => {
    const ip: Ip = { version };
    const l4 = version === 4 ? 34 : 54;
    const echo = version === 4 ? 8 : 128;

    it('of TCP is the plaintext checksum plus the mask of tweak, acknowledgement, flags and ciphertext', () => {
      for (const length of [0, 1, 15, 16, 100, 1449]) {
        const plain = tcp({ payload: pattern(length) });
        const packet = tcpPacket(ip, plain);
        const tweak = twinTweak(version, 6, plain.sequence, [40_001, 502]);
        const ciphertext = twinCipher(provider, sender, tweak, plain.payload);
        const mask = twinMask(tweak, plain.acknowledgement, 0x18, ciphertext);
        const expected = Buffer.concat([packet.subarray(0, l4 + 20), ciphertext]);
        word16(onesSum(packet.subarray(l4 + 16, l4 + 18), word16(mask)) || 0xffff).copy(expected, l4 + 16);
        for (const verified of [true, false]) {
          expect(one(rig.encipher(packet, sender, { verified })).toString('hex')).toBe(expected.toString('hex'));
          expect(hex([rig.decipher(expected, receiver, { verified }) as Carried])).toEqual([packet.toString('hex')]);
        }
      }
    });

    it('of UDP and ICMP too; UDP without a checksum gets one', () => {
      for (const length of [0, 1, 2, 15, 16, 99, 1400]) {
        for (const packet of [
          udpPacket(ip, 5000, 502, pattern(length)),
          icmpPacket(ip, echo, 0, 0x70001, pattern(length)),
        ]) {
          const wire = one(rig.encipher(packet, sender, { verified: false }));
          expect(checksumsAreRight(wire)).toBe(false);
          expect(hex([rig.decipher(wire, receiver, { verified: false }) as Carried])).toEqual([packet.toString('hex')]);
        }
        const none = one(rig.encipher(udpPacket(ip, 5000, 502, pattern(length), true), sender, { verified: false }));
        expect(none.readUInt16BE(l4 + 6)).not.toBe(0);
        const device = rig.decipher(none, receiver) as Carried;
        expect(hex([device])).toEqual([udpPacket(ip, 5000, 502, pattern(length)).toString('hex')]);
      }
    });

    it('of datagrams is made of the same, with zeros for what only TCP has', () => {
      const tweak = twinTweak(version, 17, 0, [5000, 502]);
      const packet = udpPacket(ip, 5000, 502, pattern(64));
      const ciphertext = twinCipher(provider, sender, tweak, pattern(64));
      const sum = onesSum(packet.subarray(l4 + 6, l4 + 8), word16(twinMask(tweak, 0, 0, ciphertext)));
      expect(one(rig.encipher(packet, sender)).readUInt16BE(l4 + 6)).toBe(sum || 0xffff);
    });

    it('a protocol without a checksum passes without', () => {
      const packet = ipPacket(ip, 132, pattern(50));
      expect(hex([rig.decipher(one(rig.encipher(packet, sender)), receiver) as Carried])).toEqual([
        packet.toString('hex'),
      ]);
    });

    it('tells a change of payload, checksum, sequence, acknowledgement, flags, ports and the header, whatever the offload says', () => {
      const wire = one(rig.encipher(tcpPacket(ip, tcp()), sender));
      /* The high half of the data offset is the packet's shape; ECE and CWR belong to the network. */
      for (let at = l4; at < wire.length; at++) {
        if (at === l4 + 12) continue;
        const changed = Buffer.from(wire);
        changed[at] ^= 0x11;
        expect(rig.decipher(changed, receiver), `byte ${at - l4}`).toBe(FORGED);
      }
      expect(rig.decipher(wire, receiver)).toMatchObject({ bytes: tcpPacket(ip, tcp()) });
    });

    it('a checksum put right by somebody on the way is not: it says nothing of the keys', () => {
      for (const [packet, field] of [
        [tcpPacket(ip, tcp()), 16],
        [tcpPacket(ip, tcp({ payload: pattern(0) })), 16],
        [udpPacket(ip, 5000, 502, pattern(64)), 6],
        [icmpPacket(ip, echo, 0, 1, pattern(64)), 2],
      ] as const) {
        const wire = one(rig.encipher(packet, sender));
        const plain = rig.pccom('initiator');
        const put = one(rig.encipher(packet, plain));
        expect(put.readUInt16BE(l4 + field)).not.toBe(wire.readUInt16BE(l4 + field));
        expect(rig.decipher(put, receiver)).toBe(FORGED);
        expect(rig.decipher(put, receiver, { verified: false })).toBe(FORGED);
        expect(rig.decipher(wire, rig.pccom('responder', { keyed: true, generation: 1 }))).toBe(FORGED);
      }
    });

    it('cuts a superpacket: every segment has a checksum of its own', () => {
      const gsoType = version === 4 ? GSO_TCPV4 : GSO_TCPV6;
      for (const whole of [
        { bytes: tcpPacket(ip, tcp({ payload: pattern(7000), flags: 0x19 })), gsoType, gsoSize: 1448 },
        { bytes: udpPacket(ip, 5000, 502, pattern(7000)), gsoType: GSO_UDP_L4, gsoSize: 1448 },
        { bytes: udpPacket(ip, 5000, 502, pattern(128 * 17)), gsoType: GSO_UDP_L4, gsoSize: 17 },
      ]) {
        const plain = segments(whole);
        const wire = rig.encipher(whole, sender) as Carried[];
        expect(wire.map((part) => part.gsoType)).toEqual(plain.map(() => GSO_NONE));
        expect(hex(wire)).toEqual(plain.flatMap((part) => hex(rig.encipher(part, sender)) as string[]));
        const device = wire.map((part) => rig.decipher(part, receiver) as Carried);
        expect(hex(device)).toEqual(plain.map((part) => part.toString('hex')));
      }
    });

    it('refuses a superpacket from the network: whoever merged it threw the checksums away', () => {
      const gsoType = version === 4 ? GSO_TCPV4 : GSO_TCPV6;
      for (const merged of [
        { bytes: tcpPacket(ip, tcp({ payload: pattern(3000) })), gsoType, gsoSize: 1448 },
        { bytes: udpPacket(ip, 5000, 502, pattern(3000)), gsoType: GSO_UDP_L4, gsoSize: 1448 },
      ]) {
        expect(rig.decipher(merged, receiver)).toBe(dropCode('pccom-superpacket'));
      }
    });

    it('does not launder a line error of the device’s side', () => {
      for (const packet of [
        tcpPacket(ip, tcp()),
        tcpPacket(ip, tcp({ payload: pattern(0) })),
        udpPacket(ip, 5000, 502, pattern(64)),
        icmpPacket(ip, echo, 0, 1, pattern(64)),
      ]) {
        const bad = Buffer.from(packet);
        bad[l4 + 7] ^= 1;
        expect(rig.encipher(bad, sender, { verified: false })).toBe(dropCode('bad-checksum'));
      }
    });
  });

  /** What `act` gives while the provider says of every job `op` that it failed. */
  function whenFailing<T>(op: number, status: number, act: () => T): T {
    const run = provider.run;
    provider.run = (slab, jobs, count) => {
      run.call(provider, slab, jobs, count);
      for (let j = 0; j < count * J_STRIDE; j += J_STRIDE) if (jobs[j + J_OP] === op) jobs[j + J_STATUS] = status;
    };
    try {
      return act();
    } finally {
      provider.run = run;
    }
  }

  describe('a job that fails is a drop', () => {
    const CIPHER_FAILED = dropCode('cipher-failed');
    const bare = tcpPacket({ version: 4 }, tcp({ payload: pattern(0) }));
    const packets = [tcpPacket({ version: 4 }, tcp()), udpPacket({ version: 6 }, 5000, 502, pattern(64))];

    it('of the mask: nothing leaves, and an ordinary checksum proves nothing', () => {
      for (const packet of [...packets, bare]) {
        const wire = one(rig.encipher(packet, sender));
        const ordinary = one(rig.encipher(packet, rig.pccom('initiator')));
        for (const verified of [true, false]) {
          expect(whenFailing(OP_MASK, -1, () => rig.encipher(packet, sender, { verified }))).toBe(CIPHER_FAILED);
          for (const came of [wire, ordinary]) {
            expect(whenFailing(OP_MASK, -1, () => rig.decipher(came, receiver, { verified }))).toBe(CIPHER_FAILED);
          }
        }
      }
    });

    it('of the cipher: zeros neither leave nor arrive', () => {
      for (const packet of packets) {
        const wire = one(rig.encipher(packet, sender));
        for (const verified of [true, false]) {
          const out = whenFailing(OP_ENCIPHER, STATUS_FORGED, () => rig.encipher(packet, sender, { verified }));
          const back = whenFailing(OP_DECIPHER, STATUS_FORGED, () => rig.decipher(wire, receiver, { verified }));
          expect([out, back]).toEqual([CIPHER_FAILED, CIPHER_FAILED]);
        }
      }
    });
  });

  it('survives a translation that adjusts the checksum', () => {
    const near = rig.pccom('initiator', { keyed: true, translated: 'own' });
    const far = rig.pccom('responder', { keyed: true, translated: 'peer' });
    const wire = one(rig.encipher(tcpPacket({ version: 4 }, tcp()), near));
    const words = () => onesSum(wire.subarray(26, 30), wire.subarray(34, 36));
    const before = words();
    Buffer.from([203, 0, 113, 1]).copy(wire, 26);
    word16(61_000).copy(wire, 34);
    /* RFC 1624: the sum loses the old words and gains the new ones. */
    const field = onesSum(word16(~wire.readUInt16BE(50) & 0xffff), word16(~before & 0xffff), word16(words()));
    word16(~field & 0xffff).copy(wire, 50);
    word16(0).copy(wire, 24);
    word16(~onesSum(wire.subarray(14, 34)) & 0xffff).copy(wire, 24);
    const device = rig.decipher(wire, far) as Carried;
    expect(device.bytes.subarray(54)).toEqual(pattern(100));
    expect(checksumsAreRight(device.bytes)).toBe(true);
  });

  it('is never zero, which UDP takes for none', () => {
    const work = new Work(new Uint8Array(64).fill(0xa5), 0, 64, 4);
    work.jobs[J_STATUS] = 0xffff; /* the plaintext's sum: its checksum is 0 */
    work.jobs[J_STRIDE + J_STATUS] = 0; /* the mask */
    work.records[F_CSUM_START] = 10;
    work.records[F_CSUM_OFFSET] = 6;
    work.records[W_JOBS] = 2;
    expect(settleKeyedOut(work, 0)).toBe(0);
    expect(work.view.getUint16(16)).toBe(0xffff);
  });

  it('at a key switch an acknowledgement without data has the mask of its own sequence number', () => {
    const sequence = 0xffff_ff00;
    const older = [
      rig.pccom('initiator', { keyed: true, generation: 1 }),
      rig.pccom('responder', { keyed: true, generation: 1 }),
    ];
    for (const [own, far] of [
      [sequence - 1, older],
      [sequence, [sender, receiver]],
      [sequence + 1, [sender, receiver]],
    ] as const) {
      const packet = tcpPacket({ version: 4 }, tcp({ sequence: own, payload: pattern(0) }));
      const wire = one(rig.encipher(packet, sender, { at: { older: older[0], sequence } }));
      expect(wire.toString('hex')).toBe(one(rig.encipher(packet, far[0])).toString('hex'));
      expect(rig.decipher(wire, receiver, { at: { older: older[1], sequence } })).toMatchObject({ bytes: packet });
      expect(rig.decipher(wire, far[1])).toMatchObject({ bytes: packet });
    }
  });

  it('holds over a key switch, and over one from ordinary checksums', () => {
    const sequence = (0xffff_ff00 + 2000) >>> 0;
    const whole = {
      bytes: tcpPacket({ version: 4 }, tcp({ payload: pattern(4000) })),
      gsoType: GSO_TCPV4,
      gsoSize: 600,
    };
    for (const keyed of [true, false]) {
      const older = [
        rig.pccom('initiator', { keyed, generation: 1 }),
        rig.pccom('responder', { keyed, generation: 1 }),
      ];
      const wire = rig.encipher(whole, sender, { at: { older: older[0], sequence } }) as Carried[];
      const device = wire.map((part) => rig.decipher(part, receiver, { at: { older: older[1], sequence } }) as Carried);
      expect(Buffer.concat(device.map((part) => part.bytes.subarray(54)))).toEqual(pattern(4000));
      expect(wire.some((part) => part.gsoType !== GSO_NONE)).toBe(!keyed);
    }
  });
});

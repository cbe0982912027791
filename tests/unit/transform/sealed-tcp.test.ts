/**
 * `sealed` for TCP against its plain twin: the same packets, cut and sealed with Buffers and node:crypto.
 *
 *   device ──packet──► seal ──segments──► (network) ──► open ──packets──► device
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { openTcp, sealedTcpGeneration, sealTcp, sealTcpBytes, sealTcpRecords } from '#transform/sealed-tcp.ts';
import { SEGMENT_MIN } from '#transform/size.ts';
import { NUMBER_LIMIT, settleOpened } from '#transform/state.ts';
import { dropCode } from '#wire/drops.ts';
import { GSO_TCPV4, GSO_TCPV6, PORT_INNER, PORT_OUTER } from '#wire/record.ts';
import { type Ip, onesSum, pseudoHeader, type Tcp, tcpPacket, word16, word32 } from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';
import { Rig, twinSeal } from './sealed-rig.ts';

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const URG = 32;
const ECE = 64;
const CWR = 128;

const NOP = Buffer.from([1]);
const MSS = (value: number) => Buffer.concat([Buffer.from([2, 4]), word16(value)]);
const SCALE = Buffer.from([3, 3, 7]);
const SACK_OK = Buffer.from([4, 2]);
const STAMPS = Buffer.concat([Buffer.from([8, 10]), word32(0xdeadbeef), word32(0x01020304)]);
const SACK = (...edges: number[]) => Buffer.concat([Buffer.from([5, 2 + edges.length * 4]), ...edges.map(word32)]);
const FAST_OPEN = Buffer.from([34, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
const MPTCP = Buffer.from([30, 4, 0x81, 0]);
const padded = (...parts: Buffer[]): Buffer => {
  const all = Buffer.concat(parts);
  return Buffer.concat([all, Buffer.alloc((4 - (all.length % 4)) % 4, 1)]);
};
const SYN_OPTIONS = padded(MSS(1460), SACK_OK, STAMPS, NOP, SCALE);
const STAMPED = padded(NOP, NOP, STAMPS);

const segment = (over: Partial<Tcp> = {}): Tcp => ({
  sourcePort: 40_001,
  destinationPort: 502,
  sequence: 0xffff_f000,
  acknowledgement: 0x1000_0000,
  flags: ACK,
  window: 512,
  urgent: 0,
  options: STAMPED,
  payload: Buffer.alloc(0),
  ...over,
});

const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255));

/* ── the twin ── */

interface Kept {
  mss?: Buffer;
  scale?: Buffer;
  sackOk?: Buffer;
  stamps?: Buffer;
  sack?: Buffer;
}

function keep(tcp: Tcp): Kept {
  const kept: Kept = {};
  for (let at = 0; at < tcp.options.length; ) {
    const kind = tcp.options[at];
    if (kind === 0) break;
    if (kind === 1) {
      at++;
      continue;
    }
    const option = tcp.options.subarray(at, at + tcp.options[at + 1]);
    at += option.length;
    if (kind === 2) kept.mss = option;
    if (kind === 3) kept.scale = option;
    if (kind === 4) kept.sackOk = option;
    if (kind === 8) kept.stamps = option;
    if (kind === 5) {
      const below = (a: number, b: number) => (a - b) | 0;
      const edge = (i: number) => option.readUInt32BE(2 + 4 * i);
      const duplicate =
        option.length > 10 &&
        (below(edge(1), tcp.acknowledgement) <= 0 || (below(edge(0), edge(2)) >= 0 && below(edge(3), edge(1)) >= 0));
      kept.sack = duplicate ? SACK(edge(2), edge(3)) : SACK(edge(0), edge(1));
    }
  }
  return kept;
}

function ordinary(kept: Kept, syn: boolean): Buffer {
  const parts: Buffer[] = [];
  if (!syn) {
    if (kept.stamps) parts.push(NOP, NOP, kept.stamps);
    if (kept.sack) parts.push(NOP, NOP, kept.sack);
    return Buffer.concat(parts);
  }
  if (kept.mss) parts.push(kept.mss);
  if (kept.stamps) parts.push(kept.sackOk ?? Buffer.from([1, 1]), kept.stamps);
  else if (kept.sackOk) parts.push(NOP, NOP, kept.sackOk);
  if (kept.scale) parts.push(NOP, kept.scale);
  return Buffer.concat(parts);
}

/** Segments on the wire, checksums complete, and what the far device gets for each. */
function twin(ip: Ip, tcp: Tcp, mtu: number, gsoSize: number, firstNumber: number, generation: number) {
  const syn = (tcp.flags & SYN) !== 0;
  const kept = keep(tcp);
  const ipHeader = (ip.version === 4 ? 20 : 40) + (ip.extra?.length ?? 0);
  if (syn && kept.mss) {
    const mss = kept.mss.readUInt16BE(2);
    kept.mss = MSS(Math.max(Math.min(mss - 20, mtu - ipHeader - 40), Math.min(mss, 88)));
  }
  const plain = ordinary(kept, syn);
  const rest = !syn && kept.stamps && kept.sack ? Buffer.concat([kept.stamps, kept.sack]) : plain;
  const room = mtu - ipHeader - 20 - 20 - rest.length;
  let { payload, flags } = tcp;
  if (flags & (SYN | RST) && payload.length > room) {
    payload = payload.subarray(0, room);
    flags &= ~(FIN | PSH);
  }
  const step =
    flags & (SYN | RST)
      ? room
      : gsoSize
        ? Math.min(Math.max(gsoSize, SEGMENT_MIN), room)
        : Math.ceil(payload.length / Math.max(1, Math.ceil(payload.length / room)));
  const wire: Buffer[] = [];
  const device: Buffer[] = [];
  for (let at = 0, i = 0; i === 0 || at < payload.length; at += step, i++) {
    const part = payload.subarray(at, at + step);
    const last = at + part.length >= payload.length;
    const urgent = flags & URG ? Math.max(0, tcp.urgent - at) : 0;
    let own = flags;
    if (!last) own &= ~(FIN | PSH);
    if (i > 0) own &= ~CWR;
    if (urgent === 0) own &= ~URG;
    const sequence = (tcp.sequence + at) >>> 0;
    const number = firstNumber + i;
    const aad = Buffer.concat([
      Buffer.from([ip.version, 6, own & 0x3f, 0]),
      word16(part.length),
      word16(urgent),
      word32(sequence),
      word32(tcp.acknowledgement),
      word16(tcp.sourcePort),
      word16(tcp.destinationPort),
      pseudoHeader(ip.version, false, 0, 0).subarray(0, ip.version === 4 ? 8 : 32),
    ]);
    const [sealed, tag] = twinSeal(number, aad, part, 12);
    const low = (generation << 30) | (number % 2 ** 30);
    const option = Buffer.concat([Buffer.from([253, 20, 0x47, 0x53]), word32(low >>> 0), tag]);
    const header = { ...tcp, flags: own, sequence, urgent };
    const outer = { ...ip, id: ((ip.id ?? 0x1234) + i) & 0xffff };
    wire.push(tcpPacket(outer, { ...header, options: Buffer.concat([option, rest]), payload: sealed }));
    device.push(tcpPacket(outer, { ...header, options: plain, payload: part }));
  }
  return { wire, device };
}

/* ── the story ── */

describe.each(PROVIDERS)('sealed TCP, provider %s', (_name, create) => {
  const provider = create();
  const rig = new Rig(provider);
  afterAll(() => provider.close());

  /** Seals one packet of the device. */
  function seal(packet: Buffer, state = rig.state('initiator'), mtu = 1500, gsoSize = 0): Buffer[] {
    const gsoType =
      gsoSize === 0 ? 0 : packet.readUInt16BE(packet[12] === 0x81 ? 16 : 12) === 0x0800 ? GSO_TCPV4 : GSO_TCPV6;
    expect(rig.arrive(packet, { gsoType, gsoSize })).toBe(0);
    const records = sealTcpRecords(rig.frame, mtu);
    const bytes = sealTcpBytes(rig.frame, mtu);
    const top = rig.work.top;
    const before = Buffer.from(rig.slab.subarray(0, top));
    const count = sealTcp(rig.work, rig.frame, state, mtu, PORT_OUTER);
    expect(count).toBeGreaterThan(0);
    expect(count).toBeLessThanOrEqual(records);
    expect(rig.work.top - top).toBeLessThanOrEqual(bytes);
    const settled = rig.settle();
    expect(settled.every((one) => one.ok)).toBe(true);
    /* The device's packet is read, never written; nothing is written behind what was reserved. */
    expect(before.equals(rig.slab.subarray(0, top))).toBe(true);
    expect(rig.slab.subarray(rig.work.top).every((byte) => byte === 0xa5)).toBe(true);
    return settled.map((one) => one.bytes);
  }

  /** Opens one segment; undefined when its tag does not verify, a negative code when it is dropped before. */
  function open(packet: Buffer, state = rig.state('responder'), verified = true): Buffer | number | undefined {
    expect(rig.arrive(packet, { verified })).toBe(0);
    const code = openTcp(rig.work, rig.frame, state, PORT_INNER);
    if (code < 0) return code;
    const [settled] = rig.settle();
    if (!settled.ok) return undefined;
    return settleOpened(state, settled.number) ? settled.bytes : undefined;
  }

  function roundTrip(ip: Ip, tcp: Tcp, mtu = 1500, gsoSize = 0, firstNumber = 1): void {
    const sender = rig.state('initiator', 3);
    const receiver = rig.state('responder', 3);
    sender.nextNumber = firstNumber;
    if (firstNumber > 1) receiver.window.mark(firstNumber - 1);
    const expected = twin(ip, tcp, mtu, gsoSize, firstNumber, 3);
    const wire = seal(tcpPacket(ip, tcp), sender, mtu, gsoSize);
    expect(wire.map((one) => one.toString('hex'))).toEqual(expected.wire.map((one) => one.toString('hex')));
    for (const one of wire) expect(one.length - (ip.tagged ? 18 : 14)).toBeLessThanOrEqual(mtu);
    for (const [i, one] of wire.entries()) {
      const opened = open(one, receiver, i % 2 === 0);
      expect((opened as Buffer).toString('hex')).toBe(expected.device[i].toString('hex'));
    }
  }

  describe.each([4, 6] as const)('IPv%i', (version) => {
    it('seals and opens a SYN, and clamps its MSS', () => {
      roundTrip({ version }, segment({ flags: SYN, options: SYN_OPTIONS }));
      const [wire] = seal(tcpPacket({ version }, segment({ flags: SYN, options: SYN_OPTIONS })));
      expect(wire.indexOf(MSS(version === 4 ? 1440 : 1420))).toBeGreaterThan(0);
      roundTrip({ version }, segment({ flags: SYN, options: padded(MSS(40)) }));
    });

    it('seals a pure acknowledgement, a reset, a FIN', () => {
      roundTrip({ version }, segment());
      roundTrip({ version }, segment({ flags: RST, options: Buffer.alloc(0) }));
      roundTrip({ version }, segment({ flags: FIN | ACK | PSH }));
    });

    it('keeps timestamps and one SACK block without padding', () => {
      const blocks = SACK(0x1000_1000, 0x1000_2000, 0x1000_3000, 0x1000_4000);
      const [wire] = seal(tcpPacket({ version }, segment({ options: padded(NOP, NOP, STAMPS, NOP, NOP, blocks) })));
      expect(wire[(version === 4 ? 34 : 54) + 12] >>> 4).toBe(15);
      roundTrip({ version }, segment({ options: padded(NOP, NOP, STAMPS, NOP, NOP, blocks) }));
    });

    it('keeps the second block where the first reports a duplicate', () => {
      const below = SACK(0x0fff_0000, 0x0fff_1000, 0x1000_3000, 0x1000_4000);
      const within = SACK(0x1000_3100, 0x1000_3200, 0x1000_3000, 0x1000_4000);
      for (const blocks of [below, within]) {
        const tcp = segment({ options: padded(blocks) });
        expect(keep(tcp).sack).toEqual(SACK(0x1000_3000, 0x1000_4000));
        roundTrip({ version }, tcp);
      }
      roundTrip({ version }, segment({ options: padded(SACK(0x0fff_0000, 0x0fff_1000)) }));
    });

    it('cuts a full segment of an older connection in two, sequence numbers across the wrap', () => {
      const payload = pattern(version === 4 ? 1448 : 1428);
      const flags = ACK | PSH | FIN | CWR | ECE;
      roundTrip({ version }, segment({ payload, flags, sequence: 0xffff_fff0 }));
      expect(seal(tcpPacket({ version }, segment({ payload })))).toHaveLength(2);
    });

    it('moves the urgent pointer with the cut', () => {
      for (const urgent of [1, 700, 724, 725, 1448, 5000]) {
        roundTrip({ version }, segment({ payload: pattern(1448), flags: ACK | URG, urgent }));
      }
    });

    it('leaves off what a SYN or a reset cannot carry', () => {
      roundTrip(
        { version },
        segment({ flags: SYN | PSH, options: padded(FAST_OPEN, MSS(1460)), payload: pattern(1440) }),
      );
      roundTrip({ version }, segment({ flags: RST | ACK | PSH, payload: pattern(1448) }));
    });

    it.each([2, 5, 17, 45, 64])('cuts a superpacket of %i KB', (kilobytes) => {
      const length = Math.min(kilobytes * 1024, 65_535 - 40 - 32);
      for (const gsoSize of [1400, 1448, 700, 3]) {
        roundTrip({ version }, segment({ payload: pattern(length), flags: ACK | PSH | CWR }), 1500, gsoSize);
      }
    });

    it('walks over options, extension headers and tags', () => {
      const extra = version === 4 ? Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]) : Buffer.from([0, 0, 1, 4, 0, 0, 0, 0]);
      roundTrip({ version, extra }, segment({ payload: pattern(3000) }), 1500, 1400);
      roundTrip({ version, tagged: true }, segment({ payload: pattern(3000) }), 1500, 1400);
    });

    it('seals every length of payload, and numbers across the 30-bit wrap', () => {
      for (let length = 0; length <= 70; length++) roundTrip({ version }, segment({ payload: pattern(length) }));
      roundTrip({ version }, segment({ payload: pattern(9000) }), 1500, 1400, 2 ** 30 - 3);
      roundTrip({ version }, segment({ payload: pattern(9000) }), 1500, 1400, 5 * 2 ** 30 - 3);
    });

    it('agrees with the twin for random headers', () => {
      const option = fc.constantFrom(MSS(1460), MSS(9000), SCALE, SACK_OK, STAMPS, FAST_OPEN, MPTCP, NOP, SACK(1, 2));
      fc.assert(
        fc.property(
          fc.record({
            flags: fc.nat(255),
            sequence: fc.nat(0xffff_ffff),
            acknowledgement: fc.nat(0xffff_ffff),
            window: fc.nat(0xffff),
            urgent: fc.nat(0xffff),
            length: fc.nat(4000),
            tos: fc.nat(255),
            df: fc.boolean(),
            mtu: fc.integer({ min: 1280, max: 1600 }),
            options: fc.array(option, { maxLength: 7 }).map((all) => {
              const fitting: Buffer[] = [];
              for (const one of all) if (padded(...fitting, one).length <= 40) fitting.push(one);
              return padded(...fitting);
            }),
          }),
          ({ length, tos, df, mtu, ...tcp }) => {
            roundTrip({ version, tos, df }, segment({ ...tcp, payload: pattern(length) }), mtu);
          },
        ),
        { numRuns: 60 },
      );
    });
  });

  it('refuses what authenticates its own header', () => {
    for (const kind of [19, 29]) {
      const options = padded(Buffer.concat([Buffer.from([kind, 18]), Buffer.alloc(16)]));
      rig.arrive(tcpPacket({ version: 4 }, segment({ options })));
      expect(sealTcp(rig.work, rig.frame, rig.state('initiator'), 1500, 0)).toBe(dropCode('tcp-authenticated'));
    }
  });

  it('refuses bad options, a path without room, a key without numbers', () => {
    const state = rig.state('initiator');
    rig.arrive(tcpPacket({ version: 4 }, segment({ options: Buffer.from([8, 11, 0, 0]) })));
    expect(sealTcp(rig.work, rig.frame, state, 1500, 0)).toBe(dropCode('tcp-bad-header'));
    rig.arrive(tcpPacket({ version: 4 }, segment()));
    expect(sealTcp(rig.work, rig.frame, state, 72, 0)).toBe(dropCode('sealed-no-room'));
    rig.arrive(tcpPacket({ version: 4 }, segment({ payload: pattern(1400) })));
    expect(sealTcp(rig.work, rig.frame, state, 300, 0)).toBe(dropCode('sealed-no-room'));
    state.nextNumber = NUMBER_LIMIT;
    expect(sealTcp(rig.work, rig.frame, state, 1500, 0)).toBe(dropCode('sealed-exhausted'));
    expect([rig.work.recordCount, rig.work.jobCount]).toEqual([0, 0]);
  });

  it('notices a line error from the device, and one on the network in what is not authenticated', () => {
    const packet = tcpPacket({ version: 4 }, segment({ payload: pattern(100) }));
    packet[packet.length - 1] ^= 1;
    rig.arrive(packet, { verified: false });
    sealTcp(rig.work, rig.frame, rig.state('initiator'), 1500, 0);
    expect(rig.settle()[0].ok).toBe(false);

    const [wire] = seal(tcpPacket({ version: 4 }, segment({ payload: pattern(101) })));
    wire[34 + 14] ^= 1;
    expect(open(wire, rig.state('responder'), false)).toBeUndefined();
    expect(open(wire, rig.state('responder'), true)).toBeInstanceOf(Buffer);
  });

  it('detects a change of every authenticated byte, and of no other', () => {
    const tcp = segment({ payload: pattern(33), flags: ACK | PSH | URG, urgent: 9, options: STAMPED });
    const [wire] = seal(tcpPacket({ version: 4 }, tcp));
    const l4 = 34;
    const free = new Set([
      15,
      18,
      19,
      20,
      21,
      22,
      24,
      25 /* TOS, id, DF, TTL, header checksum */,
      l4 + 14,
      l4 + 15,
      l4 + 16,
      l4 + 17 /* window, checksum */,
      ...Array.from({ length: 8 }, (_, i) => l4 + 20 + 20 + 4 + i) /* timestamps */,
      ...Array.from({ length: 14 }, (_, i) => i) /* layer 2 */,
    ]);
    for (let at = 0; at < wire.length; at++) {
      for (const bit of [1, 0x80]) {
        const changed = Buffer.from(wire);
        changed[at] ^= bit;
        /* DF, more fragments, ethertype and lengths decide what the frame is: those answers are the parser's. */
        if (rig.arrive(changed) !== 0 || rig.frame.form !== 1) continue;
        const opened = open(changed);
        const ecn = at === l4 + 13 && bit === 0x80; /* CWR belongs to the network */
        const reserved = at === l4 + 12 && bit === 1;
        /* Padding and the timestamps' kind and length: an option that is none any more is left out. */
        const optional = at >= l4 + 40 && at < l4 + 44;
        const accepted = Buffer.isBuffer(opened);
        if (!optional) expect(accepted, `byte ${at} bit ${bit}`).toBe(free.has(at) || ecn || reserved);
      }
    }
  });

  it('opens nothing twice, nothing of the other direction, nothing of another generation', () => {
    const packet = tcpPacket({ version: 4 }, segment({ payload: pattern(10) }));
    const [wire] = seal(packet);
    const receiver = rig.state('responder');
    expect(open(wire, receiver)).toBeInstanceOf(Buffer);
    expect(open(wire, receiver)).toBe(dropCode('sealed-replay'));
    receiver.window.mark(100_000);
    expect(open(wire, receiver)).toBe(dropCode('sealed-too-old'));
    expect(open(wire, rig.state('initiator'))).toBeUndefined();
    expect(open(wire, rig.state('responder', 1))).toBe(dropCode('sealed-unknown-generation'));
    expect(open(packet)).toBe(dropCode('sealed-missing-tag'));
    rig.arrive(wire);
    expect(sealedTcpGeneration(rig.slab, rig.work.view, rig.frame)).toBe(2);
    rig.arrive(packet);
    expect(sealedTcpGeneration(rig.slab, rig.work.view, rig.frame)).toBe(dropCode('sealed-missing-tag'));
  });

  it('refuses a superpacket on the outer side', () => {
    const [wire] = seal(tcpPacket({ version: 4 }, segment({ payload: pattern(1000) })));
    rig.arrive(wire, { gsoType: GSO_TCPV4, gsoSize: 500 });
    expect(openTcp(rig.work, rig.frame, rig.state('responder'), 0)).toBe(dropCode('sealed-superpacket'));
  });

  it('bears translated addresses and ports where both sides know of them, and only there', () => {
    const [wire] = seal(tcpPacket({ version: 4 }, segment({ payload: pattern(50) })), rig.state('initiator', 2, 'own'));
    const translated = Buffer.from(wire);
    Buffer.from([203, 0, 113, 1]).copy(translated, 26);
    word16(61_000).copy(translated, 34);
    expect(open(translated, rig.state('responder', 2, 'peer'))).toBeInstanceOf(Buffer);
    expect(open(translated, rig.state('responder', 2))).toBeUndefined();
    const elsewhere = Buffer.from(translated);
    elsewhere[33] ^= 1;
    expect(open(elsewhere, rig.state('responder', 2, 'peer'))).toBeUndefined();
  });

  it('finds its option wherever a middlebox moved it', () => {
    const tcp = segment({ payload: pattern(20) });
    const [wire] = seal(tcpPacket({ version: 4 }, tcp));
    const moved = Buffer.concat([
      wire.subarray(0, 54),
      wire.subarray(74, 86),
      wire.subarray(54, 74),
      wire.subarray(86),
    ]);
    const opened = open(moved) as Buffer;
    expect(opened.toString('hex')).toBe(twin({ version: 4 }, tcp, 1500, 0, 1, 2).device[0].toString('hex'));
    expect(onesSum(opened.subarray(14, 34))).toBe(0xffff);
  });
});

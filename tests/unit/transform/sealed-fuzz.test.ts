/** Whatever arrives: no exception, no byte outside the frame and the reserved part of the work area. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  openDatagram,
  sealDatagram,
  sealDatagramBytes,
  sealDatagramRecords,
  TRAILER,
} from '#transform/sealed-datagram.ts';
import { openTcp, sealTcp, sealTcpBytes, sealTcpRecords } from '#transform/sealed-tcp.ts';
import { fragmentsOf } from '#transform/size.ts';
import { FORM_NON_IP, FORM_TCP } from '#wire/frame.ts';
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4, SLOT_HEADROOM } from '#wire/record.ts';
import { icmpPacket, ipPacket, tcpPacket, udpPacket } from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';
import { DIRTY, Rig } from './sealed-rig.ts';

const SEALED_OPTION = Buffer.from([253, 20, 0x47, 0x53, 0x80, 0, 0, 1, ...Array.from({ length: 12 }, (_, i) => i)]);

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((data) => Buffer.from(data));

/** Packets that are nearly right: valid ones, with some bytes changed and the end cut off. */
const packet = fc
  .record({
    version: fc.constantFrom(4 as const, 6 as const),
    kind: fc.nat(3),
    payload: bytes(300),
    options: bytes(40),
    sealed: fc.boolean(),
    flags: fc.nat(255),
    changes: fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 4 }),
    cutOff: fc.nat(30),
  })
  .map(({ version, kind, payload, options, sealed, flags, changes, cutOff }) => {
    const random = options.subarray(0, options.length & ~3);
    const all = sealed ? Buffer.concat([SEALED_OPTION, random]).subarray(0, 40) : random;
    const header = { sourcePort: 1, destinationPort: 2, sequence: 3, acknowledgement: 4, window: 5, urgent: 6 };
    const whole =
      kind === 0
        ? udpPacket({ version, df: flags < 128 }, 1, 2, payload)
        : kind === 1
          ? icmpPacket({ version }, flags, 0, 9, payload)
          : kind === 2
            ? ipPacket({ version }, flags, payload)
            : tcpPacket({ version }, { ...header, flags, options: all, payload });
    for (const [at, value] of changes) if (at < whole.length) whole[at] = value;
    return whole.subarray(0, whole.length - Math.min(cutOff >> 1, whole.length));
  });

const noise = bytes(200);

describe.each(PROVIDERS)('fuzzed frames, provider %s', (name, create) => {
  const rig = new Rig(create());
  const sender = rig.state('initiator');
  const receiver = rig.state('responder');

  function untouchedOutside(length: number): void {
    const { slab, work } = rig;
    const end = SLOT_HEADROOM + length;
    for (const part of [slab.subarray(0, SLOT_HEADROOM), slab.subarray(end, end + 512), slab.subarray(work.top)]) {
      expect(part.every((byte) => byte === DIRTY)).toBe(true);
    }
  }

  it('are sealed, opened or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof({ weight: 5, arbitrary: packet }, { weight: 1, arbitrary: noise }),
        fc.constantFrom(0, 0, 0, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4),
        fc.integer({ min: 1, max: 400 }),
        fc.integer({ min: 60, max: 1500 }),
        fc.boolean(),
        (frame, gsoType, gsoSize, mtu, verified) => {
          const how = { gsoType, gsoSize, verified: verified || gsoType !== 0 };
          for (const sealing of [true, false]) {
            if (rig.arrive(frame, how) !== 0) return;
            const { form } = rig.frame;
            if (form === FORM_NON_IP) return;
            const top = rig.work.top;
            let code = 0;
            if (sealing) {
              const tcp = form === FORM_TCP;
              const records = tcp ? sealTcpRecords(rig.frame, mtu) : sealDatagramRecords(rig.frame, mtu);
              const room = tcp ? sealTcpBytes(rig.frame, mtu) : sealDatagramBytes(rig.frame, mtu);
              expect(fragmentsOf(rig.frame, mtu, TRAILER)).toBeGreaterThanOrEqual(0);
              code = tcp
                ? sealTcp(rig.work, rig.frame, sender, mtu, 0)
                : sealDatagram(rig.work, rig.frame, sender, mtu, 0);
              expect(rig.work.recordCount).toBeLessThanOrEqual(records);
              expect(rig.work.top - top).toBeLessThanOrEqual(room);
              expect(rig.work.recordCount).toBe(Math.max(code, 0));
            } else {
              code =
                form === FORM_TCP
                  ? openTcp(rig.work, rig.frame, receiver, 1)
                  : openDatagram(rig.work, rig.frame, receiver, 1);
              expect(rig.work.recordCount).toBe(code === 0 ? 1 : 0);
            }
            const settled = rig.settle();
            if (!sealing) for (const one of settled) expect(one.ok).toBe(false);
            untouchedOutside(frame.length);
          }
        },
      ),
      { numRuns: name === 'native' ? 1000 : 400 },
    );
  });
});

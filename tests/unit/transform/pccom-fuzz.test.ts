/**
 * Whatever arrives: no exception, no byte outside the frame and the reserved part of the work area, no more work than
 * asked for.
 */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { TOO_BIG } from '#transform/size.ts';
import { DROPS, dropCode, dropOfCode } from '#wire/drops.ts';
import { FORM_NON_IP } from '#wire/frame.ts';
import { GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4 } from '#wire/record.ts';
import { PccomRig } from './pccom-rig.ts';
import { icmpPacket, ipPacket, tcpPacket, udpPacket } from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';

/** The stream wraps within the packet. */
const SEQUENCE = 0xffff_ffa0;

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((data) => Buffer.from(data));

/** Packets that are nearly right: valid ones, with some bytes changed and the end cut off. */
const packet = fc
  .record({
    version: fc.constantFrom(4 as const, 6 as const),
    kind: fc.nat(3),
    payload: bytes(300),
    options: bytes(40),
    flags: fc.nat(255),
    changes: fc.array(fc.tuple(fc.nat(90), fc.nat(255)), { maxLength: 3 }),
    cutOff: fc.nat(30),
  })
  .map(({ version, kind, payload, options, flags, changes, cutOff }) => {
    const header = { sourcePort: 1, destinationPort: 2, sequence: SEQUENCE, acknowledgement: 4, window: 5, urgent: 6 };
    const whole =
      kind === 0
        ? udpPacket({ version, df: flags < 128 }, 1, 2, payload)
        : kind === 1
          ? icmpPacket({ version }, flags, 0, 9, payload)
          : kind === 2
            ? ipPacket({ version }, flags, payload)
            : tcpPacket(
                { version, df: flags < 128 },
                { ...header, flags, options: options.subarray(0, options.length & ~3), payload },
              );
    for (const [at, value] of changes) if (at < whole.length) whole[at] = value;
    return whole.subarray(0, whole.length - Math.min(cutOff >> 1, whole.length));
  });

describe.each(PROVIDERS)('pccom and fuzzed frames, provider %s', (name, create) => {
  const rig = new PccomRig(create());
  const states = [false, true].map((keyed) => ({
    sender: rig.pccom('initiator', { keyed }),
    receiver: rig.pccom('responder', { keyed }),
    older: rig.pccom('initiator', { keyed: !keyed, generation: 1 }),
  }));
  afterAll(() => rig.provider.close());

  /** A number is a drop that has a name; no job names port or cipher. */
  function hasName(outcome: unknown): void {
    if (typeof outcome !== 'number' || outcome === TOO_BIG) return;
    expect([dropCode('port-receive-overrun'), dropCode('cipher-failed')]).not.toContain(outcome);
    expect(outcome).toBeLessThan(0);
    expect(DROPS[dropOfCode(outcome)]).toBeDefined();
  }

  it('are enciphered, deciphered or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof({ weight: 6, arbitrary: packet }, { weight: 1, arbitrary: bytes(200) }),
        fc.constantFrom(0, 0, 0, GSO_TCPV4, GSO_TCPV6, GSO_UDP_L4),
        fc.integer({ min: 0, max: 310 }),
        fc.integer({ min: 60, max: 1500 }),
        fc.boolean(),
        fc.option(fc.integer({ min: -20, max: 320 }), { nil: undefined }),
        fc.boolean(),
        (frame, gsoType, gsoSize, mtu, verified, switched, reassembled) => {
          const how = { gsoType, gsoSize, verified: verified || gsoType !== 0, reassembled };
          if (rig.carry(frame, how) === 0 && rig.frame.form === FORM_NON_IP) return;
          for (const { sender, receiver, older } of states) {
            const at = switched === undefined ? {} : { at: { older, sequence: (SEQUENCE + switched) >>> 0 } };
            hasName(rig.encipher(frame, sender, { ...how, mtu, ...at }));
            hasName(rig.decipher(frame, receiver, { ...how, ...at }));
          }
        },
      ),
      { numRuns: name === 'native' ? 500 : 150 },
    );
  });
});

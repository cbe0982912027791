/**
 * Where the keys of a direction changed: sequence numbers go round, streams go far beyond or begin anew, time ends it.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Association } from '#datapath/associations.ts';
import { portsKey, SwitchCut } from '#datapath/switch-cut.ts';
import { TCP_ACK, TCP_SYN } from '#wire/tcp.ts';

const older = (): Association => ({ ended: false, lastReceived: 0 }) as Association;
const PORTS = portsKey(50_000, 443);
const cutAt = (sequence: number): SwitchCut =>
  new SwitchCut(older(), new Map([[PORTS, sequence | 0]]), 1_000, 100, 200);
const anyNumber = fc.nat(0xffff_ffff);

describe('a cut', () => {
  it('is found by both ports, in their order', () => {
    const cut = cutAt(5_000);
    expect(cut.find(PORTS, TCP_ACK)).toBe(5_000);
    expect(cut.find(portsKey(443, 50_000), TCP_ACK)).toBe(-1);
    expect(cut.find(portsKey(50_001, 443), TCP_ACK)).toBe(-1);
  });

  it('is unsigned', () => {
    expect(cutAt(0xffff_fff0).find(PORTS, TCP_ACK)).toBe(0xffff_fff0);
  });

  it('serves until its time is up, or the older keys are gone', () => {
    const gone = { ended: false };
    const cut = new SwitchCut(gone as Association, new Map(), 1_000, 100, 200);
    expect([cut.serves(1_099), cut.serves(1_100), cut.until]).toEqual([true, false, 1_200]);
    gone.ended = true;
    expect(cut.serves(1_050)).toBe(false);
  });
});

describe('a connection leaves its cut behind', () => {
  it('of what we send once our device has sent 2^30 octets behind it, for good, but for a SYN', () => {
    fc.assert(
      fc.property(anyNumber, fc.integer({ min: 0, max: 2 ** 30 - 1 }), (sequence, beyond) => {
        const cut = cutAt(sequence);
        cut.sends(PORTS, (sequence + beyond) >>> 0, TCP_ACK);
        expect(cut.find(PORTS, TCP_ACK)).toBe(sequence);
        cut.sends(PORTS, (sequence + 2 ** 30 + beyond) >>> 0, TCP_ACK);
        /* A stream of more than 2 GB comes to numbers that would be taken for older ones. */
        cut.sends(PORTS, (sequence - 1) >>> 0, TCP_ACK);
        expect([cut.find(PORTS, TCP_ACK), cut.find(PORTS, TCP_SYN)]).toEqual([-1, sequence]);
      }),
    );
  });

  it('of what we receive once our device has acknowledged as much', () => {
    const cut = cutAt(5_000);
    cut.acknowledges(PORTS, 5_000 + 2 ** 30 - 1, TCP_ACK);
    expect(cut.find(PORTS, TCP_ACK)).toBe(5_000);
    cut.acknowledges(PORTS, 5_000 + 2 ** 30, TCP_ACK);
    expect([cut.find(PORTS, TCP_ACK), cut.find(PORTS, TCP_SYN)]).toEqual([-1, 5_000]);
  });

  it('when it begins anew: ours with a SYN of another number, the far one with what our device answers', () => {
    const anew = 0x8000_0000;
    const ours = cutAt(5_000);
    ours.sends(PORTS, anew, TCP_SYN);
    expect(ours.find(PORTS, TCP_ACK)).toBe(-1);
    const accepted = cutAt(5_000);
    accepted.acknowledges(PORTS, anew + 1, TCP_SYN | TCP_ACK);
    expect(accepted.find(PORTS, TCP_ACK)).toBe(-1);
    const begun = cutAt(5_000);
    begun.acknowledges(PORTS, 0, TCP_SYN);
    expect(begun.find(PORTS, TCP_ACK)).toBe(5_000);
    begun.acknowledges(PORTS, anew + 1, TCP_ACK);
    expect(begun.find(PORTS, TCP_ACK)).toBe(-1);
  });

  it('not when the SYN of the connection that is named comes again', () => {
    const cut = cutAt(5_000);
    cut.sends(PORTS, 4_999, TCP_SYN);
    cut.sends(PORTS, 3_000, TCP_SYN | TCP_ACK);
    cut.acknowledges(PORTS, 0, TCP_SYN);
    cut.acknowledges(PORTS, 5_000, TCP_ACK);
    cut.acknowledges(PORTS, 3_001, TCP_SYN | TCP_ACK);
    expect(cut.find(PORTS, TCP_ACK)).toBe(5_000);
  });
});

it('the older keys are in use while octets before S come that our device has not acknowledged', () => {
  const cut = cutAt(5_000);
  cut.receivedOlder(PORTS, 1_010);
  cut.acknowledges(PORTS, 4_999, TCP_ACK);
  cut.receivedOlder(PORTS, 1_020);
  expect(cut.older.lastReceived).toBe(1_020);
  cut.acknowledges(PORTS, 5_000, TCP_ACK);
  cut.receivedOlder(PORTS, 1_030);
  expect(cut.older.lastReceived).toBe(1_020);
});

/** Tiny payloads cost FF1: how many are taken on in a second, and that nobody takes all of them. */
import { describe, expect, it } from 'vitest';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { ShortBudget } from '#transform/short-budget.ts';
import { FORM_FRAGMENT, type Frame } from '#wire/frame.ts';
import { GSO_TCPV4, GSO_UDP_L4 } from '#wire/record.ts';
import { icmpPacket, tcpPacket, udpPacket } from './plain-packets.ts';
import { Rig } from './sealed-rig.ts';

const rig = new Rig(createNobleProvider());

/** The frame of a UDP datagram of `length` bytes; `host` tells pairs apart. */
function frame(length: number, gsoSize = 0, host = 5) {
  const packet = udpPacket({ version: 4 }, 5000, 502, Buffer.alloc(length, 1));
  packet[29] = host;
  expect(rig.arrive(packet, gsoSize > 0 ? { gsoType: GSO_UDP_L4, gsoSize } : {})).toBe(0);
  return rig.frame;
}

/** The smallest budget of a pair that admits the frame. */
function need(of: Frame): number {
  for (let payloads = 0; ; payloads++) if (new ShortBudget(4 * payloads).admits(of, 0)) return payloads;
}

describe('payloads that FF1 enciphers', () => {
  it.each([
    [0, 0, 0],
    [1, 0, 1],
    [15, 0, 1],
    [16, 0, 0],
    [1400, 0, 0],
    [1000, 100, 0],
    [1015, 100, 1],
    [1016, 100, 0],
    [1200, 15, 80],
    [100, 7, 15],
  ])('%i bytes in segments of %i are %i', (length, gsoSize, count) => {
    expect(need(frame(length, gsoSize))).toBe(count);
  });

  it('of TCP behind its options, of ICMP behind eight bytes, of a fragment none', () => {
    const header = {
      sourcePort: 1,
      destinationPort: 2,
      sequence: 3,
      acknowledgement: 4,
      flags: 16,
      window: 5,
      urgent: 0,
    };
    const options = Buffer.alloc(12, 1);
    rig.arrive(tcpPacket({ version: 4 }, { ...header, options, payload: Buffer.alloc(9) }));
    expect(need(rig.frame)).toBe(1);
    rig.arrive(tcpPacket({ version: 4 }, { ...header, options, payload: Buffer.alloc(33) }), {
      gsoType: GSO_TCPV4,
      gsoSize: 20,
    });
    expect(need(rig.frame)).toBe(1);
    rig.arrive(icmpPacket({ version: 6 }, 128, 0, 1, Buffer.alloc(15)));
    expect(need(rig.frame)).toBe(1);
    rig.arrive(icmpPacket({ version: 6 }, 128, 0, 1, Buffer.alloc(16)));
    expect(need(rig.frame)).toBe(0);
    rig.frame.form = FORM_FRAGMENT;
    expect(need(rig.frame)).toBe(0);
  });
});

describe('the budget of a second', () => {
  it('ends, and begins anew', () => {
    const budget = new ShortBudget(8);
    const admitted = (at: number) =>
      [10, 20, 30, 40, 50, 60].map(
        (host) => Number(budget.admits(frame(5, 0, host), at)) + Number(budget.admits(frame(5, 0, host), at)),
      );
    expect(admitted(1000)).toEqual([2, 2, 2, 2, 0, 0]);
    expect(admitted(1999)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(admitted(2000)).toEqual([2, 2, 2, 2, 0, 0]);
    /* A clock that was set back does not close it. */
    expect(admitted(500)).toEqual([2, 2, 2, 2, 0, 0]);
  });

  it('costs nothing for payloads of 16 bytes and more, also when it is used up', () => {
    const budget = new ShortBudget(0);
    expect(budget.admits(frame(5), 0)).toBe(false);
    expect(budget.admits(frame(16), 0)).toBe(true);
    expect(budget.admits(frame(0), 0)).toBe(true);
  });

  it('one pair gets a quarter, both directions together; another pair still gets through', () => {
    const budget = new ShortBudget(400);
    let admitted = 0;
    for (let i = 0; i < 1000; i++) if (budget.admits(frame(15, 0, 10), 0)) admitted++;
    expect(admitted).toBe(100);
    const back = frame(15, 0, 10);
    const source = back.source.slice();
    back.source.set(back.destination);
    back.destination.set(source);
    expect(budget.admits(back, 0)).toBe(false);
    expect(budget.admits(frame(15, 0, 11), 0)).toBe(true);
  });

  it('a superpacket of tiny segments is all of them or none', () => {
    const budget = new ShortBudget(400);
    expect(budget.admits(frame(1200, 10), 0)).toBe(false);
    expect(budget.admits(frame(990, 10), 0)).toBe(true);
    expect(budget.admits(frame(20, 10), 0)).toBe(false);
    expect(budget.admits(frame(10, 0), 0)).toBe(true);
  });
});

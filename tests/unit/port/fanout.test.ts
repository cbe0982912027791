/** The kernel's program against its twin: random pairs through real sockets, in both directions and quoted. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readable } from '#kit/readable.ts';
import { openPacketSockets, openPorts, PacketPort } from '#port/packet.ts';
import { workerOf } from './fanout-twin.ts';
import { addVeth, enterNewNamespace, run } from './namespace.ts';
import { Buffers, plainFrame, tagged } from './packets.ts';

const WORKERS = 5;

type Address = readonly number[];
const v4 = fc.array(fc.nat(255), { minLength: 4, maxLength: 4 });
const v6 = fc.array(fc.nat(255), { minLength: 16, maxLength: 16 });
const errors4 = fc.constantFrom(3, 4, 5, 11, 12);
const errors6 = fc.integer({ min: 0, max: 127 });

/** Four words as the datapath has them. */
function words(address: Address): Int32Array {
  const bytes = address.length === 4 ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...address] : address;
  const view = new DataView(Uint8Array.from(bytes).buffer);
  return Int32Array.from([0, 4, 8, 12], (at) => view.getInt32(at));
}

function ethernet(type: number, packet: readonly number[]): Uint8Array {
  const frame = plainFrame(14 + packet.length);
  frame.set([type >> 8, type & 0xff, ...packet], 12);
  return frame;
}

const two = (value: number): number[] => [value >> 8, value & 0xff];

interface Ipv4Fields {
  readonly fragment?: number;
  readonly options?: readonly number[];
}

function ipv4(
  from: Address,
  to: Address,
  protocol: number,
  payload: readonly number[],
  fields: Ipv4Fields = {},
): number[] {
  const { fragment = 0, options = [] } = fields;
  const header = 20 + options.length;
  const first = [0x40 + header / 4, 0, ...two(header + payload.length), 0, 1, ...two(fragment), 64, protocol, 0, 0];
  return [...first, ...from, ...to, ...options, ...payload];
}

function ipv6(from: Address, to: Address, next: number, payload: readonly number[]): number[] {
  return [0x60, 0, 0, 0, ...two(payload.length), next, 64, ...from, ...to, ...payload];
}

const icmp = (type: number, quote: readonly number[]): number[] => [type, 0, 0, 0, 0, 0, 0, 0, ...quote];
const udp = [0x13, 0x88, 0x13, 0x89, 0, 12, 0, 0, 1, 2, 3, 4];

describe('workerOf', () => {
  test('does not care which end is the source', () => {
    fc.assert(
      fc.property(v6, v6, fc.integer({ min: 1, max: 64 }), (a, b, workers) => {
        const worker = workerOf(words(a), words(b), workers);
        expect(worker).toBe(workerOf(words(b), words(a), workers));
        expect(worker >= 0 && worker < workers).toBe(true);
      }),
    );
  });

  test.each([2, 3, 4])('shares the pairs of two neighbouring subnets out evenly among %i', (workers) => {
    const count = new Array(workers).fill(0);
    for (let a = 1; a < 41; a++) {
      for (let b = 1; b < 41; b++) count[workerOf(words([10, 0, 1, a]), words([10, 0, 2, b]), workers)]++;
    }
    for (const pairs of count) expect(Math.abs(pairs / (1600 / workers) - 1)).toBeLessThan(0.2);
  });
});

describe('the program in the kernel', () => {
  const buffers = new Buffers();
  let leave: () => void;
  let sender: PacketPort;
  let members: PacketPort[];
  let fds: Int32Array;

  beforeAll(() => {
    leave = enterNewNamespace();
    addVeth('left', 'right');
    const options = { workers: 1, mark: 1, receiveBytes: 1 << 20, sendBytes: 1 << 20 };
    const [fd] = openPacketSockets('left', options);
    const opened = openPacketSockets('right', { ...options, workers: WORKERS });
    openPorts([fd, ...opened]);
    sender = new PacketPort(fd, 'left', 1500);
    members = opened.map((member) => new PacketPort(member, 'right', 1500));
    fds = Int32Array.from(opened);
  });

  afterAll(() => {
    for (const port of [sender, ...members]) port.close();
    run('ip link del left');
    leave();
  });

  /** Which member gets the frame. */
  function memberOf(frame: Uint8Array): number {
    buffers.add(frame);
    expect(buffers.send(sender)).toEqual([0]);
    const ready = readable(fds, 2_000).map((events) => events !== 0);
    expect(ready.filter(Boolean)).toHaveLength(1);
    const member = ready.indexOf(true);
    expect(buffers.arrivals(members[member], 1)[0].bytes).toEqual(frame);
    return member;
  }

  test('IPv4, both ways, behind options, in fragments', () => {
    fc.assert(
      fc.property(v4, v4, (a, b) => {
        const worker = workerOf(words(a), words(b), WORKERS);
        expect(memberOf(ethernet(0x0800, ipv4(a, b, 17, udp)))).toBe(worker);
        expect(memberOf(ethernet(0x0800, ipv4(b, a, 17, udp)))).toBe(worker);
        expect(memberOf(ethernet(0x0800, ipv4(a, b, 17, udp, { options: [1, 1, 1, 0] })))).toBe(worker);
        expect(memberOf(ethernet(0x0800, ipv4(a, b, 17, udp, { fragment: 0x2000 })))).toBe(worker);
      }),
    );
  });

  test('ICMP errors go to the quoted pair, echoes and fragments to their own', () => {
    fc.assert(
      fc.property(v4, v4, v4, errors4, (a, b, router, type) => {
        const inner = workerOf(words(a), words(b), WORKERS);
        const outer = workerOf(words(router), words(a), WORKERS);
        const quote = ipv4(a, b, 6, udp);
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote))))).toBe(inner);
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote), { options: [1, 1, 1, 0] })))).toBe(
          inner,
        );
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(8, quote))))).toBe(outer);
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote), { fragment: 0x2000 })))).toBe(outer);
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote.slice(0, 19)))))).toBe(outer);
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote.slice(0, 20)))))).toBe(inner);
      }),
    );
  });

  test('IPv6, both ways, and fragments', () => {
    fc.assert(
      fc.property(v6, v6, (a, b) => {
        const worker = workerOf(words(a), words(b), WORKERS);
        expect(memberOf(ethernet(0x86dd, ipv6(a, b, 17, udp)))).toBe(worker);
        expect(memberOf(ethernet(0x86dd, ipv6(b, a, 17, udp)))).toBe(worker);
        expect(memberOf(ethernet(0x86dd, ipv6(a, b, 44, [58, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0])))).toBe(worker);
      }),
    );
  });

  test('ICMPv6 errors go to the quoted pair, also behind extension headers', () => {
    fc.assert(
      fc.property(v6, v6, v6, errors6, (a, b, router, type) => {
        const inner = workerOf(words(a), words(b), WORKERS);
        const outer = workerOf(words(router), words(a), WORKERS);
        const error = icmp(type, ipv6(a, b, 6, udp));
        const options = [60, 0, 1, 4, 0, 0, 0, 0, 58, 1, 1, 12, ...new Array(12).fill(0)];
        expect(memberOf(ethernet(0x86dd, ipv6(router, a, 58, error)))).toBe(inner);
        expect(memberOf(ethernet(0x86dd, ipv6(router, a, 0, [...options, ...error])))).toBe(inner);
        expect(memberOf(ethernet(0x86dd, ipv6(router, a, 58, icmp(129, error))))).toBe(outer);
        expect(memberOf(ethernet(0x86dd, ipv6(router, a, 58, error.slice(0, 47))))).toBe(outer);
        expect(memberOf(ethernet(0x86dd, ipv6(router, a, 58, error.slice(0, 48))))).toBe(inner);
      }),
    );
  });

  test('tags in the frame do not matter', () => {
    fc.assert(
      fc.property(v4, v6, v4, v6, (a4, a6, b4, b6) => {
        const frame4 = tagged(ethernet(0x0800, ipv4(a4, b4, 17, udp)), 0x8100, 5);
        const frame6 = tagged(ethernet(0x86dd, ipv6(a6, b6, 17, udp)), 0x88a8, 5);
        const worker4 = workerOf(words(a4), words(b4), WORKERS);
        const worker6 = workerOf(words(a6), words(b6), WORKERS);
        /* The first tag is taken off by Linux, so two more are what the program looks through. */
        expect(memberUntagged(frame4)).toBe(worker4);
        expect(memberUntagged(tagged(frame4, 0x88a8, 6))).toBe(worker4);
        expect(memberUntagged(tagged(tagged(frame6, 0x8100, 6), 0x88a8, 7))).toBe(worker6);
      }),
      { numRuns: 30 },
    );
  });

  /** As memberOf, for a frame whose first tag arrives beside it. */
  function memberUntagged(frame: Uint8Array): number {
    buffers.add(frame);
    expect(buffers.send(sender)).toEqual([0]);
    const ready = readable(fds, 2_000).map((events) => events !== 0);
    expect(ready.filter(Boolean)).toHaveLength(1);
    const member = ready.indexOf(true);
    expect(buffers.arrivals(members[member], 1)[0].bytes.length).toBe(frame.length - 4);
    return member;
  }

  test('everything else, and every stump of a packet, goes to one member and is not lost', () => {
    expect(memberOf(plainFrame(60))).toBe(0);
    const a = [192, 0, 2, 1];
    const whole = ethernet(0x0800, ipv4(a, [192, 0, 2, 2], 1, icmp(3, ipv4(a, [192, 0, 2, 3], 6, udp))));
    for (let size = 14; size < whole.length; size++) memberOf(whole.slice(0, size));
  });
});

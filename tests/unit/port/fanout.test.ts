/** The kernel's programs against their twin: random pairs through real sockets, in both directions and quoted. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readable } from '#kit/readable.ts';
import { openPacketSockets, openPorts, PacketPort } from '#port/packet.ts';
import { pairOfError, workerOf } from './fanout-twin.ts';
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
const own = (a: Address, b: Address): number => workerOf(words(a), words(b), WORKERS);
const noise = fc.array(fc.nat(255), { minLength: 20, maxLength: 200 });
const untagged = (frame: Uint8Array): Uint8Array => Uint8Array.from([...frame.subarray(0, 12), ...frame.subarray(16)]);
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

/** Members of one fanout group. */
class Group {
  readonly members: readonly PacketPort[];
  readonly #fds: Int32Array;

  constructor(fds: readonly number[]) {
    this.#fds = Int32Array.from(fds);
    this.members = fds.map((fd) => new PacketPort(fd, 'right', 1500));
  }

  /** Which member got the frame that was sent. */
  takes(buffers: Buffers, frame: Uint8Array): number {
    const ready = readable(this.#fds, 2_000).map((events) => events !== 0);
    expect(ready.filter(Boolean)).toHaveLength(1);
    const member = ready.indexOf(true);
    expect(buffers.arrivals(this.members[member], 1)[0].bytes).toEqual(frame);
    return member;
  }
}

describe('the programs in the kernel', () => {
  const buffers = new Buffers();
  let leave: () => void;
  let sender: PacketPort;
  /** One group of each kind on the same link: both get every frame. */
  let network: Group;
  let devices: Group;

  beforeAll(() => {
    leave = enterNewNamespace();
    addVeth('left', 'right');
    const options = { workers: 1, mark: 1, receiveBytes: 1 << 20, sendBytes: 1 << 20 };
    const [fd] = openPacketSockets('left', options);
    const groups = [true, false].map((fromNetwork) =>
      openPacketSockets('right', { ...options, workers: WORKERS, fromNetwork }),
    );
    openPorts([fd, ...groups.flat()]);
    sender = new PacketPort(fd, 'left', 1500);
    [network, devices] = groups.map((fds) => new Group(fds));
  });

  afterAll(() => {
    for (const port of [sender, ...network.members, ...devices.members]) port.close();
    run('ip link del left');
    leave();
  });

  /** Which member gets the frame, that comes as `arrives`: on the port toward the network and on the others. */
  function membersOf(frame: Uint8Array, arrives = frame): { network: number; devices: number } {
    buffers.add(frame);
    expect(buffers.send(sender)).toEqual([0]);
    return { network: network.takes(buffers, arrives), devices: devices.takes(buffers, arrives) };
  }

  /** The same, for a frame with which both do alike. */
  function memberOf(frame: Uint8Array, arrives = frame): number {
    const members = membersOf(frame, arrives);
    expect(members.devices).toBe(members.network);
    return members.network;
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

  test('errors from the network go to the quoted pair, all others, echoes and fragments to their own', () => {
    fc.assert(
      fc.property(v4, v4, v4, errors4, (a, b, router, type) => {
        const members = { network: workerOf(words(a), words(b), WORKERS), devices: own(router, a) };
        const outer = own(router, a);
        const quote = ipv4(a, b, 6, udp);
        const options = [1, 1, 1, 0];
        expect(membersOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote))))).toEqual(members);
        expect(membersOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote), { options })))).toEqual(members);
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(8, quote))))).toBe(outer);
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote), { fragment: 0x2000 })))).toBe(outer);
        expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote.slice(0, 19)))))).toBe(outer);
        expect(membersOf(ethernet(0x0800, ipv4(router, a, 1, icmp(type, quote.slice(0, 20)))))).toEqual(members);
        /* What lies behind the packet's end is no part of it. */
        const padded = [...ipv4(router, a, 1, icmp(type, quote.slice(0, 19))), ...quote.slice(19)];
        expect(memberOf(ethernet(0x0800, padded))).toBe(outer);
      }),
    );
  });

  test('the quote in an error of a protected peer is ciphertext: it belongs to its own pair', () => {
    const quotes = fc.oneof(
      noise,
      fc.tuple(fc.constantFrom(0x45, 0x46, 0x60), noise).map(([first, rest]) => [first, ...rest]),
    );
    fc.assert(
      fc.property(v4, v4, errors4, quotes, (peer, device, type, quote) => {
        expect(memberOf(ethernet(0x0800, ipv4(peer, device, 1, icmp(type, quote))))).toBe(own(peer, device));
      }),
    );
    fc.assert(
      fc.property(v6, v6, errors6, quotes, (peer, device, type, quote) => {
        expect(memberOf(ethernet(0x86dd, ipv6(peer, device, 58, icmp(type, quote))))).toBe(own(peer, device));
      }),
    );
  });

  test("a quote counts only where it is of the destination's own packet, and of its IP version", () => {
    const differs = fc.record({ byte: fc.nat(15), by: fc.integer({ min: 1, max: 255 }) });
    fc.assert(
      fc.property(v4, v4, v4, v4, (router, a, source, b) => {
        const pair = pairOfError(
          { source: words(router), destination: words(a) },
          { source: words(source), destination: words(b) },
        );
        const error = ipv4(router, a, 1, icmp(3, ipv4(source, b, 6, udp)));
        expect(membersOf(ethernet(0x0800, error)).network).toBe(workerOf(pair.source, pair.destination, WORKERS));
        for (const first of [0x44, 0x50, 0x55, 0x65]) {
          const quote = [first, ...ipv4(a, b, 6, udp).slice(1)];
          expect(memberOf(ethernet(0x0800, ipv4(router, a, 1, icmp(3, quote))))).toBe(own(router, a));
        }
      }),
    );
    fc.assert(
      fc.property(v6, v6, v6, differs, (router, a, b, { byte, by }) => {
        const source = a.map((value, i) => (i === byte ? value ^ by : value));
        expect(memberOf(ethernet(0x86dd, ipv6(router, a, 58, icmp(2, ipv6(source, b, 6, udp)))))).toBe(own(router, a));
        for (const first of [0x50, 0x70]) {
          const quote = [first, ...ipv6(a, b, 6, udp).slice(1)];
          expect(memberOf(ethernet(0x86dd, ipv6(router, a, 58, icmp(2, quote))))).toBe(own(router, a));
        }
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

  test('ICMPv6 errors go likewise, also behind extension headers', () => {
    fc.assert(
      fc.property(v6, v6, v6, errors6, (a, b, router, type) => {
        const members = { network: workerOf(words(a), words(b), WORKERS), devices: own(router, a) };
        const outer = own(router, a);
        const error = icmp(type, ipv6(a, b, 6, udp));
        const options = [60, 0, 1, 4, 0, 0, 0, 0, 58, 1, 1, 12, ...new Array(12).fill(0)];
        expect(membersOf(ethernet(0x86dd, ipv6(router, a, 58, error)))).toEqual(members);
        expect(membersOf(ethernet(0x86dd, ipv6(router, a, 0, [...options, ...error])))).toEqual(members);
        expect(memberOf(ethernet(0x86dd, ipv6(router, a, 58, icmp(129, error))))).toBe(outer);
        expect(memberOf(ethernet(0x86dd, ipv6(router, a, 58, error.slice(0, 47))))).toBe(outer);
        expect(membersOf(ethernet(0x86dd, ipv6(router, a, 58, error.slice(0, 48))))).toEqual(members);
        const padded = [...ipv6(router, a, 58, error.slice(0, 47)), ...error.slice(47)];
        expect(memberOf(ethernet(0x86dd, padded))).toBe(outer);
      }),
    );
  });

  test('tags in the frame do not matter', () => {
    fc.assert(
      fc.property(v4, v6, v4, v6, v4, (a4, a6, b4, b6, router) => {
        const frame4 = tagged(ethernet(0x0800, ipv4(a4, b4, 17, udp)), 0x8100, 5);
        const frame6 = tagged(ethernet(0x86dd, ipv6(a6, b6, 17, udp)), 0x88a8, 5);
        const error = tagged(ethernet(0x0800, ipv4(router, a4, 1, icmp(3, ipv4(a4, b4, 17, udp)))), 0x8100, 5);
        const worker4 = workerOf(words(a4), words(b4), WORKERS);
        const worker6 = workerOf(words(a6), words(b6), WORKERS);
        /* The first tag is taken off by Linux, so two more are what the program looks through. */
        expect(memberOf(frame4, untagged(frame4))).toBe(worker4);
        expect(memberOf(tagged(frame4, 0x88a8, 6), frame4)).toBe(worker4);
        const frame6Twice = tagged(frame6, 0x8100, 6);
        expect(memberOf(tagged(frame6Twice, 0x88a8, 7), frame6Twice)).toBe(worker6);
        const errorTwice = tagged(error, 0x8100, 6);
        const members = { network: worker4, devices: own(router, a4) };
        expect(membersOf(tagged(errorTwice, 0x88a8, 7), errorTwice)).toEqual(members);
      }),
      { numRuns: 30 },
    );
  });

  test('everything else, and every stump of a packet, goes to one member and is not lost', () => {
    expect(memberOf(plainFrame(60))).toBe(0);
    const a = [192, 0, 2, 1];
    const b = [192, 0, 2, 2];
    const whole4 = ethernet(0x0800, ipv4(b, a, 1, icmp(3, ipv4(a, [192, 0, 2, 3], 6, udp))));
    const a6 = [...new Array(15).fill(0), 1];
    const options = [58, 0, 1, 4, 0, 0, 0, 0];
    const whole6 = ethernet(0x86dd, ipv6(a6, a6, 60, [...options, ...icmp(1, ipv6(a6, a6, 6, udp))]));
    for (const whole of [whole4, whole6]) {
      for (let size = 14; size < whole.length; size++) membersOf(whole.slice(0, size));
    }
  });
});

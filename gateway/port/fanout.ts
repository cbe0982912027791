/**
 * Which worker a packet belongs to: a hash of its unordered address pair, so that both directions, on every port, reach
 * the same worker. The kernel shares the frames out; a twin in TypeScript is beside the tests.
 *
 *   EtherType ─► inline tags ─► IPv4, IPv6 ─┬────────────────── own pair ────────────────────┬─► hash ─► modulo workers
 *                            └► else 0       └► error quoting its destination: quoted pair ─┘
 *
 * That quote is only looked at in what comes from the network: a router on the way tells a device what became of its
 * packet, and the worker of that packet's pair knows what to do. The quote in an error of a protected peer is
 * ciphertext, so that error belongs to its own pair, as all errors from devices do.
 */
import { ETHERTYPE_QINQ, ETHERTYPE_VLAN, INLINE_TAGS_MAX, VLAN_TAG } from '#wire/ethernet.ts';
import { ETHERTYPE_IPV4, ETHERTYPE_IPV6, PROTO_ICMP, PROTO_ICMPV6 } from '#wire/frame.ts';
import {
  ICMP_HEADER,
  ICMP4_PARAMETER,
  ICMP4_REDIRECT,
  ICMP4_SOURCE_QUENCH,
  ICMP4_TIME_EXCEEDED,
  ICMP4_UNREACHABLE,
} from '#wire/icmp.ts';
import { EXT_DESTINATION, EXT_HOP_BY_HOP, EXT_ROUTING } from '#wire/ipv6.ts';
import type { Line } from './bpf.ts';
import * as bpf from './bpf.ts';

/** 2^32 divided by the golden ratio: odd, and its multiples spread over all bits (Knuth 3, §6.4). */
const MULTIPLIER = 0x9e3779b1;

/** Extension headers in front of ICMPv6 that the program looks through; behind more of them the outer pair counts. */
const EXTENSIONS = 4;

/* Memory: a header's number, the end of the packet, the quote's offset, the two addresses. */
const M_HEADER = 0;
const M_END = 1;
const M_QUOTE = 2;
const M_SOURCE = 4;
const M_DESTINATION = 8;

/** How the header of one IP version, quoted in an error, is read: offsets and bytes. */
interface QuotedHeader {
  readonly length: number;
  /** The first byte is one of these. */
  readonly first: readonly [least: number, most: number];
  readonly source: number;
  readonly destination: number;
  /** Of the four words of an address in memory, those that the header holds. */
  readonly words: readonly number[];
}

const QUOTED_IPV4: QuotedHeader = { length: 20, first: [0x45, 0x4f], source: 12, destination: 16, words: [3] };
const QUOTED_IPV6: QuotedHeader = { length: 40, first: [0x60, 0x6f], source: 8, destination: 24, words: [0, 1, 2, 3] };

/**
 * The program for PACKET_FANOUT_CBPF. For a received frame the program's offset 0 is the network header: an outer tag
 * is off already, inner ones are not. Offsets are plain ones because only those reach behind the linear part of a
 * buffer. A load behind the frame's end gives member 0.
 *
 * @param fromNetwork true for the outer port: errors go to the worker of the pair that they quote
 */
export function fanoutProgram(fromNetwork: boolean): Uint8Array {
  return bpf.assemble([...tags(), ...ipv4(fromNetwork), ...ipv6(fromNetwork), ...hash()]);
}

function tags(): Line[] {
  const lines: Line[] = [
    [bpf.LOAD_X_VALUE, 0],
    [bpf.LOAD_HALF, bpf.ANCILLARY_PROTOCOL],
  ];
  for (let tag = 1; tag <= INLINE_TAGS_MAX; tag++) {
    lines.push(
      [bpf.JUMP_EQUAL, ETHERTYPE_VLAN, `tag ${tag}`],
      [bpf.JUMP_EQUAL, ETHERTYPE_QINQ, undefined, 'type'],
      `tag ${tag}`,
      [bpf.LOAD_X_VALUE, tag * VLAN_TAG],
      [bpf.LOAD_HALF, tag * VLAN_TAG - 2],
    );
  }
  return [
    ...lines,
    'type',
    [bpf.JUMP_EQUAL, ETHERTYPE_IPV4, 'IPv4'],
    [bpf.JUMP_EQUAL, ETHERTYPE_IPV6, 'IPv6'],
    [bpf.RETURN_VALUE, 0],
  ];
}

/** Stores the addresses that count, IPv4 as ::ffff:a.b.c.d. X is at the header. */
function ipv4(fromNetwork: boolean): Line[] {
  const addresses: Line[] = [
    'IPv4',
    [bpf.LOAD_VALUE, 0],
    ...[0, 1].flatMap((i): Line[] => [
      [bpf.STORE, M_SOURCE + i],
      [bpf.STORE, M_DESTINATION + i],
    ]),
    [bpf.LOAD_VALUE, 0xffff],
    [bpf.STORE, M_SOURCE + 2],
    [bpf.STORE, M_DESTINATION + 2],
    [bpf.LOAD_WORD_IND, 12],
    [bpf.STORE, M_SOURCE + 3],
    [bpf.LOAD_WORD_IND, 16],
    [bpf.STORE, M_DESTINATION + 3],
  ];
  if (!fromNetwork) return [...addresses, [bpf.JUMP, 0, 'hash']];
  return [
    ...addresses,
    [bpf.LOAD_HALF_IND, 6],
    [bpf.JUMP_BITS, 0x3fff, 'hash'], // a fragment: its layer 4 is not looked at
    [bpf.LOAD_BYTE_IND, 9],
    [bpf.JUMP_EQUAL, PROTO_ICMP, undefined, 'hash'],
    [bpf.LOAD_HALF_IND, 2],
    [bpf.ADD_X, 0],
    [bpf.STORE, M_END],
    [bpf.LOAD_BYTE_IND, 0],
    [bpf.AND, 0x0f],
    [bpf.SHIFT_LEFT, 2],
    [bpf.ADD_X, 0],
    [bpf.A_TO_X, 0],
    [bpf.LOAD_BYTE_IND, 0],
    [bpf.JUMP_EQUAL, ICMP4_UNREACHABLE, 'IPv4 error'],
    [bpf.JUMP_EQUAL, ICMP4_SOURCE_QUENCH, 'IPv4 error'],
    [bpf.JUMP_EQUAL, ICMP4_REDIRECT, 'IPv4 error'],
    [bpf.JUMP_EQUAL, ICMP4_TIME_EXCEEDED, 'IPv4 error'],
    [bpf.JUMP_EQUAL, ICMP4_PARAMETER, undefined, 'hash'],
    'IPv4 error',
    ...quoted(QUOTED_IPV4),
    [bpf.JUMP, 0, 'hash'],
  ];
}

/** The same for IPv6, whose ICMPv6 header may stand behind extension headers. */
function ipv6(fromNetwork: boolean): Line[] {
  const addresses: Line[] = [
    'IPv6',
    ...[0, 1, 2, 3].flatMap((i): Line[] => [
      [bpf.LOAD_WORD_IND, 8 + 4 * i],
      [bpf.STORE, M_SOURCE + i],
      [bpf.LOAD_WORD_IND, 24 + 4 * i],
      [bpf.STORE, M_DESTINATION + i],
    ]),
  ];
  if (!fromNetwork) return addresses;
  const lines: Line[] = [
    ...addresses,
    [bpf.LOAD_HALF_IND, 4],
    [bpf.ADD, 40],
    [bpf.ADD_X, 0],
    [bpf.STORE, M_END],
    [bpf.LOAD_BYTE_IND, 6],
    [bpf.STORE, M_HEADER],
    [bpf.X_TO_A, 0],
    [bpf.ADD, 40],
    [bpf.A_TO_X, 0],
  ];
  for (let i = 0; i < EXTENSIONS; i++) {
    lines.push(
      [bpf.LOAD_MEMORY, M_HEADER],
      [bpf.JUMP_EQUAL, PROTO_ICMPV6, 'ICMPv6'],
      [bpf.JUMP_EQUAL, EXT_HOP_BY_HOP, `extension ${i}`],
      [bpf.JUMP_EQUAL, EXT_ROUTING, `extension ${i}`],
      [bpf.JUMP_EQUAL, EXT_DESTINATION, undefined, 'hash'],
      `extension ${i}`,
      [bpf.LOAD_BYTE_IND, 0],
      [bpf.STORE, M_HEADER],
      [bpf.LOAD_BYTE_IND, 1],
      [bpf.ADD, 1],
      [bpf.SHIFT_LEFT, 3],
      [bpf.ADD_X, 0],
      [bpf.A_TO_X, 0],
    );
  }
  return [
    ...lines,
    [bpf.LOAD_MEMORY, M_HEADER],
    [bpf.JUMP_EQUAL, PROTO_ICMPV6, undefined, 'hash'],
    'ICMPv6',
    [bpf.LOAD_BYTE_IND, 0],
    [bpf.JUMP_AT_LEAST, 128, 'hash'],
    ...quoted(QUOTED_IPV6),
  ];
}

/**
 * X is at the ICMP header. Where a whole header is quoted whose source is the error's own destination, the pair is that
 * destination with the quote's.
 */
function quoted(header: QuotedHeader): Line[] {
  const [least, most] = header.first;
  return [
    [bpf.LOAD_MEMORY, M_END],
    [bpf.SUBTRACT_X, 0],
    [bpf.JUMP_AT_LEAST, 0x8000_0000, 'hash'], // the ICMP header is behind the packet's end
    [bpf.JUMP_AT_LEAST, ICMP_HEADER + header.length, undefined, 'hash'],
    [bpf.X_TO_A, 0],
    [bpf.ADD, ICMP_HEADER],
    [bpf.A_TO_X, 0],
    [bpf.STORE_X, M_QUOTE],
    [bpf.LOAD_BYTE_IND, 0],
    [bpf.JUMP_AT_LEAST, most + 1, 'hash'],
    [bpf.JUMP_AT_LEAST, least, undefined, 'hash'],
    ...header.words.flatMap((word, i): Line[] => [
      [bpf.LOAD_X_MEMORY, M_QUOTE],
      [bpf.LOAD_WORD_IND, header.source + 4 * i],
      [bpf.LOAD_X_MEMORY, M_DESTINATION + word],
      [bpf.JUMP_EQUAL_X, 0, undefined, 'hash'],
    ]),
    [bpf.LOAD_X_MEMORY, M_QUOTE],
    ...header.words.flatMap((word, i): Line[] => [
      [bpf.LOAD_WORD_IND, header.destination + 4 * i],
      [bpf.STORE, M_SOURCE + word],
    ]),
  ];
}

function hash(): Line[] {
  const address = (at: number): Line[] => [
    [bpf.LOAD_MEMORY, at],
    [bpf.MULTIPLY, MULTIPLIER],
    ...[1, 2, 3].flatMap((i): Line[] => [
      [bpf.LOAD_X_MEMORY, at + i],
      [bpf.XOR_X, 0],
      [bpf.MULTIPLY, MULTIPLIER],
    ]),
    /* Not linear, so that a + b = c + d does not put two pairs of neighbours together. */
    ...fold(15),
    [bpf.STORE, at],
  ];
  const fold = (bits: number): Line[] => [
    [bpf.A_TO_X, 0],
    [bpf.SHIFT_RIGHT, bits],
    [bpf.XOR_X, 0],
  ];
  return [
    'hash',
    ...address(M_SOURCE),
    ...address(M_DESTINATION),
    [bpf.LOAD_X_MEMORY, M_SOURCE],
    [bpf.ADD_X, 0],
    ...fold(16),
    [bpf.MULTIPLY, MULTIPLIER],
    ...fold(15),
    [bpf.RETURN_A, 0],
  ];
}

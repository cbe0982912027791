/**
 * Which worker a packet belongs to: a hash of its unordered address pair, so that both directions, on every port, reach
 * the same worker. The kernel shares the frames out; a twin in TypeScript is beside the tests.
 *
 *   EtherType ─► inline tags ─► IPv4 ─► ICMP error? ─► quoted pair ─┐
 *                            └► IPv6 ─► ICMPv6 error? ─► … ─────────┴► hash ─► modulo workers
 *                            └► else 0
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

/* Memory: the IP header's offset, a header's length or number, the two addresses. */
const M_BASE = 0;
const M_HEADER = 1;
const M_SOURCE = 4;
const M_DESTINATION = 8;

/**
 * The program for PACKET_FANOUT_CBPF. For a received frame the program's offset 0 is the network header: an outer tag
 * is off already, inner ones are not. Offsets are plain ones because only those reach behind the linear part of a
 * buffer. A load behind the frame's end gives member 0.
 */
export function fanoutProgram(): Uint8Array {
  return bpf.assemble([...tags(), ...ipv4(), ...ipv6(), ...hash()]);
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
    [bpf.STORE_X, M_BASE],
    [bpf.JUMP_EQUAL, ETHERTYPE_IPV4, 'IPv4'],
    [bpf.JUMP_EQUAL, ETHERTYPE_IPV6, 'IPv6'],
    [bpf.RETURN_VALUE, 0],
  ];
}

/** Leaves X at the header whose addresses count, and stores them as ::ffff:a.b.c.d. */
function ipv4(): Line[] {
  return [
    'IPv4',
    [bpf.LOAD_HALF_IND, 6],
    [bpf.JUMP_BITS, 0x3fff, 'IPv4 outer'], // a fragment: its layer 4 is not looked at
    [bpf.LOAD_BYTE_IND, 9],
    [bpf.JUMP_EQUAL, PROTO_ICMP, undefined, 'IPv4 outer'],
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
    [bpf.JUMP_EQUAL, ICMP4_PARAMETER, undefined, 'IPv4 outer'],
    'IPv4 error',
    ...quoted(20, 'IPv4 outer', 'IPv4 pair'),
    'IPv4 outer',
    [bpf.LOAD_X_MEMORY, M_BASE],
    'IPv4 pair',
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
    [bpf.JUMP, 0, 'hash'],
  ];
}

/** The same for IPv6, whose ICMPv6 header may stand behind extension headers. */
function ipv6(): Line[] {
  const lines: Line[] = [
    'IPv6',
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
      [bpf.JUMP_EQUAL, EXT_DESTINATION, undefined, 'IPv6 outer'],
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
    [bpf.JUMP_EQUAL, PROTO_ICMPV6, undefined, 'IPv6 outer'],
    'ICMPv6',
    [bpf.LOAD_BYTE_IND, 0],
    [bpf.JUMP_AT_LEAST, 128, 'IPv6 outer'],
    ...quoted(40, 'IPv6 outer', 'IPv6 pair'),
    'IPv6 outer',
    [bpf.LOAD_X_MEMORY, M_BASE],
    'IPv6 pair',
    ...[0, 1, 2, 3].flatMap((i): Line[] => [
      [bpf.LOAD_WORD_IND, 8 + 4 * i],
      [bpf.STORE, M_SOURCE + i],
      [bpf.LOAD_WORD_IND, 24 + 4 * i],
      [bpf.STORE, M_DESTINATION + i],
    ]),
  ];
}

/** X goes from the ICMP header to the quoted packet, when that has its `header` bytes. */
function quoted(header: number, outer: string, pair: string): Line[] {
  return [
    [bpf.LOAD_LENGTH, 0],
    [bpf.SUBTRACT_X, 0],
    [bpf.JUMP_AT_LEAST, 0x8000_0000, outer], // the header is behind the frame's end
    [bpf.JUMP_AT_LEAST, ICMP_HEADER + header, undefined, outer],
    [bpf.X_TO_A, 0],
    [bpf.ADD, ICMP_HEADER],
    [bpf.A_TO_X, 0],
    [bpf.JUMP, 0, pair],
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

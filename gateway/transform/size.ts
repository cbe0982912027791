/**
 * How large the packets are that both transforms send: what a path carries, what a sender is told whose packets are
 * larger, what leaves in fragments and how large these are. `overhead` is what the transform adds to a packet: TRAILER
 * of `sealed`, 0 of `pccom`.
 */
import type { Frame } from '#wire/frame.ts';
import { IPV4_MTU_MIN } from '#wire/ipv4.ts';
import { FRAGMENT_HEADER, IPV6_MTU_MIN } from '#wire/ipv6.ts';
import { GSO_NONE } from '#wire/record.ts';
import { clearEnd, contentEnd } from './datagram.ts';
import type { Work } from './work.ts';

/**
 * A superpacket of smaller segments is cut at this length instead, under keyed checksums, too: TCP is a byte stream,
 * and a bound on records is needed.
 */
export const SEGMENT_MIN = 512;
/**
 * What `sealDatagram` returns for a packet whose sender must be told to send smaller ones: `tooBigMtu` says how small.
 */
export const TOO_BIG = -0x10000;

/** The smallest path MTU that is ever reported or believed. */
export function mtuFloor(ipVersion: number): number {
  return ipVersion === 4 ? IPV4_MTU_MIN : IPV6_MTU_MIN;
}

/**
 * The path MTU to report to a device whose packet was TOO_BIG: what is left of `mtu` beside the transform's overhead,
 * and never below the floor; packets up to the floor are fragmented by the gateway.
 */
export function tooBigMtu(frame: Frame, mtu: number, overhead: number): number {
  return Math.max(mtuFloor(frame.ipVersion), mtu - overhead);
}

/** True where a packet of `length` bytes, which is too large for its path, may leave in fragments. */
export function mayFragment(frame: Frame, length: number, reassembled: boolean): boolean {
  return reassembled || !frame.dontFragment || length <= mtuFloor(frame.ipVersion);
}

/**
 * The size to cut at where a datagram came in fragments, `largest` bytes the longest of them: whoever chose it knows a
 * link that carries no more (Linux's frag_max_size). What every path carries is small enough.
 */
export function fragmentMtu(ipVersion: number, largest: number): number {
  return Math.max(mtuFloor(ipVersion), largest);
}

/**
 * True where a datagram of `length` bytes leaves whole though it came in fragments, `largest` bytes the longest: a
 * gateway, or a router, cut it that could not carry it with its trailer. Fragments are whole eights, so of a link's
 * size they leave up to seven bytes unused; for IPv6 that much is too much, since routers do not cut it.
 */
export function fitsWhole(ipVersion: number, length: number, largest: number): boolean {
  return length <= fragmentMtu(ipVersion, ipVersion === 4 ? largest + 7 : largest);
}

/** Upper bound of the fragments that a packet of this frame, transformed either way, makes at `mtu`; 0 when it fits. */
export function fragmentsOf(frame: Frame, mtu: number, overhead: number): number {
  const length = frame.gsoType === GSO_NONE ? contentEnd(frame) - frame.l3 : clearEnd(frame) - frame.l3 + frame.gsoSize;
  if (length + overhead <= mtu) return 0;
  const header = frame.l4 - frame.l3 + FRAGMENT_HEADER;
  return Math.ceil((length + overhead) / Math.max(8, (mtu - header) & ~7));
}

/**
 * Keeps the room in which `fragmentRecord` cuts the `packets` packets that the frame at hand became, until the cipher
 * ran: it was asked for with theirs, and the next frame must not be promised it, too.
 */
export function keepFragments(work: Work, frame: Frame, mtu: number, overhead: number, packets: number): void {
  const fragments = fragmentsOf(frame, mtu, overhead);
  if (fragments === 0) return;
  const headers = clearEnd(frame) - frame.offset + FRAGMENT_HEADER + 8;
  const content = contentEnd(frame) - clearEnd(frame);
  work.keep(packets * (fragments - 1), packets * (fragments * headers + overhead) + content);
}

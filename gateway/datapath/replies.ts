/**
 * Frames of our own making: DPRP messages in the device's name, notices, ICMP errors. Built in the work area, so that
 * they leave in order with the rest of the batch. Control path; a bound per second keeps errors from becoming a flood.
 */
import type { Received } from '#dprp/spec.ts';
import type { LinkHeader, Pair } from '#pit/pair.ts';
import { KIND_PLAIN, W_JOBS, W_KIND, type Work } from '#transform/work.ts';
import { wordsToBytes } from '#wire/address.ts';
import { isDprp } from '#wire/dprp.ts';
import { macSwap } from '#wire/ethernet.ts';
import { FORM_ICMP_ERROR, type Frame } from '#wire/frame.ts';
import { ECHO_SEQUENCE, icmpErrorAllowed, QUOTE_LENGTH, writeEcho, writeTooBig, writeUnreachable } from '#wire/icmp.ts';
import {
  F_LENGTH,
  F_OFFSET,
  F_PORT,
  F_STRIDE,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_NONE,
  PORT_INNER,
  PORT_OUTER,
} from '#wire/record.ts';
import type { Association } from './associations.ts';
import type { Counters } from './counters.ts';
import { ERRORS_PER_SECOND, PER_PAIR_MS } from './limits.ts';

/** Largest header chain in front of a message of ours: Ethernet with two tags, IPv6, ICMP, a quote. */
export const REPLY_ROOM = 22 + 48 + QUOTE_LENGTH;

/** How much of one kind was sent in this second. */
class Rate {
  #second = 0;
  #sent = 0;

  allows(now: number): boolean {
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#sent = 0;
    }
    if (this.#sent >= ERRORS_PER_SECOND) return false;
    this.#sent += 1;
    return true;
  }
}

export class Replies {
  readonly #work: Work;
  readonly #counters: Counters;
  /* Each kind by itself: outsiders can call for notices, and take neither the errors from our devices nor those of the
   * other kind from far gateways. */
  readonly #errors = new Rate();
  readonly #gatewayHere = new Rate();
  readonly #noAssociation = new Rate();

  constructor(work: Work, counters: Counters) {
    this.#work = work;
    this.#counters = counters;
  }

  /** An Echo from the pair's device to its peer, on the way the device's own frames take. */
  echo(pair: Pair<Association>, kind: 'request' | 'reply', id: number, sequence: number, payload: Uint8Array): void {
    const link = pair.outward;
    if (link.length === 0) return;
    const { slab, view } = this.#work;
    const at = this.#begin(link, payload.length);
    const l3 = at + link.length;
    const length = writeEcho(
      slab,
      view,
      l3,
      pair.ipVersion,
      pair.deviceBytes,
      pair.peerBytes,
      kind,
      id,
      sequence,
      payload,
    );
    this.#finish(at, l3 + length, link, PORT_OUTER);
  }

  /** An Echo with DPRP inside, as the machine wants it. The payload is lent for the call. */
  received(frame: Frame, kind: 'request' | 'reply'): Received {
    const { slab, view } = this.#work;
    return {
      pair: { device: wordsToBytes(frame.destination), peer: wordsToBytes(frame.source) },
      ipVersion: frame.ipVersion as 4 | 6,
      icmp: kind,
      id: frame.sourcePort,
      sequence: view.getUint16(frame.l4 + ECHO_SEQUENCE),
      payload: slab.subarray(frame.payload, frame.payload + frame.payloadLength),
      from: 'outer',
    };
  }

  /** The notice behind an ICMP error's quote; undefined when the error bears none. */
  noticeBehindQuote(frame: Frame): Received | undefined {
    const { slab } = this.#work;
    const at = frame.payload + QUOTE_LENGTH;
    const length = frame.payloadLength - QUOTE_LENGTH;
    if (frame.form !== FORM_ICMP_ERROR || length <= 0 || !isDprp(slab, at, length)) return undefined;
    return {
      pair: { device: wordsToBytes(frame.destination), peer: wordsToBytes(frame.source) },
      ipVersion: frame.ipVersion as 4 | 6,
      icmp: 'error',
      id: 0,
      sequence: 0,
      payload: slab.subarray(at, at + length),
      from: 'outer',
      quote: slab.subarray(frame.payload, at),
    };
  }

  /**
   * "GE here": answers the frame at hand, which came from outside, with an ICMP error that quotes it, `behind` behind
   * the quote.
   */
  notice(frame: Frame, behind: Uint8Array, now: number): void {
    if (this.#allowed(frame, this.#gatewayHere, now)) this.#notice(frame, behind);
  }

  /** "No association", the same way, at most once in PER_PAIR_MS for a pair. */
  noticeOnce(frame: Frame, pair: Pair<Association>, behind: Uint8Array, now: number): void {
    if (now - pair.noticedAt < PER_PAIR_MS) return;
    pair.noticedAt = now;
    if (this.#allowed(frame, this.#noAssociation, now)) this.#notice(frame, behind);
  }

  #notice(frame: Frame, behind: Uint8Array): void {
    const { slab, view } = this.#work;
    const link = turnedRound(slab, frame);
    const at = this.#begin(link, behind.length);
    const l3 = at + link.length;
    this.#finish(at, l3 + writeUnreachable(slab, view, l3, frame, behind), link, PORT_OUTER);
  }

  /** Tells the device behind us that its packet is too large: the peer's address speaks, as a path's router would. */
  tooBig(frame: Frame, mtu: number, now: number): void {
    this.#counters.drop('too-big');
    if (!this.#allowed(frame, this.#errors, now)) return;
    const { slab, view } = this.#work;
    const link = turnedRound(slab, frame);
    const at = this.#begin(link, 0);
    const l3 = at + link.length;
    this.#finish(at, l3 + writeTooBig(slab, view, l3, frame, mtu), link, PORT_INNER);
  }

  /**
   * True for a packet of the device behind us that is to leave as it is and is larger than the way on carries: its
   * sender is told, as routers do it (RFC 1191, RFC 8201). One that may be cut, or is no IP, is left to the port to
   * refuse.
   */
  refusesTooBig(frame: Frame, mtu: number, now: number): boolean {
    if (frame.l3End - frame.l3 <= mtu || !frame.dontFragment) return false;
    if (frame.gsoType !== GSO_NONE && frame.payload - frame.l3 + frame.gsoSize <= mtu) return false;
    this.tooBig(frame, mtu, now);
    return true;
  }

  #allowed(frame: Frame, kind: Rate, now: number): boolean {
    if (!icmpErrorAllowed(this.#work.slab, frame)) return false;
    if (kind.allows(now)) return true;
    this.#counters.drop('notice-limit');
    return false;
  }

  #begin(link: LinkHeader, payload: number): number {
    const at = this.#work.reserve(REPLY_ROOM + payload);
    this.#work.slab.set(link.bytes, at);
    return at;
  }

  #finish(at: number, end: number, link: LinkHeader, port: number): void {
    const { records } = this.#work;
    const r = this.#work.recordCount * F_STRIDE;
    this.#work.recordCount += 1;
    records.fill(0, r, r + F_STRIDE);
    records[r + F_OFFSET] = at;
    records[r + F_LENGTH] = end - at;
    records[r + F_VLAN_TCI] = link.vlanTci;
    records[r + F_VLAN_TPID] = link.vlanTpid;
    records[r + F_PORT] = port;
    records[r + W_KIND] = KIND_PLAIN;
    records[r + W_JOBS] = 0;
  }
}

/** The layer-2 header that takes an answer back to where the frame came from. */
function turnedRound(slab: Uint8Array, frame: Frame): LinkHeader {
  const bytes = slab.slice(frame.offset, frame.l3);
  macSwap(bytes, 0);
  return { bytes, length: bytes.length, vlanTci: frame.vlanTci, vlanTpid: frame.vlanTpid };
}

/**
 * Frames as libpcap sends them: whole, with the tag inside and every checksum complete. A superpacket becomes its
 * segments; nobody behind us does that when offloads are off.
 *
 *   record ─► begin: one piece, headers found ─► next: `frame` has so many bytes ─► next ─► … ─► 0
 */
import { constants } from 'node:os';
import { completeChecksum, fold, sum } from '#wire/checksum.ts';
import { ETHER_TYPE, INLINE_TAGS_MAX, isVlanType, VLAN_TAG } from '#wire/ethernet.ts';
import { ETHERTYPE_IPV4, IP_LENGTH_MAX, PROTO_TCP, PROTO_UDP } from '#wire/frame.ts';
import { IPV4_HEADER, IPV4_SOURCE, ipv4HeaderLength } from '#wire/ipv4.ts';
import { IPV6_HEADER, IPV6_SOURCE } from '#wire/ipv6.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { writeSegmentIp, writeSegmentTcp, writeSegmentUdp } from '#wire/segment.ts';
import { TCP_CHECKSUM, TCP_FLAGS, TCP_HEADER } from '#wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER } from '#wire/udp.ts';
import { linearise } from './chain.ts';

const { EINVAL } = constants.errno;
/** The largest superpacket with its link header and tags. */
const FRAME_BYTES = IP_LENGTH_MAX + 64;

export class FrameCutter {
  /** The record's frame in one piece, its tag inside. */
  readonly #whole = Buffer.from(new ArrayBuffer(FRAME_BYTES));
  readonly #wholeView = new DataView(this.#whole.buffer);
  /** One segment of it. */
  readonly #out = Buffer.from(new ArrayBuffer(FRAME_BYTES));
  readonly #view = new DataView(this.#out.buffer);
  /** Where the frame is that `next` made. */
  frame = this.#whole;
  #length = 0;
  /** Headers of a superpacket, offsets in #whole; #segment is 0 for a single frame. */
  #l3 = 0;
  #l4 = 0;
  #payload = 0;
  #segment = 0;
  #isUdp = false;
  /** Unfolded sum of the pseudo-header without its length. */
  #pseudo = 0;
  /** Bytes of payload that `next` has made frames of, and how many frames. */
  #done = 0;
  #index = 0;

  /** Takes the record at `column`, which is the first of its frame. Returns 0, or the errno of what cannot be sent. */
  begin(slab: Uint8Array, batch: Int32Array, column: number): number {
    const tag = batch[column + F_VLAN_TCI] >= 0 ? VLAN_TAG : 0;
    const total = linearise(slab, batch, column, this.#whole, tag);
    if (total < 0) return EINVAL;
    if (tag > 0) this.#insertTag(batch[column + F_VLAN_TPID], batch[column + F_VLAN_TCI]);
    this.#length = total + tag;
    this.#done = 0;
    this.#index = 0;
    this.#segment = 0;
    const partial = (batch[column + F_FLAGS] & VNET_NEEDS_CSUM) !== 0;
    const start = batch[column + F_CSUM_START] + tag;
    const field = start + batch[column + F_CSUM_OFFSET];
    if (partial && (start < ETHER_TYPE + 2 || field < start || field + 2 > this.#length)) return EINVAL;
    const gso = batch[column + F_GSO_TYPE] & ~GSO_ECN;
    if (gso !== GSO_NONE) return this.#beginSegments(gso, batch[column + F_GSO_SIZE], partial ? start : -1);
    if (partial) completeChecksum(this.#whole, start, this.#length, field);
    return 0;
  }

  #insertTag(tpid: number, tci: number): void {
    this.#whole.copyWithin(0, VLAN_TAG, VLAN_TAG + ETHER_TYPE);
    this.#wholeView.setUint16(ETHER_TYPE, tpid);
    this.#wholeView.setUint16(ETHER_TYPE + 2, tci);
  }

  /** Finds the headers. `l4` is where a partial checksum begins, -1 where the checksum is complete. */
  #beginSegments(gso: number, segment: number, l4: number): number {
    const whole = this.#whole;
    let type = ETHER_TYPE;
    for (let tags = 0; tags <= INLINE_TAGS_MAX && isVlanType(this.#wholeView.getUint16(type)); tags++) type += VLAN_TAG;
    this.#l3 = type + 2;
    const isIpv4 = this.#wholeView.getUint16(type) === ETHERTYPE_IPV4;
    const header = isIpv4 ? ipv4HeaderLength(whole, this.#l3) : IPV6_HEADER;
    this.#l4 = l4 < 0 ? this.#l3 + header : l4;
    this.#isUdp = gso === GSO_UDP_L4;
    const known = this.#isUdp || gso === (isIpv4 ? GSO_TCPV4 : GSO_TCPV6);
    if (!known || segment < 1 || header < IPV4_HEADER || this.#l4 < this.#l3 + header) return EINVAL;
    const least = this.#l4 + (this.#isUdp ? UDP_HEADER : TCP_HEADER);
    if (least > this.#length) return EINVAL;
    this.#payload = this.#l4 + (this.#isUdp ? UDP_HEADER : (whole[this.#l4 + 12] >>> 4) * 4);
    if (this.#payload < least || this.#payload > this.#length) return EINVAL;
    this.#segment = segment;
    if (l4 >= 0) {
      /* The field holds the pseudo-header's sum with the superpacket's length, whichever addresses are in it. */
      const length = this.#length - this.#l4;
      const field = this.#wholeView.getUint16(this.#l4 + (this.#isUdp ? UDP_CHECKSUM : TCP_CHECKSUM));
      this.#pseudo = field + (~fold(length) & 0xffff);
    } else {
      const protocol = this.#isUdp ? PROTO_UDP : PROTO_TCP;
      const [at, bytes] = isIpv4 ? [this.#l3 + IPV4_SOURCE, 8] : [this.#l3 + IPV6_SOURCE, 32];
      this.#pseudo = sum(whole, at, bytes, protocol);
    }
    return 0;
  }

  /** Makes the next frame. Returns its length, 0 behind the last. */
  next(): number {
    if (this.#segment > 0) return this.#nextSegment();
    if (this.#index > 0) return 0;
    this.#index = 1;
    this.frame = this.#whole;
    return this.#length;
  }

  #nextSegment(): number {
    const left = this.#length - this.#payload - this.#done;
    if (left <= 0 && this.#index > 0) return 0;
    const bytes = Math.min(left, this.#segment);
    const from = this.#payload + this.#done;
    this.frame = this.#out;
    this.#out.set(this.#whole.subarray(0, this.#payload));
    this.#out.set(this.#whole.subarray(from, from + bytes), this.#payload);
    const length = this.#payload + bytes;
    writeSegmentIp(this.#view, this.#l3, length, this.#index);
    if (this.#isUdp) writeSegmentUdp(this.#view, this.#l4, length);
    else writeSegmentTcp(this.#view, this.#l4, this.#done, bytes === left, this.#out[this.#l4 + TCP_FLAGS]);
    const field = this.#l4 + (this.#isUdp ? UDP_CHECKSUM : TCP_CHECKSUM);
    this.#view.setUint16(field, fold(this.#pseudo + length - this.#l4));
    completeChecksum(this.#out, this.#l4, length, field);
    this.#done += bytes;
    this.#index += 1;
    return length;
  }
}

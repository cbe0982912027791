/**
 * Cuts a whole packet of the work list into fragments (RFC 791 §3.2, RFC 8200 §4.5), after the cipher ran: ciphertext
 * cannot be cut before it is there. Off the hot path; owner: the worker.
 */
import { completeChecksum } from '#wire/checksum.ts';
import { dropCode } from '#wire/drops.ts';
import { Frame } from '#wire/frame.ts';
import { IPV4_HEADER, ipv4SetFragment, ipv4SetId, ipv4SetTotalLength, ipv4WriteChecksum } from '#wire/ipv4.ts';
import {
  EXT_FRAGMENT,
  FRAGMENT_HEADER,
  fragmentPoint,
  IPV6_HEADER,
  ipv6SetPayloadLength,
  ipv6WriteFragmentHeader,
  nextHeaderField,
} from '#wire/ipv6.ts';
import { parseFrame } from '#wire/parse.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_TYPE,
  F_OFFSET,
  F_PORT,
  F_STRIDE,
  GSO_NONE,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { addRecord } from './emit.ts';
import { KIND_DROPPED, KIND_PLAIN, W_KIND, W_STATE, type Work } from './work.ts';

const NO_ROOM = dropCode('fragment-no-room');
const MEMORY = dropCode('fragment-memory');
/** IPv4 options that go into every fragment bear this bit (RFC 791 §3.1). */
const COPIED = 0x80;
const IP_OPT_END = 0;
const IP_OPT_NOP = 1;

/* Scratch of the one thread that runs this module. */
const whole = new Frame();

/**
 * Replaces record `record`, a whole packet larger than `mtu`, by its fragments: they are appended with KIND_PLAIN, and
 * the record becomes KIND_DROPPED without being counted. Its partial checksum is completed first. DF is cleared.
 * @param identification names the datagram; of an IPv4 packet without DF its own id stays
 * @returns the number of records appended, 0 when the packet fits (nothing is changed), or a drop code
 */
export function fragmentRecord(work: Work, record: number, mtu: number, identification: number): number {
  const { slab, view, records } = work;
  const r = record * F_STRIDE;
  if (records[r + F_GSO_TYPE] !== GSO_NONE) return 0;
  const code = parseFrame(slab, view, records, record, whole);
  if (code < 0) return code;
  if (whole.ipVersion === 0 || whole.l3End - whole.l3 <= mtu) return 0;
  if ((records[r + F_FLAGS] & VNET_NEEDS_CSUM) !== 0) {
    const start = records[r + F_OFFSET] + records[r + F_CSUM_START];
    completeChecksum(slab, start, whole.l3End, start + records[r + F_CSUM_OFFSET]);
    records[r + F_FLAGS] = 0;
  }
  const added = whole.ipVersion === 4 ? cutIpv4(work, r, mtu, identification) : cutIpv6(work, r, mtu, identification);
  if (added > 0) records[r + W_KIND] = KIND_DROPPED;
  return added;
}

function cutIpv4(work: Work, r: number, mtu: number, identification: number): number {
  const { slab, view, records } = work;
  const { offset, l3, l4, l3End } = whole;
  const headers = l4 - offset;
  const chunk = (mtu - (l4 - l3)) & ~7;
  if (chunk < 8) return NO_ROOM;
  const count = Math.ceil((l3End - l4) / chunk);
  if (!work.fits(count, count * (headers + 8) + l3End - l4)) return MEMORY;
  for (let done = 0; done < l3End - l4; done += chunk) {
    const length = Math.min(chunk, l3End - l4 - done);
    const at = work.reserve(headers + length);
    const header = at + l3 - offset;
    slab.copyWithin(at, offset, l4);
    slab.copyWithin(at + headers, l4 + done, l4 + done + length);
    if (done > 0 && l4 - l3 > IPV4_HEADER) blankUncopied(slab, view, header, at + headers);
    ipv4SetTotalLength(view, header, l4 - l3 + length);
    ipv4SetFragment(view, header, done, done + length < l3End - l4);
    if (whole.dontFragment) ipv4SetId(view, header, identification & 0xffff);
    add(work, records, r, at, headers + length);
  }
  return count;
}

/** Options without the copied bit become padding in every fragment but the first. */
function blankUncopied(slab: Uint8Array, view: DataView, header: number, end: number): void {
  let at = header + IPV4_HEADER;
  while (at < end && slab[at] !== IP_OPT_END) {
    const length = slab[at] === IP_OPT_NOP ? 1 : at + 1 < end ? slab[at + 1] : 0;
    if (length < 1 || at + length > end) break;
    if ((slab[at] & COPIED) === 0) slab.fill(IP_OPT_NOP, at, at + length);
    at += length;
  }
  ipv4WriteChecksum(slab, view, header);
}

function cutIpv6(work: Work, r: number, mtu: number, identification: number): number {
  const { slab, view, records } = work;
  const { offset, l3, l3End } = whole;
  const point = fragmentPoint(slab, l3, whole.l4);
  const nextField = nextHeaderField(slab, l3, point);
  const chunk = (mtu - (point - l3) - FRAGMENT_HEADER) & ~7;
  if (nextField < 0 || chunk < 8) return NO_ROOM;
  const count = Math.ceil((l3End - point) / chunk);
  const headers = point - offset + FRAGMENT_HEADER;
  if (!work.fits(count, count * (headers + 8) + l3End - point)) return MEMORY;
  for (let done = 0; done < l3End - point; done += chunk) {
    const length = Math.min(chunk, l3End - point - done);
    const at = work.reserve(headers + length);
    const header = at + l3 - offset;
    const fragmentHeader = at + point - offset;
    const more = done + length < l3End - point;
    slab.copyWithin(at, offset, point);
    slab.copyWithin(at + headers, point + done, point + done + length);
    ipv6WriteFragmentHeader(view, fragmentHeader, slab[nextField], done, more, identification);
    slab[at + nextField - offset] = EXT_FRAGMENT;
    ipv6SetPayloadLength(view, header, headers - (l3 - offset) - IPV6_HEADER + length);
    add(work, records, r, at, headers + length);
  }
  return count;
}

function add(work: Work, records: Int32Array, r: number, at: number, length: number): void {
  const state = records[r + W_STATE];
  addRecord(work, KIND_PLAIN, whole, at, length, records[r + F_PORT], work.jobCount, state, -1, 0);
}

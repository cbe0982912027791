/**
 * Cuts a whole packet of the work list into fragments (RFC 791 §3.2, RFC 8200 §4.5), after the cipher ran: ciphertext
 * cannot be cut before it is there. Off the hot path; owner: the worker.
 *
 *   records   [ A ] [ B, too large ] [ C ]
 *   fragmentRecord: B's fragments into the work area      [ A ] [ B, KIND_CUT ─► B1 │ B2 │ B3 ] [ C ]
 *   spreadFragments, once for a batch                     [ A ] [ B1 ] [ B2 ] [ B3 ] [ C ]
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
  F_LENGTH,
  F_OFFSET,
  F_STRIDE,
  GSO_NONE,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { KIND_CUT, KIND_FRAGMENT, W_KIND, W_LAST, W_PIECES, type Work } from './work.ts';

const NO_ROOM = dropCode('fragment-no-room');
const MEMORY = dropCode('fragment-memory');
/** IPv4 options that go into every fragment bear this bit (RFC 791 §3.1). */
const COPIED = 0x80;
const IP_OPT_END = 0;
const IP_OPT_NOP = 1;

/* Scratch of the one thread that runs this module. */
const whole = new Frame();

/**
 * Cuts record `record`, a whole packet larger than `mtu`, into fragments in the work area; it becomes KIND_CUT, and
 * `spreadFragments` puts them in its place. Its partial checksum is completed first. DF is cleared.
 * @param identification names the datagram; of an IPv4 packet without DF its own id stays
 * @returns the number of fragments, 0 when the packet fits (nothing is changed), or a drop code
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
  return whole.ipVersion === 4 ? cutIpv4(work, r, mtu, identification) : cutIpv6(work, r, mtu, identification);
}

function cutIpv4(work: Work, r: number, mtu: number, identification: number): number {
  const { slab, view } = work;
  const { offset, l3, l4, l3End } = whole;
  const headers = l4 - offset;
  const chunk = (mtu - (l4 - l3)) & ~7;
  if (chunk < 8) return NO_ROOM;
  const first = place(work, r, headers, l3End - l4, chunk);
  if (first < 0) return first;
  for (let done = 0, at = first; done < l3End - l4; done += chunk, at += aligned(headers + chunk)) {
    const length = Math.min(chunk, l3End - l4 - done);
    const header = at + l3 - offset;
    slab.copyWithin(at, offset, l4);
    slab.copyWithin(at + headers, l4 + done, l4 + done + length);
    if (done > 0 && l4 - l3 > IPV4_HEADER) blankUncopied(slab, view, header, at + headers);
    ipv4SetTotalLength(view, header, l4 - l3 + length);
    ipv4SetFragment(view, header, done, done + length < l3End - l4);
    if (whole.dontFragment) ipv4SetId(view, header, identification & 0xffff);
  }
  return work.records[r + W_PIECES];
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
  const { slab, view } = work;
  const { offset, l3, l3End } = whole;
  const point = fragmentPoint(slab, l3, whole.l4);
  const nextField = nextHeaderField(slab, l3, point);
  const chunk = (mtu - (point - l3) - FRAGMENT_HEADER) & ~7;
  if (nextField < 0 || chunk < 8) return NO_ROOM;
  const headers = point - offset + FRAGMENT_HEADER;
  const first = place(work, r, headers, l3End - point, chunk);
  if (first < 0) return first;
  for (let done = 0, at = first; done < l3End - point; done += chunk, at += aligned(headers + chunk)) {
    const length = Math.min(chunk, l3End - point - done);
    const header = at + l3 - offset;
    const fragmentHeader = at + point - offset;
    const more = done + length < l3End - point;
    slab.copyWithin(at, offset, point);
    slab.copyWithin(at + headers, point + done, point + done + length);
    ipv6WriteFragmentHeader(view, fragmentHeader, slab[nextField], done, more, identification);
    slab[at + nextField - offset] = EXT_FRAGMENT;
    ipv6SetPayloadLength(view, header, headers - (l3 - offset) - IPV6_HEADER + length);
  }
  return work.records[r + W_PIECES];
}

function aligned(bytes: number): number {
  return (bytes + 7) & ~7;
}

/**
 * Room for the fragments of `bytes` bytes, each with `headers` and up to `chunk` of them; the record says where it is.
 * @returns its offset, or a drop code
 */
function place(work: Work, r: number, headers: number, bytes: number, chunk: number): number {
  const { records } = work;
  const count = Math.ceil(bytes / chunk);
  const last = headers + bytes - (count - 1) * chunk;
  const room = (count - 1) * aligned(headers + chunk) + last;
  if (!work.fits(count - 1, room)) return MEMORY;
  work.extra += count - 1;
  const at = work.reserve(room);
  records[r + F_OFFSET] = at;
  records[r + F_LENGTH] = headers + chunk;
  records[r + F_CSUM_START] = 0;
  records[r + F_CSUM_OFFSET] = 0;
  records[r + W_KIND] = KIND_CUT;
  records[r + W_PIECES] = count;
  records[r + W_LAST] = last;
  return at;
}

/**
 * Puts the fragments of every record that was cut in its place, as KIND_FRAGMENT: what is behind it moves on. Once for
 * a batch, so that its order costs one pass.
 */
export function spreadFragments(work: Work): void {
  const { records } = work;
  let from = work.recordCount - 1;
  let to = from + work.extra;
  work.recordCount = to + 1;
  work.extra = 0;
  for (; to > from; from--) {
    const r = from * F_STRIDE;
    if (records[r + W_KIND] !== KIND_CUT) {
      records.copyWithin(to * F_STRIDE, r, r + F_STRIDE);
      to -= 1;
      continue;
    }
    const first = records[r + F_OFFSET];
    const length = records[r + F_LENGTH];
    const pieces = records[r + W_PIECES];
    const last = records[r + W_LAST];
    /* The first one may stand where the record stands: it comes last. */
    for (let piece = pieces - 1; piece >= 0; piece--, to--) {
      const at = to * F_STRIDE;
      records.copyWithin(at, r, r + F_STRIDE);
      records[at + F_OFFSET] = first + piece * aligned(length);
      records[at + F_LENGTH] = piece === pieces - 1 ? last : length;
      records[at + W_KIND] = KIND_FRAGMENT;
    }
  }
}

/**
 * Merging (docs/transforms.md § Merging): consecutive TCP segments of a flow that were opened, and consecutive
 * datagrams of a flow that went through a transform either way, become one superpacket, without copying: the payloads
 * stay where they are and are chained. Runs once for a batch, behind `settle`, before anything is sent. Owner: the
 * worker; the functions stand in packet order. What may be merged is in merge-rule.ts.
 *
 *   records of the batch ─► candidate? ─► run of its flow ─┬─ joins ─► chained, runs go on
 *                                                          └─ does not ─► run ends, a new one may begin
 *
 * Whoever cuts the superpacket by its segment size gets back the very frames that were merged.
 */
import { fold } from '#wire/checksum.ts';
import { ETHER_HEADER, ETHER_TYPE, isVlanType, VLAN_TAG } from '#wire/ethernet.ts';
import { ETHERTYPE_IPV4, IP_LENGTH_MAX } from '#wire/frame.ts';
import { IPV4_HEADER, IPV4_ID, IPV4_SOURCE } from '#wire/ipv4.ts';
import { IPV6_SOURCE } from '#wire/ipv6.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_NEXT,
  F_OFFSET,
  F_PORT,
  F_STRIDE,
  F_VLAN_TCI,
  F_VLAN_TPID,
  GSO_NONE,
  GSO_TCPV4,
  GSO_TCPV6,
  GSO_UDP_L4,
  JOINED_MAX,
  VNET_JOINED,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { setIpLength } from '#wire/segment.ts';
import { TCP_CHECKSUM, TCP_DATA_OFFSET, TCP_FLAGS, TCP_SEQUENCE, TCP_SOURCE_PORT } from '#wire/tcp.ts';
import { UDP_CHECKSUM, UDP_HEADER, UDP_LENGTH } from '#wire/udp.ts';
import { continuesIp, continuesTcp, endsAt, LAST, plainFlags, plainHeader, sameWords } from './merge-rule.ts';
import { KIND_CIPHERED, KIND_FRAGMENT, KIND_OPENED, W_KIND, type Work } from './work.ts';

/** Flows whose frames may interleave in one batch; GRO has as many in a bucket. Of more, the runs take turns to end. */
const MERGE_FLOWS = 8;
/** Bytes of a whole superpacket with its link header: Linux cuts what reaches 65,536, and a tag beside it counts. */
const FRAME_MAX = IP_LENGTH_MAX - VLAN_TAG;

/** Both addresses, which stand behind each other. */
const IPV4_ADDRESSES = 8;
const IPV6_ADDRESSES = 32;

/* Columns of a run; all its offsets are those of its first segment. */
const R_FIRST = 0; /* first column of its first record, -1 for no run */
const R_NEWEST = 1; /* first column of its newest record */
const R_L3 = 2;
const R_L4 = 3;
const R_PAYLOAD = 4;
const R_SEQUENCE = 5; /* that the next segment must have, int32; of datagrams 0 */
const R_ID = 6; /* likewise, IPv4 */
const R_SIZE = 7; /* payload bytes of every frame but the last */
const R_BYTES = 8; /* payload bytes so far */
const R_JOINED = 9; /* records behind the first */
const R_STRIDE = 10;

/* Scratch of the one thread that runs this module. */
const runs = new Int32Array(MERGE_FLOWS * R_STRIDE);
let used = 0; /* columns of `runs` that a run was begun in */
let turn = 0; /* the run that ends next where all places are taken */

/**
 * Merges what it can of a batch's settled records: segments of KIND_OPENED that leave by one of `tcpPorts`, datagrams
 * of KIND_OPENED and KIND_CIPHERED by one of `udpPorts` (sets of 1 << PORT_*). Of a run the first record says
 * everything about the superpacket, the others bear VNET_JOINED. Frames of a flow keep their order; a record that is
 * not merged keeps its bytes.
 */
export function mergeFrames(work: Work, tcpPorts: number, udpPorts: number): void {
  const { records } = work;
  const end = work.recordCount * F_STRIDE;
  used = 0;
  for (let r = 0; r < end; r += F_STRIDE) {
    const kind = records[r + W_KIND];
    const port = 1 << records[r + F_PORT];
    if (kind === KIND_FRAGMENT && (udpPorts & port) !== 0) endDatagrams(work);
    if (kind !== KIND_OPENED && kind !== KIND_CIPHERED) continue;
    if ((records[r + F_FLAGS] & VNET_NEEDS_CSUM) === 0) {
      /* Perhaps a datagram without checksum, which GSO would give one. */
      if ((udpPorts & port) !== 0) endDatagrams(work);
    } else if (records[r + F_CSUM_OFFSET] === TCP_CHECKSUM) {
      if (kind === KIND_OPENED && (tcpPorts & port) !== 0) take(work, r, false);
    } else if (records[r + F_CSUM_OFFSET] === UDP_CHECKSUM && (udpPorts & port) !== 0) take(work, r, true);
  }
  for (let run = 0; run < used; run += R_STRIDE) finish(work, run);
}

/** A frame joins the run of its flow, or ends it and begins another where it may be merged at all. */
function take(work: Work, r: number, udp: boolean): void {
  const { slab, view, records } = work;
  const link = records[r + F_OFFSET];
  const end = link + records[r + F_LENGTH];
  const l4 = link + records[r + F_CSUM_START];
  let l3 = link + ETHER_HEADER;
  let type = view.getUint16(link + ETHER_TYPE);
  for (; isVlanType(type); l3 += VLAN_TAG) type = view.getUint16(l3 + 2);
  const v4 = type === ETHERTYPE_IPV4;
  const payload = l4 + (udp ? UDP_HEADER : (slab[l4 + TCP_DATA_OFFSET] >>> 4) << 2);
  const length = end - payload;
  const last = udp ? 0 : slab[l4 + TCP_FLAGS] & LAST;
  const mergeable =
    length > 0 &&
    records[r + F_GSO_TYPE] === GSO_NONE &&
    (udp ? endsAt(view, l4, end) : plainFlags(slab, l4)) &&
    plainHeader(slab, l3, l4, v4);
  let run = runOf(view, records, r, l3, l4, v4);
  if (run >= 0) {
    if (mergeable && joins(view, records, run, r, l3, l4, payload, length, v4, udp)) {
      join(slab, records, run, r, payload, length, last);
      if (length < runs[run + R_SIZE] || last !== 0) finish(work, run);
      return;
    }
    finish(work, run);
  }
  if (!mergeable || last !== 0) return;
  if (run < 0) run = vacancy(work);
  runs[run + R_FIRST] = r;
  runs[run + R_NEWEST] = r;
  runs[run + R_L3] = l3;
  runs[run + R_L4] = l4;
  runs[run + R_PAYLOAD] = payload;
  runs[run + R_SEQUENCE] = udp ? 0 : view.getInt32(l4 + TCP_SEQUENCE) + length;
  runs[run + R_ID] = v4 ? (view.getUint16(l3 + IPV4_ID) + 1) & 0xffff : 0;
  runs[run + R_SIZE] = length;
  runs[run + R_BYTES] = length;
  runs[run + R_JOINED] = 0;
}

/** The run of the flow (IP version, protocol, addresses, ports), -1 where none is open. */
function runOf(view: DataView, records: Int32Array, r: number, l3: number, l4: number, v4: boolean): number {
  const ports = view.getInt32(l4 + TCP_SOURCE_PORT);
  const field = records[r + F_CSUM_OFFSET];
  const addresses = l3 + (v4 ? IPV4_SOURCE : IPV6_SOURCE);
  const bytes = v4 ? IPV4_ADDRESSES : IPV6_ADDRESSES;
  for (let run = 0; run < used; run += R_STRIDE) {
    const first = runs[run + R_FIRST];
    if (first < 0 || records[first + F_CSUM_OFFSET] !== field) continue;
    if (ports !== view.getInt32(runs[run + R_L4] + TCP_SOURCE_PORT)) continue;
    const of = addresses - l3 + runs[run + R_L3];
    if (v4 === (runs[run + R_L4] - runs[run + R_L3] === IPV4_HEADER) && sameWords(view, addresses, of, bytes))
      return run;
  }
  return -1;
}

/** Continues the run in every field. */
function joins(
  view: DataView,
  records: Int32Array,
  run: number,
  r: number,
  l3: number,
  l4: number,
  payload: number,
  length: number,
  v4: boolean,
  udp: boolean,
): boolean {
  const first = runs[run + R_FIRST];
  const firstL3 = runs[run + R_L3];
  const link = records[r + F_OFFSET];
  const firstLink = records[first + F_OFFSET];
  const linkBytes = l3 - link;
  return (
    length <= runs[run + R_SIZE] &&
    runs[run + R_JOINED] < JOINED_MAX &&
    runs[run + R_PAYLOAD] - firstLink + runs[run + R_BYTES] + length <= FRAME_MAX &&
    (udp ||
      (view.getInt32(l4 + TCP_SEQUENCE) === runs[run + R_SEQUENCE] &&
        continuesTcp(view, l4, runs[run + R_L4], payload))) &&
    continuesIp(view, l3, firstL3, runs[run + R_ID], v4) &&
    linkBytes === firstL3 - firstLink &&
    /* The type behind these words tells the IP version, which is the flow's. */
    sameWords(view, link, firstLink, linkBytes - 2) &&
    records[r + F_VLAN_TCI] === records[first + F_VLAN_TCI] &&
    records[r + F_VLAN_TPID] === records[first + F_VLAN_TPID] &&
    records[r + F_PORT] === records[first + F_PORT]
  );
}

/** Chains the record's payload behind the run; of its header nothing is left but the flags that end the run. */
function join(
  slab: Uint8Array,
  records: Int32Array,
  run: number,
  r: number,
  payload: number,
  length: number,
  last: number,
): void {
  records[runs[run + R_NEWEST] + F_NEXT] = r / F_STRIDE + 1;
  records[r + F_OFFSET] = payload;
  records[r + F_LENGTH] = length;
  records[r + F_FLAGS] |= VNET_JOINED;
  if (last !== 0) slab[runs[run + R_L4] + TCP_FLAGS] |= last;
  runs[run + R_NEWEST] = r;
  runs[run + R_SEQUENCE] += length;
  runs[run + R_ID] = (runs[run + R_ID] + 1) & 0xffff;
  runs[run + R_BYTES] += length;
  runs[run + R_JOINED] += 1;
}

/** A place for a new run: an unused one, or that of the run whose turn it is to end. */
function vacancy(work: Work): number {
  for (let run = 0; run < used; run += R_STRIDE) if (runs[run + R_FIRST] < 0) return run;
  if (used < runs.length) {
    used += R_STRIDE;
    return used - R_STRIDE;
  }
  turn = (turn + R_STRIDE) % runs.length;
  finish(work, turn);
  return turn;
}

/** Frames of which nobody knows the flow keep their order by ending all runs of datagrams. */
function endDatagrams(work: Work): void {
  for (let run = 0; run < used; run += R_STRIDE) {
    const first = runs[run + R_FIRST];
    if (first >= 0 && work.records[first + F_CSUM_OFFSET] === UDP_CHECKSUM) finish(work, run);
  }
}

/** Ends a run. What is longer than one segment gets a superpacket's lengths, checksum and record. */
function finish(work: Work, run: number): void {
  const first = runs[run + R_FIRST];
  runs[run + R_FIRST] = -1;
  if (first < 0 || runs[run + R_JOINED] === 0) return;
  const { view, records } = work;
  const l3 = runs[run + R_L3];
  const l4 = runs[run + R_L4];
  const header = runs[run + R_PAYLOAD] - l4;
  const before = header + runs[run + R_SIZE];
  const after = header + runs[run + R_BYTES];
  const v4 = l4 - l3 === IPV4_HEADER;
  setIpLength(view, l3, l4 + after);
  /* The pseudo-header's length in its sum, in one's complement: the old one out, the new one in. */
  const udp = records[first + F_CSUM_OFFSET] === UDP_CHECKSUM;
  const field = l4 + (udp ? UDP_CHECKSUM : TCP_CHECKSUM);
  view.setUint16(field, fold(view.getUint16(field) + (~before & 0xffff) + after));
  if (udp) view.setUint16(l4 + UDP_LENGTH, after);
  records[first + F_GSO_TYPE] = udp ? GSO_UDP_L4 : v4 ? GSO_TCPV4 : GSO_TCPV6;
  records[first + F_GSO_SIZE] = runs[run + R_SIZE];
}

/** The last step of a batch: what was settled leaves, in order, in as few calls as its ports allow. */
import type { Port } from '#port/port.ts';
import { mergeFrames } from '#transform/merge.ts';
import { KIND_DROPPED, W_KIND, type Work } from '#transform/work.ts';
import {
  F_FLAGS,
  F_GSO_TYPE,
  F_LENGTH,
  F_PORT,
  F_STATUS,
  F_STRIDE,
  GSO_NONE,
  PORTS,
  VNET_JOINED,
} from '#wire/record.ts';
import type { Counters } from './counters.ts';

const ENXIO = 6;
const EAGAIN = 11;
const EMSGSIZE = 90;
const ENETDOWN = 100;
const ENOBUFS = 105;

/**
 * Sends all records that were not dropped, merged where their port takes it. A batch has mostly one destination, so a
 * run of records is one call.
 */
export function transmitAll(work: Work, ports: readonly (Port | undefined)[], counters: Counters): void {
  const { records, recordCount } = work;
  if (recordCount > 1) merge(work, ports);
  let first = 0;
  while (first < recordCount) {
    if (records[first * F_STRIDE + W_KIND] === KIND_DROPPED) {
      first += 1;
      continue;
    }
    const role = records[first * F_STRIDE + F_PORT];
    let end = first + 1;
    while (
      end < recordCount &&
      records[end * F_STRIDE + F_PORT] === role &&
      records[end * F_STRIDE + W_KIND] !== KIND_DROPPED
    ) {
      end += 1;
    }
    const port = ports[role];
    if (port === undefined) {
      counters.drop('port-down', end - first);
    } else {
      port.transmit(work.slab, records, first, end - first);
      for (let i = first; i < end; i++) count(records, i * F_STRIDE, role, counters);
    }
    first = end;
  }
}

function merge(work: Work, ports: readonly (Port | undefined)[]): void {
  let segments = 0;
  let datagrams = 0;
  for (let role = 0; role < PORTS; role++) {
    const port = ports[role];
    if (port?.superpackets !== true) continue;
    segments |= 1 << role;
    if (port.datagrams === true) datagrams |= 1 << role;
  }
  if (segments !== 0) mergeFrames(work, segments, datagrams);
}

function count(records: Int32Array, at: number, role: number, counters: Counters): void {
  switch (records[at + F_STATUS]) {
    case 0:
      if ((records[at + F_FLAGS] & VNET_JOINED) !== 0) counters.sentJoined(role, records[at + F_LENGTH]);
      else counters.sent(role, records[at + F_LENGTH], records[at + F_GSO_TYPE] !== GSO_NONE);
      break;
    case ENOBUFS:
    case EAGAIN:
      counters.drop('port-transmit-queue-full');
      break;
    case ENXIO:
    case ENETDOWN:
      counters.drop('port-down');
      break;
    case EMSGSIZE:
      counters.drop('port-too-large');
      break;
    default:
      counters.drop('port-transmit-error');
  }
}

/** What the ports lost before it could be received, since the last call. */
export function countLosses(ports: readonly (Port | undefined)[], counters: Counters): void {
  for (const port of ports) {
    if (port === undefined) continue;
    counters.drop('port-receive-overrun', port.takeOverruns());
    counters.drop('port-receive-error', port.takeErrors());
  }
}

/**
 * Cuts a superpacket of UDP that arrived into its datagrams, for a pair some of whose packets bear a tag and some none.
 * Off the hot path; owner: the worker.
 */
import { fold } from '#wire/checksum.ts';
import type { Frame } from '#wire/frame.ts';
import {
  F_CSUM_OFFSET,
  F_CSUM_START,
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_STRIDE,
  GSO_NONE,
  VNET_NEEDS_CSUM,
} from '#wire/record.ts';
import { writeSegmentIp, writeSegmentUdp } from '#wire/segment.ts';
import { UDP_CHECKSUM } from '#wire/udp.ts';
import { pseudoSum } from './datagram.ts';

/** A datagram with its record: its bytes stand alone, its checksum is partial. */
export interface MergedDatagram {
  readonly bytes: Uint8Array;
  readonly record: Int32Array;
}

/** The datagrams of `frame`, a superpacket of UDP in record `index` of `batch`, both of which stay what they are. */
export function mergedDatagrams(slab: Uint8Array, batch: Int32Array, index: number, frame: Frame): MergedDatagram[] {
  const { offset, payload, payloadLength: total, gsoSize } = frame;
  const l3 = frame.l3 - offset;
  const l4 = frame.l4 - offset;
  const datagrams: MergedDatagram[] = [];
  for (let done = 0; done < total; done += gsoSize) {
    const length = Math.min(gsoSize, total - done);
    const bytes = new Uint8Array(payload - offset + length);
    const view = new DataView(bytes.buffer);
    bytes.set(slab.subarray(offset, payload));
    bytes.set(slab.subarray(payload + done, payload + done + length), payload - offset);
    writeSegmentIp(view, l3, bytes.length, datagrams.length);
    writeSegmentUdp(view, l4, bytes.length);
    view.setUint16(l4 + UDP_CHECKSUM, fold(pseudoSum(frame, bytes.length - l4)));
    const record = batch.slice(index * F_STRIDE, (index + 1) * F_STRIDE);
    record[F_LENGTH] = bytes.length;
    record[F_FLAGS] = VNET_NEEDS_CSUM;
    record[F_GSO_TYPE] = GSO_NONE;
    record[F_GSO_SIZE] = 0;
    record[F_CSUM_START] = l4;
    record[F_CSUM_OFFSET] = UDP_CHECKSUM;
    datagrams.push({ bytes, record });
  }
  return datagrams;
}

/**
 * What `sealed` costs in TypeScript, cipher aside: nanoseconds per segment, printed, never asserted.
 * Run: node_modules/.bin/node tests/perf/sealed.ts
 */
import type { KeyIndex } from '#transform/cipher.ts';
import { openDatagram, sealDatagram } from '#transform/sealed-datagram.ts';
import { openTcp, sealTcp } from '#transform/sealed-tcp.ts';
import { SealedState, settleOpened } from '#transform/state.ts';
import { Work } from '#transform/work.ts';
import { Frame } from '#wire/frame.ts';
import { parseFrame } from '#wire/parse.ts';
import {
  F_FLAGS,
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_OFFSET,
  F_STRIDE,
  F_VLAN_TCI,
  GSO_TCPV4,
  VNET_DATA_VALID,
} from '#wire/record.ts';
import { tcpPacket, udpPacket } from '../unit/transform/plain-packets.ts';

const WORK_START = 1 << 17;
const slab = new Uint8Array(WORK_START + (1 << 20));
const work = new Work(slab, WORK_START, slab.length, 512);
const frame = new Frame();
const batch = new Int32Array(F_STRIDE);
const key = 1 as KeyIndex;
const state = new SealedState({ slot: 0, generation: 1, sendKey: key, receiveKey: key, initiator: true });

function arrive(packet: Buffer, gsoSize = 0): void {
  work.reset();
  slab.set(packet, 256);
  batch[F_OFFSET] = 256;
  batch[F_LENGTH] = packet.length;
  batch[F_FLAGS] = VNET_DATA_VALID;
  batch[F_GSO_TYPE] = gsoSize > 0 ? GSO_TCPV4 : 0;
  batch[F_GSO_SIZE] = gsoSize;
  batch[F_VLAN_TCI] = -1;
  parseFrame(slab, work.view, batch, 0, frame);
}

/** Median of nine runs, nanoseconds per segment. */
function measure(name: string, segments: number, round: () => void): void {
  const rounds = Math.ceil(200_000 / segments);
  const times = Array.from({ length: 9 }, () => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < rounds; i++) round();
    return Number(process.hrtime.bigint() - start) / rounds / segments;
  }).sort((a, b) => a - b);
  console.log(`${name.padEnd(44)} ${times[4].toFixed(0).padStart(6)} ns per segment`);
}

const stamps = Buffer.from([1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8]);
const header = { sourcePort: 1, destinationPort: 2, sequence: 3, acknowledgement: 4, flags: 16, window: 5, urgent: 0 };
const tcp = (length: number): Buffer =>
  tcpPacket({ version: 4 }, { ...header, options: stamps, payload: Buffer.alloc(length) });
const udp = udpPacket({ version: 4 }, 1, 2, Buffer.alloc(64));

const SEGMENTS = 45;
const superpacket = tcp(SEGMENTS * 1428);
arrive(superpacket, 1428);
measure('seal, TCP superpacket of 45', SEGMENTS, () => {
  work.reset();
  sealTcp(work, frame, state, 1500, 0);
});
arrive(tcp(1428));
measure('seal, TCP segment of 1428', 1, () => {
  work.reset();
  sealTcp(work, frame, state, 1500, 0);
});

const sealedSegment = (() => {
  arrive(tcp(1428));
  sealTcp(work, frame, state, 1500, 0);
  return Buffer.from(slab.subarray(work.records[F_OFFSET], work.records[F_OFFSET] + work.records[F_LENGTH]));
})();
let number = 0;
const option = 256 + 14 + 20 + 20 + 4;
measure('set up, parse, open, settle: TCP, 1428', 1, () => {
  arrive(sealedSegment);
  number++;
  work.view.setUint32(option, (1 << 30) | (number & 0x3fff_ffff));
  if (openTcp(work, frame, state, 1) !== 0 || !settleOpened(state, number)) throw new Error('not opened');
});
measure('  of this: set up and parse', 1, () => arrive(sealedSegment));

arrive(udp);
measure('seal, UDP datagram of 64', 1, () => {
  work.reset();
  sealDatagram(work, frame, state, 1500, 0);
});
const sealedDatagram = Buffer.from(
  slab.subarray(work.records[F_OFFSET], work.records[F_OFFSET] + work.records[F_LENGTH]),
);
measure('set up, parse, open, settle: UDP, 64', 1, () => {
  arrive(sealedDatagram);
  number++;
  const trailer = frame.l3End - 24;
  work.view.setUint32(trailer, (1 << 30) | Math.floor(number / 2 ** 32));
  work.view.setUint32(trailer + 4, number >>> 0);
  if (openDatagram(work, frame, state, 1) !== 0 || !settleOpened(state, number)) throw new Error('not opened');
});
measure('  of this: set up and parse', 1, () => arrive(sealedDatagram));

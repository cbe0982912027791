/** Bytes of KSW and its answer, under the seal (docs/dprp.md § 11.6). No keys, no state. */
import { body, HASH_LENGTH, MAC_LENGTH } from './dprp.ts';

/** § 11.6: one part of a key switch. */
export interface Ksw {
  readonly transcript: Uint8Array;
  /** Negotiation of the agreement before, zeros for none. */
  readonly old: Uint8Array;
  readonly part: number;
  readonly parts: number;
  /** Two words for every connection: ports, sequence number. */
  readonly connections: Int32Array;
  readonly mac: Uint8Array;
}

const KSW_FIXED = 42;
const CONNECTION_LENGTH = 8;
/** Connections of one part: it has 980 bytes then. */
export const KSW_CONNECTIONS = 108;

/** Parts of a switch that names 4,096 connections: nobody has to say more. */
export const KSW_PARTS = 38;

/** | transcript 32 | old 8 | part 1 | parts 1 | n × {ports 4, sequence 4} | MAC 16 | */
export function encodeKsw(m: Omit<Ksw, 'mac'>): Uint8Array {
  const connections = new Uint8Array(4 * m.connections.length);
  const view = new DataView(connections.buffer);
  m.connections.forEach((word, i) => {
    view.setInt32(4 * i, word);
  });
  return body(m.transcript, m.old, m.part, m.parts, connections);
}

export function decodeKsw(b: Uint8Array): Ksw | 'dprp-body' {
  const length = b.length - KSW_FIXED - MAC_LENGTH;
  const fits = length >= 0 && length % CONNECTION_LENGTH === 0 && length <= KSW_CONNECTIONS * CONNECTION_LENGTH;
  if (!fits || b[40] >= b[41] || b[41] > KSW_PARTS) return 'dprp-body';
  const view = new DataView(b.buffer, b.byteOffset + KSW_FIXED, length);
  return {
    transcript: b.subarray(0, 32),
    old: b.subarray(32, 40),
    part: b[40],
    parts: b[41],
    connections: Int32Array.from({ length: length / 4 }, (_, i) => view.getInt32(4 * i)),
    mac: b.subarray(KSW_FIXED + length),
  };
}

/** § 11.6: | hash of KSW 32 | MAC 16 |. */
export const KSW_ANSWER_LENGTH = HASH_LENGTH + MAC_LENGTH;

/**
 * GE information: what a gateway says about itself in DDE and RGI (docs/dprp.md § 3.3). Its id, mode, kind and static
 * key are not repeated here: they are the statement's.
 *
 * ```
 *  0       1               33           34                       34 + 9n            36 + 9n
 *  +-------+---------------+------------+------------------------+------------------+-----------+
 *  | flags | ephemeral key | entries: n | n × {group, version,   | statement length | statement |
 *  |       |               |            |      transform}        |                  |           |
 *  +-------+---------------+------------+------------------------+------------------+-----------+
 *      1          32             1            n × (4 + 4 + 1)              2
 * ```
 *
 * Entries ascend by group; within a group versions descend, at most two (current and previous) with one transform.
 * Exactly one encoding exists for given fields.
 */
import { STATEMENT_MAX } from './statement.ts';

/** § 2.3: groups that a GE names for one pair, and versions of each. */
export const GROUPS_MAX = 12;
export const VERSIONS_MAX = 2;
const ENTRY_LENGTH = 9;
const FLAG_AES = 1; /* AES in hardware */

/** In the order of their numbers on the wire. */
export const TRANSFORMS = ['sealed', 'pccom', 'pccom-keyed'] as const;

export interface GroupEntry {
  readonly group: number;
  readonly version: number;
  readonly transform: (typeof TRANSFORMS)[number];
}

export interface GeInfo {
  readonly aesInHardware: boolean;
  /** X25519, 32 bytes, for one negotiation. */
  readonly ephemeral: Uint8Array;
  readonly entries: readonly GroupEntry[];
  readonly statement: Uint8Array;
}

export function encodeGeInfo(info: GeInfo): Uint8Array {
  const { entries, statement } = info;
  const bytes = new Uint8Array(36 + ENTRY_LENGTH * entries.length + statement.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = info.aesInHardware ? FLAG_AES : 0;
  bytes.set(info.ephemeral, 1);
  bytes[33] = entries.length;
  let at = 34;
  for (const entry of entries) {
    view.setUint32(at, entry.group);
    view.setUint32(at + 4, entry.version);
    bytes[at + 8] = TRANSFORMS.indexOf(entry.transform);
    at += ENTRY_LENGTH;
  }
  view.setUint16(at, statement.length);
  bytes.set(statement, at + 2);
  return bytes;
}

/** Takes the whole of `bytes` or nothing; the arrays are views of it. */
export function decodeGeInfo(bytes: Uint8Array): GeInfo | undefined {
  if (bytes.length < 36 || bytes[0] > FLAG_AES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = bytes[33];
  const end = 34 + ENTRY_LENGTH * count;
  if (count > GROUPS_MAX * VERSIONS_MAX || bytes.length < end + 2) return undefined;

  const entries: GroupEntry[] = [];
  let groups = 0;
  let versions = 0; /* of the group at hand */
  for (let at = 34; at < end; at += ENTRY_LENGTH) {
    const group = view.getUint32(at);
    const version = view.getUint32(at + 4);
    const transform = TRANSFORMS[bytes[at + 8]];
    if (transform === undefined) return undefined;
    const before = entries.at(-1);
    if (before?.group === group) {
      if (version >= before.version || transform !== before.transform || ++versions > VERSIONS_MAX) return undefined;
    } else {
      if ((before && group < before.group) || ++groups > GROUPS_MAX) return undefined;
      versions = 1;
    }
    entries.push({ group, version, transform });
  }
  const statement = bytes.subarray(end + 2);
  if (view.getUint16(end) !== statement.length || statement.length > STATEMENT_MAX) return undefined;
  return { aesInHardware: bytes[0] === FLAG_AES, ephemeral: bytes.subarray(1, 33), entries, statement };
}

/**
 * Bytes of DPRP messages: the clear header and the bodies under the seal (docs/dprp.md § 2, § 3). No keys, no state.
 *
 * A message is the data of an ICMP Echo, or stands behind the quote of an ICMP error:
 *
 * ```
 *  0        4         5      6               8                    12               20         44
 *  +--------+---------+------+---------------+--------------------+----------------+----------+-------------+
 *  | "GSCP" | version | type | sealed length | domain key version | negotiation id |  nonce   | sealed part |
 *  +--------+---------+------+---------------+--------------------+----------------+----------+-------------+
 *      4         1       1           2                 4                  8             24     body + tag 16
 * ```
 *
 * Numbers are big-endian. Every decoder takes the whole of what it is given or nothing, and returns views of it.
 */
import { decodeGeInfo, encodeGeInfo, type GeInfo } from './ge-info.ts';

const MAGIC = 0x47534350; /* "GSCP" */
export const FORMAT_VERSION = 1;
export const HEADER_LENGTH = 20;
export const NONCE_LENGTH = 24;
export const TAG_LENGTH = 16;
/** Where the sealed part starts. */
export const SEALED_AT = HEADER_LENGTH + NONCE_LENGTH;
/** § 2.3: bytes of the longest message; some firewalls drop ICMP above 1,024 with its header. */
export const MESSAGE_MAX = 1000;
/** Bytes of a DDE that prove it is one when it comes back as an echo: header, nonce, 16 sealed bytes (§ 5.3). */
export const ECHO_EVIDENCE = SEALED_AT + 16;

export const TYPE_DDE = 1;
export const TYPE_RGI = 2;
export const TYPE_MPIT = 3;
export const TYPE_CDN = 4;
/** Key switch of `pccom`, and its answer (§ 11). */
export const TYPE_KSW = 5;
export const TYPE_GE_HERE = 6;
export const TYPE_NO_ASSOCIATION = 7;
export const TYPE_KSW_ANSWER = 8;

export const HASH_LENGTH = 32;
export const MAC_LENGTH = 16;
export const PROOF_LENGTH = 32;
export const NEGOTIATION_NONCE_LENGTH = 32;
export const NEGOTIATION_ID_LENGTH = 8;
export const DECISION_LENGTH = 12;

/** A DDE is never shorter: a notice that answers it is never longer than what it answers (§ 10). */
export const DDE_MIN = SEALED_AT + TAG_LENGTH + 74 + 156;

export interface Header {
  readonly type: number;
  readonly domainKeyVersion: number;
  /** 8 bytes. */
  readonly negotiation: Uint8Array;
  readonly sealedLength: number;
}

/** True when an Echo's data, or what stands behind a quote, is DPRP of any version. For every echo: no object. */
export function isDprp(bytes: Uint8Array, offset: number, length: number): boolean {
  return (
    length >= 5 &&
    bytes[offset] === 0x47 &&
    bytes[offset + 1] === 0x53 &&
    bytes[offset + 2] === 0x43 &&
    bytes[offset + 3] === 0x50
  );
}

export function encodeHeader(header: Header): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  bytes[4] = FORMAT_VERSION;
  bytes[5] = header.type;
  view.setUint16(6, header.sealedLength);
  view.setUint32(8, header.domainKeyVersion);
  bytes.set(header.negotiation, 12);
  return bytes;
}

/**
 * Reads the clear header. `slack`: bytes may follow the sealed part (ICMP errors: translators append some).
 * A string names the reason why it is not a message.
 */
export function decodeHeader(
  payload: Uint8Array,
  slack: boolean,
): Header | 'dprp-short' | 'dprp-version' | 'dprp-length' {
  if (!isDprp(payload, 0, payload.length)) return 'dprp-short';
  if (payload[4] !== FORMAT_VERSION) return 'dprp-version';
  if (payload.length < SEALED_AT + TAG_LENGTH) return 'dprp-short';
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const sealedLength = view.getUint16(6);
  const end = SEALED_AT + sealedLength;
  if (sealedLength < TAG_LENGTH || end > MESSAGE_MAX || end > payload.length) return 'dprp-length';
  if (!slack && end !== payload.length) return 'dprp-length';
  return {
    type: payload[5],
    domainKeyVersion: view.getUint32(8),
    negotiation: payload.slice(12, 12 + NEGOTIATION_ID_LENGTH),
    sealedLength,
  };
}

/**
 * ```
 * DDE  | nonce I 32 | addresses 32 | held 1 | after 8 | GEs 1 | GE information … |           § 3.1
 * RGI  | hash of DDE 32 | nonce R 32 | addresses 32 | held 1 | refuses 1 | GEs 1 | GE information … | MAC 16 |  § 3.2
 * MPIT | hash of RGI 32 | decision 12 | proof 32 | sends 1 | MAC 16 |                        § 3.5
 * CDN  | hash of MPIT 32 | proof 32 | sends 1 | MAC 16 |                                     § 3.6
 * ```
 */
export interface Dde {
  readonly nonce: Uint8Array;
  /** As the initiator sees them. */
  readonly addresses: Uint8Array;
  /** Generations that the initiator holds for the pair, bit 0–3. */
  readonly held: number;
  /** Bit 4 of the same byte: packets of the pair are received here in plaintext or under `pccom` (§ 11.2). */
  readonly receives: boolean;
  /**
   * Id of the last negotiation of the other side that the initiator completed for this pair, zeros for none that it
   * remembers: this one comes after it, and is not its rival (§ 6.3).
   */
  readonly after: Uint8Array;
  /** One: more follow with nested gateways (§ 3.1). */
  readonly info: GeInfo;
}

export interface Rgi {
  readonly ddeHash: Uint8Array;
  readonly nonce: Uint8Array;
  /** As the responder sees them, the initiator's side first. */
  readonly addresses: Uint8Array;
  readonly held: number;
  readonly receives: boolean;
  /** The responder's own rules forbid what the lists decide (§ 4.3). */
  readonly refuses: boolean;
  readonly info: GeInfo;
  readonly mac: Uint8Array;
}

export interface Mpit {
  readonly rgiHash: Uint8Array;
  /** DECISION_LENGTH bytes, as #dprp/decision.ts writes them. */
  readonly decision: Uint8Array;
  /** Zeros where nothing is protected. */
  readonly proof: Uint8Array;
  /** `pccom`: its sender sends with the agreement from here on (§ 11.3). */
  readonly sends: boolean;
  readonly mac: Uint8Array;
}

export interface Cdn {
  readonly mpitHash: Uint8Array;
  readonly proof: Uint8Array;
  readonly sends: boolean;
  readonly mac: Uint8Array;
}

/** Parts of a body in their order; a number is one byte. The MAC of § 3.3, where there is one, is appended later. */
export function body(...parts: readonly (Uint8Array | number)[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += typeof part === 'number' ? 1 : part.length;
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    if (typeof part === 'number') bytes[at++] = part;
    else {
      bytes.set(part, at);
      at += part.length;
    }
  }
  return bytes;
}

const PATH_COUNT = 1;
const RECEIVES = 0x10;
const heldByte = (m: Pick<Dde, 'held' | 'receives'>): number => m.held | (m.receives ? RECEIVES : 0);

export function encodeDde(m: Dde): Uint8Array {
  return body(m.nonce, m.addresses, heldByte(m), m.after, PATH_COUNT, encodeGeInfo(m.info));
}

export function encodeRgi(m: Omit<Rgi, 'mac'>): Uint8Array {
  return body(m.ddeHash, m.nonce, m.addresses, heldByte(m), m.refuses ? 1 : 0, PATH_COUNT, encodeGeInfo(m.info));
}

export function encodeMpit(m: Omit<Mpit, 'mac'>): Uint8Array {
  return body(m.rgiHash, m.decision, m.proof, m.sends ? 1 : 0);
}

export function encodeCdn(m: Omit<Cdn, 'mac'>): Uint8Array {
  return body(m.mpitHash, m.proof, m.sends ? 1 : 0);
}

/** 'dprp-path': the message names more GEs of a side than one. */
export function decodeDde(b: Uint8Array): Dde | 'dprp-body' | 'dprp-path' {
  if (b.length < 74 || b[64] > (RECEIVES | 15)) return 'dprp-body';
  if (b[73] !== PATH_COUNT) return 'dprp-path';
  const info = decodeGeInfo(b.subarray(74));
  if (info === undefined) return 'dprp-body';
  return {
    nonce: b.subarray(0, 32),
    addresses: b.subarray(32, 64),
    held: b[64] & 15,
    receives: (b[64] & RECEIVES) !== 0,
    after: b.subarray(65, 73),
    info,
  };
}

export function decodeRgi(b: Uint8Array): Rgi | 'dprp-body' | 'dprp-path' {
  if (b.length < 99 + MAC_LENGTH || b[96] > (RECEIVES | 15) || b[97] > 1) return 'dprp-body';
  if (b[98] !== PATH_COUNT) return 'dprp-path';
  const macAt = b.length - MAC_LENGTH;
  const info = decodeGeInfo(b.subarray(99, macAt));
  if (info === undefined) return 'dprp-body';
  return {
    ddeHash: b.subarray(0, 32),
    nonce: b.subarray(32, 64),
    addresses: b.subarray(64, 96),
    held: b[96] & 15,
    receives: (b[96] & RECEIVES) !== 0,
    refuses: b[97] === 1,
    info,
    mac: b.subarray(macAt),
  };
}

export function decodeMpit(b: Uint8Array): Mpit | 'dprp-body' {
  if (b.length !== 93 || b[76] > 1) return 'dprp-body';
  return {
    rgiHash: b.subarray(0, 32),
    decision: b.subarray(32, 44),
    proof: b.subarray(44, 76),
    sends: b[76] === 1,
    mac: b.subarray(77),
  };
}

export function decodeCdn(b: Uint8Array): Cdn | 'dprp-body' {
  if (b.length !== 81 || b[64] > 1) return 'dprp-body';
  return { mpitHash: b.subarray(0, 32), proof: b.subarray(32, 64), sends: b[64] === 1, mac: b.subarray(65) };
}

/** § 3.7: | GE id 8 | first 16 bytes of the hash of the DDE's header and nonce, as quoted |; 24 bytes. */
export const GE_HERE_LENGTH = 24;
/** § 3.8: | GE id 8 |. */
export const NO_ASSOCIATION_LENGTH = 8;

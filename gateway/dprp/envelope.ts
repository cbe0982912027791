/** Sealing and opening of messages under the domain key, docs/dprp.md § 2. */
import { bytesToWords, versionOfWords } from '#wire/address.ts';
import {
  decodeHeader,
  encodeHeader,
  HEADER_LENGTH,
  type Header,
  MAC_LENGTH,
  NONCE_LENGTH,
  SEALED_AT,
  TAG_LENGTH,
} from '#wire/dprp.ts';
import type { DropName } from '#wire/drops.ts';
import type { Self } from './self.ts';
import type { DomainKey, DprpCrypto, KeyHandle, Pair, Received } from './spec.ts';
import { equal, join, sha256 } from './transcript.ts';

export type Icmp = Received['icmp'];
export type Random = (length: number) => Uint8Array;

export const ipVersionOf = (pair: Pair): 4 | 6 => versionOfWords(bytesToWords(pair.peer));

/** § 2.2: the ICMP and ICMPv6 types that carry messages, as the associated data names them. */
const ICMP_TYPES = { request: [8, 128], reply: [0, 129], error: [3, 1] } as const;

/** § 2.4: clear header ‖ ICMP type ‖ IP version. */
function associatedData(header: Uint8Array, icmp: Icmp, ipVersion: 4 | 6): Uint8Array {
  const aad = new Uint8Array(HEADER_LENGTH + 2);
  aad.set(header);
  aad[HEADER_LENGTH] = ICMP_TYPES[icmp][ipVersion === 4 ? 0 : 1];
  aad[HEADER_LENGTH + 1] = ipVersion;
  return aad;
}

export interface Envelope {
  readonly type: number;
  readonly negotiation: Uint8Array;
  readonly domainKey: DomainKey;
  readonly icmp: Icmp;
  readonly ipVersion: 4 | 6;
  readonly body: Uint8Array;
  /** § 9.4: appends the MAC of everything before it. */
  readonly macKey?: KeyHandle;
}

export interface Sealed {
  readonly payload: Uint8Array;
  /** § 9.1: SHA-256 of clear header ‖ body. */
  readonly hash: Uint8Array;
}

export function seal(crypto: DprpCrypto, random: Random, e: Envelope): Sealed {
  const bodyLength = e.body.length + (e.macKey === undefined ? 0 : MAC_LENGTH);
  const header = encodeHeader({
    type: e.type,
    domainKeyVersion: e.domainKey.version,
    negotiation: e.negotiation,
    sealedLength: bodyLength + TAG_LENGTH,
  });
  let body = e.body;
  if (e.macKey !== undefined) body = join(body, crypto.mac(e.macKey, join(header, body)).subarray(0, MAC_LENGTH));
  const nonce = random(NONCE_LENGTH);
  const sealed = crypto.sealMessage(e.domainKey.key, nonce, associatedData(header, e.icmp, e.ipVersion), body);
  return { payload: join(header, nonce, sealed), hash: sha256(header, body) };
}

export interface Opened {
  readonly header: Header;
  /** Owned by whoever opened it. */
  readonly body: Uint8Array;
  readonly hash: Uint8Array;
  /** The clear header's bytes, which MACs cover. */
  readonly headerBytes: Uint8Array;
}

/** A header that cannot be opened here still names its negotiation. */
export function peek(message: Received): Header | DropName {
  return decodeHeader(message.payload, message.icmp === 'error');
}

export function open(crypto: DprpCrypto, self: Self, message: Received, header: Header): Opened | DropName {
  const domainKey = self.domainKey(header.domainKeyVersion);
  if (domainKey === undefined) return 'dprp-domain-key';
  const { payload } = message;
  const headerBytes = payload.slice(0, HEADER_LENGTH);
  const body = crypto.openMessage(
    domainKey.key,
    payload.subarray(HEADER_LENGTH, SEALED_AT),
    associatedData(headerBytes, message.icmp, message.ipVersion),
    payload.subarray(SEALED_AT, SEALED_AT + header.sealedLength),
  );
  if (body === undefined) return 'dprp-seal';
  return { header, body, headerBytes, hash: sha256(headerBytes, body) };
}

/** § 9.4: true when the last 16 bytes of the body are the peer's MAC of all before them. */
export function macFits(crypto: DprpCrypto, macKey: KeyHandle, opened: Opened): boolean {
  const covered = opened.body.length - MAC_LENGTH;
  const mac = crypto.mac(macKey, join(opened.headerBytes, opened.body.subarray(0, covered)));
  return equal(mac.subarray(0, MAC_LENGTH), opened.body.subarray(covered));
}

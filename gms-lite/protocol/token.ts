/**
 * The enrolment token: everything a gateway needs to reach and recognise its GMS, as one string to paste.
 *
 * `gscip1.` ‖ base64url of
 * ```
 *  0         1           5                     37       53      54
 *  +---------+-----------+---------------------+--------+-------+---------------------------------+----------+
 *  | version | expiry    | root fingerprint    | secret | count | endpoints: 4|6, address, port   | checksum |
 *  +---------+-----------+---------------------+--------+-------+---------------------------------+----------+
 *       1         4               32               16       1        7 or 19 each                       4
 * ```
 * Numbers are big-endian; expiry is in seconds since 1970. The fingerprint is SHA-256 of the signing root's
 * SubjectPublicKeyInfo. The checksum, the first bytes of SHA-256 of everything before, tells a mistyped token from an
 * unknown one; it protects nothing.
 */
import { createHash, randomBytes } from 'node:crypto';
import { prefixFromText } from '#wire/address.ts';
import { addressBytes, addressText, type Endpoint } from './endpoint.ts';
import { GmsError } from './errors.ts';

const PREFIX = 'gscip1.';
const VERSION = 1;
const FIXED = 54;
const CHECKSUM = 4;
export const TOKEN_SECRET_LENGTH = 16;
/** Addresses that a GMS can have. */
export const ENDPOINTS_MAX = 8;

export interface EnrolmentToken {
  /** Seconds since 1970. */
  readonly expiry: number;
  readonly fingerprint: Uint8Array;
  readonly secret: Uint8Array;
  /** Tried in this order. */
  readonly endpoints: readonly Endpoint[];
}

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

export function newTokenSecret(): Uint8Array {
  return new Uint8Array(randomBytes(TOKEN_SECRET_LENGTH));
}

/** Under what a GMS keeps a token: the secret itself is not kept. 64 hex digits. */
export function tokenHash(secret: Uint8Array): string {
  return createHash('sha256').update('gscip token 1\0').update(secret).digest('hex');
}

export function encodeToken(token: EnrolmentToken): string {
  const head = new Uint8Array(FIXED);
  head[0] = VERSION;
  new DataView(head.buffer).setUint32(1, token.expiry);
  head.set(token.fingerprint, 5);
  head.set(token.secret, 37);
  head[53] = token.endpoints.length;
  const endpoints = token.endpoints.map(({ address, port }) => {
    const bytes = addressBytes(address);
    return Uint8Array.from([bytes.length === 4 ? 4 : 6, ...bytes, port >> 8, port & 0xff]);
  });
  const body = Buffer.concat([head, ...endpoints]);
  return PREFIX + Buffer.concat([body, sha256(body).subarray(0, CHECKSUM)]).toString('base64url');
}

/**
 * Reads what a person pasted: white space anywhere in it, as mail programs break lines, is left out.
 * @throws GmsError token-mistyped, token-newer
 */
export function decodeToken(text: string): EnrolmentToken {
  const compact = text.replace(/\s+/g, '');
  const mistyped = (): never => {
    throw new GmsError('token-mistyped');
  };
  if (/^gscip(?!1\.)\d+\./.test(compact)) throw new GmsError('token-newer');
  if (!compact.startsWith(PREFIX) || !/^[\w-]+$/.test(compact.slice(PREFIX.length))) mistyped();
  const encoded = compact.slice(PREFIX.length);
  const bytes = Buffer.from(encoded, 'base64url');
  /* Node ignores stray bits behind the last byte; one token has one spelling. */
  if (bytes.length < FIXED + CHECKSUM || bytes.toString('base64url') !== encoded) mistyped();
  const body = bytes.subarray(0, -CHECKSUM);
  if (
    !sha256(body)
      .subarray(0, CHECKSUM)
      .every((b, i) => b === bytes[body.length + i])
  )
    mistyped();
  if (body[0] !== VERSION) throw new GmsError('token-newer');

  const endpoints: Endpoint[] = [];
  let at = FIXED;
  for (let i = 0; i < body[53]; i++) {
    const length = body[at] === 4 ? 4 : 16;
    if ((body[at] !== 4 && body[at] !== 6) || at + 3 + length > body.length) mistyped();
    const address = addressText(body.subarray(at + 1, at + 1 + length));
    /* IPv4 in IPv6's notation: no gateway excepts it. */
    if (prefixFromText(address) === undefined) mistyped();
    endpoints.push({ address, port: body.readUInt16BE(at + 1 + length) });
    at += 3 + length;
  }
  if (at !== body.length || endpoints.length === 0 || endpoints.length > ENDPOINTS_MAX) mistyped();
  return {
    expiry: body.readUInt32BE(1),
    fingerprint: new Uint8Array(body.subarray(5, 37)),
    secret: new Uint8Array(body.subarray(37, 53)),
    endpoints,
  };
}

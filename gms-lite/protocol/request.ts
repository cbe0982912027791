/**
 * How a gateway proves who asks: one header, an Ed25519 signature over method, path, time, nonce and body.
 *
 * `authorization: GSCIP1 <GE id>.<ms since 1970>.<nonce, 32 hex digits>.<signature, base64url>`
 *
 * Chosen over client certificates: a signature needs neither certificates for gateways nor their renewal, and its time
 * is the GMS's, which a box without a clock learns from the refusal (`clock`).
 */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import { signWith } from './raw-keys.ts';

/** How far the time of a request may be from the GMS's, both ways. */
export const REQUEST_WINDOW_MS = 60_000;
/** Header of every answer to a gateway: the GMS's time, ms since 1970. */
export const TIME_HEADER = 'gscip-time';

export interface RequestSignature {
  readonly ge: string;
  /** ms since 1970 by the GMS's clock. */
  readonly time: number;
  readonly nonce: string;
  readonly signature: Uint8Array;
}

export function requestToSign(
  method: string,
  path: string,
  { ge, time, nonce }: Omit<RequestSignature, 'signature'>,
  body: Uint8Array,
): Uint8Array {
  const digest = createHash('sha256').update(body).digest('hex');
  return new TextEncoder().encode(`gscip request 1\0${ge}\n${method}\n${path}\n${time}\n${nonce}\n${digest}`);
}

/** Value of the authorization header. */
export function signRequest(
  key: KeyObject,
  ge: string,
  method: string,
  path: string,
  time: number,
  body: Uint8Array,
): string {
  const head = { ge, time, nonce: randomBytes(16).toString('hex') };
  const signature = Buffer.from(signWith(key, requestToSign(method, path, head, body))).toString('base64url');
  return `GSCIP1 ${ge}.${time}.${head.nonce}.${signature}`;
}

/** Undefined when the header is none of ours. */
export function parseRequestSignature(header: string | undefined): RequestSignature | undefined {
  const match = /^GSCIP1 ([0-9a-f]{16})\.(\d{1,15})\.([0-9a-f]{32})\.([\w-]{86})$/.exec(header ?? '');
  if (match === null) return undefined;
  const [, ge, time, nonce, signature] = match;
  return { ge, time: Number(time), nonce, signature: new Uint8Array(Buffer.from(signature, 'base64url')) };
}

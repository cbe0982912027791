/** Enrolment: one token in, an identity in the store out. docs/gms.md § 3. */

import { createPublicKey } from 'node:crypto';
import type { Kind } from '#dprp/spec.ts';
import { BUNDLE_MAX } from '#gms/bundle.ts';
import { PATHS } from '#gms/delivery.ts';
import { enrolAnswerSchema, enrolmentToSign, toText } from '#gms/enrolment.ts';
import { GmsError } from '#gms/errors.ts';
import { generateRaw, publicObject, rawPublic, secretObject, signWith } from '#gms/raw-keys.ts';
import { decodeToken } from '#gms/token.ts';
import { GmsConnection } from './connection.ts';
import { KeyStore, type StoredIdentity } from './store.ts';

export interface EnrolOptions {
  /** What this gateway would call itself and what it is; the token's presets are stronger. */
  readonly name?: string;
  readonly kind?: Kind;
  readonly software?: string;
  /** Give an existing identity up. */
  readonly force?: boolean;
}

/**
 * Enrols at the GMS that the token names, and keeps the identity in `directory`. After a lost answer the same token
 * may be used again; a former identity stays until the new one is there.
 * @throws GmsError token-*, already-enrolled, wrong-root, gms-unreachable, ge-exists, key-file-*
 */
export async function enrol(token: string, directory: string, options: EnrolOptions = {}): Promise<StoredIdentity> {
  const store = new KeyStore(directory);
  try {
    return await enrolInto(store, token, options);
  } finally {
    await store.close();
  }
}

/** The same with a store that is already open. */
export async function enrolInto(store: KeyStore, token: string, options: EnrolOptions): Promise<StoredIdentity> {
  const { fingerprint, secret, endpoints } = decodeToken(token);
  const held = store.identity();
  if (held !== undefined && options.force !== true) {
    throw new GmsError('already-enrolled', { name: held.name, ge: held.ge });
  }
  const connection = new GmsConnection(endpoints, fingerprint, BUNDLE_MAX);
  try {
    const request = prepare(store, secret, options);
    const answer = await connection.ask({
      method: 'POST',
      path: PATHS.enrol,
      headers: { 'content-type': 'application/json' },
      body: new TextEncoder().encode(JSON.stringify(request)),
    });
    const body = parseJson(answer.body);
    if (answer.status !== 200) {
      throw GmsError.fromJSON(body) ?? new GmsError('bad-answer', { problem: `status ${answer.status}` });
    }
    const parsed = enrolAnswerSchema.safeParse(body);
    if (!parsed.success || connection.root === undefined) {
      throw new GmsError('bad-answer', { problem: parsed.error?.issues[0].path.join('.') ?? 'root' });
    }
    const { ge, name, kind, mode, gmsKey } = parsed.data;
    publicObject('x25519', gmsKey);
    const identity = {
      ge,
      name,
      kind,
      mode,
      gmsKey: hex(gmsKey),
      fingerprint: hex(fingerprint),
      signingRoot: hex(connection.root),
      endpoints: [...endpoints],
    };
    store.enrolled(identity);
    return identity;
  } finally {
    connection.close();
  }
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

/** Keys are on disk before they are sent: an answer that gets lost can be asked for again. */
function prepare(store: KeyStore, secret: Uint8Array, options: EnrolOptions) {
  const held = store.pendingKeys();
  const keys = held ?? { signing: generateRaw('ed25519').secret, static: generateRaw('x25519').secret };
  if (held === undefined) store.putPendingKeys(keys);
  const signing = secretObject('ed25519', keys.signing);
  const signingKey = rawPublic(createPublicKey(signing));
  const staticKey = rawPublic(createPublicKey(secretObject('x25519', keys.static)));
  keys.signing.fill(0);
  keys.static.fill(0);
  const { name, kind, software } = options;
  return {
    secret: toText(secret),
    signingKey: toText(signingKey),
    staticKey: toText(staticKey),
    proof: toText(signWith(signing, enrolmentToSign(secret, signingKey, staticKey))),
    name,
    kind,
    software,
  };
}

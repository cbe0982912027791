/**
 * From the bytes of a bundle to a key ring: opened, verified, compared with what is held, imported. Pure but for the
 * cipher provider, which takes the keys and wipes them here. docs/gms.md § 4.
 */
import { createHash } from 'node:crypto';
import type { GeId } from '#dprp/spec.ts';
import { type BundleMetadata, contentToSign, splitContent, splitEnvelope, splitSigned } from '#gms/bundle.ts';
import { compareSequence, type Sequence } from '#gms/delivery.ts';
import { bundleKeyContext } from '#gms/enrolment.ts';
import { GmsError, type GmsErrorCode } from '#gms/errors.ts';
import { verifyWith } from '#gms/raw-keys.ts';
import type { CipherProvider, KeyIndex } from '#transform/cipher.ts';
import { prefixFromText } from '#wire/address.ts';
import { decodeStatement, type Statement } from '#wire/statement.ts';
import type { KeyRing } from './ring.ts';
import type { StoredIdentity } from './store.ts';

export interface Recipient {
  readonly ge: string;
  /** Opens bundles for this gateway. */
  readonly bundleKey: KeyIndex;
  /** Ed25519 public key of the GMS, raw. */
  readonly signingRoot: Uint8Array;
  /** X25519 secret of this gateway. */
  readonly staticSecret: KeyIndex;
}

/** Takes the gateway's X25519 secret over, and wipes it. @throws GmsError store-unreadable for an impossible GMS key */
export function becomeRecipient(
  provider: CipherProvider,
  identity: Pick<StoredIdentity, 'ge' | 'gmsKey' | 'signingRoot'>,
  secret: Uint8Array,
): Recipient {
  const gmsKey = new Uint8Array(Buffer.from(identity.gmsKey, 'hex'));
  const staticSecret = provider.importKey(secret);
  const shared = provider.exchange(staticSecret, gmsKey);
  if (shared === undefined) throw new GmsError('store-unreadable', { record: 'identity' });
  const { salt, info } = bundleKeyContext(identity.ge, provider.publicKey(staticSecret), gmsKey);
  const prk = provider.extract(salt, [shared]);
  const bundleKey = provider.expand(prk, info);
  provider.release(shared);
  provider.release(prk);
  const signingRoot = new Uint8Array(Buffer.from(identity.signingRoot, 'hex'));
  return { ge: identity.ge, bundleKey, signingRoot, staticSecret };
}

/** A verified bundle; its key bytes are still in memory until `importKeys` or `wipe`. */
export interface VerifiedBundle {
  /** ms since 1970 by the GMS's clock when it left the GMS. */
  readonly time: number;
  readonly metadata: BundleMetadata;
  /** SHA-256 of the content, hex: what "other content" means. */
  readonly content: string;
  readonly materials: readonly Uint8Array[];
  wipe(): void;
}

/** The bundle, or why it is refused. */
export function openBundle(
  delivered: Uint8Array,
  provider: CipherProvider,
  { ge, bundleKey, signingRoot }: Recipient,
): VerifiedBundle | GmsErrorCode {
  const parts = splitEnvelope(delivered);
  const plaintext = parts && provider.openMessage(bundleKey, parts.nonce, parts.aad, parts.sealed);
  if (plaintext === undefined) return 'bundle-unreadable';
  const wipe = (): void => {
    plaintext.fill(0);
  };
  const refuse = (code: GmsErrorCode): GmsErrorCode => {
    wipe();
    return code;
  };
  const signed = splitSigned(plaintext);
  if (signed === undefined) return refuse('bundle-unreadable');
  const toVerify = contentToSign(signed.content);
  const genuine = verifyWith(signingRoot, toVerify, signed.signature);
  toVerify.fill(0);
  if (!genuine) return refuse('bundle-signature');
  const content = splitContent(signed.content);
  const statement = content && decodeStatement(new Uint8Array(Buffer.from(content.metadata.statement, 'base64url')));
  if (content === undefined || content.metadata.ge !== ge || statement === undefined) {
    return refuse('bundle-unreadable');
  }
  if (!canBeUsed(content.metadata, statement)) return refuse('bundle-unreadable');
  const hash = createHash('sha256').update(signed.content).digest('hex');
  return { time: signed.time, metadata: content.metadata, content: hash, materials: content.materials, wipe };
}

/** What workers take for granted: a bundle that they choke on would be there again at the next start. */
function canBeUsed(metadata: BundleMetadata, statement: Statement): boolean {
  const { ge, mode, kind, domainKeys, protectedPrefixes, exceptions, gms } = metadata;
  return (
    Buffer.from(statement.geId).toString('hex') === ge &&
    statement.mode === mode &&
    statement.kind === kind &&
    domainKeys.some(({ notAfter }) => notAfter === 0) &&
    [...protectedPrefixes, ...exceptions.map((e) => e.address)].every((p) => prefixFromText(p) !== undefined) &&
    gms.every(({ address }) => prefixFromText(address) !== undefined)
  );
}

/** What an offered bundle is to somebody who holds another. */
export function compareBundles(
  held: { readonly sequence: Sequence; readonly content: string } | undefined,
  offered: { readonly sequence: Sequence; readonly content: string },
): 'newer' | 'same' | 'lower' | 'differs' {
  if (held === undefined) return 'newer';
  const order = compareSequence(offered.sequence, held.sequence);
  if (order !== 0) return order > 0 ? 'newer' : 'lower';
  return offered.content === held.content ? 'same' : 'differs';
}

/** A bundle whose keys are in the provider. */
export interface LoadedBundle {
  readonly metadata: BundleMetadata;
  /** By place in the material section. */
  readonly keys: readonly KeyIndex[];
}

/** Hands all keys to the provider and wipes the plaintext. @throws Error when the provider has no room. */
export function importKeys(provider: CipherProvider, { metadata, materials, wipe }: VerifiedBundle): LoadedBundle {
  const keys: KeyIndex[] = [];
  try {
    for (const material of materials) keys.push(provider.importKey(material));
    return { metadata, keys };
  } catch (error) {
    for (const key of keys) provider.release(key);
    throw error;
  } finally {
    wipe();
  }
}

/** Replaced versions count until their overlap ends; the highest counts until it is replaced. `now`: GMS time, s. */
const counts = ({ notAfter }: { notAfter: number }, now: number): boolean => notAfter === 0 || notAfter > now;

/** GMS time in seconds at which the next overlap ends; Infinity when none runs. */
export function nextExpiry({ metadata }: LoadedBundle, now: number): number {
  const all = [...metadata.domainKeys, ...metadata.groups.flatMap((group) => group.keys)];
  return Math.min(...all.map((key) => key.notAfter).filter((end) => end > now), Number.POSITIVE_INFINITY);
}

/** The ring as of GMS time `issuedAt` (s), which our monotonic clock calls `receivedAt` (ms). */
export function makeRing(
  { metadata, keys }: LoadedBundle,
  { signingRoot, staticSecret }: Recipient,
  issuedAt: number,
  receivedAt: number,
): KeyRing {
  return {
    sequence: metadata.sequence,
    ge: metadata.ge as GeId,
    name: metadata.name,
    kind: metadata.kind,
    mode: metadata.mode,
    statement: new Uint8Array(Buffer.from(metadata.statement, 'base64url')),
    staticSecret,
    signingKey: signingRoot,
    domainKeys: metadata.domainKeys
      .filter((key) => counts(key, issuedAt))
      .map(({ version, material }) => ({ version, key: keys[material] })),
    groups: metadata.groups.map(({ number, name, transform, checksum, keys: versions }) => ({
      number,
      name,
      transform: transform === 'pccom' && checksum === 'keyed' ? 'pccom-keyed' : transform,
      keys: versions
        .filter((key) => counts(key, issuedAt))
        .map(({ version, material, notAfter }) => ({
          version,
          key: keys[material],
          notAfter: notAfter === 0 ? Number.POSITIVE_INFINITY : notAfter,
        })),
    })),
    revoked: metadata.revoked.map(({ ge, group, removed }) => ({ ge: ge as GeId, group, removed })),
    protectedPrefixes: metadata.protectedPrefixes,
    exceptions: metadata.exceptions.map(({ address, protocol, port, direction }) => ({
      address,
      ...(protocol === undefined ? {} : { protocol }),
      ...(port === undefined ? {} : { port }),
      direction,
    })),
    gms: metadata.gms,
    offlineHours: metadata.offlineHours,
    issuedAt,
    receivedAt,
  };
}

/**
 * A bundle: everything one GE needs, signed by the GMS, then sealed for that GE.
 *
 * ```
 * delivered:  +------+---------+-------+----------------------------------------------+
 *             | GSSB | version | nonce | XChaCha20-Poly1305( time ‖ signed content )  |
 *             +------+---------+-------+----------------------------------------------+
 *                4        1       24      8 + signed content + 16
 *
 * signed      +-------------+----------+----------------------------+-----------+
 * content:    | JSON length | metadata | key material, 32 bytes each | signature |
 *             +-------------+----------+----------------------------+-----------+
 *                   4           JSON        32 · n                      64
 * ```
 *
 * Numbers are big-endian. The signature is Ed25519 of the signing root over BUNDLE_CONTEXT ‖ everything before it; the
 * metadata names the GE, so that a bundle for one is none for another. `time` is ms since 1970 when the bundle left the
 * GMS: outside the signature, so that one sequence has one content, but under the seal. Metadata names key material
 * by its place: key bytes are never part of a string.
 */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { VERSIONS_MAX } from '#wire/ge-info.ts';
import { STATEMENT_GROUPS } from '#wire/statement.ts';
import { sequenceSchema } from './delivery.ts';
import { geIdSchema, kindSchema, modeSchema, nameSchema } from './enrolment.ts';

const MAGIC = Uint8Array.of(0x47, 0x53, 0x53, 0x42, 1); /* "GSSB", version */
const NONCE_LENGTH = 24;
const TAG_LENGTH = 16;
const SIGNATURE_LENGTH = 64;
const TIME_LENGTH = 8;
export const MATERIAL_LENGTH = 32;
/** Bytes of the longest bundle that a gateway takes. */
export const BUNDLE_MAX = 1 << 20;
const BUNDLE_CONTEXT = new TextEncoder().encode('gscip bundle 1\0');

const seconds = z.number().int().nonnegative();
const keySchema = z.object({
  version: z.number().int().positive(),
  /** Place in the key material section. */
  material: z.number().int().nonnegative(),
  /** Seconds since 1970; `notAfter` is 0 while the version is the current one. */
  notBefore: seconds,
  notAfter: seconds,
});
/** Newest first, the current one and the one before. */
const versionsSchema = z.array(keySchema).min(1).max(VERSIONS_MAX);
export const exceptionSchema = z.object({
  address: z.string(),
  protocol: z.union([z.enum(['tcp', 'udp', 'icmp']), z.number().int().min(0).max(255)]).optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  direction: z.enum(['out', 'in', 'both']),
});
export const transformSchema = z.enum(['sealed', 'pccom']);
export type GroupTransform = z.infer<typeof transformSchema>;
/** Of `pccom`: `keyed` lets the receiver notice changes, on paths where nobody else looks at checksums. */
export const checksumSchema = z.enum(['ordinary', 'keyed']);
export type GroupChecksum = z.infer<typeof checksumSchema>;

export const metadataSchema = z.object({
  ge: geIdSchema,
  name: nameSchema,
  kind: kindSchema,
  mode: modeSchema,
  sequence: sequenceSchema,
  /** The statement that DPRP carries (#wire/statement.ts), base64url. */
  statement: z.string().regex(/^[\w-]+$/),
  domainKeys: versionsSchema,
  groups: z
    .array(
      z.object({
        number: z.number().int().positive(),
        name: nameSchema,
        transform: transformSchema,
        checksum: checksumSchema.default('ordinary'),
        keys: versionsSchema,
      }),
    )
    .max(STATEMENT_GROUPS),
  /** Who left which of the groups; `removed`: the GMS removed it altogether. */
  revoked: z.array(
    z.object({ ge: geIdSchema, group: z.number().int().positive(), removed: z.boolean().default(false) }),
  ),
  protectedPrefixes: z.array(z.string()),
  exceptions: z.array(exceptionSchema),
  gms: z.array(z.object({ address: z.string(), port: z.number().int().min(1).max(65_535) })).min(1),
  /** 0 for without end. */
  offlineHours: z.number().int().nonnegative(),
  /** Grows when the GMS wants remembered peers to be forgotten. */
  forgetPeers: z.number().int().nonnegative(),
});
export type BundleMetadata = z.infer<typeof metadataSchema>;
export type BundleException = z.infer<typeof exceptionSchema>;

/** Metadata and material as they are signed; `materials` are copied. */
export function joinContent(metadata: BundleMetadata, materials: readonly Uint8Array[]): Uint8Array {
  const json = new TextEncoder().encode(JSON.stringify(metadata));
  const content = new Uint8Array(4 + json.length + MATERIAL_LENGTH * materials.length);
  new DataView(content.buffer).setUint32(0, json.length);
  content.set(json, 4);
  materials.forEach((material, i) => {
    content.set(material, 4 + json.length + MATERIAL_LENGTH * i);
  });
  return content;
}

/** BUNDLE_CONTEXT ‖ content: what the GMS signs. The caller wipes it. */
export function contentToSign(content: Uint8Array): Uint8Array {
  const signed = new Uint8Array(BUNDLE_CONTEXT.length + content.length);
  signed.set(BUNDLE_CONTEXT);
  signed.set(content, BUNDLE_CONTEXT.length);
  return signed;
}

/** Time ‖ content ‖ signature: what is sealed. The caller wipes it. `time` is ms since 1970. */
export function joinSigned(time: number, content: Uint8Array, signature: Uint8Array): Uint8Array {
  const plaintext = new Uint8Array(TIME_LENGTH + content.length + SIGNATURE_LENGTH);
  new DataView(plaintext.buffer).setBigUint64(0, BigInt(time));
  plaintext.set(content, TIME_LENGTH);
  plaintext.set(signature, TIME_LENGTH + content.length);
  return plaintext;
}

/** The delivered form; `seal` is XChaCha20-Poly1305 under the GE's bundle key. */
export function envelope(
  plaintext: Uint8Array,
  seal: (nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array) => Uint8Array,
): Uint8Array {
  const nonce = new Uint8Array(randomBytes(NONCE_LENGTH));
  return new Uint8Array(Buffer.concat([MAGIC, nonce, seal(nonce, MAGIC, plaintext)]));
}

/** Parts of a delivered bundle, views into it; undefined when it is none of this version. */
export function splitEnvelope(
  bytes: Uint8Array,
): { readonly nonce: Uint8Array; readonly aad: Uint8Array; readonly sealed: Uint8Array } | undefined {
  if (bytes.length < MAGIC.length + NONCE_LENGTH + TAG_LENGTH || bytes.length > BUNDLE_MAX) return undefined;
  if (!MAGIC.every((b, i) => bytes[i] === b)) return undefined;
  const sealed = bytes.subarray(MAGIC.length + NONCE_LENGTH);
  return { nonce: bytes.subarray(MAGIC.length, MAGIC.length + NONCE_LENGTH), aad: MAGIC, sealed };
}

/** An opened bundle, views into the plaintext; its signature is not yet verified. */
export interface OpenedBundle {
  /** ms since 1970 by the GMS's clock when the bundle left it. */
  readonly time: number;
  readonly content: Uint8Array;
  readonly signature: Uint8Array;
}

export function splitSigned(plaintext: Uint8Array): OpenedBundle | undefined {
  if (plaintext.length < TIME_LENGTH + 4 + SIGNATURE_LENGTH) return undefined;
  const view = new DataView(plaintext.buffer, plaintext.byteOffset, plaintext.byteLength);
  const time = Number(view.getBigUint64(0));
  if (!Number.isSafeInteger(time)) return undefined;
  return {
    time,
    content: plaintext.subarray(TIME_LENGTH, -SIGNATURE_LENGTH),
    signature: plaintext.subarray(-SIGNATURE_LENGTH),
  };
}

/** Reads verified content; `materials` are views into it, for the cipher provider to take and wipe. */
export function splitContent(
  content: Uint8Array,
): { readonly metadata: BundleMetadata; readonly materials: readonly Uint8Array[] } | undefined {
  if (content.length < 4) return undefined;
  const length = new DataView(content.buffer, content.byteOffset).getUint32(0);
  const section = 4 + length;
  if (section > content.length || (content.length - section) % MATERIAL_LENGTH !== 0) return undefined;
  const count = (content.length - section) / MATERIAL_LENGTH;
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content.subarray(4, section)));
  } catch {
    return undefined;
  }
  const parsed = metadataSchema.safeParse(json);
  if (!parsed.success) return undefined;
  const places = [parsed.data.domainKeys, ...parsed.data.groups.map((g) => g.keys)].flat().map((k) => k.material);
  /* Each place is used once: importing wipes it, and what nobody uses would take the provider's room. */
  if (new Set(places).size !== count || places.length !== count || places.some((p) => p >= count)) return undefined;
  const materials = Array.from({ length: count }, (_, i) =>
    content.subarray(section + MATERIAL_LENGTH * i, section + MATERIAL_LENGTH * (i + 1)),
  );
  return { metadata: parsed.data, materials };
}

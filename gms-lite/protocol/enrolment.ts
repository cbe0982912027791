/** Enrolment: a gateway sends its public keys with a token's secret, and is active at once. docs/gms.md § 3. */
import { createHash } from 'node:crypto';
import { z } from 'zod';

/** A name that people give: 1 to 63 characters, no space at the ends, no control character, slash or comma. */
export const nameSchema = z
  .string()
  .regex(/^(?![\s])[^\p{C}\p{Z}/,]([^\p{C}/,]{0,61}[^\p{C}\p{Z}/,])?$/u, 'must be 1 to 63 characters without / and ,');
export const kindSchema = z.enum(['bridge', 'router', 'host']);
export const modeSchema = z.enum(['open', 'closed']);
export const geIdSchema = z.string().regex(/^[0-9a-f]{16}$/);

/** Public bytes in JSON: base64url without padding. */
const bytesSchema = (length: number) =>
  z
    .string()
    .regex(/^[\w-]+$/)
    .transform((text) => new Uint8Array(Buffer.from(text, 'base64url')))
    .refine((bytes) => bytes.length === length, `must be ${length} bytes in base64url`);
export const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

export const enrolRequestSchema = z.object({
  secret: bytesSchema(16),
  /** Ed25519, signs the gateway's requests. */
  signingKey: bytesSchema(32),
  /** X25519, what bundles are sealed to and DPRP's static-static exchange uses. */
  staticKey: bytesSchema(32),
  /** Ed25519 over `enrolmentToSign`: the sender holds the signing key. */
  proof: bytesSchema(64),
  /** What the gateway would call itself, and what it is; the token's presets are stronger. */
  name: nameSchema.optional(),
  kind: kindSchema.optional(),
  software: z.string().max(64).optional(),
});
export type EnrolRequest = z.infer<typeof enrolRequestSchema>;

export const enrolAnswerSchema = z.object({
  ge: geIdSchema,
  name: nameSchema,
  kind: kindSchema,
  mode: modeSchema,
  /** X25519 public key of the GMS. */
  gmsKey: bytesSchema(32),
  /** Seconds since 1970. */
  time: z.number().int().nonnegative(),
});
export type EnrolAnswer = z.infer<typeof enrolAnswerSchema>;

/** What `proof` signs. */
export function enrolmentToSign(secret: Uint8Array, signingKey: Uint8Array, staticKey: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([Buffer.from('gscip enrolment 1\0'), secret, signingKey, staticKey]));
}

/**
 * HKDF-SHA-256 parameters of the key that seals a GE's bundles; the input is X25519(GE static, GMS static). The salt
 * is the enrolment: who enrolled with which keys at which GMS.
 */
export function bundleKeyContext(
  ge: string,
  staticKey: Uint8Array,
  gmsKey: Uint8Array,
): { salt: Uint8Array; info: Uint8Array } {
  const salt = createHash('sha256')
    .update('gscip bundle key 1\0')
    .update(Buffer.from(ge, 'hex'))
    .update(staticKey)
    .update(gmsKey)
    .digest();
  return { salt: new Uint8Array(salt), info: new TextEncoder().encode('gscip bundle seal') };
}

/**
 * Ed25519 and X25519 keys as 32 raw bytes (RFC 8032, RFC 7748) ⇄ Node's key objects. Secret bytes stay in arrays that
 * their owner wipes; they never become strings.
 */
import {
  createPrivateKey,
  createPublicKey,
  sign as cryptoSign,
  verify as cryptoVerify,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto';

export type Curve = 'ed25519' | 'x25519';
export const RAW_KEY_LENGTH = 32;

/**
 * DER before the raw bytes (RFC 8410 § 7 for PKCS #8, § 4 for SubjectPublicKeyInfo); they differ in the last OID arc.
 */
const OID_ARC: Record<Curve, number> = { ed25519: 0x70, x25519: 0x6e };
const pkcs8 = (curve: Curve): number[] => [
  0x30,
  0x2e,
  0x02,
  0x01,
  0x00,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  OID_ARC[curve],
  0x04,
  0x22,
  0x04,
  0x20,
];
const spki = (curve: Curve): number[] => [
  0x30,
  0x2a,
  0x30,
  0x05,
  0x06,
  0x03,
  0x2b,
  0x65,
  OID_ARC[curve],
  0x03,
  0x21,
  0x00,
];

/** A fresh pair; the caller wipes `secret`. */
export function generateRaw(curve: Curve): { secret: Uint8Array; publicKey: Uint8Array } {
  const pair = curve === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('x25519');
  const der = pair.privateKey.export({ format: 'der', type: 'pkcs8' });
  const secret = new Uint8Array(der.subarray(-RAW_KEY_LENGTH));
  der.fill(0);
  return { secret, publicKey: rawPublic(pair.publicKey) };
}

export function secretObject(curve: Curve, secret: Uint8Array): KeyObject {
  const der = Buffer.from([...pkcs8(curve), ...secret]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return key;
}

/** @throws Error when the bytes are no public key of the curve. */
export function publicObject(curve: Curve, publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from([...spki(curve), ...publicKey]), format: 'der', type: 'spki' });
}

/** The raw bytes of a public key object. */
export function rawPublic(key: KeyObject): Uint8Array {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-RAW_KEY_LENGTH));
}

/** Ed25519 signature, 64 bytes. */
export function signWith(secret: KeyObject, data: Uint8Array): Uint8Array {
  return new Uint8Array(cryptoSign(null, data, secret));
}

/** False too when key or signature are malformed. */
export function verifyWith(publicKey: Uint8Array, data: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== RAW_KEY_LENGTH || signature.length !== 64) return false;
  try {
    return cryptoVerify(null, data, publicObject('ed25519', publicKey), signature);
  } catch {
    return false;
  }
}

/** X25519; the caller wipes the result. @throws Error when the peer's key is of low order. */
export function exchangeRaw(secret: KeyObject, peer: Uint8Array): Uint8Array {
  return new Uint8Array(diffieHellman({ privateKey: secret, publicKey: publicObject('x25519', peer) }));
}

/**
 * The keys of an association (docs/dprp.md, "Keys"):
 *
 *   key = HKDF-SHA-256-Expand(PRK, label ‖ transcript hash)
 *
 * Every label names format version, direction and purpose. The transcript hash is always 32 bytes and stands last, so
 * no two labels yield the same input. Another transform adds labels here: `hctr2`, `ff1` and `checksum mask` are its
 * purposes; `confirm` is DPRP's own.
 */
import { type AeadAlgorithm, type CipherProvider, HASH_LENGTH, type KeyIndex } from './cipher.ts';

export type Direction = 'i>r' | 'r>i';
export type Purpose = 'aead' | 'hctr2' | 'ff1' | 'checksum mask' | 'confirm';
export type KeyLabel = `gscip 1 ${Direction} ${Purpose}`;

/** `info` of an expansion. Throws RangeError when `transcript` is not a 32-byte hash. */
export function keyInfo(label: KeyLabel, transcript: Uint8Array): Uint8Array {
  if (transcript.length !== HASH_LENGTH) {
    throw new RangeError(`transcript: ${HASH_LENGTH} bytes expected, ${transcript.length} given`);
  }
  return Buffer.concat([Buffer.from(label, 'ascii'), transcript]);
}

/** Keys of one end of one generation, ready for jobs. Whoever asked for them releases them. */
export interface SealedKeys {
  readonly sendKey: KeyIndex;
  readonly receiveKey: KeyIndex;
}

/** Keys of transform `sealed`; `prk` stays the caller's. What one role sends with, the other receives with. */
export function sealedKeys(
  provider: Pick<CipherProvider, 'expandAead'>,
  prk: KeyIndex,
  transcript: Uint8Array,
  role: 'initiator' | 'responder',
  algorithm: AeadAlgorithm,
): SealedKeys {
  const forward = provider.expandAead(prk, keyInfo('gscip 1 i>r aead', transcript), algorithm);
  const backward = provider.expandAead(prk, keyInfo('gscip 1 r>i aead', transcript), algorithm);
  return role === 'initiator' ? { sendKey: forward, receiveKey: backward } : { sendKey: backward, receiveKey: forward };
}

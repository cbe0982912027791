/**
 * The keys of an association (docs/dprp.md, "Keys"):
 *
 *   key = HKDF-SHA-256-Expand(PRK, label ‖ transcript hash)
 *
 * Every label names format version, direction and purpose. The transcript hash is always 32 bytes and stands last, so
 * no two labels yield the same input. `confirm` is DPRP's own.
 */
import { type AeadAlgorithm, type CipherProvider, HASH_LENGTH, type KeyIndex, NO_KEY } from './cipher.ts';
import type { PccomKeys } from './pccom-state.ts';

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

/**
 * Keys of transform `sealed`; `prk` stays the caller's. What one role sends with, the other receives with. Undefined
 * when the provider has no place for one of them: none is kept then.
 */
export function sealedKeys(
  provider: Pick<CipherProvider, 'expandAead' | 'release'>,
  prk: KeyIndex,
  transcript: Uint8Array,
  role: 'initiator' | 'responder',
  algorithm: AeadAlgorithm,
): SealedKeys | undefined {
  const forward = provider.expandAead(prk, keyInfo('gscip 1 i>r aead', transcript), algorithm);
  const backward = provider.expandAead(prk, keyInfo('gscip 1 r>i aead', transcript), algorithm);
  if (!allOrNone(provider, [forward, backward])) return undefined;
  return role === 'initiator' ? { sendKey: forward, receiveKey: backward } : { sendKey: backward, receiveKey: forward };
}

/** Keys of transform `pccom`, in the same way; masks only where the group's checksums are keyed. */
export function pccomKeys(
  provider: Pick<CipherProvider, 'expandWide' | 'expandShort' | 'expandMask' | 'release'>,
  prk: KeyIndex,
  transcript: Uint8Array,
  role: 'initiator' | 'responder',
  keyed: boolean,
): { readonly send: PccomKeys; readonly receive: PccomKeys } | undefined {
  const direction = (name: Direction): PccomKeys => ({
    wide: provider.expandWide(prk, keyInfo(`gscip 1 ${name} hctr2`, transcript)),
    short: provider.expandShort(prk, keyInfo(`gscip 1 ${name} ff1`, transcript)),
    mask: keyed ? provider.expandMask(prk, keyInfo(`gscip 1 ${name} checksum mask`, transcript)) : undefined,
  });
  const forward = direction('i>r');
  const backward = direction('r>i');
  if (!allOrNone(provider, [...pccomPlaces(forward), ...pccomPlaces(backward)])) return undefined;
  return role === 'initiator' ? { send: forward, receive: backward } : { send: backward, receive: forward };
}

/** The keys of a direction, as many as it has. */
export function pccomPlaces({ wide, short, mask }: PccomKeys): readonly KeyIndex[] {
  return mask === undefined ? [wide, short] : [wide, short, mask];
}

/** False when one of them is none; the others are released then. */
function allOrNone(provider: Pick<CipherProvider, 'release'>, keys: readonly KeyIndex[]): boolean {
  if (!keys.includes(NO_KEY)) return true;
  for (const key of keys) if (key !== NO_KEY) provider.release(key);
  return false;
}

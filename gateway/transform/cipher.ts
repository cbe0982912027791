/**
 * What the gateway needs from cryptography. Two providers, equal byte for byte: `native` (the addon, OpenSSL of the
 * running Node; keys in a locked, not-dumped slab that JavaScript cannot read) and `noble` (pure TypeScript, the
 * readable twin; it cannot promise anything about where its keys are in memory).
 *
 * Keys are named by index. Nothing here returns key bytes; a provider belongs to one thread.
 */
export type KeyIndex = number & { readonly key: unique symbol };

/**
 * What comes instead of a key where the provider has no place for one, or may lock no more memory for it: overload,
 * which peers can bring about, so it is no exception. Names no key: every function refuses it with a RangeError.
 */
export const NO_KEY = 0 as KeyIndex;

/** Algorithm of an association key. */
export const AES_256_GCM = 0;
export const CHACHA20_POLY1305 = 1;
export type AeadAlgorithm = typeof AES_256_GCM | typeof CHACHA20_POLY1305;

/** Columns of a cipher job (Int32Array); the same numbers in `gateway/native/addon.h`. Offsets are into the slab. */
export const J_OP = 0; /* OP_* */
export const J_KEY = 1; /* KeyIndex of an AEAD key */
export const J_SRC = 2;
export const J_DST = 3; /* may equal J_SRC; otherwise source and destination do not overlap */
export const J_LENGTH = 4;
export const J_AAD = 5; /* offset of the authenticated data; for OP_SUM the initial 32-bit sum */
export const J_AAD_LENGTH = 6;
export const J_TAG = 7; /* offset of the tag: written by OP_SEAL, read by OP_OPEN */
export const J_TAG_LENGTH = 8; /* 12 or 16 bytes */
export const J_NUMBER_HIGH = 9; /* packet number, high and low 32 bits: nonce = salt ‖ number, big-endian */
export const J_NUMBER_LOW = 10;
/**
 * OP_SUM: the folded 16-bit one's complement sum; OP_MASK: the 16-bit mask, -1 when the cipher failed; else STATUS_*.
 */
export const J_STATUS = 11;
export const J_STRIDE = 12;

export const OP_SEAL = 0;
export const OP_OPEN = 1;
/** Internet checksum (RFC 1071) of J_SRC, J_LENGTH on top of J_AAD: not inverted. */
export const OP_SUM = 2;
/**
 * Length-preserving, without a tag (docs/transforms.md § pccom): J_LENGTH bytes from J_SRC to J_DST, cut into segments
 * of J_SEGMENT bytes and a rest; 0 means one segment. A segment of 16 bytes or more goes through HCTR2-AES-256 under
 * J_KEY, of 1–15 bytes through FF1-AES-256 under J_SHORT_KEY. J_AAD, J_AAD_LENGTH is the tweak, at most TWEAK_MAX
 * bytes; where there are several segments, the big-endian 32-bit word at its offset TWEAK_SEQUENCE grows by J_SEGMENT
 * from one to the next. The tweak in the slab is not changed.
 */
export const OP_ENCIPHER = 3;
export const OP_DECIPHER = 4;
/**
 * The mask of a keyed checksum, 16 bits, into J_STATUS: a PRF under J_KEY (an `expandMask` key) over J_AAD,
 * J_AAD_LENGTH and J_SRC, J_LENGTH.
 */
export const OP_MASK = 5;
/** Columns of OP_ENCIPHER and OP_DECIPHER that an AEAD job calls otherwise. */
export const J_SHORT_KEY = 7;
export const J_SEGMENT = 8;
/** Where a tweak holds the TCP sequence number. */
export const TWEAK_SEQUENCE = 8;
export const TWEAK_MAX = 256;
/** Bytes of a segment: HCTR2 begins here, FF1 ends below. */
export const WIDE_FROM = 16;

export const STATUS_OK = 0;
/** The tag does not verify, or, of another job, the cipher failed; the destination holds zeros. */
export const STATUS_FORGED = 1;

/** Bytes that cross the interface. */
export const AEAD_KEY_LENGTH = 36; /* 32 key + 4 salt */
export const SYMMETRIC_KEY_LENGTH = 32;
export const MESSAGE_NONCE_LENGTH = 24; /* XChaCha20-Poly1305 */
export const MESSAGE_TAG_LENGTH = 16;
export const PUBLIC_KEY_LENGTH = 32; /* X25519 */
export const MAC_LENGTH = 32; /* HMAC-SHA-256 */
export const HASH_LENGTH = 32; /* SHA-256 */

export interface CipherProvider {
  readonly name: 'native' | 'noble';
  /** True where the CPU computes AES-GCM in hardware; decides which algorithm a gateway prefers. */
  readonly aesInHardware: boolean;

  /** Copies 32 key bytes in and fills `bytes` with zeros. Throws when all key places are taken. */
  importKey(bytes: Uint8Array): KeyIndex;
  /** A fresh X25519 key pair; its secret may be NO_KEY. */
  generateKeyPair(): { readonly secret: KeyIndex; readonly publicKey: Uint8Array };
  /** The public key of an X25519 secret. */
  publicKey(secret: KeyIndex): Uint8Array;
  /** X25519 (RFC 7748), or NO_KEY; undefined when the result is all zero. */
  exchange(secret: KeyIndex, peer: Uint8Array): KeyIndex | undefined;
  /** HKDF-SHA-256-Extract (RFC 5869) with the concatenated keys as input keying material, or NO_KEY. */
  extract(salt: Uint8Array, ikm: readonly KeyIndex[]): KeyIndex;
  /** HKDF-SHA-256-Expand to a 32-byte key, or NO_KEY. */
  expand(prk: KeyIndex, info: Uint8Array): KeyIndex;
  /** HKDF-SHA-256-Expand to key and salt of an AEAD, ready for jobs, or NO_KEY. */
  expandAead(prk: KeyIndex, info: Uint8Array, algorithm: AeadAlgorithm): KeyIndex;
  /** HKDF-SHA-256-Expand to an HCTR2-AES-256 key, for J_KEY of OP_ENCIPHER and OP_DECIPHER, or NO_KEY. */
  expandWide(prk: KeyIndex, info: Uint8Array): KeyIndex;
  /** HKDF-SHA-256-Expand to an FF1-AES-256 key, for J_SHORT_KEY, or NO_KEY. */
  expandShort(prk: KeyIndex, info: Uint8Array): KeyIndex;
  /** HKDF-SHA-256-Expand to the key of OP_MASK, or NO_KEY. */
  expandMask(prk: KeyIndex, info: Uint8Array): KeyIndex;
  /** HMAC-SHA-256, 32 bytes. */
  mac(key: KeyIndex, data: Uint8Array): Uint8Array;
  /** Forgets a key: its place is zeroed and may be reused. */
  release(key: KeyIndex): void;

  /**
   * A one-time ticket with which another provider of the same kind in another thread takes a copy of the key; the key
   * itself never passes through JavaScript. Unclaimed tickets are worthless after `withdraw`; with NO_KEY a ticket
   * stays.
   */
  grant(key: KeyIndex): bigint;
  claim(ticket: bigint): KeyIndex;
  withdraw(ticket: bigint): void;

  /** XChaCha20-Poly1305: ciphertext ‖ 16-byte tag. */
  sealMessage(key: KeyIndex, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** undefined when it does not verify. */
  openMessage(key: KeyIndex, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;

  /** Runs jobs 0 … count-1 in order. Throws RangeError, having run none, when a job leaves the slab or names no key. */
  run(slab: Uint8Array, jobs: Int32Array, count: number): void;

  /** Wipes all keys. */
  close(): void;
}

/** What the GMS gave this gateway, ready for use: keys are indices of the main thread's cipher provider. */
import type { GeId, Kind, Mode, Revocation, TransformName } from '#dprp/spec.ts';
import type { KeyIndex } from '#transform/cipher.ts';

export interface PolicyException {
  /** CIDR prefix of the far address, for example `192.0.2.10/32`. */
  readonly address: string;
  /** IP protocol name or number in decimal; undefined for every protocol. */
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | number;
  /** Far port; undefined for every port. */
  readonly port?: number;
  /** Which side opens the connection, seen from this gateway. */
  readonly direction: 'out' | 'in' | 'both';
}

export interface RingGroup {
  readonly number: number;
  readonly name: string;
  readonly transform: TransformName;
  /**
   * Highest version first: the current one, then the previous one while its overlap lasts. `notAfter` is in seconds
   * since 1970 by the GMS, Infinity for the current one.
   */
  readonly keys: readonly { readonly version: number; readonly key: KeyIndex; readonly notAfter: number }[];
}

/** Replaced whole by every bundle; the keys of the replaced ring are released by the key client after a grace. */
export interface KeyRing {
  /** (incarnation, counter): never lower than before. */
  readonly sequence: { readonly incarnation: number; readonly counter: number };
  readonly ge: GeId;
  readonly name: string;
  readonly kind: Kind;
  readonly mode: Mode;
  readonly statement: Uint8Array;
  readonly staticSecret: KeyIndex;
  /** Raw Ed25519 public key, 32 bytes. */
  readonly signingKey: Uint8Array;
  readonly domainKeys: readonly { readonly version: number; readonly key: KeyIndex }[];
  readonly groups: readonly RingGroup[];
  readonly revoked: readonly Revocation[];
  /** CIDR prefixes to which no plaintext goes, ever. */
  readonly protectedPrefixes: readonly string[];
  readonly exceptions: readonly PolicyException[];
  /** Addresses and ports of the GMS: excepted by every GE on a path. */
  readonly gms: readonly { readonly address: string; readonly port: number }[];
  /** Hours the keys stay valid without the GMS; 0 for without end. */
  readonly offlineHours: number;
  /** GMS time (seconds since 1970) when the bundle was made, and when it was received on our monotonic clock (ms). */
  readonly issuedAt: number;
  readonly receivedAt: number;
}

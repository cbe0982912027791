/** What the GMS keeps (docs/gms.md § 1). Times are seconds since 1970 unless a name says otherwise. */

import type { Kind, Mode } from '#dprp/spec.ts';
import type { BundleException, GroupChecksum, GroupTransform } from '#gms/bundle.ts';
import type { Endpoint } from '#gms/endpoint.ts';

/** The GMS itself. One record, id SITE. */
export interface Site {
  /** Grows with every restore from a backup. */
  readonly incarnation: number;
  /** Where gateways reach the GMS, in the order in which they try. */
  readonly endpoints: readonly Endpoint[];
  readonly createdAt: number;
  /** The next group number never given before. */
  readonly nextGroup: number;
}

/** A GE. Id: 16 hex digits. */
export interface Element {
  readonly id: string;
  readonly name: string;
  readonly kind: Kind;
  readonly mode: Mode;
  readonly state: 'active' | 'retired';
  /** Ed25519 and X25519 public keys, 32 bytes. */
  readonly signingKey: Uint8Array;
  readonly staticKey: Uint8Array;
  /** Counter of its bundle: grows whenever the bundle's content changes. */
  readonly counter: number;
  readonly statementNotAfter: number;
  /** The latest end of any statement that it was ever given. Absent in stores made before: `statementNotAfter`. */
  readonly statementsEnd?: number;
  readonly software: string;
  readonly enrolledAt: number;
  readonly lastSeen: number;
  /** Counter of the bundle that it acknowledged last, within the site's incarnation; -1 before the first. */
  readonly held: number;
}

/** Id: the number. Group 0 is the domain: it has keys, no record, and every active GE belongs to it. */
export interface Group {
  readonly number: number;
  readonly name: string;
  readonly kind: 'managed';
  readonly transform: GroupTransform;
  /** Absent: `ordinary`. */
  readonly checksum?: GroupChecksum;
  /** Daily rotation, `HH:MM` in an IANA time zone; null for never by itself. */
  readonly rotation: { readonly at: string; readonly zone: string } | null;
  /** When the schedule rotates next; 0 for never. */
  readonly rotatesAt: number;
  readonly createdAt: number;
}

/** One version of a group's key. Id: group, version. At most two versions of a group exist at a time. */
export interface GroupKey {
  readonly group: number;
  readonly version: number;
  /** 32 bytes, sealed under the master key (#gms/at-rest.ts). */
  readonly material: Uint8Array;
  readonly notBefore: number;
  /** End of the overlap; 0 while the version is the current one. */
  readonly notAfter: number;
}

/** Id: GE, group. */
export interface Membership {
  readonly ge: string;
  readonly group: number;
  readonly since: number;
}

/** A GE that left a group while a statement of it still names it. Id: group, GE. */
export interface Revocation {
  readonly ge: string;
  readonly group: number;
  /** The last statement that named the group ends here. */
  readonly until: number;
}

/** One record, id SITE. */
export interface Policy {
  readonly protectedPrefixes: readonly string[];
  readonly exceptions: readonly BundleException[];
  readonly offlineHours: number;
  readonly forgetPeers: number;
}

/** Id: hash of the secret (#gms/token.ts). */
export interface Token {
  readonly hash: string;
  readonly name: string | null;
  readonly kind: Kind | null;
  readonly mode: Mode;
  readonly groups: readonly number[];
  readonly createdAt: number;
  readonly expiry: number;
  /** Who used it up. */
  readonly usedBy: string | null;
}

/** Append-only; each entry names the hash of the one before. Id: the number. */
export interface AuditEntry {
  readonly number: number;
  readonly at: number;
  readonly who: string;
  readonly from: string;
  readonly action: string;
  readonly subject: string;
  readonly before: string;
  readonly after: string;
  readonly previous: string;
  readonly hash: string;
}

/** A secret of the GMS itself, sealed under the master key. Id: its name. */
export interface Secret {
  readonly sealed: Uint8Array;
}

export interface Tables {
  readonly site: Site;
  readonly element: Element;
  readonly group: Group;
  readonly key: GroupKey;
  readonly membership: Membership;
  readonly revocation: Revocation;
  readonly policy: Policy;
  readonly token: Token;
  readonly audit: AuditEntry;
  readonly secret: Secret;
}
export type Table = keyof Tables;

/** Id of the only record of a table. */
export const SITE = 'this';
/** The domain as a group number. */
export const DOMAIN = 0;

/** Ids of numbers sort as the numbers do. */
export const numberId = (n: number): string => String(n).padStart(10, '0');
export const keyId = (group: number, version: number): string => `${numberId(group)}/${numberId(version)}`;
export const membershipId = (ge: string, group: number): string => `${ge}/${numberId(group)}`;
export const revocationId = (group: number, ge: string): string => `${numberId(group)}/${ge}`;

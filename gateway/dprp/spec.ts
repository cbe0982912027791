/**
 * The nouns of DPRP (docs/dprp.md): who negotiates, what about, and what a negotiation tells its owner.
 * No socket and no clock anywhere in this folder: time comes in as milliseconds, actions come out.
 */

import type { DropName } from '#wire/drops.ts';

/** Milliseconds on a monotonic clock. */
export type Millis = number & { readonly millis: unique symbol };
/** 16 lower-case hex digits: the 8 bytes of a GE's id. */
export type GeId = string & { readonly geId: unique symbol };
/** Index into the cipher provider's keys: a KeyIndex of #transform/cipher.ts, which this room may not import. */
export type KeyHandle = number & { readonly key: symbol };

export type Mode = 'open' | 'closed';
export type Kind = 'bridge' | 'router' | 'host';
export type TransformName = 'sealed' | 'pccom' | 'pccom-keyed';

/** A pair: one device behind us and one address elsewhere. Addresses are 16 bytes, IPv4 as ::ffff:a.b.c.d. */
export interface Pair {
  readonly device: Uint8Array;
  readonly peer: Uint8Array;
}

/** One key of one group as this GE holds it. */
export interface GroupKey {
  readonly group: number;
  readonly version: number;
  readonly transform: TransformName;
  readonly key: KeyHandle;
}

export interface DomainKey {
  readonly version: number;
  readonly key: KeyHandle;
}

/**
 * Everything a GE negotiates with; replaced whole when a new bundle arrives. Null fields never: no keys, no Identity.
 * The keys stay their owner's; they must live until `setIdentity` has replaced the identity that names them.
 */
export interface Identity {
  readonly ge: GeId;
  readonly mode: Mode;
  readonly kind: Kind;
  /** Statement signed by the GMS (bytes as delivered) and the X25519 secret whose public key it names. */
  readonly statement: Uint8Array;
  readonly staticSecret: KeyHandle;
  /** Raw Ed25519 public key of the GMS, 32 bytes, that statements are verified with. */
  readonly signingKey: Uint8Array;
  /** Seconds since 1970 as the GMS tells it at `now`; statements expire by it. */
  readonly gmsTime: (now: Millis) => number;
  /** Newest first; messages are sealed with the first and opened with any. */
  readonly domainKeys: readonly DomainKey[];
  /** All held keys of all groups: highest version first within a group. */
  readonly groupKeys: readonly GroupKey[];
  /** Transforms this GE can perform. */
  readonly transforms: readonly TransformName[];
  /** Associations with them end, offers from them count for nothing. */
  readonly revoked: readonly Revocation[];
}

/** A GE left a group that this GE is in, while the GE's last statement may still name it. */
export interface Revocation {
  readonly ge: GeId;
  readonly group: number;
  /** The GMS removed the GE altogether, not from this group alone: it stands nowhere any more (§ 5.1). */
  readonly removed: boolean;
}

export type Role = 'initiator' | 'responder';

/** Keys and facts of one generation of an association, as soon as this side may receive with it. */
export interface Agreement {
  readonly pair: Pair;
  readonly negotiation: string;
  readonly role: Role;
  readonly peerGe: GeId;
  /** GE id of the side that started: where both started at once, the lower one's agreement is used for sending. */
  readonly initiatorGe: GeId;
  readonly group: number;
  readonly keyVersion: number;
  readonly transform: TransformName;
  /** 0–3 */
  readonly generation: number;
  /** 0 AES-256-GCM, 1 ChaCha20-Poly1305 */
  readonly algorithm: 0 | 1;
  /**
   * The association's pseudorandom key and transcript hash: the transform expands its own keys from them
   * (#transform/key-schedule.ts). The receiver of the action owns `prk` and releases it.
   */
  readonly prk: KeyHandle;
  readonly transcript: Uint8Array;
  /** The far GE's statement: who a key switch must come from (§ 11). */
  readonly peerStatement: Uint8Array;
  /** `pccom`: this side told the far one that it sends with the keys from here on (§ 11.3). */
  readonly sends: boolean;
  /** The same of the far side; undefined while it has not spoken. */
  readonly peerSends: boolean | undefined;
  /** Generations that both ends held when they agreed, bit 0–3: what a key switch may come from. */
  readonly common: number;
  /** Milliseconds from the first DDE (or its receipt) to this action. */
  readonly took: number;
}

/** Why a pair is passed, refused or encrypted; the words for it are in the command line's and the page's languages. */
export type Reason =
  | 'common-group'
  | 'no-gateway-echo' /* the far end answered our DDE itself: no GE there */
  | 'no-gateway-silence' /* nothing answered */
  | 'no-common-group'
  | 'peer-mode-closed' /* the far GE refuses outsiders */
  | 'own-mode-closed'
  | 'remembered' /* the address was protected before, and now nobody proves to be there */
  | 'protected-prefix'
  | 'domain-key-differs'
  | 'key-version-differs' /* a group in common, but no version of its key that both ends hold */
  | 'transform-differs' /* a key in common, but one end has another transform for its group */
  | 'peer-refused' /* the far GE's own rules (remembered, protected prefix) forbid what was decided */
  | 'address-translated' /* the far end sees other addresses than we do, and no translation is configured */
  | 'negotiation-failed'
  | 'overloaded'
  | 'no-keys'; /* this GE has no identity: the owner's rule for the time before keys applies */

export type Action =
  /** Send `payload` as ICMP(v6) Echo from pair.device to pair.peer. */
  | {
      readonly do: 'send';
      readonly pair: Pair;
      readonly icmp: 'request' | 'reply';
      readonly id: number;
      readonly sequence: number;
      readonly payload: Uint8Array;
    }
  /** Receive with these keys from now on; send with them too when `send` is true. */
  | { readonly do: 'install'; readonly agreement: Agreement; readonly send: boolean }
  /**
   * Both ends hold the keys: send with this agreement; every other generation of the pair, whether installed before or
   * after it, ends after the grace (docs/dprp.md § 7.4). May come again for the same agreement.
   */
  | {
      readonly do: 'confirm';
      readonly pair: Pair;
      readonly negotiation: string;
      /** `pccom`, with CDN: whether the far side sends with the keys from here on. */
      readonly peerSends?: boolean;
    }
  /** § 6.3, § 11.3: CDN of an agreement that yields to another: what it says of the far side's sending. */
  | { readonly do: 'peer-sends'; readonly pair: Pair; readonly negotiation: string; readonly sends: boolean }
  /** § 11.6: the far side sends with the agreement from now on; what it sent with before, and where, is told. */
  | ({ readonly do: 'switch' } & Switched)
  /** § 11.6: the far side follows our key switch; or it never answered. */
  | { readonly do: 'switched'; readonly pair: Pair; readonly negotiation: string }
  | { readonly do: 'switch-failed'; readonly pair: Pair; readonly negotiation: string }
  /** An agreement that was installed came to nothing: forget its keys. */
  | { readonly do: 'abandon'; readonly pair: Pair; readonly negotiation: string }
  /** The pair has no association: pass in plaintext or discard, until `until` at the latest. */
  | {
      readonly do: 'plain' | 'discard';
      readonly pair: Pair;
      readonly reason: Reason;
      readonly until: Millis;
      readonly peerGe?: GeId;
    }
  /**
   * A background negotiation came to nothing, and no more is known: what serves the pair goes on serving it; worth
   * another `begin` at `until`.
   */
  | { readonly do: 'keep'; readonly pair: Pair; readonly reason: Reason; readonly until: Millis }
  /**
   * Send an ICMP error to the sender of the message that `receive` was just given: its quote, and `payload` behind it
   * (§ 2.2).
   */
  | { readonly do: 'notice'; readonly pair: Pair; readonly payload: Uint8Array }
  /**
   * The far end says that it has no association for the packet quoted by the message that `receive` was just given. The
   * owner checks the quote and calls `begin(pair, 'heal')`. At most one per second and pair.
   */
  | { readonly do: 'no-association-notice'; readonly pair: Pair }
  /** A pair we were told about is being negotiated by the other side: hold its protected packets for a moment. */
  | { readonly do: 'expect'; readonly pair: Pair; readonly transform: TransformName; readonly until: Millis }
  /** The other side lost its association, or sent proof of another domain key: tell the GMS client to ask. */
  | { readonly do: 'ask-gms'; readonly why: 'domain-key' | 'group-key' }
  | {
      readonly do: 'alarm';
      readonly name: 'decision-differs' | 'downgrade' | 'statement' | 'other-ge';
      readonly pair: Pair;
    }
  /** A message counted under this name of #wire/drops.ts was thrown away. */
  | { readonly do: 'drop'; readonly name: DropName };

/** A DPRP message as it reached us. */
export interface Received {
  /** device = the address behind us that it was sent to, peer = the address it came from. */
  readonly pair: Pair;
  readonly ipVersion: 4 | 6;
  readonly icmp: 'request' | 'reply' | 'error';
  readonly id: number;
  readonly sequence: number;
  /** The Echo's data, or for an ICMP error the part behind the 128-byte quote; lent for the call. */
  readonly payload: Uint8Array;
  /** Which port it came from. */
  readonly from: 'outer' | 'inner';
  /** For an ICMP error: the quoted packet's payload start, as far as quoted (DDE quoted by "GE here"). */
  readonly quote?: Uint8Array;
}

/** What a key switch says. */
export interface Switched {
  readonly pair: Pair;
  /** Of the agreement that is sent with from now on. */
  readonly negotiation: string;
  /** Of the agreement before it, that both ends hold; undefined for none. */
  readonly old: string | undefined;
  /**
   * For every TCP connection two words: ports, the sender's device's ‖ the other's, and the first octet under the new
   * keys.
   */
  readonly connections: Int32Array;
}

/** What a key switch of an agreement is bound to. */
export interface SwitchFacts {
  readonly transcript: Uint8Array;
  readonly peerStatement: Uint8Array;
  readonly group: number;
  readonly keyVersion: number;
  readonly transform: TransformName;
  /** The far side sends with it already: another switch to it is a replay. */
  readonly followed: boolean;
  /** It sends with a later one: a switch to this one was withheld on its way (§ 11.10). */
  readonly superseded: boolean;
  /** Connections that its far side may name: the owner has no room for more (§ 8). */
  readonly mayName: number;
}

/** In place of a key: the provider has no room for one. NO_KEY of #transform/cipher.ts. */
export const NO_KEY = 0 as KeyHandle;

/**
 * What the machine needs from cryptography: part of CipherProvider, named here so that dprp imports only wire. Whatever
 * makes a key may answer NO_KEY instead.
 */
export interface DprpCrypto {
  readonly aesInHardware: boolean;
  generateKeyPair(): { readonly secret: KeyHandle; readonly publicKey: Uint8Array };
  exchange(secret: KeyHandle, peer: Uint8Array): KeyHandle | undefined;
  extract(salt: Uint8Array, ikm: readonly KeyHandle[]): KeyHandle;
  expand(prk: KeyHandle, info: Uint8Array): KeyHandle;
  mac(key: KeyHandle, data: Uint8Array): Uint8Array;
  release(key: KeyHandle): void;
  sealMessage(key: KeyHandle, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  openMessage(key: KeyHandle, nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | undefined;
}

/** Policy that the machine asks its owner about, at the moment it decides. */
export interface DprpPolicy {
  /** True when the GMS names the peer address as protected: no plaintext to it, ever (§ downgrade). */
  protectedPrefix(peer: Uint8Array): boolean;
  /**
   * The GE and transform remembered for a peer address, while remembered; `removed`: the GMS has removed that GE
   * altogether.
   */
  remembered(
    peer: Uint8Array,
  ): { readonly ge: GeId; readonly transform: TransformName; readonly removed: boolean } | undefined;
  /** Generations (bit 0–3) that this side still holds for the pair. */
  heldGenerations(pair: Pair): number;
  /** True while the pair is protected: an association of it sends. */
  hasShownProtected(pair: Pair): boolean;
  /** True while packets of the pair leave, or lately left, in plaintext or under `pccom` (§ 11.1). */
  sends(pair: Pair): boolean;
  /** True while packets of the pair are received in plaintext or under `pccom` (§ 11.1). */
  receives(pair: Pair): boolean;
  /** Of an agreement under `pccom` that this side holds. */
  agreement(pair: Pair, negotiation: string): SwitchFacts | undefined;
}

/** The machine of all negotiations of one worker. */
export interface Dprp {
  /**
   * Starts a negotiation of the pair, or joins the running one. `background`: an association or verdict serves
   * meanwhile.
   */
  begin(pair: Pair, why: 'packet' | 'inbound' | 'renewal' | 'revalidate' | 'heal', now: Millis): Action[];
  receive(message: Received, now: Millis): Action[];
  /**
   * § 11.6: tells the far side that we switch to an agreement that both hold. Ends in 'switched' or 'switch-failed'.
   */
  beginSwitch(to: Switched, now: Millis): Action[];
  /** The switch's agreement is gone: nothing is repeated any more. */
  cancelSwitch(pair: Pair, negotiation: string): void;
  /**
   * Builds the notice "no association for this packet", to go behind the quote of an ICMP error; undefined without
   * keys.
   */
  noAssociationNotice(ipVersion: 4 | 6): Uint8Array | undefined;
  tick(now: Millis): Action[];
  /** When `tick` wants to be called; Infinity when nothing is pending. */
  nextTimeout(): number;
  /**
   * Replaces the identity; undefined while the GE has no keys. Negotiations go on where GE, mode, kind, groups, static
   * and signing key are what they were (§ 6.5); all others end, and those that were started here start anew.
   * @throws RangeError naming the field when the identity contradicts its own statement.
   */
  setIdentity(identity: Identity | undefined, now: Millis): Action[];
  /** Running negotiations, for status. */
  readonly running: number;
  /** Releases every key that the machine made. */
  close(): void;
}

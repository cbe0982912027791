/**
 * Other GEs as far as their statements prove them: signature and static exchange are computed once per statement, so
 * that a GE met before costs a hash. docs/dprp.md § 8.
 */
import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import type { DropName } from '#wire/drops.ts';
import type { GeInfo } from '#wire/ge-info.ts';
import { decodeStatement } from '#wire/statement.ts';
import type { Limits } from './limits.ts';
import type { Self } from './self.ts';
import { geIdText } from './self.ts';
import type { DprpCrypto, GeId, Millis, Mode } from './spec.ts';
import { type MacKeys, macKeys } from './transcript.ts';

export interface Peer extends MacKeys {
  readonly ge: GeId;
  readonly mode: Mode;
  /** Seconds since 1970. */
  readonly notAfter: number;
  readonly groups: ReadonlySet<number>;
}

/** Ed25519 over `signed` under the raw public key. */
export type VerifyStatement = (signed: Uint8Array, signature: Uint8Array, signingKey: Uint8Array) => boolean;

const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex'); /* RFC 8410 § 4 */

/** Verifies with OpenSSL; keeps the key object of the last signing key. */
export function verifierOf(): VerifyStatement {
  let raw: Uint8Array | undefined;
  let key: KeyObject | undefined;
  return (signed, signature, signingKey) => {
    if (key === undefined || raw === undefined || Buffer.compare(raw, signingKey) !== 0) {
      raw = Uint8Array.from(signingKey);
      key = createPublicKey({ key: Buffer.concat([SPKI_ED25519, raw]), format: 'der', type: 'spki' });
    }
    return verify(null, signed, key, signature);
  };
}

export class Peers {
  readonly #crypto: DprpCrypto;
  readonly #verify: VerifyStatement;
  readonly #limits: Limits;
  readonly #known = new Map<string, Peer>(); /* by the statement's hash, least recently used first */
  #second = -1;
  #verified = 0; /* signatures in this second */

  constructor(crypto: DprpCrypto, verifyStatement: VerifyStatement, limits: Limits) {
    this.#crypto = crypto;
    this.#verify = verifyStatement;
    this.#limits = limits;
  }

  /** The GE that the information speaks of, when its statement is good now and covers what is offered. */
  lookup(self: Self, info: GeInfo, now: Millis): Peer | DropName {
    const peer = this.#find(self, info.statement, now);
    if (typeof peer === 'string') return peer;
    if (peer.ge === self.ge) return 'dprp-own';
    if (self.identity.gmsTime(now) > peer.notAfter) return 'dprp-statement';
    if (!info.entries.every((entry) => peer.groups.has(entry.group))) return 'dprp-groups';
    if (self.wasRemoved(peer.ge, info.entries)) return 'dprp-revoked';
    return peer;
  }

  /** Forgets all: signatures and exchanges were made with another key. */
  clear(): void {
    for (const peer of this.#known.values()) this.#forget(peer);
    this.#known.clear();
  }

  #find(self: Self, bytes: Uint8Array, now: Millis): Peer | DropName {
    const key = hash('sha256', bytes, 'base64');
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#known.delete(key);
      this.#known.set(key, known);
      return known;
    }
    const statement = decodeStatement(bytes);
    if (statement === undefined) return 'dprp-statement';
    if (!this.#mayVerify(now)) return 'dprp-budget';
    if (!this.#verify(statement.signed, statement.signature, self.identity.signingKey)) return 'dprp-statement';

    const keys = macKeys(
      this.#crypto,
      self.identity.staticSecret,
      { ge: self.statement.geId, publicKey: self.statement.staticKey },
      { ge: statement.geId, publicKey: statement.staticKey },
    );
    if (typeof keys === 'string') return keys;
    const peer: Peer = {
      ...keys,
      ge: geIdText(statement.geId),
      mode: statement.mode,
      notAfter: statement.notAfter,
      groups: new Set(statement.groups),
    };
    if (this.#known.size >= this.#limits.peers) {
      for (const [oldest, evicted] of this.#known) {
        this.#forget(evicted);
        this.#known.delete(oldest);
        break;
      }
    }
    this.#known.set(key, peer);
    return peer;
  }

  #mayVerify(now: Millis): boolean {
    const second = Math.floor(now / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#verified = 0;
    }
    return ++this.#verified <= this.#limits.verifications;
  }

  #forget(peer: Peer): void {
    this.#crypto.release(peer.toPeer);
    this.#crypto.release(peer.fromPeer);
  }
}

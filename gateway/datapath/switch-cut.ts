/**
 * Where the keys of one direction changed within its TCP connections (docs/dprp.md § 11.6, § 11.7): octets before a
 * connection's sequence number S are under the older keys, retransmissions included. Owned by the newer association.
 */
import type { Association } from './associations.ts';

/** A stream this far beyond S sends nothing before S again: windows are shorter (RFC 7323 § 2.2). */
const FORGET_BEYOND = 2 ** 30;

export class SwitchCut {
  /** Holds the keys of what lies before S; they may end before this is forgotten. */
  readonly older: Association;
  /** Octets before S are under the older keys until then, ms; afterwards they are refused. */
  readonly keysUntil: number;
  /** Nothing is cut any more, ms. */
  readonly until: number;
  /** When an octet before S was last seen, ms: while it is in flight no other switch may follow. */
  olderSeenAt: number;
  /** S by the connection's ports: device's ‖ peer's, 16 bits each. */
  readonly #connections: Map<number, number>;

  constructor(older: Association, connections: Map<number, number>, now: number, keysMs: number, forMs: number) {
    this.older = older;
    this.#connections = connections;
    this.keysUntil = now + keysMs;
    this.until = now + forMs;
    this.olderSeenAt = now;
  }

  /** S of a connection, unsigned, for a segment that begins at `sequence`; -1 where the newer keys hold for all of it. */
  find(ports: number, sequence: number): number {
    const cut = this.#connections.get(ports);
    if (cut === undefined) return -1;
    if (((sequence - cut) | 0) < FORGET_BEYOND) return cut >>> 0;
    this.#connections.delete(ports);
    return -1;
  }

  /** An octet before S is here. */
  seen(outward: boolean, now: number): void {
    this.olderSeenAt = now;
    if (outward) this.older.lastSent = now;
    else this.older.lastReceived = now;
  }

  /** False when the older keys are gone: what needs them is refused. */
  serves(now: number): boolean {
    return !this.older.ended && now < this.keysUntil;
  }
}

/** The key of a connection in a SwitchCut. */
export const portsKey = (devicePort: number, peerPort: number): number => (devicePort << 16) | peerPort;

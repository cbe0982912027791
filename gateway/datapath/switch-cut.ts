/**
 * Where the keys of one direction changed within its TCP connections (docs/dprp.md § 11.6, § 11.7): octets before a
 * connection's sequence number S are under the older keys, retransmissions included. Owned by the newer association.
 *
 * Whether a connection has left S behind, or began anew, is learned from the own device's segments only: anybody can
 * make up one of the far device's.
 */
import { TCP_ACK, TCP_SYN, tcpRepeatsSyn } from '#wire/tcp.ts';
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
  /** When an octet before S was last sent, ms: while it is in flight no other switch may follow. */
  olderSeenAt: number;
  /** S by the connection's ports: device's ‖ peer's, 16 bits each. */
  readonly #connections: Map<number, number>;
  /** Of these only a SYN may still lie before S: it looks the same to both gateways, whatever else they know. */
  readonly #passed = new Set<number>();
  /** Our device has everything before S: what comes again needs no keys that are worth a generation. */
  readonly #complete = new Set<number>();
  /** Our device began them: its first acknowledgement says where the far device's stream begins. */
  readonly #begun = new Set<number>();

  constructor(older: Association, connections: Map<number, number>, now: number, keysMs: number, forMs: number) {
    this.older = older;
    this.#connections = connections;
    this.keysUntil = now + keysMs;
    this.until = now + forMs;
    this.olderSeenAt = now;
  }

  /** Connections that it names. */
  get size(): number {
    return this.#connections.size;
  }

  /** S of a connection, unsigned, for a segment with these TCP flags; -1 where the newer keys hold for all of it. */
  find(ports: number, flags: number): number {
    const cut = this.#connections.get(ports);
    if (cut === undefined || ((flags & TCP_SYN) === 0 && this.#passed.has(ports))) return -1;
    return cut >>> 0;
  }

  /** Of what we send: our device sends a segment that begins at `sequence`. Before `find`. */
  sends(ports: number, sequence: number, flags: number): void {
    const cut = this.#connections.get(ports);
    if (cut === undefined) return;
    const passed = (flags & TCP_SYN) !== 0 ? !tcpRepeatsSyn(sequence, cut) : ((sequence - cut) | 0) >= FORGET_BEYOND;
    if (passed) this.#passed.add(ports);
  }

  /** Of what we receive: our device sends a segment that acknowledges what lies before `acknowledgement`. */
  acknowledges(ports: number, acknowledgement: number, flags: number): void {
    const cut = this.#connections.get(ports);
    if (cut === undefined) return;
    if ((flags & TCP_ACK) === 0) {
      if ((flags & TCP_SYN) !== 0) this.#begun.add(ports);
      return;
    }
    const beyond = (acknowledgement - cut) | 0;
    const begins = this.#begun.delete(ports) || (flags & TCP_SYN) !== 0;
    if ((begins && !tcpRepeatsSyn(acknowledgement - 1, cut)) || beyond >= FORGET_BEYOND) this.#passed.add(ports);
    else if (beyond >= 0) this.#complete.add(ports);
  }

  /** An octet before S leaves. */
  sentOlder(now: number): void {
    this.olderSeenAt = now;
    this.older.lastSent = now;
  }

  /** An octet before S is here, or something that pretends to be one. */
  receivedOlder(ports: number, now: number): void {
    if (!this.#complete.has(ports)) this.older.lastReceived = now;
  }

  /** False when the older keys are gone: what needs them is refused. */
  serves(now: number): boolean {
    return !this.older.ended && now < this.keysUntil;
  }
}

/** The key of a connection in a SwitchCut. */
export const portsKey = (devicePort: number, peerPort: number): number => (devicePort << 16) | peerPort;

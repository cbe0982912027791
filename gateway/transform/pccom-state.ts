/**
 * One generation of a `pccom` association in its worker: its keys by index. No number is on the wire and none is kept;
 * what may be counted is how much the keys have enciphered (docs/transforms.md § pccom).
 */
import type { KeyIndex } from './cipher.ts';
import { RENEW_AFTER_BYTES } from './state.ts';

/** Keys of one direction. */
export interface PccomKeys {
  /** HCTR2, payloads of 16 bytes and more. */
  readonly wide: KeyIndex;
  /** FF1, payloads of 1–15 bytes. */
  readonly short: KeyIndex;
  /** Of the keyed checksum; undefined where the group uses ordinary checksums. */
  readonly mask: KeyIndex | undefined;
}

export interface PccomParts {
  /** Index in the worker's table of states; comes back in W_STATE. */
  readonly slot: number;
  /** 0–3: known to DPRP only, never on the wire of a packet. */
  readonly generation: number;
  readonly send: PccomKeys;
  readonly receive: PccomKeys;
  /** True on the side that started the negotiation: the direction bit of what it sends is 0. */
  readonly initiator: boolean;
  /** Addresses and ports of the devices behind us are translated on the way, and so are no part of the tweak. */
  readonly translatedOwn?: boolean;
  /** The same for the peer's side. */
  readonly translatedPeer?: boolean;
}

export class PccomState {
  readonly slot: number;
  readonly generation: number;
  readonly send: PccomKeys;
  readonly receive: PccomKeys;
  readonly initiator: boolean;
  readonly translatedOwn: boolean;
  readonly translatedPeer: boolean;
  /** Payload bytes enciphered so far. */
  encipheredBytes = 0;

  constructor(parts: PccomParts) {
    this.slot = parts.slot;
    this.generation = parts.generation;
    this.send = parts.send;
    this.receive = parts.receive;
    this.initiator = parts.initiator;
    this.translatedOwn = parts.translatedOwn === true;
    this.translatedPeer = parts.translatedPeer === true;
  }

  /** True when a new generation should be negotiated because of what this one has enciphered. */
  get renewalDue(): boolean {
    return this.encipheredBytes > RENEW_AFTER_BYTES;
  }
}

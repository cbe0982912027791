/**
 * One generation of a `sealed` association in its worker: the two keys by index, the sending counter, the receiving
 * window. A sending key has one counter for all flows and protocols of the pair, in one worker, and dies with it: no
 * number is ever used twice (docs/transforms.md § Keys and numbers).
 */
import type { KeyIndex } from './cipher.ts';
import { ReplayWindow } from './replay-window.ts';

/** Numbers are below it: 48 bits keep every number and sum of numbers exact in a double. */
export const NUMBER_LIMIT = 2 ** 48;
/**
 * A new generation is due from here on. 2^36 packets or 2^42 bytes are 2^38 blocks of AES: the advantage that GCM
 * gives away is then below 2^-52 (q²/2^129), far ahead of NUMBER_LIMIT.
 */
const RENEW_AFTER_PACKETS = 2 ** 36;
export const RENEW_AFTER_BYTES = 2 ** 42;

export interface SealedParts {
  /** Index in the worker's table of states; comes back in W_STATE. */
  readonly slot: number;
  /** 0–3, as on the wire. */
  readonly generation: number;
  readonly sendKey: KeyIndex;
  readonly receiveKey: KeyIndex;
  /** True on the side that started the negotiation: the direction bit of what it sends is 0. */
  readonly initiator: boolean;
  /** Addresses and ports of the devices behind us are translated on the way, and so are not authenticated. */
  readonly translatedOwn?: boolean;
  /** The same for the peer's side. */
  readonly translatedPeer?: boolean;
}

export class SealedState {
  readonly slot: number;
  readonly generation: number;
  readonly sendKey: KeyIndex;
  readonly receiveKey: KeyIndex;
  readonly initiator: boolean;
  readonly translatedOwn: boolean;
  readonly translatedPeer: boolean;
  /** Number of the next packet to be sealed. */
  nextNumber = 1;
  /** Payload bytes sealed so far. */
  sealedBytes = 0;
  readonly window = new ReplayWindow();

  constructor(parts: SealedParts) {
    this.slot = parts.slot;
    this.generation = parts.generation;
    this.sendKey = parts.sendKey;
    this.receiveKey = parts.receiveKey;
    this.initiator = parts.initiator;
    this.translatedOwn = parts.translatedOwn === true;
    this.translatedPeer = parts.translatedPeer === true;
  }

  /** True when `count` more packets would reach NUMBER_LIMIT: they are refused under 'sealed-exhausted'. */
  lacksNumbers(count: number): boolean {
    return this.nextNumber + count > NUMBER_LIMIT;
  }

  /** True when a new generation should be negotiated because of what this one has sealed. */
  get renewalDue(): boolean {
    return this.nextNumber > RENEW_AFTER_PACKETS || this.sealedBytes > RENEW_AFTER_BYTES;
  }
}

/**
 * After the cipher ran and the tag of a KIND_OPENED record verified: marks its number. False for a duplicate, also one
 * within the same batch: count it under 'sealed-replay'.
 */
export function settleOpened(state: SealedState, number: number): boolean {
  return state.window.mark(number);
}

/** What all negotiations of one worker have in common. */

import type { Alarms } from './alarms.ts';
import type { EchoTimes } from './echo-times.ts';
import type { Random } from './envelope.ts';
import type { Ephemerals } from './ephemerals.ts';
import type { Limits } from './limits.ts';
import type { Peers } from './peers.ts';
import type { Self } from './self.ts';
import type { Spacing } from './spacing.ts';
import type { Action, DprpCrypto, DprpPolicy, Millis, Pair } from './spec.ts';

export interface Machine {
  readonly crypto: DprpCrypto;
  readonly policy: DprpPolicy;
  readonly random: Random;
  readonly limits: Limits;
  readonly peers: Peers;
  readonly ephemerals: Ephemerals;
  readonly asks: Spacing;
  readonly alarms: Alarms;
  readonly echoTimes: EchoTimes;
}

/** The identity and time of one step. */
export interface Step {
  readonly self: Self;
  readonly now: Millis;
  readonly out: Action[];
}

/** § 8: asks the GMS client, at most once per `askEvery` and kind. */
export function ask(machine: Machine, step: Step, why: 'domain-key' | 'group-key'): void {
  if (machine.asks.allow(why, step.now)) step.out.push({ do: 'ask-gms', why });
}

/** Initiator's address, then the responder's: what each end puts into its message (§ 3.1). */
export function addressesOf(initiatorSide: Uint8Array, responderSide: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(32);
  bytes.set(initiatorSide);
  bytes.set(responderSide, 16);
  return bytes;
}

/** A pair of its own: what the owner lends may change behind our back. */
export const copyPair = (pair: Pair): Pair => ({ device: pair.device.slice(), peer: pair.peer.slice() });

/** What is said behind the quote of a message that cannot be followed: docs/dprp.md § 3.7, § 3.8. */
import { addressKey } from '#wire/address.ts';
import { DDE_MIN, NEGOTIATION_ID_LENGTH, SEALED_AT, TYPE_GE_HERE, TYPE_NO_ASSOCIATION } from '#wire/dprp.ts';
import { seal } from './envelope.ts';
import { copyPair, type Machine, type Step } from './machine.ts';
import type { Self } from './self.ts';
import { Spacing } from './spacing.ts';
import type { Received } from './spec.ts';
import { join, sha256 } from './transcript.ts';

/** Sources that are told "GE here" at once, § 8. */
const SOURCES = 64;

export class Notices {
  readonly #machine: Machine;
  readonly #spacing: Spacing;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#spacing = new Spacing(machine.limits.noticeEvery, SOURCES);
  }

  noAssociation(self: Self, ipVersion: 4 | 6): Uint8Array {
    return this.#make(self, TYPE_NO_ASSOCIATION, ipVersion, self.statement.geId);
  }

  /** § 3.7, § 10: never longer than the message it answers, as that is at least as long as a DDE. */
  geHere({ self, now, out }: Step, message: Received): void {
    const { pair, payload, ipVersion, icmp } = message;
    if (icmp !== 'request' || payload.length < DDE_MIN || !this.#spacing.allow(addressKey(pair.peer), now)) return;
    const quoted = sha256(payload.subarray(0, SEALED_AT)).subarray(0, 16);
    const notice = this.#make(self, TYPE_GE_HERE, ipVersion, join(self.statement.geId, quoted));
    out.push({ do: 'notice', pair: copyPair(pair), payload: notice });
  }

  #make(self: Self, type: number, ipVersion: 4 | 6, body: Uint8Array): Uint8Array {
    const { crypto, random } = this.#machine;
    const negotiation = new Uint8Array(NEGOTIATION_ID_LENGTH);
    const domainKey = self.newestDomainKey;
    return seal(crypto, random, { type, negotiation, domainKey, icmp: 'error', ipVersion, body }).payload;
  }
}

/**
 * One key switch, docs/dprp.md § 11.6: of the side that switches, and of the side that follows. Repeats change nothing.
 *
 *     Switch ──KSW, every part──►   Follow: all parts there ─► (switch)   ──KSW answer──►   Switch: all answered ─► (switched)
 */
import { NEGOTIATION_ID_LENGTH, TYPE_KSW } from '#wire/dprp.ts';
import { encodeKsw, KSW_CONNECTIONS, type Ksw } from '#wire/ksw.ts';
import { ipVersionOf, seal } from './envelope.ts';
import type { Machine, Step } from './machine.ts';
import type { Peer } from './peers.ts';
import type { Action, GeId, Millis, Switched, SwitchFacts } from './spec.ts';
import { FOLLOW, type FollowEvent, type FollowState, SWITCH, type SwitchEvent, type SwitchState } from './states.ts';
import { equal } from './transcript.ts';
import { Tries } from './tries.ts';
import { after } from './verdict.ts';

interface Part {
  readonly payload: Uint8Array;
  readonly hash: Uint8Array;
  answered: boolean;
}

/** Of the side that switches. */
export class Switch {
  readonly to: Switched;
  readonly facts: SwitchFacts;
  readonly key: string;
  #state: SwitchState = 'asking';
  readonly #parts: readonly Part[];
  readonly #echoId: number;
  readonly #deadline: Millis;
  readonly #tries: Tries;
  #sequence = 0;

  constructor(machine: Machine, step: Step, key: string, to: Switched, facts: SwitchFacts, peer: Peer) {
    this.key = key;
    this.to = to;
    this.facts = facts;
    this.#tries = new Tries(machine.limits, step.now, true);
    this.#deadline = after(step.now, machine.limits.switchFor);
    const [high, low] = machine.random(2);
    this.#echoId = (high << 8) | low;
    const words = 2 * KSW_CONNECTIONS;
    const parts = Math.max(1, Math.ceil(to.connections.length / words));
    this.#parts = Array.from({ length: parts }, (_, part) => ({
      ...seal(machine.crypto, machine.random, {
        type: TYPE_KSW,
        negotiation: Buffer.from(to.negotiation, 'hex'),
        domainKey: step.self.newestDomainKey,
        icmp: 'request',
        ipVersion: ipVersionOf(to.pair),
        body: encodeKsw({
          transcript: facts.transcript,
          old: to.old === undefined ? new Uint8Array(NEGOTIATION_ID_LENGTH) : Buffer.from(to.old, 'hex'),
          part,
          parts,
          connections: to.connections.subarray(part * words, (part + 1) * words),
        }),
        macKey: peer.toPeer,
      }),
      answered: false,
    }));
    this.#send(step.now, step.out);
  }

  get state(): SwitchState {
    return this.#state;
  }

  get due(): Millis {
    return (this.#state === 'ended' ? Number.POSITIVE_INFINITY : Math.min(this.#tries.next, this.#deadline)) as Millis;
  }

  /** An answer whose MAC is good. False when it answers no part of this switch. */
  answered(hash: Uint8Array, out: Action[]): boolean {
    const part = this.#parts.find((p) => equal(p.hash, hash));
    if (part === undefined) return false;
    part.answered = true;
    if (this.#parts.every((p) => p.answered)) this.#end('answered', 'switched', out);
    return true;
  }

  tick(now: Millis, out: Action[]): void {
    if (now >= this.#deadline) this.#end('expired', 'switch-failed', out);
    else if (now >= this.#tries.next) this.#send(now, out);
  }

  cancel(): void {
    this.#state = SWITCH[this.#state].cancelled ?? this.#state;
  }

  #end(event: SwitchEvent, what: 'switched' | 'switch-failed', out: Action[]): void {
    const next = SWITCH[this.#state][event];
    if (next === undefined) return;
    this.#state = next;
    out.push({ do: what, pair: this.to.pair, negotiation: this.to.negotiation });
  }

  #send(now: Millis, out: Action[]): void {
    this.#tries.sent(now);
    for (const { payload, answered } of this.#parts) {
      if (answered) continue;
      const { pair } = this.to;
      out.push({ do: 'send', pair, icmp: 'request', id: this.#echoId, sequence: ++this.#sequence & 0xffff, payload });
    }
  }
}

/** What a part takes beside its connections: hash, entries of two tables. */
const PART_BYTES = 256;

/** Of the side that follows. */
export class Follow {
  readonly key: string;
  /** Who switches. */
  readonly ge: GeId;
  /** Forgotten then. */
  readonly expires: Millis;
  #state: FollowState = 'gathering';
  readonly #parts: number;
  readonly #old: Uint8Array;
  readonly #connections = new Map<number, Int32Array>();
  readonly #hashes = new Map<number, Uint8Array>();

  /** What is kept of it, about. */
  bytes = 0;

  constructor(key: string, ge: GeId, first: Ksw, expires: Millis) {
    this.key = key;
    this.ge = ge;
    this.expires = expires;
    this.#parts = first.parts;
    this.#old = first.old.slice();
  }

  get state(): FollowState {
    return this.#state;
  }

  /** Bytes that this part adds; of a whole switch its connections are not kept. */
  needs({ part, connections }: Ksw): number {
    if (this.#state !== 'gathering' || this.#hashes.has(part)) return 0;
    return this.#hashes.size + 1 === this.#parts
      ? PART_BYTES * this.#parts - this.bytes
      : PART_BYTES + connections.byteLength;
  }

  /** 'again': this part is known, byte for byte. 'differs': it contradicts what came before. */
  add(ksw: Ksw, hash: Uint8Array): 'complete' | 'more' | 'again' | 'differs' {
    if (ksw.parts !== this.#parts || !equal(ksw.old, this.#old)) return 'differs';
    const known = this.#hashes.get(ksw.part);
    if (known !== undefined) return equal(known, hash) ? 'again' : 'differs';
    if (this.#state !== 'gathering') return 'differs';
    this.#hashes.set(ksw.part, hash);
    this.#connections.set(ksw.part, ksw.connections);
    this.bytes += PART_BYTES + ksw.connections.byteLength;
    if (this.#hashes.size < this.#parts) return 'more';
    this.#go('complete');
    return 'complete';
  }

  /** Of all parts; once. */
  takeConnections(): Int32Array {
    const words: number[] = [];
    for (let part = 0; part < this.#parts; part++) words.push(...(this.#connections.get(part) ?? []));
    this.#connections.clear();
    this.bytes = PART_BYTES * this.#hashes.size;
    return Int32Array.from(words);
  }

  end(event: Extract<FollowEvent, 'expired' | 'cancelled'>): void {
    this.#go(event);
  }

  #go(event: FollowEvent): void {
    this.#state = FOLLOW[this.#state][event] ?? this.#state;
  }
}

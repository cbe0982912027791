/**
 * All key switches of one worker, docs/dprp.md § 11.6: those that run here, and those of far ends that are followed.
 * Both tables are bounded; nothing is done before the pairwise MAC was verified.
 */
import { pairKey } from '#wire/address.ts';
import { HASH_LENGTH, type Header, TYPE_KSW_ANSWER } from '#wire/dprp.ts';
import type { DropName } from '#wire/drops.ts';
import { decodeKsw, KSW_ANSWER_LENGTH, KSW_CONNECTIONS, type Ksw } from '#wire/ksw.ts';
import { macFits, type Opened, open, seal } from './envelope.ts';
import { copyPair, type Machine, type Step } from './machine.ts';
import type { Peer } from './peers.ts';
import type { Action, GeId, Millis, Received, Switched, SwitchFacts } from './spec.ts';
import { Follow, Switch } from './switch.ts';
import { equal } from './transcript.ts';
import { after } from './verdict.ts';

const EPHEMERAL = new Uint8Array(32);

export class Switches {
  readonly #machine: Machine;
  /** By pair and negotiation, the first to expire first. */
  readonly #running = new Map<string, Switch>();
  readonly #followed = new Map<string, Follow>();
  /** What those take, in all and by who switches. */
  #bytes = 0;
  readonly #bytesOf = new Map<GeId, number>();
  #due = Number.POSITIVE_INFINITY;

  constructor(machine: Machine) {
    this.#machine = machine;
  }

  begin(step: Step, to: Switched): void {
    const own: Switched = { ...to, pair: copyPair(to.pair) };
    const facts = this.#machine.policy.agreement(own.pair, own.negotiation);
    const peer = facts && this.#peerOf(step, facts);
    if (facts === undefined || typeof peer !== 'object' || this.#running.size >= this.#machine.limits.switches) {
      step.out.push({ do: 'switch-failed', pair: own.pair, negotiation: own.negotiation });
      return;
    }
    const key = pairKey(own.pair.device, own.pair.peer) + own.negotiation;
    const started = new Switch(this.#machine, step, key, own, facts, peer);
    this.#running.set(key, started);
    this.#due = Math.min(this.#due, started.due);
  }

  cancel(pair: string, negotiation: string): void {
    this.#running.get(pair + negotiation)?.cancel();
    this.#running.delete(pair + negotiation);
  }

  receive(step: Step, pair: string, message: Received, header: Header): DropName | undefined {
    const key = pair + Buffer.from(header.negotiation).toString('hex');
    const running = message.icmp === 'reply' ? this.#running.get(key) : undefined;
    if (message.icmp === 'reply' && running === undefined) return 'dprp-unknown-negotiation';
    const opened = open(this.#machine.crypto, step.self, message, header);
    if (typeof opened === 'string') return opened;
    return running === undefined ? this.#ksw(step, key, opened, message) : this.#answer(step, running, opened);
  }

  #answer(step: Step, running: Switch, opened: Opened): DropName | undefined {
    if (opened.body.length !== KSW_ANSWER_LENGTH) return 'dprp-body';
    const peer = this.#peerOf(step, running.facts);
    if (typeof peer === 'string') return peer;
    if (!macFits(this.#machine.crypto, peer.fromPeer, opened)) return 'dprp-mac';
    if (!running.answered(opened.body.subarray(0, HASH_LENGTH), step.out)) return 'dprp-hash-chain';
    if (running.state === 'ended') this.#running.delete(running.key);
    return undefined;
  }

  #ksw(step: Step, key: string, opened: Opened, message: Received): DropName | undefined {
    const { policy, crypto } = this.#machine;
    const ksw = decodeKsw(opened.body);
    if (typeof ksw === 'string') return ksw;
    const negotiation = Buffer.from(opened.header.negotiation).toString('hex');
    const facts = policy.agreement(message.pair, negotiation);
    if (facts === undefined) return 'dprp-unknown-negotiation';
    if (facts.superseded) return 'dprp-unknown-negotiation';
    if (!equal(ksw.transcript, facts.transcript)) return 'dprp-hash-chain';
    const peer = this.#peerOf(step, facts);
    if (typeof peer === 'string') return peer;
    if (!macFits(crypto, peer.fromPeer, opened)) return 'dprp-mac';
    const known = this.#followed.get(key);
    /* What was followed and forgotten again is a replay. */
    if (known === undefined && facts.followed) return 'dprp-unknown-negotiation';
    const old = ksw.old.every((b) => b === 0) ? undefined : Buffer.from(ksw.old).toString('hex');
    /* It may still be on its way here: KSW is repeated. */
    if (known === undefined && old !== undefined && policy.agreement(message.pair, old) === undefined) {
      return 'dprp-unknown-negotiation';
    }
    if (known?.state !== 'followed' && connectionsOf(ksw) > facts.mayName) return 'dprp-budget';
    const follow = known ?? new Follow(key, peer.ge, ksw, after(step.now, this.#machine.limits.answerFor));
    if (!this.#makeRoom(follow, ksw)) return 'dprp-budget';
    const before = follow.bytes;
    const result = follow.add(ksw, opened.hash);
    if (result === 'differs') return 'dprp-hash-chain';
    const taken = result === 'complete' ? follow.takeConnections() : undefined;
    if (known === undefined) this.#followed.set(key, follow);
    this.#due = Math.min(this.#due, follow.expires);
    this.#charge(follow.ge, follow.bytes - before);
    if (taken !== undefined) {
      const pair = copyPair(message.pair);
      step.out.push({ do: 'switch', pair, negotiation, old, connections: taken });
    }
    this.#reply(step, peer, opened, message);
    return undefined;
  }

  #reply(step: Step, peer: Peer, opened: Opened, message: Received): void {
    const { self } = step;
    const { payload } = seal(this.#machine.crypto, this.#machine.random, {
      type: TYPE_KSW_ANSWER,
      negotiation: opened.header.negotiation,
      domainKey: self.domainKey(opened.header.domainKeyVersion) ?? self.newestDomainKey,
      icmp: 'reply',
      ipVersion: message.ipVersion,
      body: opened.hash,
      macKey: peer.toPeer,
    });
    const { id, sequence } = message;
    step.out.push({ do: 'send', pair: copyPair(message.pair), icmp: 'reply', id, sequence, payload });
  }

  #charge(ge: GeId, bytes: number): void {
    this.#bytes += bytes;
    const all = (this.#bytesOf.get(ge) ?? 0) + bytes;
    if (all === 0) this.#bytesOf.delete(ge);
    else this.#bytesOf.set(ge, all);
  }

  /**
   * § 8: room for a part. Who takes most gives it, by the oldest switch that was followed: its answers have arrived by
   * now. Where it has none a part of its own is not taken, and comes again; for another's it loses the newest that is
   * not whole.
   */
  #makeRoom(follow: Follow, ksw: Ksw): boolean {
    const { switches, followedBytes } = this.#machine.limits;
    const bytes = follow.needs(ksw);
    const entries = this.#followed.has(follow.key) ? 0 : 1;
    while (this.#followed.size + entries > switches || this.#bytes + bytes > followedBytes) {
      const most = this.#takesMost(follow.ge, bytes);
      let victim: Follow | undefined;
      for (const one of this.#followed.values()) {
        if (one.ge !== most || one === follow) continue;
        victim = one;
        if (one.state === 'followed') break;
      }
      if (victim === undefined || (most === follow.ge && victim.state === 'gathering')) return false;
      this.#forget(victim, 'cancelled');
    }
    return true;
  }

  /** Once `ge` has `bytes` more. */
  #takesMost(ge: GeId, bytes: number): GeId {
    let most = ge;
    let top = (this.#bytesOf.get(ge) ?? 0) + bytes;
    for (const [other, taken] of this.#bytesOf) {
      if (other === ge || taken <= top) continue;
      most = other;
      top = taken;
    }
    return most;
  }

  #forget(follow: Follow, event: 'expired' | 'cancelled'): void {
    follow.end(event);
    this.#followed.delete(follow.key);
    this.#charge(follow.ge, -follow.bytes);
  }

  /** Who must have made the message: the GE of the agreement, while its statement is good and it is not removed. */
  #peerOf(step: Step, facts: SwitchFacts): Peer | DropName {
    const { group, keyVersion: version, transform, peerStatement: statement } = facts;
    const entries = [{ group, version, transform }];
    return this.#machine.peers.lookup(
      step.self,
      { aesInHardware: false, ephemeral: EPHEMERAL, entries, statement },
      step.now,
    );
  }

  tick(now: Millis, out: Action[]): void {
    if (now < this.#due) return;
    this.#due = Number.POSITIVE_INFINITY;
    for (const [key, running] of this.#running) {
      if (now >= running.due) running.tick(now, out);
      if (running.state === 'ended') this.#running.delete(key);
      else this.#due = Math.min(this.#due, running.due);
    }
    for (const follow of this.#followed.values()) {
      if (now >= follow.expires) {
        this.#forget(follow, 'expired');
      } else this.#due = Math.min(this.#due, follow.expires);
    }
  }

  nextTimeout(): number {
    return this.#due;
  }

  clear(): void {
    for (const running of this.#running.values()) running.cancel();
    this.#running.clear();
    this.#followed.clear();
    this.#bytesOf.clear();
    this.#bytes = 0;
    this.#due = Number.POSITIVE_INFINITY;
  }
}

/** As many as the whole switch may name, as far as this part tells. */
function connectionsOf({ parts, connections }: Ksw): number {
  return parts === 1 ? connections.length / 2 : parts * KSW_CONNECTIONS;
}

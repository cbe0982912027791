/** A worker's answers to main: new keys and policy in, views out. */
import type { Identity, Millis } from '#dprp/spec.ts';
import { type CipherProvider, type KeyIndex, NO_KEY } from '#transform/cipher.ts';
import { ADDRESS_UNICAST, addressClass, addressFromText, bytesToWords } from '#wire/address.ts';
import { TRANSFORMS } from '#wire/ge-info.ts';
import { PORTS } from '#wire/record.ts';
import type { Datapath } from './datapath.ts';
import type {
  ExplainView,
  FlowRow,
  FromWorker,
  IdentityMessage,
  PairView,
  Query,
  ToWorker,
  WorkerStatus,
} from './messages.ts';
import { flowRow, pairView } from './views.ts';

type Handled = Exclude<ToWorker, { type: 'ports' | 'stop' }>;

export class Desk {
  readonly #datapath: Datapath;
  readonly #provider: CipherProvider;
  readonly #worker: number;
  #held: KeyIndex[] = [];

  constructor(datapath: Datapath, provider: CipherProvider, worker: number) {
    this.#datapath = datapath;
    this.#provider = provider;
    this.#worker = worker;
  }

  /** The answer to a query; undefined for everything else. */
  handle(message: Handled, now: Millis): FromWorker | undefined {
    const d = this.#datapath;
    switch (message.type) {
      case 'identity':
        this.#identity(message.identity, now);
        return undefined;
      case 'policy':
        d.setPolicy(message.policy, now);
        return undefined;
      case 'remembered':
        d.remembered.restore(message.peers, now);
        return undefined;
      case 'forget':
        d.remembered.forget(message.peer);
        return undefined;
      case 'mac':
        d.macs.learnNumber(message.mac, message.port, now);
        return undefined;
      case 'query':
        return { type: 'answer', id: message.id, value: this.#answer(message.query, now) };
    }
  }

  /** Claims the new keys, hands them on, and only then forgets the old ones: a key that stays never pauses. */
  #identity(message: IdentityMessage | undefined, now: Millis): void {
    const former = this.#held;
    this.#held = [];
    this.#datapath.setIdentity(message && this.#claimed(message), now);
    for (const key of former) this.#provider.release(key);
  }

  #claimed(message: IdentityMessage): Identity {
    const claim = (ticket: bigint): KeyIndex => {
      let key = this.#provider.claim(ticket);
      /* Keys of groups go before keys of pairs, of which there are thousands. */
      while (key === NO_KEY && this.#datapath.associations.makeRoom()) key = this.#provider.claim(ticket);
      if (key === NO_KEY) throw new Error('an identity has more keys than a worker has places for');
      this.#held.push(key);
      return key;
    };
    const { gmsTimeOffset, staticSecret, domainKeys, groupKeys, ...rest } = message;
    return {
      ...rest,
      staticSecret: claim(staticSecret),
      gmsTime: (at) => at / 1000 + gmsTimeOffset,
      domainKeys: domainKeys.map(({ version, ticket }) => ({ version, key: claim(ticket) })),
      groupKeys: groupKeys.map(({ ticket, ...key }) => ({ ...key, key: claim(ticket) })),
      transforms: TRANSFORMS,
    };
  }

  #answer(query: Query, now: Millis): unknown {
    switch (query.what) {
      case 'status':
        return this.#status();
      case 'flows':
        return this.#flows(query.limit, now);
      case 'pairs':
        return this.#pairs(query.limit, now);
      case 'explain':
        return this.#explain(query.peer, query.device, now);
    }
  }

  #status(): WorkerStatus {
    const d = this.#datapath;
    const pairs: Record<string, number> = {};
    for (const pair of d.pairs.values()) pairs[pair.verdict] = (pairs[pair.verdict] ?? 0) + 1;
    return {
      worker: this.#worker,
      pairs,
      flows: d.flows.size,
      negotiating: d.negotiator.running,
      held: { frames: d.hold.frames, bytes: d.hold.bytes },
      ports: Array.from({ length: PORTS }, (_, role) => d.counters.port(role)),
      drops: [...d.counters.drops],
      exceptionHits: [...d.policy.hits],
      negotiationMs: [...d.negotiator.took],
    };
  }

  #flows(limit: number, now: Millis): FlowRow[] {
    const d = this.#datapath;
    return d.flows.views(limit).map((flow) => flowRow(flow, d.pairs.at(flow.pair), d.associations, now));
  }

  #pairs(limit: number, now: Millis): PairView[] {
    const d = this.#datapath;
    const views: PairView[] = [];
    for (const pair of d.pairs.values()) {
      if (views.length >= limit) break;
      views.push(pairView(pair, d.associations, d.hold.framesOf(pair.row), now));
    }
    return views;
  }

  #explain(peer: string, device: string | undefined, now: Millis): ExplainView | undefined {
    const bytes = addressFromText(peer);
    if (bytes === undefined) return undefined;
    const d = this.#datapath;
    const words = bytesToWords(bytes);
    const pairs = this.#pairs(Number.POSITIVE_INFINITY, now).filter(
      (p) => p.peer === peer && (device === undefined || p.device === device),
    );
    const remembered = d.remembered.entry(words, now);
    const protectedPrefix = d.policy.isProtected(words);
    const exception = d.policy.exceptionFor(words);
    const base = {
      peer,
      ...(device !== undefined && { device }),
      pairs,
      protectedPrefix,
      ...(remembered !== undefined && { remembered }),
      ...(exception !== undefined && { exception }),
      ...(d.policy.mode !== undefined && { mode: d.policy.mode }),
    };
    const [first] = pairs;
    if (addressClass(words) !== ADDRESS_UNICAST) {
      return { ...base, class: 'never-negotiated', verdict: d.policy.passesLocal() ? 'plain' : 'discard' };
    }
    if (exception !== undefined && exception.port === undefined && exception.protocol === undefined) {
      return { ...base, class: 'exception', verdict: 'plain' };
    }
    if (d.policy.mode === undefined) {
      return { ...base, class: 'without-keys', verdict: d.policy.openWithoutKeys ? 'plain' : 'discard' };
    }
    if (first === undefined) return { ...base, class: 'pair', verdict: 'unknown' };
    return {
      ...base,
      class: 'pair',
      verdict: first.verdict,
      ...(first.reason !== undefined && { reason: first.reason }),
    };
  }
}

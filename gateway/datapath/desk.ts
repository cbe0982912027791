/** A worker's answers to main: new keys and policy in, views out. */
import type { Identity, Millis } from '#dprp/spec.ts';
import { Look } from '#pit/look.ts';
import { type CipherProvider, type KeyIndex, NO_KEY } from '#transform/cipher.ts';
import { ADDRESS_UNICAST, addressClass, addressFromText, bytesToWords } from '#wire/address.ts';
import { TRANSFORMS } from '#wire/ge-info.ts';
import { PORTS } from '#wire/record.ts';
import type { Datapath } from './datapath.ts';
import { EXPLAINED_PAIRS } from './limits.ts';
import { Looks } from './looks.ts';
import type { ExplainView, FromWorker, IdentityMessage, PairView, Query, ToWorker, WorkerStatus } from './messages.ts';
import { PASS } from './policy.ts';
import { pairView } from './views.ts';
import { plaintextRefusal } from './without-pair.ts';

type Handled = Exclude<ToWorker, { type: 'ports' | 'stop' }>;

export class Desk {
  readonly #datapath: Datapath;
  readonly #provider: CipherProvider;
  readonly #worker: number;
  readonly #looks: Looks;
  #held: KeyIndex[] = [];

  constructor(datapath: Datapath, provider: CipherProvider, worker: number) {
    this.#datapath = datapath;
    this.#provider = provider;
    this.#worker = worker;
    this.#looks = new Looks(datapath);
  }

  /** True while `goOn` has something to do. */
  get busy(): boolean {
    return this.#looks.busy;
  }

  /** Between two turns: part of what takes several. The answer when it is done. */
  goOn(now: Millis): FromWorker | undefined {
    return this.#looks.goOn(now);
  }

  /** The answer to a query that is answered at once; undefined for everything else. */
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
        return this.#answer(message.id, message.query, now);
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

  #answer(id: number, query: Query, now: Millis): FromWorker | undefined {
    switch (query.what) {
      case 'status':
        return { type: 'answer', id, value: this.#status() };
      case 'explain':
        return { type: 'answer', id, value: this.#explain(query.peer, query.device, now) };
      default:
        this.#looks.begin(id, query.what, query.filter);
        return undefined;
    }
  }

  #status(): WorkerStatus {
    const d = this.#datapath;
    return {
      worker: this.#worker,
      pairs: d.pairs.countByVerdict(),
      flows: d.flows.size,
      evicted: { pairs: d.pairs.evicted, flows: d.flows.evicted },
      negotiating: d.negotiator.running,
      held: { frames: d.hold.frames, bytes: d.hold.bytes },
      ports: Array.from({ length: PORTS }, (_, role) => d.counters.port(role)),
      drops: [...d.counters.drops],
      exceptionHits: [...d.policy.hits],
      negotiationMs: [...d.negotiator.took],
    };
  }

  /** The pairs with this peer that were seen last, the latest first. */
  #pairsOf(peer: Int32Array, device: Int32Array | undefined, now: Millis): PairView[] {
    const { pairs, associations, hold } = this.#datapath;
    const look = new Look(pairs, EXPLAINED_PAIRS, (row) => pairs.isOf(row, { device, peer }));
    look.goOn(pairs.rows);
    return look.latest
      .flatMap((row) => pairs.at(row) ?? [])
      .sort((x, y) => y.lastSeen - x.lastSeen)
      .map((pair) => pairView(pair, associations, hold.framesOf(pair.row), now));
  }

  #explain(peer: string, device: string | undefined, now: Millis): ExplainView | undefined {
    const bytes = addressFromText(peer);
    if (bytes === undefined) return undefined;
    const d = this.#datapath;
    const words = bytesToWords(bytes);
    const from = device === undefined ? undefined : addressFromText(device);
    const pairs = this.#pairsOf(words, from && bytesToWords(from), now);
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
      const passes = d.policy.openWithoutKeys && plaintextRefusal(d, words, now) === PASS;
      return { ...base, class: 'without-keys', verdict: passes ? 'plain' : 'discard' };
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

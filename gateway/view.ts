/** The gateway as the API shows it: what the workers, the key client and the host say, put together on request. */
import { readFileSync } from 'node:fs';
import type { GatewayView } from '#api/view.ts';
import type {
  ExplainFacts,
  FlowsView,
  GatewayEvent,
  GatewayState,
  GmsView,
  PairsView,
  PortView,
  StatusView,
  Verdict,
} from '#api/views.ts';
import type { GatewayConfig } from '#config/config.ts';
import type {
  ExceptionRule,
  ExplainView,
  Filter,
  FlowRow,
  Latest,
  PairView,
  Query,
  WorkerStatus,
} from '#datapath/messages.ts';
import type { KeyRing } from '#keys/ring.ts';
import type { KeyState } from '#keys/state.ts';
import type { StoredIdentity } from '#keys/store.ts';
import { PORTS } from '#wire/record.ts';

/** What the view reads of the running gateway. */
export interface GatewayFacts {
  readonly config: GatewayConfig;
  readonly configText: string;
  readonly startedAt: number;
  state(): GatewayState;
  ring(): KeyRing | undefined;
  keys(): KeyState;
  exceptions(): readonly ExceptionRule[];
  ports(): readonly (Pick<PortView, 'role' | 'name' | 'mtu' | 'state'> | undefined)[];
  query<T>(query: Query): Promise<T[]>;
  stop(why: string): void;
  enrol(token: string, force: boolean): Promise<StoredIdentity>;
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

export class GatewayReport implements GatewayView {
  readonly #facts: GatewayFacts;
  readonly #listeners = new Set<(event: GatewayEvent) => void>();
  /** Ends with the last look that was asked for. */
  #looking: Promise<unknown> = Promise.resolve();

  constructor(facts: GatewayFacts) {
    this.#facts = facts;
  }

  async status(): Promise<StatusView> {
    const facts = this.#facts;
    const workers = await facts.query<WorkerStatus>({ what: 'status' });
    const ring = facts.ring();
    const took = workers.flatMap((w) => w.negotiationMs).sort((a, b) => a - b);
    return {
      version,
      kind: facts.config.kind,
      state: facts.state(),
      ...(ring !== undefined && { mode: ring.mode, ge: ring.ge, name: ring.name }),
      gms: gmsView(facts.keys()),
      ports: facts
        .ports()
        .flatMap((port, role) => (port === undefined ? [] : [{ ...port, ...portSums(workers, role) }])),
      workers: workers.length,
      cipher: facts.config.cipher,
      pairs: sumByVerdict(workers),
      flows: sum(workers, (w) => w.flows),
      evicted: { pairs: sum(workers, (w) => w.evicted.pairs), flows: sum(workers, (w) => w.evicted.flows) },
      held: { frames: sum(workers, (w) => w.held.frames), bytes: sum(workers, (w) => w.held.bytes) },
      ...(took.length > 0 && {
        negotiation: {
          count: took.length,
          medianMs: took[Math.floor(took.length / 2)],
          maximumMs: took[took.length - 1],
        },
      }),
      ...(ring !== undefined && { domainKeyVersion: ring.domainKeys[0].version }),
      groups: (ring?.groups ?? []).map(({ number, name, transform, keys }) => ({
        number,
        name,
        transform,
        version: keys[0].version,
      })),
      exceptions: facts
        .exceptions()
        .map((rule, i) => ({ ...rule, hits: sum(workers, (w) => w.exceptionHits[i] ?? 0) })),
      uptimeMs: Math.round(performance.now() - facts.startedAt),
      memoryBytes: process.memoryUsage.rss(),
    };
  }

  async flows(filter: Filter): Promise<FlowsView> {
    const { total, rows: flows } = await this.#latest<FlowRow>('flows', filter);
    return { total, flows };
  }

  async pairs(filter: Filter): Promise<PairsView> {
    const { total, rows: pairs } = await this.#latest<PairView>('pairs', filter);
    return { total, pairs };
  }

  /** What was seen last, of all workers together. Each of them has one look at a time. */
  async #latest<Row extends { readonly idleMs: number }>(
    what: 'flows' | 'pairs',
    filter: Filter,
  ): Promise<Latest<Row>> {
    const ask = (): Promise<Latest<Row>[]> => this.#facts.query<Latest<Row>>({ what, filter });
    const asked = this.#looking.then(ask, ask);
    this.#looking = asked;
    const answers = await asked;
    const rows = answers.flatMap((answer) => answer.rows).sort((x, y) => x.idleMs - y.idleMs);
    return { total: answers.reduce((all, { total }) => all + total, 0), rows: rows.slice(0, filter.limit) };
  }

  async explain(peer: string, options: { readonly device?: string }): Promise<ExplainFacts> {
    const answers = await this.#facts.query<ExplainView>({ what: 'explain', peer, ...options });
    /* The worker that has the pair knows most; otherwise all say the same. */
    const best = answers.find((a) => a.pairs.length > 0) ?? answers[0];
    const { remembered, ...rest } = best;
    return {
      ...rest,
      state: this.#facts.state(),
      pairs: answers.flatMap((a) => a.pairs),
      ...(remembered !== undefined && { remembered: { ge: remembered.ge, transform: remembered.transform } }),
    };
  }

  async drops(): Promise<number[]> {
    const workers = await this.#facts.query<WorkerStatus>({ what: 'status' });
    return (workers[0]?.drops ?? []).map((_, i) => sum(workers, (w) => w.drops[i]));
  }

  configText(): string {
    return this.#facts.configText;
  }

  stop(why: string): void {
    this.#facts.stop(why);
  }

  enrol(token: string, force: boolean): Promise<StoredIdentity> {
    return this.#facts.enrol(token, force);
  }

  subscribe(listener: (event: GatewayEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(level: GatewayEvent['level'], name: GatewayEvent['name'], details: GatewayEvent['details'] = {}): void {
    const event: GatewayEvent = { time: new Date().toISOString(), level, name, details };
    for (const listener of this.#listeners) listener(event);
  }
}

function sum(workers: readonly WorkerStatus[], of: (worker: WorkerStatus) => number): number {
  return workers.reduce((total, worker) => total + of(worker), 0);
}

function portSums(workers: readonly WorkerStatus[], role: number): WorkerStatus['ports'][number] {
  if (role >= PORTS) throw new RangeError(`port role ${role}`);
  const of = (key: keyof WorkerStatus['ports'][number]): number => sum(workers, (w) => w.ports[role][key]);
  return {
    framesIn: of('framesIn'),
    bytesIn: of('bytesIn'),
    framesOut: of('framesOut'),
    bytesOut: of('bytesOut'),
    mergedIn: of('mergedIn'),
    mergedBytesIn: of('mergedBytesIn'),
    mergedOut: of('mergedOut'),
    mergedBytesOut: of('mergedBytesOut'),
  };
}

function sumByVerdict(workers: readonly WorkerStatus[]): Partial<Record<Verdict, number>> {
  const pairs: Partial<Record<Verdict, number>> = {};
  for (const worker of workers) {
    for (const [verdict, count] of Object.entries(worker.pairs) as [Verdict, number][]) {
      pairs[verdict] = (pairs[verdict] ?? 0) + count;
    }
  }
  return pairs;
}

function contactOf({ enrolled, keys, connected, error }: KeyState): GmsView['state'] {
  if (!enrolled) return 'unenrolled';
  if (keys === 'removed') return 'removed';
  if (connected) return 'connected';
  return error ? 'lost' : 'connecting';
}

function gmsView(state: KeyState): GmsView {
  const iso = (ms: number): string => new Date(ms).toISOString();
  return {
    state: contactOf(state),
    ...(state.gmsAddress !== undefined && { address: state.gmsAddress }),
    ...(state.error !== undefined && { error: state.error.text }),
    ...(state.lastContact !== undefined && { lastContact: iso(state.lastContact) }),
    ...(state.sequence !== undefined && { sequence: state.sequence }),
    ...(state.validUntil !== undefined && { keysUntil: iso(state.validUntil) }),
  };
}

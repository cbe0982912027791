/**
 * Gateways that speak DPRP over a wire in virtual time: no frames, only Echo data and what stands behind quotes.
 *
 *     h1 ── [a] ══ wire: delay, loss, duplicates, reordering; ears and hands of whoever sits on it ══ [b] ── h2
 */
import { randomBytes } from 'node:crypto';
import { createDprp, type DprpOptions } from '#dprp/negotiations.ts';
import type {
  Action,
  Agreement,
  Dprp,
  DprpPolicy,
  GeId,
  Identity,
  Millis,
  Pair,
  Received,
  Switched,
  TransformName,
} from '#dprp/spec.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { addressFromText, pairKey } from '#wire/address.ts';
import { type CountingCrypto, countingCrypto } from './counting-crypto.ts';
import { GE_A, GE_B, type GeSettings, Gms } from './dprp-gms.ts';

export { GE_A, GE_B, GE_C, type GeSettings, GMS_TIME, Gms, type Group } from './dprp-gms.ts';

/* ---- chance ---- */

/** mulberry32: small, seeded, good enough for losses. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/* ---- a gateway: the machine, and as much of a datapath as it takes to see what it does ---- */

const GRACE = 12_000;

interface PairState {
  readonly pair: Pair;
  readonly generations: (Agreement | undefined)[];
  sending: string | undefined;
  verdict: Extract<Action, { do: 'plain' | 'discard' }> | undefined;
  readonly ends: Map<string, number> /* negotiation → when the grace is over */;
}

export class Gateway {
  readonly name: string;
  readonly provider = createNobleProvider();
  readonly crypto: CountingCrypto;
  readonly dprp: Dprp;
  readonly pairs = new Map<string, PairState>();
  /** Every action but `send`, in order. */
  readonly actions: Action[] = [];
  readonly drops: string[] = [];
  readonly remembered = new Map<string, { ge: GeId; transform: TransformName }>();
  readonly prefixes = new Set<string>();
  shownProtected = false;
  /** In plaintext, or under `pccom`. */
  sendsOtherwise = false;
  receivesOtherwise = false;
  /** Negotiations whose key switch the far end made. */
  readonly followed = new Map<string, Switched>();
  /** Negotiations of which the far end said that it sends with a later one. */
  readonly superseded = new Set<string>();
  /** Connections that a key switch may name. */
  mayName = 10_000;
  send: (action: Extract<Action, { do: 'send' | 'notice' }>, cause: Received | undefined) => void = () => {};
  readonly #grace: number;

  constructor(
    name: string,
    gms: Gms,
    settings: GeSettings | undefined,
    options: Partial<DprpOptions> & { grace?: number } = {},
  ) {
    const { grace = GRACE, ...rest } = options;
    this.name = name;
    this.#grace = grace;
    this.crypto = countingCrypto(this.provider as never);
    const policy: DprpPolicy = {
      protectedPrefix: (peer) => this.prefixes.has(textKey(peer)),
      remembered: (peer) => {
        const known = this.remembered.get(textKey(peer));
        return known && { ...known, removed: false };
      },
      heldGenerations: (pair) =>
        this.state(pair).generations.reduce((mask, agreement, g) => mask | (agreement ? 1 << g : 0), 0),
      hasShownProtected: () => this.shownProtected,
      sends: () => this.sendsOtherwise,
      receives: () => this.receivesOtherwise,
      agreement: (pair, negotiation) => {
        const found = this.state(pair).generations.find((a) => a?.negotiation === negotiation);
        const superseded = this.superseded.has(negotiation);
        return found && { ...found, followed: this.followed.has(negotiation), superseded, mayName: this.mayName };
      },
    };
    this.dprp = createDprp({
      ...(settings && { identity: gms.identity(this.provider, settings) }),
      policy,
      crypto: this.crypto,
      random: (length) => Uint8Array.from(randomBytes(length)),
      ...rest,
      limits: { ephemerals: 2, ...rest.limits },
    });
  }

  state(pair: Pair): PairState {
    const key = pairKey(pair.device, pair.peer);
    const known = this.pairs.get(key) ?? {
      pair,
      generations: [undefined, undefined, undefined, undefined],
      sending: undefined,
      verdict: undefined,
      ends: new Map(),
    };
    this.pairs.set(key, known);
    return known;
  }

  begin(pair: Pair, why: Parameters<Dprp['begin']>[1], now: number): Action[] {
    return this.perform(this.dprp.begin(pair, why, now as Millis), now);
  }

  receive(message: Received, now: number): Action[] {
    return this.perform(this.dprp.receive(message, now as Millis), now, message);
  }

  setIdentity(identity: Identity | undefined, now: number): Action[] {
    return this.perform(this.dprp.setIdentity(identity, now as Millis), now);
  }

  tick(now: number): void {
    this.perform(this.dprp.tick(now as Millis), now);
    for (const state of this.pairs.values()) {
      for (const [negotiation, at] of state.ends) if (now >= at) this.end(state, negotiation);
    }
  }

  nextTimeout(): number {
    let next = this.dprp.nextTimeout();
    for (const state of this.pairs.values()) for (const at of state.ends.values()) next = Math.min(next, at);
    return next;
  }

  /** The agreement that the pair sends with. */
  sender(pair: Pair): Agreement | undefined {
    const state = this.state(pair);
    return state.generations.find((a) => a !== undefined && a.negotiation === state.sending);
  }

  /** The secret of an agreement, without showing it: equal on both ends, or it is worth nothing. */
  fingerprint(agreement: Agreement): string {
    return Buffer.from(this.crypto.mac(agreement.prk, agreement.transcript)).toString('hex');
  }

  /** Everything that lives without the machine having been told to forget it. */
  close(): void {
    for (const state of this.pairs.values()) {
      for (const agreement of state.generations) if (agreement) this.end(state, agreement.negotiation);
    }
    this.dprp.close();
  }

  names(): string[] {
    return this.actions.map((a) =>
      a.do === 'plain' || a.do === 'discard' || a.do === 'keep'
        ? `${a.do} ${a.reason}`
        : a.do === 'alarm' || a.do === 'drop'
          ? `${a.do} ${a.name}`
          : a.do === 'install'
            ? `install${a.send ? ' and send' : ''}`
            : a.do,
    );
  }

  perform(actions: Action[], now: number, cause?: Received): Action[] {
    for (const action of actions) {
      if (action.do !== 'send') this.actions.push(action);
      switch (action.do) {
        case 'send':
        case 'notice':
          this.send(action, cause);
          break;
        case 'install': {
          const { agreement } = action;
          const state = this.state(agreement.pair);
          const replaced = state.generations[agreement.generation];
          if (replaced) this.end(state, replaced.negotiation);
          state.generations[agreement.generation] = agreement;
          if (action.send) state.sending = agreement.negotiation;
          state.verdict = undefined;
          break;
        }
        case 'confirm': {
          const state = this.state(action.pair);
          state.sending = action.negotiation;
          state.ends.delete(action.negotiation);
          for (const agreement of state.generations) {
            if (agreement && agreement.negotiation !== action.negotiation && !state.ends.has(agreement.negotiation)) {
              state.ends.set(agreement.negotiation, now + this.#grace);
            }
          }
          break;
        }
        case 'abandon':
          this.end(this.state(action.pair), action.negotiation);
          break;
        case 'plain':
        case 'discard':
          this.state(action.pair).verdict = action;
          break;
        case 'switch':
          this.followed.set(action.negotiation, action);
          break;
        case 'drop':
          this.drops.push(action.name);
          break;
        default:
          break;
      }
    }
    return actions;
  }

  private end(state: PairState, negotiation: string): void {
    state.ends.delete(negotiation);
    const at = state.generations.findIndex((a) => a?.negotiation === negotiation);
    if (at < 0) return;
    this.crypto.release((state.generations[at] as Agreement).prk);
    state.generations[at] = undefined;
    if (state.sending === negotiation) state.sending = undefined;
  }
}

const textKey = (address: Uint8Array): string => Buffer.from(address).toString('hex');

/* ---- the wire between two gateways ---- */

export interface WireSettings {
  readonly delay?: number;
  readonly jitter?: number;
  readonly loss?: number;
  readonly duplicate?: number;
  readonly seed?: number;
}

export interface InFlight {
  readonly at: number;
  readonly to: Gateway | undefined;
  readonly from: Gateway;
  readonly message: Received;
}

export const H1 = addressFromText('192.0.2.1') as Uint8Array;
export const H2 = addressFromText('192.0.2.2') as Uint8Array;
export const PAIR_A: Pair = { device: H1, peer: H2 };
export const PAIR_B: Pair = { device: H2, peer: H1 };

export class World {
  now = 0;
  readonly gms: Gms;
  readonly a: Gateway;
  b: Gateway | undefined;
  readonly wire: InFlight[] = [];
  /** Every message that was sent, as it was sent. */
  readonly sent: InFlight[] = [];
  /** Who sits on the wire: returns what goes on in its place. */
  mallory: (message: InFlight) => InFlight[] = (message) => [message];
  /** What stands at the far end where no gateway does. */
  farEnd: 'silent' | 'echoes' = 'silent';
  readonly #chance: () => number;
  readonly #settings: Required<WireSettings>;

  constructor(gms: Gms, a: Gateway, b: Gateway | undefined, settings: WireSettings = {}) {
    this.gms = gms;
    this.#settings = { delay: 1, jitter: 0, loss: 0, duplicate: 0, seed: 1, ...settings };
    this.#chance = seeded(this.#settings.seed);
    this.a = a;
    this.attach(a);
    if (b) this.attach(b);
    this.b = b;
  }

  attach(gateway: Gateway): void {
    gateway.send = (action, cause) => this.#carry(gateway, action, cause);
  }

  /** A box that lost everything takes the place of b. */
  replaceB(b: Gateway): void {
    this.attach(b);
    this.b = b;
  }

  #carry(from: Gateway, action: Extract<Action, { do: 'send' | 'notice' }>, cause: Received | undefined): void {
    const to = from === this.a ? this.b : this.a;
    const { device, peer } = action.pair;
    const message: Received = {
      pair: { device: peer, peer: device },
      ipVersion: 4,
      icmp: action.do === 'send' ? action.icmp : 'error',
      id: action.do === 'send' ? action.id : 0,
      sequence: action.do === 'send' ? action.sequence : 0,
      payload: action.payload,
      from: 'outer',
      ...(action.do === 'notice' && cause && { quote: cause.payload.slice(0, 100) }),
    };
    const flight: InFlight = { at: this.now, to, from, message };
    this.sent.push(flight);
    for (const passed of this.mallory(flight)) {
      const copies = this.#chance() < this.#settings.duplicate ? 2 : 1;
      for (let i = 0; i < copies; i++) {
        if (this.#chance() < this.#settings.loss) continue;
        this.wire.push({ ...passed, at: this.now + this.#settings.delay + this.#chance() * this.#settings.jitter });
      }
    }
  }

  #deliver(flight: InFlight): void {
    if (flight.to) flight.to.receive(flight.message, this.now);
    else if (this.farEnd === 'echoes' && flight.message.icmp === 'request') this.wire.push(this.echoOf(flight));
  }

  /** The echo of a request, as any host makes it. */
  echoOf(flight: InFlight): InFlight {
    const { device, peer } = flight.message.pair;
    const message: Received = { ...flight.message, icmp: 'reply', pair: { device: peer, peer: device } };
    return { at: this.now + this.#settings.delay, to: flight.from, from: flight.from, message };
  }

  /** Runs until `time`, event by event. */
  run(time: number): void {
    for (;;) {
      const gateways = this.b ? [this.a, this.b] : [this.a];
      let next = Math.min(...gateways.map((g) => g.nextTimeout()));
      for (const flight of this.wire) next = Math.min(next, flight.at);
      if (next > time) break;
      this.now = Math.max(this.now, next);
      const due = this.wire.filter((flight) => flight.at <= this.now).sort((x, y) => x.at - y.at);
      for (const flight of due) {
        this.wire.splice(this.wire.indexOf(flight), 1);
        this.#deliver(flight);
      }
      for (const gateway of gateways) if (gateway.nextTimeout() <= this.now) gateway.tick(this.now);
    }
    this.now = time;
  }

  runFor(ms: number): void {
    this.run(this.now + ms);
  }
}

/** A gateway's messages in order, as words. */
export const flow = (world: World): string[] => world.sent.map((f) => `${f.from.name} ${TYPES[f.message.payload[5]]}`);
const TYPES = ['', 'DDE', 'RGI', 'MPIT', 'CDN', 'KSW', 'GE here', 'no association'];

/** Two gateways of one group, with whatever is different. */
export function twoGateways(
  options: {
    a?: Partial<GeSettings>;
    b?: Partial<GeSettings> | 'none';
    wire?: WireSettings;
    machine?: Partial<DprpOptions> & { grace?: number };
  } = {},
): World & { b: Gateway } {
  const gms = new Gms();
  const groups = [{ number: 7, versions: [1] }];
  const a = new Gateway('a', gms, { ge: GE_A, groups, ...options.a }, options.machine);
  const b =
    options.b === 'none' ? undefined : new Gateway('b', gms, { ge: GE_B, groups, ...options.b }, options.machine);
  return new World(gms, a, b, options.wire) as World & { b: Gateway };
}

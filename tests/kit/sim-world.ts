/**
 * Two whole gateways in one process, on fake ports and a virtual clock; nothing ever sleeps.
 *
 *     h1 ──inner [a] outer══ wire: delay, loss, duplicates, reordering ══outer [b] inner── h2
 */
import { randomBytes } from 'node:crypto';
import { Datapath } from '#datapath/datapath.ts';
import type { FromWorker, PolicySettings } from '#datapath/messages.ts';
import type { Millis } from '#dprp/spec.ts';
import { createFakeLink, type FakeFrame, type FakePort, fakeFrame } from '#port/fake.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { DROPS } from '#wire/drops.ts';
import { PORT_INNER, PORT_OUTER } from '#wire/record.ts';
import { GE_A, GE_B, type GeSettings, Gms, seeded } from './dprp-world.ts';

export const POLICY: PolicySettings = {
  withoutKeys: 'closed',
  nonIp: 'by-mode',
  exceptions: [],
  protectedPrefixes: [],
};

export interface WireBehaviour {
  /** One way, ms. */
  readonly delay?: number;
  /** Up to so much more, ms: frames overtake each other. */
  readonly jitter?: number;
  readonly loss?: number;
  readonly duplicates?: number;
}

export class SimGateway {
  readonly datapath: Datapath;
  readonly provider = createNobleProvider();
  readonly inner: FakePort;
  readonly outer: FakePort;
  readonly told: FromWorker[] = [];

  constructor(inner: FakePort, outer: FakePort, now: number, policy: Partial<PolicySettings> = {}) {
    this.inner = inner;
    this.outer = outer;
    const ports = [];
    ports[PORT_OUTER] = outer;
    ports[PORT_INNER] = inner;
    this.datapath = new Datapath({
      provider: this.provider,
      ports,
      managementMac: undefined,
      policy: { ...POLICY, ...policy },
      random: (length) => Uint8Array.from(randomBytes(length)),
      tell: (message) => this.told.push(message),
      now: now as Millis,
    });
  }

  get busy(): boolean {
    return this.inner.waiting > 0 || this.outer.waiting > 0;
  }

  /** Counted drops by name, zeros left out. */
  drops(): Record<string, number> {
    const counts: Record<string, number> = {};
    this.datapath.counters.drops.forEach((count, i) => {
      if (count > 0) counts[DROPS[i].name] = count;
    });
    return counts;
  }
}

export class SimWorld {
  now = 1_000;
  readonly gms = new Gms();
  readonly seed: number;
  readonly chance: () => number;
  /** What crossed the wire, as sent, in order. */
  readonly crossed: { readonly at: number; readonly from: 'a' | 'b'; readonly frame: FakeFrame }[] = [];
  readonly h1 = createFakeLink({ names: ['h1', 'a-inner'], queue: 100_000 });
  readonly h2 = createFakeLink({ names: ['h2', 'b-inner'], queue: 100_000 });
  readonly wire = createFakeLink({ names: ['a-outer', 'b-outer'], queue: 100_000 });
  behaviour: WireBehaviour = {};
  a: SimGateway;
  b: SimGateway;
  readonly #later: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  constructor(seed: number = randomBytes(4).readUInt32LE()) {
    this.seed = seed;
    this.chance = seeded(seed);
    this.wire.wire = (frame, from, deliver) => this.#cross(frame, from, deliver);
    this.a = new SimGateway(this.h1.right, this.wire.left, this.now);
    this.b = new SimGateway(this.h2.right, this.wire.right, this.now);
  }

  /** Gives a gateway the keys of the settings; both are in group 7 unless told otherwise. */
  key(side: 'a' | 'b', settings: Partial<GeSettings> = {}): void {
    const gateway = this[side];
    const ge = side === 'a' ? GE_A : GE_B;
    const identity = this.gms.identity(gateway.provider as never, {
      ge,
      groups: [{ number: 7, versions: [1] }],
      ...settings,
    });
    gateway.datapath.setIdentity(identity, this.now as Millis);
  }

  /** The gateway's process was killed and started again: everything in its memory is gone. */
  restart(side: 'a' | 'b', settings: Partial<GeSettings> = {}): void {
    const old = this[side];
    old.inner.collect();
    old.outer.collect();
    this[side] = new SimGateway(old.inner, old.outer, this.now);
    this.key(side, settings);
  }

  at(when: number, run: () => void): void {
    this.#later.push({ at: when, order: this.#order++, run });
    this.#later.sort((x, y) => x.at - y.at || x.order - y.order);
  }

  sendFromH1(bytes: Uint8Array): void {
    this.h1.left.send(fakeFrame(bytes));
  }

  sendFromH2(bytes: Uint8Array): void {
    this.h2.left.send(fakeFrame(bytes));
  }

  /** Runs until `ms` have passed in virtual time. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      while (this.a.busy || this.b.busy) this.#turn();
      const next = Math.min(
        this.#later[0]?.at ?? Number.POSITIVE_INFINITY,
        this.a.datapath.nextTimeout(),
        this.b.datapath.nextTimeout(),
      );
      if (next > end) break;
      this.now = Math.max(this.now, next);
      while (this.#later.length > 0 && this.#later[0].at <= this.now) this.#later.shift()?.run();
      this.#turn();
    }
    this.now = end;
    this.#turn();
  }

  #turn(): void {
    this.a.datapath.turn(this.now as Millis);
    this.b.datapath.turn(this.now as Millis);
  }

  #cross(frame: FakeFrame, from: FakePort, deliver: (frame: FakeFrame) => void): void {
    const side = from === this.wire.left ? 'a' : 'b';
    this.crossed.push({ at: this.now, from: side, frame });
    const { delay = 0, jitter = 0, loss = 0, duplicates = 0 } = this.behaviour;
    if (this.chance() < loss) return;
    const copies = this.chance() < duplicates ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const late = delay + this.chance() * jitter;
      if (late === 0) deliver(frame);
      else this.at(this.now + late, () => deliver(frame));
    }
  }
}

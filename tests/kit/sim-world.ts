/**
 * Two whole gateways in one process, on fake ports and a virtual clock; nothing ever sleeps.
 *
 *     h1 ──inner [a] outer══ wire: delay, loss, duplicates, reordering; whoever sits on it ══outer [b] inner── h2
 */
import { randomBytes } from 'node:crypto';
import { Datapath } from '#datapath/datapath.ts';
import type { FromWorker, PolicySettings, RememberedPeer } from '#datapath/messages.ts';
import type { Millis } from '#dprp/spec.ts';
import { createFakeLink, type FakeFrame, type FakePort, fakeFrame } from '#port/fake.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { DROPS } from '#wire/drops.ts';
import { PORT_INNER, PORT_MGMT, PORT_OUTER } from '#wire/record.ts';
import { GE_A, GE_B, type GeSettings, Gms, seeded } from './dprp-world.ts';
import { lineOf } from './sim-diagram.ts';
import { SimHost } from './sim-host.ts';

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

export interface SimSettings {
  /** Largest layer-3 packet of every link, bytes. */
  readonly mtu?: number;
  /** False: the inner ports cut no superpackets of their own, so nothing is merged for them. */
  readonly superpackets?: boolean;
  readonly policy?: Partial<PolicySettings>;
  /** The management port of a: its box's MAC address as a number. */
  readonly managementMac?: number;
}

export class SimGateway {
  readonly datapath: Datapath;
  readonly provider = createNobleProvider();
  readonly inner: FakePort;
  readonly outer: FakePort;
  readonly management: FakePort | undefined;
  readonly told: FromWorker[] = [];
  readonly policy: PolicySettings;

  constructor(
    inner: FakePort,
    outer: FakePort,
    now: number,
    chance: () => number,
    policy: Partial<PolicySettings> = {},
    management?: { readonly port: FakePort; readonly mac: number },
  ) {
    this.inner = inner;
    this.outer = outer;
    this.management = management?.port;
    this.policy = { ...POLICY, ...policy };
    const ports = [];
    ports[PORT_OUTER] = outer;
    ports[PORT_INNER] = inner;
    ports[PORT_MGMT] = management?.port;
    this.datapath = new Datapath({
      provider: this.provider,
      ports,
      managementMac: management?.mac,
      policy: this.policy,
      random: (length) => Uint8Array.from({ length }, () => Math.floor(chance() * 256)),
      tell: (message) => this.told.push(message),
      now: now as Millis,
    });
  }

  get busy(): boolean {
    return this.inner.waiting > 0 || this.outer.waiting > 0 || (this.management?.waiting ?? 0) > 0;
  }

  /** What main keeps of the peers that this gateway told it to remember. */
  get rememberedByMain(): RememberedPeer[] {
    return this.told.flatMap((message) => (message.type === 'remember' ? [message.peer] : []));
  }

  /** Counted drops by name, zeros left out. */
  drops(): Record<string, number> {
    const counts: Record<string, number> = {};
    this.datapath.counters.drops.forEach((count, i) => {
      if (count > 0) counts[DROPS[i].name] = count;
    });
    return counts;
  }

  alarms(): string[] {
    return this.told.flatMap((message) => (message.type === 'alarm' ? [message.name] : []));
  }

  /** Verdict and reason of every pair, as people see them. */
  verdicts(): string[] {
    return [...this.datapath.pairs.values()].map((pair) => `${pair.verdict} ${pair.reason}`.trim());
  }
}

export interface Crossed {
  readonly at: number;
  readonly from: 'a' | 'b';
  readonly frame: FakeFrame;
}

export class SimWorld {
  now = 1_000;
  readonly gms = new Gms();
  readonly seed: number;
  readonly chance: () => number;
  /** What was put on the wire, as sent, in order. */
  readonly crossed: Crossed[] = [];
  readonly h1;
  readonly h2;
  readonly wire;
  readonly box = createFakeLink({ names: ['a-box', 'a-mgmt'] });
  behaviour: WireBehaviour = {};
  /** Who sits on the wire: true lets the frame go on, false takes it away, frames go on in its place. */
  mallory: (frame: FakeFrame, from: 'a' | 'b') => boolean | readonly FakeFrame[] = () => true;
  a: SimGateway;
  b: SimGateway;
  /** Stands at the far end of the wire in b's place. */
  host: SimHost | undefined;
  readonly #random: () => number;
  readonly #later: { at: number; order: number; run: () => void }[] = [];
  #order = 0;

  constructor(seed: number = randomBytes(4).readUInt32LE(), settings: SimSettings = {}) {
    this.seed = seed;
    this.chance = seeded(seed);
    this.#random = seeded(seed ^ 0x5eed);
    const { mtu = 1500, superpackets = true, policy, managementMac: mac } = settings;
    this.h1 = createFakeLink({ names: ['h1', 'a-inner'], queue: 100_000, mtu, superpackets });
    this.h2 = createFakeLink({ names: ['h2', 'b-inner'], queue: 100_000, mtu, superpackets });
    this.wire = createFakeLink({ names: ['a-outer', 'b-outer'], queue: 100_000, mtu });
    this.wire.wire = (frame, from, deliver) => this.#cross(frame, from, deliver);
    const management = mac === undefined ? undefined : { port: this.box.right, mac };
    this.a = new SimGateway(this.h1.right, this.wire.left, this.now, this.#random, policy, management);
    this.b = new SimGateway(this.h2.right, this.wire.right, this.now, this.#random, policy);
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

  /** A plain host takes b's place. */
  plainHost(answers: 'echoes' | 'silent'): SimHost {
    this.host = new SimHost(this.wire.right, answers);
    return this.host;
  }

  /**
   * The gateway's process was killed and started again: everything in its memory is gone, but for the peers that main
   * remembers on disk.
   */
  restart(side: 'a' | 'b', settings: Partial<GeSettings> = {}): void {
    const old = this[side];
    old.inner.collect();
    old.outer.collect();
    const gateway = new SimGateway(old.inner, old.outer, this.now, this.#random, old.policy);
    this[side] = gateway;
    gateway.datapath.remembered.restore(old.rememberedByMain, this.now);
    gateway.told.push(...old.told.filter((message) => message.type === 'remember'));
    this.key(side, settings);
  }

  at(when: number, run: () => void): void {
    this.#later.push({ at: when, order: this.#order++, run });
    this.#later.sort((x, y) => x.at - y.at || x.order - y.order);
  }

  /** `count` times, `every` ms apart, the first now. */
  repeat(count: number, every: number, run: (i: number) => void): void {
    for (let i = 0; i < count; i++) this.at(this.now + i * every, () => run(i));
  }

  sendFromH1(bytes: Uint8Array, fields: Partial<Omit<FakeFrame, 'bytes'>> = {}): void {
    this.h1.left.send(fakeFrame(bytes, fields));
  }

  sendFromH2(bytes: Uint8Array, fields: Partial<Omit<FakeFrame, 'bytes'>> = {}): void {
    this.h2.left.send(fakeFrame(bytes, fields));
  }

  /** Runs until `ms` have passed in virtual time. */
  run(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      while (this.#busy) this.#turn();
      const next = Math.min(
        this.#later[0]?.at ?? Number.POSITIVE_INFINITY,
        this.a.datapath.nextTimeout(),
        this.host === undefined ? this.b.datapath.nextTimeout() : Number.POSITIVE_INFINITY,
      );
      if (next > end) break;
      this.now = Math.max(this.now, next);
      while (this.#later.length > 0 && this.#later[0].at <= this.now) this.#later.shift()?.run();
      this.#turn();
    }
    this.now = end;
    this.#turn();
  }

  get #busy(): boolean {
    return this.a.busy || (this.host?.busy ?? this.b.busy);
  }

  #turn(): void {
    this.a.datapath.turn(this.now as Millis);
    if (this.host === undefined) this.b.datapath.turn(this.now as Millis);
    else this.host.turn();
  }

  #cross(frame: FakeFrame, from: FakePort, deliver: (frame: FakeFrame) => void): void {
    const side = from === this.wire.left ? 'a' : 'b';
    this.crossed.push({ at: this.now, from: side, frame });
    const passed = this.mallory(frame, side);
    for (const one of passed === true ? [frame] : passed === false ? [] : passed) this.#carry(one, deliver);
  }

  #carry(frame: FakeFrame, deliver: (frame: FakeFrame) => void): void {
    const { delay = 0, jitter = 0, loss = 0, duplicates = 0 } = this.behaviour;
    if (this.chance() < loss) return;
    const copies = this.chance() < duplicates ? 2 : 1;
    for (let i = 0; i < copies; i++) {
      const late = delay + this.chance() * jitter;
      if (late === 0) deliver(frame);
      else this.at(this.now + late, () => deliver(frame));
    }
  }

  /** How many frames on the wire contain the marker in plaintext. */
  plaintextCrossed(marker: Buffer): number {
    return this.crossed.filter((c) => Buffer.from(c.frame.bytes).includes(marker)).length;
  }

  /** What crossed the wire: a line for every DPRP message and error, and one for all data between two of them. */
  diagram(lines = 200): string {
    const told: string[] = [];
    let data = 0;
    for (const { at, from, frame } of this.crossed) {
      const line = lineOf(at, from, frame.bytes);
      if (line === undefined) data += 1;
      else {
        if (data > 0) told.push(`              ${data} frames of data`);
        data = 0;
        told.push(line);
      }
    }
    if (data > 0) told.push(`              ${data} frames of data`);
    return told.slice(-lines).join('\n');
  }
}

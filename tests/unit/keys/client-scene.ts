/** A real GMS on loopback, made anew for each test, and key clients with a clock that the test moves. */
import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach } from 'vitest';
import { KeyClient } from '#keys/client.ts';
import type { Clock } from '#keys/clock.ts';
import { enrol } from '#keys/enrol.ts';
import type { KeyRing } from '#keys/ring.ts';
import type { KeyAlarm, KeyState } from '#keys/state.ts';
import { type ServedGms, servedGms, temporary } from '#kit/gms-world.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';

/** Timers fire when the test moves time over them, in their order. */
export class FakeClock implements Clock {
  #now = 0;
  readonly #epoch: number;
  #timers: { at: number; call: () => void }[] = [];
  readonly #armed = new EventEmitter();

  /** A box whose own clock runs ahead by so much. */
  constructor(aheadMs = 0) {
    this.#epoch = Date.now() + aheadMs;
  }

  monotonic(): number {
    return this.#now;
  }

  wall(): number {
    return this.#epoch + this.#now;
  }

  after(ms: number, call: () => void): () => void {
    const timer = { at: this.#now + ms, call };
    this.#timers.push(timer);
    this.#armed.emit('timer');
    return () => {
      this.#timers = this.#timers.filter((t) => t !== timer);
    };
  }

  /** Fulfilled when the client waits for its next attempt: for less than a minute. */
  async pausing(): Promise<void> {
    while (!this.#timers.some((t) => t.at - this.#now < 60_000)) await once(this.#armed, 'timer');
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((t) => t !== due);
      this.#now = Math.max(this.#now, due.at);
      due.call();
    }
    this.#now = end;
  }
}

export class Gateway {
  readonly directory: string;
  readonly clock: FakeClock;
  readonly provider = createNobleProvider();
  readonly client: KeyClient;
  readonly alarms: KeyAlarm[] = [];
  readonly rings: (KeyRing | undefined)[] = [];

  constructor(directory: string, clock: FakeClock) {
    this.directory = directory;
    this.clock = clock;
    const { provider } = this;
    const patience = { connect: 3000, answer: 3000, body: 100 };
    const told = { random: () => 0, graceMs: 10_000, software: 'test 1', patience };
    this.client = new KeyClient({ directory, provider, clock, ...told });
    this.client.on('alarm', (alarm) => this.alarms.push(alarm));
    this.client.on('ring', (ring) => this.rings.push(ring));
  }

  /** Waits for the first ring for which `fits` holds. */
  async ring(fits: (ring: KeyRing) => boolean): Promise<KeyRing> {
    for (;;) {
      const { ring } = this.client;
      if (ring !== undefined && fits(ring)) return ring;
      await once(this.client, 'ring');
    }
  }

  async state(fits: (state: KeyState) => boolean): Promise<KeyState> {
    while (!fits(this.client.state)) await once(this.client, 'state');
    return this.client.state;
  }
}

export let gms: ServedGms;
export const cleanups: (() => Promise<void> | void)[] = [];
beforeEach(async () => {
  gms = await servedGms();
  await gms.admin('POST', '/groups', { name: 'plant' });
});
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  await gms.close();
});

/** A gateway, enrolled, its client not yet started. */
export async function gateway(name: string, ...groups: string[]): Promise<Gateway> {
  const { directory, remove } = temporary();
  cleanups.push(remove);
  await enrol(await gms.token({ name, groups }), directory);
  return reborn(directory);
}

/** A process that begins with what the directory holds. */
export function reborn(directory: string, clock = new FakeClock()): Gateway {
  const made = new Gateway(directory, clock);
  let stopped = false;
  const { client } = made;
  const stop = client.stop.bind(client);
  client.stop = async () => {
    if (!stopped) await stop();
    stopped = true;
  };
  cleanups.push(() => client.stop());
  return made;
}

export const versionsOf = (ring: KeyRing, group = 'plant') =>
  ring.groups.find((g) => g.name === group)?.keys.map((key) => key.version);

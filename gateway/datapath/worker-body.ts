/**
 * What a datapath worker is, wherever it runs: on a thread of its own (worker.ts) or on the event loop
 * (worker-loop.ts).
 */
import { randomFillSync } from 'node:crypto';
import type { MessagePort } from 'node:worker_threads';
import type { Millis } from '#dprp/spec.ts';
import type { Port } from '#port/port.ts';
import type { CipherProvider } from '#transform/cipher.ts';
import { PORTS } from '#wire/record.ts';
import { Datapath } from './datapath.ts';
import { Desk } from './desk.ts';
import type { FromWorker, PolicySettings, ToWorker } from './messages.ts';

export interface WorkerStart {
  readonly index: number;
  readonly cipher: 'native' | 'noble';
  /** Tickets of `noble` keys cross threads in this. */
  readonly grants: SharedArrayBuffer | undefined;
  /** Descriptors, or numbers of main's libpcap ports, names and MTUs by PORT_*; -1 where a port is absent. */
  readonly fds: readonly number[];
  readonly names: readonly string[];
  readonly mtus: readonly number[];
  /** MAC address of the management port's kernel end, as a number; undefined without one. */
  readonly managementMac: number | undefined;
  readonly policy: PolicySettings;
  readonly port: MessagePort;
}

/** The longest that a worker waits when nothing comes, ms. */
const PATIENCE_MS = 1_000;

function now(): Millis {
  return (Number(process.hrtime.bigint()) / 1e6) as Millis;
}

export class WorkerBody {
  readonly datapath: Datapath;
  readonly #start: WorkerStart;
  readonly #provider: CipherProvider;
  readonly #desk: Desk;
  readonly #openPort: (fd: number, name: string, mtu: number) => Port;
  /** What main is to hear once the packets at hand have left: telling costs more time than sealing them. */
  readonly #news: FromWorker[] = [];

  /** The body owns `provider` and closes it. */
  constructor(start: WorkerStart, provider: CipherProvider, openPort: (fd: number, name: string, mtu: number) => Port) {
    this.#start = start;
    this.#openPort = openPort;
    this.#provider = provider;
    this.datapath = new Datapath({
      provider: this.#provider,
      ports: this.#openPorts(start.fds, start.mtus),
      managementMac: start.managementMac,
      policy: start.policy,
      random: (length) => randomFillSync(new Uint8Array(length)),
      tell: (message) => this.#news.push(message),
      now: now(),
    });
    this.#desk = new Desk(this.datapath, this.#provider, start.index);
  }

  #openPorts(fds: readonly number[], mtus: readonly number[]): (Port | undefined)[] {
    return Array.from({ length: PORTS }, (_, role) =>
      fds[role]! >= 0 ? this.#openPort(fds[role]!, this.#start.names[role]!, mtus[role]!) : undefined,
    );
  }

  /** Does what main says, in order. False when main asked to stop. */
  handle(message: ToWorker): boolean {
    if (message.type === 'stop') return false;
    if (message.type === 'ports') this.datapath.replacePorts(this.#openPorts(message.fds, message.mtus));
    else {
      const answer = this.#desk.handle(message, now());
      if (answer !== undefined) this.#start.port.postMessage(answer);
    }
    return true;
  }

  turn(at = now()): void {
    this.datapath.turn(at);
    if (this.#news.length > 0) this.#tellNews();
    if (this.#desk.busy) this.#goOn(at);
  }

  #goOn(at: Millis): void {
    const answer = this.#desk.goOn(at);
    if (answer !== undefined) this.#start.port.postMessage(answer);
  }

  /** When the next turn is due though nothing comes, ms. */
  nextTimeout(): number {
    return this.#desk.busy ? 0 : this.datapath.nextTimeout();
  }

  #tellNews(): void {
    for (const message of this.#news) this.#start.port.postMessage(message);
    this.#news.length = 0;
  }

  /** How long nothing has to be done unless something comes, ms. */
  patience(): number {
    return Math.max(0, Math.min(PATIENCE_MS, Math.ceil(this.nextTimeout() - now())));
  }

  close(): void {
    this.datapath.close();
    this.#provider.close();
    this.#start.port.postMessage({ type: 'stopped' } satisfies FromWorker);
    this.#start.port.close();
  }
}

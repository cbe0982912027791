/**
 * Main's side of the datapath: starts the workers, hands them keys and policy, asks them, passes news between them.
 * The main thread never touches a packet.
 */
import { EventEmitter } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { native } from '#native/native.ts';
import type { PcapPort } from '#port/pcap.ts';
import type { KeyIndex } from '#transform/cipher.ts';
import { loadProviders } from '#transform/providers/load.ts';
import type { FromWorker, IdentityMessage, PolicySettings, Query, ToWorker } from './messages.ts';
import type { ThreadStart } from './worker.ts';
import type { WorkerStart } from './worker-body.ts';
import { LoopWorker } from './worker-loop.ts';

/** Keys as main's provider holds them; the pool turns them into one ticket per worker. */
export type IdentityKeys = Omit<IdentityMessage, 'staticSecret' | 'domainKeys' | 'groupKeys'> & {
  readonly staticSecret: KeyIndex;
  readonly domainKeys: readonly { readonly version: number; readonly key: KeyIndex }[];
  readonly groupKeys: readonly (Omit<IdentityMessage['groupKeys'][number], 'ticket'> & { readonly key: KeyIndex })[];
};

interface Member {
  readonly port: MessagePort;
  /** Makes the worker read what was posted. */
  wake(): void;
  /** Resolves when it has ended, however and whenever that was. */
  readonly ended: Promise<void>;
  /** For one that is stuck. */
  terminate(): void;
  /** After it has ended. */
  release(): void;
  readonly answers: Map<number, PromiseWithResolvers<unknown>>;
  /** What it failed by. */
  failure: Error | undefined;
}

interface PoolEvents {
  news: [message: FromWorker, worker: number];
  /** Once for each worker. */
  failed: [error: Error, worker: number];
}

export type PoolStart = Omit<WorkerStart, 'index' | 'port' | 'fds'> & {
  /** For each worker, its descriptors by PORT_*; -1 where a port is absent. */
  readonly fds: readonly (readonly number[])[];
};

/** How long a worker may take to answer or to end before it counts as stuck, ms. */
const STUCK_MS = 5_000;

export class WorkerPool extends EventEmitter<PoolEvents> {
  readonly #members: Member[] = [];
  readonly #grant: (key: KeyIndex) => bigint;
  readonly #loopPort: ((number: number) => PcapPort) | undefined;
  #nextQuery = 1;
  #stopping = false;

  /**
   * `grant` makes a one-time ticket of a key of main's provider. With `loopPort` the one worker runs on the event loop
   * of this thread, its ports those that `loopPort` gives for numbers; otherwise workers are threads with packet
   * sockets.
   */
  constructor(grant: (key: KeyIndex) => bigint, loopPort?: (number: number) => PcapPort) {
    super();
    this.#grant = grant;
    this.#loopPort = loopPort;
  }

  /** Resolves when every worker has its ports open and its loop running. */
  async start(start: PoolStart): Promise<void> {
    const { fds, ...common } = start;
    await Promise.all(fds.map((own, index) => this.#startOne({ ...common, fds: own }, index)));
  }

  async #startOne(start: Omit<WorkerStart, 'index' | 'port'>, index: number): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    const data: WorkerStart = { ...start, index, port: port2 };
    const member =
      this.#loopPort === undefined ? this.#thread(data, port1) : await this.#onLoop(data, port1, this.#loopPort);
    this.#members[index] = member;
    port1.on('message', (message: FromWorker) => this.#news(member, message, index));
    await Promise.race([
      new Promise<void>((resolve) => {
        const ready = (message: FromWorker): void => {
          if (message.type !== 'ready') return;
          port1.off('message', ready);
          resolve();
        };
        port1.on('message', ready);
      }),
      member.ended.then(() =>
        Promise.reject(member.failure ?? new Error(`datapath worker ${index} ended while starting`)),
      ),
    ]);
  }

  #thread(data: WorkerStart, port: MessagePort): Member {
    const eventFd = native.createEvent();
    const workerData: ThreadStart = { ...data, eventFd };
    const { index } = data;
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData,
      transferList: [data.port],
      name: `datapath-${index}`,
    });
    const member: Member = {
      port,
      wake: () => native.signalEvent(eventFd),
      /* From now on: the thread may have ended long before anybody waits for that. */
      ended: new Promise((resolve) => worker.once('exit', () => resolve())),
      terminate: () => void worker.terminate(),
      release: () => native.closeSocket(eventFd),
      answers: new Map(),
      failure: undefined,
    };
    worker.on('error', (error) => this.#failed(member, error, index));
    worker.on('exit', (code) => {
      if (!this.#stopping) this.#failed(member, new Error(`datapath worker ${index} ended with ${code}`), index);
    });
    return member;
  }

  async #onLoop(data: WorkerStart, port: MessagePort, portOf: (number: number) => PcapPort): Promise<Member> {
    const { create } = await loadProviders(data.cipher);
    const worker = new LoopWorker(data, create(data.grants), portOf);
    /* What runs on this thread is not stuck while somebody asks: an event wakes it, and nothing has to be ended. */
    const nothing = (): void => {};
    const member: Member = {
      port,
      wake: nothing,
      ended: worker.ended.catch((error: unknown) =>
        this.#failed(member, error instanceof Error ? error : new Error(String(error)), data.index),
      ),
      terminate: nothing,
      release: nothing,
      answers: new Map(),
      failure: undefined,
    };
    return member;
  }

  /** An error is followed by the exit that it leads to. */
  #failed(member: Member, error: Error, index: number): void {
    if (member.failure !== undefined) return;
    member.failure = error;
    for (const answer of member.answers.values()) answer.reject(error);
    member.answers.clear();
    this.emit('failed', error, index);
  }

  #news(member: Member, message: FromWorker, index: number): void {
    switch (message.type) {
      case 'answer':
        member.answers.get(message.id)?.resolve(message.value);
        member.answers.delete(message.id);
        break;
      case 'mac':
        this.#toOthers(index, { type: 'mac', mac: message.mac, port: message.port });
        break;
      case 'remember':
        this.#toOthers(index, { type: 'remembered', peers: [message.peer] });
        this.emit('news', message, index);
        break;
      default:
        this.emit('news', message, index);
    }
  }

  #toOthers(index: number, message: ToWorker): void {
    this.#members.forEach((member, other) => {
      if (other !== index) this.#post(member, message);
    });
  }

  #post(member: Member, message: ToWorker): void {
    member.port.postMessage(message);
    member.wake();
  }

  broadcast(message: ToWorker): void {
    for (const member of this.#members) this.#post(member, message);
  }

  setIdentity(identity: IdentityKeys | undefined): void {
    for (const member of this.#members) {
      this.#post(member, { type: 'identity', identity: identity && this.#ticketed(identity) });
    }
  }

  #ticketed(identity: IdentityKeys): IdentityMessage {
    return {
      ...identity,
      staticSecret: this.#grant(identity.staticSecret),
      domainKeys: identity.domainKeys.map(({ version, key }) => ({ version, ticket: this.#grant(key) })),
      groupKeys: identity.groupKeys.map(({ key, ...rest }) => ({ ...rest, ticket: this.#grant(key) })),
    };
  }

  setPolicy(policy: PolicySettings): void {
    this.broadcast({ type: 'policy', policy });
  }

  /** The reopened sockets of a port that came back, one list of descriptors per worker. */
  setPorts(fds: readonly (readonly number[])[], mtus: readonly number[]): void {
    this.#members.forEach((member, index) => {
      this.#post(member, { type: 'ports', fds: fds[index]!, mtus });
    });
  }

  /** One answer per worker, in worker order. A worker that failed, or does not answer in time, rejects the query. */
  async query<T>(query: Query): Promise<T[]> {
    return Promise.all(this.#members.map((member, index) => this.#ask<T>(member, query, index)));
  }

  async #ask<T>(member: Member, query: Query, index: number): Promise<T> {
    if (member.failure !== undefined) throw member.failure;
    const id = this.#nextQuery++;
    const answer = Promise.withResolvers<unknown>();
    member.answers.set(id, answer);
    const timer = setTimeout(() => answer.reject(new Error(`datapath worker ${index} does not answer`)), STUCK_MS);
    this.#post(member, { type: 'query', id, query });
    try {
      return (await answer.promise) as T;
    } finally {
      clearTimeout(timer);
      member.answers.delete(id);
    }
  }

  /** Resolves when no worker runs any more, also where some had failed before, or fail on the way. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#members.map(async (member) => {
        this.#post(member, { type: 'stop' });
        const stuck = setTimeout(() => member.terminate(), STUCK_MS);
        await member.ended;
        clearTimeout(stuck);
        member.port.close();
        member.release();
      }),
    );
    this.#members.length = 0;
  }
}

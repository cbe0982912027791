/**
 * Main's side of the datapath: starts the workers, hands them keys and policy, asks them, passes news between them.
 * The main thread never touches a packet.
 */
import { EventEmitter, once } from 'node:events';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { native } from '#native/native.ts';
import type { KeyIndex } from '#transform/cipher.ts';
import type { FromWorker, IdentityMessage, PolicySettings, Query, ToWorker } from './messages.ts';
import type { WorkerStart } from './worker.ts';

/** Keys as main's provider holds them; the pool turns them into one ticket per worker. */
export type IdentityKeys = Omit<IdentityMessage, 'staticSecret' | 'domainKeys' | 'groupKeys'> & {
  readonly staticSecret: KeyIndex;
  readonly domainKeys: readonly { readonly version: number; readonly key: KeyIndex }[];
  readonly groupKeys: readonly (Omit<IdentityMessage['groupKeys'][number], 'ticket'> & { readonly key: KeyIndex })[];
};

interface Member {
  readonly worker: Worker;
  readonly port: MessagePort;
  readonly eventFd: number;
  readonly answers: Map<number, (value: unknown) => void>;
}

interface PoolEvents {
  news: [message: FromWorker, worker: number];
  failed: [error: Error, worker: number];
}

export type PoolStart = Omit<WorkerStart, 'index' | 'eventFd' | 'port' | 'fds'> & {
  /** For each worker, its descriptors by PORT_*; -1 where a port is absent. */
  readonly fds: readonly (readonly number[])[];
};

/** How long a worker may take to answer or to end before it counts as stuck, ms. */
const STUCK_MS = 5_000;

export class WorkerPool extends EventEmitter<PoolEvents> {
  readonly #members: Member[] = [];
  readonly #grant: (key: KeyIndex) => bigint;
  #nextQuery = 1;
  #stopping = false;

  /** `grant` makes a one-time ticket of a key of main's provider. */
  constructor(grant: (key: KeyIndex) => bigint) {
    super();
    this.#grant = grant;
  }

  /** Resolves when every worker has its ports open and its loop running. */
  async start(start: PoolStart): Promise<void> {
    const { fds, ...common } = start;
    await Promise.all(fds.map((own, index) => this.#startOne({ ...common, fds: own }, index)));
  }

  async #startOne(start: Omit<WorkerStart, 'index' | 'eventFd' | 'port'>, index: number): Promise<void> {
    const eventFd = native.createEvent();
    const { port1, port2 } = new MessageChannel();
    const data: WorkerStart = { ...start, index, eventFd, port: port2 };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: data,
      transferList: [port2],
      name: `datapath-${index}`,
    });
    const member: Member = { worker, port: port1, eventFd, answers: new Map() };
    this.#members[index] = member;
    port1.on('message', (message: FromWorker) => this.#news(member, message, index));
    worker.on('error', (error) => this.emit('failed', error, index));
    worker.on('exit', (code) => {
      if (!this.#stopping) this.emit('failed', new Error(`datapath worker ${index} ended with ${code}`), index);
    });
    await Promise.race([
      new Promise<void>((resolve) => {
        const ready = (message: FromWorker): void => {
          if (message.type !== 'ready') return;
          port1.off('message', ready);
          resolve();
        };
        port1.on('message', ready);
      }),
      once(worker, 'exit').then(() => Promise.reject(new Error(`datapath worker ${index} ended while starting`))),
    ]);
  }

  #news(member: Member, message: FromWorker, index: number): void {
    switch (message.type) {
      case 'answer':
        member.answers.get(message.id)?.(message.value);
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
    native.signalEvent(member.eventFd);
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

  /** One answer per worker, in worker order. A worker that does not answer in time rejects the query. */
  async query<T>(query: Query): Promise<T[]> {
    return Promise.all(
      this.#members.map(
        (member, index) =>
          new Promise<T>((resolve, reject) => {
            const id = this.#nextQuery++;
            const timer = setTimeout(() => {
              member.answers.delete(id);
              reject(new Error(`datapath worker ${index} does not answer`));
            }, STUCK_MS);
            member.answers.set(id, (value) => {
              clearTimeout(timer);
              resolve(value as T);
            });
            this.#post(member, { type: 'query', id, query });
          }),
      ),
    );
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      this.#members.map(async (member) => {
        const ended = once(member.worker, 'exit');
        this.#post(member, { type: 'stop' });
        const stuck = setTimeout(() => void member.worker.terminate(), STUCK_MS);
        await ended;
        clearTimeout(stuck);
        member.port.close();
        native.closeSocket(member.eventFd);
      }),
    );
    this.#members.length = 0;
  }
}

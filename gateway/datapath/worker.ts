/**
 * A datapath worker: waits for frames, timers and words from main, all in one poll(2); nothing is ever awaited.
 *
 *   wait ─► messages from main ─► datapath.turn (receive, decide, cipher, transmit, timers) ─► news to main ─► wait
 *
 * Main owns the sockets and lends them. The thread owns its keys, PIT shard, hold queue and negotiations; it shares nothing with other workers.
 */
import { randomFillSync } from 'node:crypto';
import { type MessagePort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Millis } from '#dprp/spec.ts';
import { native } from '#native/native.ts';
import { PacketPort } from '#port/packet.ts';
import type { Port } from '#port/port.ts';
import type { CipherProvider } from '#transform/cipher.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { PORTS } from '#wire/record.ts';
import { Datapath } from './datapath.ts';
import { Desk } from './desk.ts';
import type { FromWorker, PolicySettings, ToWorker } from './messages.ts';

export interface WorkerStart {
  readonly index: number;
  readonly workers: number;
  readonly cipher: 'native' | 'noble';
  /** Tickets of `noble` keys cross threads in this. */
  readonly grants: SharedArrayBuffer | undefined;
  readonly kind: 'bridge' | 'router';
  /** Descriptors, names and MTUs by PORT_*; -1 where a port is absent. */
  readonly fds: readonly number[];
  readonly names: readonly string[];
  readonly mtus: readonly number[];
  /** MAC address of the management port's kernel end, as a number; undefined without one. */
  readonly managementMac: number | undefined;
  readonly policy: PolicySettings;
  readonly eventFd: number;
  readonly port: MessagePort;
}

const start = workerData as WorkerStart;

function now(): Millis {
  return (Number(process.hrtime.bigint()) / 1e6) as Millis;
}

function openPorts(fds: readonly number[], mtus: readonly number[]): (Port | undefined)[] {
  return Array.from({ length: PORTS }, (_, role) =>
    fds[role]! >= 0 ? new PacketPort(fds[role]!, start.names[role]!, mtus[role]!) : undefined,
  );
}

const provider: CipherProvider =
  start.cipher === 'native'
    ? createNativeProvider()
    : createNobleProvider(start.grants === undefined ? {} : { grants: start.grants });
/** What main is to hear once the packets at hand have left: telling costs more time than sealing them. */
const news: FromWorker[] = [];

function tellNews(): void {
  for (const message of news) start.port.postMessage(message);
  news.length = 0;
}

const datapath = new Datapath({
  provider,
  ports: openPorts(start.fds, start.mtus),
  managementMac: start.managementMac,
  policy: start.policy,
  random: (length) => randomFillSync(new Uint8Array(length)),
  tell: (message) => news.push(message),
  now: now(),
});
const desk = new Desk(datapath, provider, start.index);

const fds = new Int32Array(PORTS + 1);
const ready = new Int32Array(PORTS + 1);

function listWaited(): number {
  let count = 0;
  fds[count++] = start.eventFd;
  for (const port of datapath.ports) if (port !== undefined && port.fd >= 0) fds[count++] = port.fd;
  return count;
}

/** False when main asked to stop. */
function readMessages(): boolean {
  native.clearEvent(start.eventFd);
  for (let next = receiveMessageOnPort(start.port); next !== undefined; next = receiveMessageOnPort(start.port)) {
    const message = next.message as ToWorker;
    if (message.type === 'stop') return false;
    if (message.type === 'ports') {
      datapath.replacePorts(openPorts(message.fds, message.mtus));
      waited = listWaited();
    } else {
      const answer = desk.handle(message, now());
      if (answer !== undefined) start.port.postMessage(answer);
    }
  }
  return true;
}

let waited = listWaited();
start.port.postMessage({ type: 'ready' });
let running = true;
while (running) {
  const timeout = Math.max(0, Math.min(1_000, Math.ceil(datapath.nextTimeout() - now())));
  native.wait(fds, waited, ready, timeout);
  if (ready[0] !== 0) running = readMessages();
  datapath.turn(now());
  if (news.length > 0) tellNews();
}
datapath.close();
provider.close();
start.port.postMessage({ type: 'stopped' });
start.port.close();

/**
 * A datapath worker on a thread of its own: waits for frames, timers and words from main, all in one `native.next`;
 * nothing is ever awaited.
 *
 *   rehearse ─► ready ─► next (wait, take frames) ─► messages from main ─► turn ─► news to main ─► next
 *
 * Main owns the sockets and lends them. The thread owns its keys, PIT shard, hold queue and negotiations; it shares
 * nothing with other workers.
 */
import { flushCompileCache } from 'node:module';
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Millis } from '#dprp/spec.ts';
import { native } from '#native/native.ts';
import { PacketPort } from '#port/packet.ts';
import { loadProviders } from '#transform/providers/load.ts';
import { PORTS } from '#wire/record.ts';
import type { ToWorker } from './messages.ts';
import { rehearse } from './rehearsal.ts';
import { WorkerBody, type WorkerStart } from './worker-body.ts';

/** `eventFd` wakes the thread for what main has posted. */
export type ThreadStart = WorkerStart & { readonly eventFd: number };

const start = workerData as ThreadStart;
const { create } = await loadProviders(start.cipher);
/* `noble` would take seconds, and it is not what one hurries with. */
if (start.cipher === 'native') rehearse(create);
const body = new WorkerBody(start, create(start.grants), (fd, name, mtu) => new PacketPort(fd, name, mtu));

/** Words from main, then the ports in the order in which a turn asks them; -1 for one that is not there. */
const fds = new Int32Array(PORTS + 1);
const ready = new Int32Array(PORTS + 1);
/** Written and read by native.next: the time now, and until when to wait. */
const clock = new Float64Array(2);
const NOW = 0;
const UNTIL = 1;

function listWaited(): void {
  fds[0] = start.eventFd;
  for (let role = 0; role < PORTS; role++) fds[role + 1] = body.datapath.ports[role]?.fd ?? -1;
}

/** False when main asked to stop. */
function readMessages(at: Millis): boolean {
  native.clearEvent(start.eventFd);
  for (let next = receiveMessageOnPort(start.port); next !== undefined; next = receiveMessageOnPort(start.port)) {
    const message = next.message as ToWorker;
    /* What was taken is the former ports'. */
    if (message.type === 'ports') body.turn(at);
    if (!body.handle(message)) return false;
    if (message.type === 'ports') listWaited();
  }
  return true;
}

/**
 * Frames were taken for the first port that was ready: those before it have none, those behind it are asked as ever.
 */
function handOut(taken: number): void {
  const { ports } = body.datapath;
  for (let role = 0; role < PORTS; role++) {
    const port = ports[role];
    const first = ready[role + 1] !== 0;
    if (port instanceof PacketPort) port.taken = first ? taken : 0;
    if (first) return;
  }
}

/** A function of its own: V8 keeps a module's top level interpreted for longer. */
function run(): void {
  const { datapath } = body;
  for (let running = true; running; ) {
    clock[UNTIL] = body.nextTimeout();
    const taken = native.next(fds, PORTS + 1, ready, clock, datapath.slab, datapath.batch, datapath.most);
    const at = clock[NOW] as Millis;
    handOut(taken);
    if (ready[0] !== 0) running = readMessages(at);
    body.turn(at);
  }
}

listWaited();
flushCompileCache();
globalThis.gc?.();
start.port.postMessage({ type: 'ready' });
run();
body.close();

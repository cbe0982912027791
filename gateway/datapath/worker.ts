/**
 * A datapath worker on a thread of its own: waits for frames, timers and words from main, all in one poll(2); nothing is
 * ever awaited.
 *
 *   wait ─► messages from main ─► turn (receive, decide, cipher, transmit, timers) ─► news to main ─► wait
 *
 * Main owns the sockets and lends them. The thread owns its keys, PIT shard, hold queue and negotiations; it shares nothing with other workers.
 */
import { receiveMessageOnPort, workerData } from 'node:worker_threads';
import { native } from '#native/native.ts';
import { PacketPort } from '#port/packet.ts';
import { PORTS } from '#wire/record.ts';
import type { ToWorker } from './messages.ts';
import { WorkerBody, type WorkerStart } from './worker-body.ts';

/** `eventFd` wakes the thread for what main has posted. */
export type ThreadStart = WorkerStart & { readonly eventFd: number };

const start = workerData as ThreadStart;
const body = new WorkerBody(start, (fd, name, mtu) => new PacketPort(fd, name, mtu));
const fds = new Int32Array(PORTS + 1);
const ready = new Int32Array(PORTS + 1);

function listWaited(): number {
  let count = 0;
  fds[count++] = start.eventFd;
  for (const port of body.datapath.ports) if (port !== undefined && port.fd >= 0) fds[count++] = port.fd;
  return count;
}

/** False when main asked to stop. */
function readMessages(): boolean {
  native.clearEvent(start.eventFd);
  for (let next = receiveMessageOnPort(start.port); next !== undefined; next = receiveMessageOnPort(start.port)) {
    const message = next.message as ToWorker;
    if (!body.handle(message)) return false;
    if (message.type === 'ports') waited = listWaited();
  }
  return true;
}

let waited = listWaited();
start.port.postMessage({ type: 'ready' });
let running = true;
while (running) {
  native.wait(fds, waited, ready, body.patience());
  if (ready[0] !== 0) running = readMessages();
  body.turn();
}
body.close();

/**
 * Is loaded before a gateway (NODE_OPTIONS=--import) whose workers are to be profiled, and does nothing in other
 * programs.
 *
 *   runner ── Unix socket ── main thread of the gateway ── inspector ── worker: Profiler, GCProfiler
 *
 * A worker never returns to its event loop; the inspector reaches it between two instructions of its own.
 */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { GCProfiler } from 'node:v8';
import { isMainThread, threadId } from 'node:worker_threads';

/** Of an order's answer, one for each worker. */
export interface Probed {
  /** A .cpuprofile. */
  readonly file: string;
  readonly collections: number;
  readonly collectionMs: number;
}

/** Folder where the runner looks for sockets and profiles. */
export const FOLDER_VARIABLE = 'GSCIP_PROFILE';
export const socketOf = (folder: string, pid: number): string => join(folder, `${pid}.sock`);

/** Between two samples of the stack, µs. */
const INTERVAL_US = 250;

interface WorkerProbe {
  start(): void;
  stop(): Probed;
}

declare global {
  var gscipProbe: WorkerProbe | undefined;
}

/* ---- in a worker ------------------------------------------------------------------------------------------------- */

function workerProbe(folder: string): WorkerProbe {
  const session = new Session();
  session.connect();
  let collector = new GCProfiler();
  return {
    start() {
      session.post('Profiler.enable');
      session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
      collector = new GCProfiler();
      collector.start();
      session.post('Profiler.start');
    },
    stop() {
      const file = join(folder, `${process.pid}-${threadId}.cpuprofile`);
      session.post('Profiler.stop', (error, result) => {
        if (error !== null) throw error;
        writeFileSync(file, JSON.stringify(result.profile));
      });
      const { statistics } = collector.stop()!;
      /* Costs are in µs. */
      return {
        file,
        collections: statistics.length,
        collectionMs: statistics.reduce((sum, { cost }) => sum + cost, 0) / 1_000,
      };
    },
  };
}

/* ---- in the main thread ------------------------------------------------------------------------------------------ */

type Attached = { readonly params: { readonly sessionId: string; readonly workerInfo: { readonly title: string } } };
type Received = { readonly params: { readonly sessionId: string; readonly message: string } };
interface Reply {
  readonly id?: number;
  readonly result?: { readonly result?: { readonly value?: Probed }; readonly exceptionDetails?: object };
}

function mainProbe(folder: string): void {
  const session = new Session();
  session.connect();
  const workers: string[] = [];
  const waiting = new Map<number, (reply: Reply) => void>();
  let sent = 0;
  session.on('NodeWorker.attachedToWorker', ({ params }: Attached) => workers.push(params.sessionId));
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }: Received) => {
    const reply = JSON.parse(params.message) as Reply;
    if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
  });
  session.post('NodeWorker.enable', { waitForDebuggerOnStart: false });

  const ask = (sessionId: string, expression: string): Promise<Reply> =>
    new Promise((resolve) => {
      const id = ++sent;
      waiting.set(id, resolve);
      const message = JSON.stringify({ id, method: 'Runtime.evaluate', params: { expression, returnByValue: true } });
      session.post('NodeWorker.sendMessageToWorker', { sessionId, message });
    });

  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    createInterface({ input: socket }).on('line', async (order) => {
      const replies = await Promise.all(workers.map((w) => ask(w, `globalThis.gscipProbe?.${order}()`)));
      const failed = replies.find((r) => r.result?.exceptionDetails !== undefined);
      const answers = replies.map((r) => r.result?.result?.value).filter((v) => v !== undefined);
      socket.write(`${JSON.stringify(failed === undefined ? { answers } : { failed })}\n`);
    });
  });
  server.listen(socketOf(folder, process.pid)).unref();
  void once(server, 'error').then(([error]) => console.error(`the probe has no socket: ${String(error)}`));
}

const folder = process.env[FOLDER_VARIABLE];
if (folder !== undefined) {
  if (!isMainThread) globalThis.gscipProbe = workerProbe(folder);
  else if (process.argv[1]?.endsWith('gateway/cli/main.ts') && process.argv[2] === 'run') mainProbe(folder);
}

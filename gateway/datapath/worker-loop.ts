/**
 * A datapath worker on the event loop of the main thread, where libpcap's ports live (#port/pcap-library.ts):
 *
 *   frames come to wait ─► after the events at hand: turn ─► once more while frames wait ─► timer until something is due
 *
 * A turn is bounded, so the API and the key client have theirs between two of them. Nothing runs while nothing comes.
 */
import type { PcapPort } from '#port/pcap.ts';
import type { CipherProvider } from '#transform/cipher.ts';
import type { ToWorker } from './messages.ts';
import { WorkerBody, type WorkerStart } from './worker-body.ts';

export class LoopWorker {
  /** Resolves when the worker has stopped; rejects with what it failed by. */
  readonly ended: Promise<void>;
  readonly #settle = Promise.withResolvers<void>();
  readonly #body: WorkerBody;
  readonly #run = (): void => this.#guarded(() => this.#turn());
  #immediate: NodeJS.Immediate | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = 0;
  #running = true;

  /** `portOf` gives the port of a number in `fds`. */
  constructor(start: WorkerStart, provider: CipherProvider, portOf: (number: number) => PcapPort) {
    this.ended = this.#settle.promise;
    this.#body = new WorkerBody(start, provider, (number, _name, mtu) => {
      const port = portOf(number);
      port.mtu = mtu;
      port.onArrival = () => this.#soon();
      return port;
    });
    start.port.on('message', (message: ToWorker) => this.#guarded(() => this.#handle(message)));
    start.port.postMessage({ type: 'ready' });
    this.#soon();
  }

  #soon(): void {
    if (this.#running) this.#immediate ??= setImmediate(this.#run);
  }

  /** As of a thread: an error of our own ends the worker, and whoever owns it the gateway. */
  #guarded(step: () => void): void {
    try {
      if (this.#running) step();
    } catch (error) {
      this.#halt();
      this.#settle.reject(error);
    }
  }

  #turn(): void {
    this.#immediate = undefined;
    this.#body.turn();
    if (this.#body.datapath.ports.some((port) => ((port as PcapPort | undefined)?.waiting ?? 0) > 0)) this.#soon();
    this.#wakeIn(this.#body.patience());
  }

  /** A timer that is due earlier stays: it only looks once too often. */
  #wakeIn(delay: number): void {
    const at = performance.now() + delay;
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#run();
    }, delay);
  }

  #handle(message: ToWorker): void {
    if (this.#body.handle(message)) {
      this.#soon();
      return;
    }
    this.#halt();
    this.#body.close();
    this.#settle.resolve();
  }

  #halt(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
  }
}

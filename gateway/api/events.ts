/**
 * Server-sent events: one bounded queue per listener, so that a listener that does not read costs little and is told
 * what it missed.
 */
import type { Context } from 'hono';
import { streamSSE } from 'hono/streaming';
import type { GatewayView } from './view.ts';
import type { GatewayEvent } from './views.ts';

/** Events that wait for one slow listener; older ones make room. */
export const MAX_WAITING = 256;
/** Listeners at once: a few people and a page each. */
export const MAX_LISTENERS = 32;
/** A comment line is sent after this silence, ms, so that a dead connection is found out. */
const HEARTBEAT_MS = 15_000;

/** What waits for one listener. `next` gives the oldest, or undefined after `close` or `HEARTBEAT_MS` of silence. */
export class EventQueue {
  readonly #waiting: GatewayEvent[] = [];
  #lost = 0;
  #wake: (() => void) | undefined;
  closed = false;

  put(event: GatewayEvent): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#waiting.shift();
      this.#lost++;
    }
    this.#waiting.push(event);
    this.#wake?.();
  }

  take(): GatewayEvent | undefined {
    if (this.#lost > 0) {
      const event: GatewayEvent = {
        time: new Date().toISOString(),
        level: 'warning',
        name: 'events-lost',
        details: { count: this.#lost },
      };
      this.#lost = 0;
      return event;
    }
    return this.#waiting.shift();
  }

  /** Resolves when there is something to take, the queue is closed, or `ms` have passed. */
  async wait(ms: number): Promise<void> {
    if (this.#waiting.length > 0 || this.#lost > 0 || this.closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  close(): void {
    this.closed = true;
    this.#wake?.();
  }
}

/** The open event streams of one app. */
export class EventStreams {
  readonly #queues = new Set<EventQueue>();

  get full(): boolean {
    return this.#queues.size >= MAX_LISTENERS;
  }

  open(context: Context, view: GatewayView): Response {
    const queue = new EventQueue();
    this.#queues.add(queue);
    const unsubscribe = view.subscribe((event) => queue.put(event));
    const end = (): void => {
      unsubscribe();
      queue.close();
      this.#queues.delete(queue);
    };
    return streamSSE(context, async (stream) => {
      stream.onAbort(end);
      try {
        /* The listener learns at once that it is connected. */
        await stream.write(': connected\n\n');
        do {
          await queue.wait(HEARTBEAT_MS);
          let event = queue.take();
          if (event === undefined && !queue.closed) await stream.write(': still here\n\n');
          for (; event !== undefined; event = queue.take()) {
            await stream.writeSSE({ event: event.name, data: JSON.stringify(event) });
          }
        } while (!queue.closed);
      } finally {
        end();
      }
    });
  }

  /** Ends all streams behind what already waits in them. */
  close(): void {
    for (const queue of this.#queues) queue.close();
  }
}

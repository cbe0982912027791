/** The event stream of one session: kept open, each end followed by another attempt after a pause. docs/gms.md § 6. */
import { compareSequence, type Sequence } from '#gms/delivery.ts';
import type { GmsError } from '#gms/errors.ts';
import { Backoff } from './backoff.ts';
import { announcedSequence } from './events.ts';
import type { GmsSession } from './session.ts';
import type { Timers } from './timers.ts';

export interface StreamOwner {
  /** Asks the GMS for what happened while no stream was open; never rejected. */
  catchUp(): Promise<void>;
  /** The GMS announced a bundle: `announced`. */
  announced(): void;
  /** A word from the GMS, heartbeats included. */
  heard(): void;
  /** The stream began or ended. */
  changed(): void;
  /** A stream did not begin: why, in the GMS's words. */
  refusal(error: unknown): GmsError;
}

export class EventStream {
  readonly #session: GmsSession;
  readonly #timers: Timers;
  readonly #owner: StreamOwner;
  readonly #pauses: Backoff;
  #stopped = false;
  #open = false;
  #announced: Sequence | undefined;
  #error: GmsError | undefined;

  /** `random`: 0 ≤ n < 1. */
  constructor(session: GmsSession, timers: Timers, random: () => number, owner: StreamOwner) {
    this.#session = session;
    this.#timers = timers;
    this.#owner = owner;
    this.#pauses = new Backoff(random);
  }

  get open(): boolean {
    return this.#open;
  }

  /** The next attempt is due by a timer: it begins by catching up. */
  get pausing(): boolean {
    return this.#timers.has('stream');
  }

  /** Why the last attempt did not begin. */
  get error(): GmsError | undefined {
    return this.#error;
  }

  /** Whether `held` is what the stream announced last: it announces what is there as soon as it begins. */
  announcedIs(held: Sequence | undefined): boolean {
    return held !== undefined && this.#announced !== undefined && compareSequence(this.#announced, held) === 0;
  }

  follow(): void {
    if (this.#stopped) return;
    this.#session
      .follow({
        opened: () => {
          if (this.#stopped) return;
          this.#open = true;
          this.#announced = undefined;
          this.#error = undefined;
          this.#pauses.reset();
          this.#owner.changed();
        },
        event: (event) => {
          const announced = announcedSequence(event);
          if (this.#stopped || announced === undefined) return;
          this.#announced = announced;
          this.#owner.announced();
        },
        heard: () => {
          if (!this.#stopped) this.#owner.heard();
        },
      })
      .catch((error) => {
        if (!this.#stopped) this.#error = this.#owner.refusal(error);
      })
      .finally(() => {
        this.#open = false;
        if (this.#stopped) return;
        this.#timers.after('stream', this.#pauses.next(), () => {
          void this.#owner.catchUp().then(() => this.follow());
        });
        this.#owner.changed();
      });
  }

  /** Ends the stream; none is opened from now on. */
  stop(): void {
    this.#stopped = true;
    this.#open = false;
    this.#timers.cancel('stream');
    this.#session.endStream();
  }
}

/** Signed requests of one enrolled gateway, and the GMS's time, which every answer over the pinned connection tells. */
import type { KeyObject } from 'node:crypto';
import { BUNDLE_MAX } from '#gms/bundle.ts';
import { HEARTBEAT_MS, PATHS, type Sequence, sequenceText } from '#gms/delivery.ts';
import { type Endpoint, formatEndpoint } from '#gms/endpoint.ts';
import { GmsError } from '#gms/errors.ts';
import { signRequest, TIME_HEADER } from '#gms/request.ts';
import type { Clock } from './clock.ts';
import { type Answer, GmsConnection, type Patience } from './connection.ts';
import { EventReader, type ServerEvent } from './events.ts';
import type { StoredIdentity } from './store.ts';

/** A stream is given up after so much silence; ms. */
const SILENCE_MS = 3 * HEARTBEAT_MS;

export interface StreamWatcher {
  /** The stream began. */
  opened(): void;
  event(event: ServerEvent): void;
  /** A word from the GMS, heartbeats included; its events were told before. */
  heard(): void;
}

export class GmsSession {
  readonly #ge: string;
  readonly #signing: KeyObject;
  readonly #clock: Clock;
  readonly #connection: GmsConnection;
  /** GMS time (ms since 1970) and our monotonic time at one moment. */
  #time: { readonly gms: number; readonly monotonic: number } | undefined;
  #endStream: (() => void) | undefined;
  #acknowledged: string | undefined;
  /** The address that answered last. */
  address: string | undefined;

  constructor(identity: StoredIdentity, signing: KeyObject, clock: Clock, patience?: Patience) {
    this.#ge = identity.ge;
    this.#signing = signing;
    this.#clock = clock;
    const fingerprint = new Uint8Array(Buffer.from(identity.fingerprint, 'hex'));
    this.#connection = new GmsConnection(identity.endpoints, fingerprint, BUNDLE_MAX, patience);
  }

  set endpoints(endpoints: readonly Endpoint[]) {
    this.#connection.endpoints = endpoints;
  }

  /** The GMS's time, ms since 1970, as well as we know it: the box's own until the GMS told it. */
  now(): number {
    if (this.#time === undefined) return this.#clock.wall();
    return Math.floor(this.#time.gms + this.#clock.monotonic() - this.#time.monotonic);
  }

  /** It is `gms` ms since 1970 at the GMS now. */
  setTime(gms: number): void {
    this.#time = { gms, monotonic: this.#clock.monotonic() };
  }

  #learnTime(headers: Answer['headers']): void {
    const time = Number(headers[TIME_HEADER]);
    if (Number.isSafeInteger(time) && time > 0) this.setTime(time);
  }

  #headers(method: string, path: string, body = new Uint8Array()): Record<string, string> {
    return { authorization: signRequest(this.#signing, this.#ge, method, path, this.now(), body) };
  }

  /** One request; asked again once when only the clock was wrong. @throws GmsError */
  async ask(method: 'GET' | 'POST', path: string, body?: Uint8Array<ArrayBuffer>): Promise<Answer> {
    for (let attempt = 0; ; attempt++) {
      const headers = this.#headers(method, path, body);
      const answer = await this.#connection.ask({ method, path, headers, ...(body === undefined ? {} : { body }) });
      this.address = formatEndpoint(answer.endpoint);
      if (answer.status < 300) return answer;
      const refusal = refusalOf(answer.body, answer.status);
      if (refusal.code !== 'clock' || attempt > 0) throw refusal;
      this.#learnTime(answer.headers);
    }
  }

  /** Says once that this bundle is in use; what could not be said is said by the next call. Never rejected. */
  async acknowledge(sequence: Sequence, software: string | undefined): Promise<void> {
    if (this.#acknowledged === sequenceText(sequence)) return;
    const body = new TextEncoder().encode(JSON.stringify({ sequence, software }));
    try {
      await this.ask('POST', PATHS.acknowledge, body);
      this.#acknowledged = sequenceText(sequence);
    } catch {
      /* The bundle is in use all the same. */
    }
  }

  /** Follows the event stream; fulfilled when it ends. @throws GmsError when it does not begin */
  async follow(watcher: StreamWatcher): Promise<void> {
    const headers = this.#headers('GET', PATHS.events);
    const { response, endpoint } = await this.#connection.open({ method: 'GET', path: PATHS.events, headers });
    if (response.statusCode !== 200) {
      this.#learnTime(response.headers);
      throw refusalOf(await this.#connection.read(response, endpoint), response.statusCode ?? 0);
    }
    this.address = formatEndpoint(endpoint);
    const end = (): void => void response.destroy();
    this.#endStream = end;
    let cancel = this.#clock.after(SILENCE_MS, end);
    watcher.opened();
    try {
      const reader = new EventReader();
      for await (const chunk of response as AsyncIterable<Buffer>) {
        cancel();
        cancel = this.#clock.after(SILENCE_MS, end);
        const events = reader.read(chunk);
        if (events === undefined) break;
        for (const event of events) watcher.event(event);
        watcher.heard();
      }
    } catch {
      /* An interrupted stream is one that ended. */
    } finally {
      cancel();
      end();
      if (this.#endStream === end) this.#endStream = undefined;
    }
  }

  /** Ends the event stream, if one is open. */
  endStream(): void {
    this.#endStream?.();
  }

  close(): void {
    this.endStream();
    this.#connection.close();
  }
}

/** What an answer that is no success says. */
function refusalOf(body: Uint8Array, status: number): GmsError {
  try {
    const refusal = GmsError.fromJSON(JSON.parse(new TextDecoder().decode(body)));
    if (refusal !== undefined) return refusal;
  } catch {
    /* Not JSON: not our GMS's words. */
  }
  return new GmsError('bad-answer', { problem: `status ${status}` });
}

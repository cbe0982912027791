/** Talks to the running gateway: HTTP over its Unix socket. */
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { ErrorView } from '#api/views.ts';
import { apiSocket } from '#config/state.ts';
import { EXIT_FAILED, EXIT_MISTAKE, Failure } from './failure.ts';
import type { Say } from './messages.ts';

/** A gateway that says nothing for this long, ms, is told about as one that does not answer. */
const ANSWER_MS = 10_000;

export interface Answer<View> {
  /** The body as it came. */
  readonly text: string;
  readonly view: View;
}

export type Parameters = Readonly<Record<string, string | undefined>>;

export class GatewayClient {
  readonly #stateDir: string;
  readonly #say: Say;

  constructor(stateDir: string, say: Say) {
    this.#stateDir = stateDir;
    this.#say = say;
  }

  /** `path` below /api/v1. Throws Failure: not running, not allowed, no answer, or what the gateway says. */
  async get<View>(path: string, parameters: Parameters = {}): Promise<Answer<View>> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters)) if (value !== undefined) query.set(name, value);
    const response = await this.#request('GET', query.size > 0 ? `${path}?${query}` : path);
    return this.#answer<View>(response);
  }

  async post<View>(path: string, body: unknown): Promise<Answer<View>> {
    return this.#answer<View>(await this.#request('POST', path, JSON.stringify(body)));
  }

  /** Asks the gateway to stop. One that ends before it could answer has stopped as well. */
  async stop(reason: string): Promise<void> {
    await this.post('stop', { reason }).catch((error) => {
      if (!(error instanceof CutOff || error instanceof NotRunning)) throw error;
    });
  }

  /**
   * Calls `each` with the JSON text of every event, until `signal` is aborted (then it returns) or the gateway ends it
   * (false).
   */
  async events(each: (json: string) => void, signal: AbortSignal): Promise<boolean> {
    const response = await this.#request('GET', 'events', undefined, signal);
    if (response.statusCode !== 200) await this.#answer(response);
    response.setTimeout(0);
    try {
      for await (const line of createInterface({ input: response })) {
        if (line.startsWith('data: ')) each(line.slice(6));
      }
    } catch (error) {
      if (!signal.aborted && (error as NodeJS.ErrnoException).code !== 'ECONNRESET') throw error;
    }
    return signal.aborted;
  }

  /** True while a process has the socket. Asks it nothing: one that is stopping has no answers any more. */
  running(): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const socket = connect(apiSocket(this.#stateDir));
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', (error) => {
        const failure = this.#failureOf(error);
        if (failure instanceof NotRunning) resolve(false);
        /* It is just ending. */ else if (failure instanceof CutOff) resolve(true);
        else reject(failure);
      });
    });
  }

  #request(method: string, path: string, body?: string, signal?: AbortSignal): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const outgoing = request({
        socketPath: apiSocket(this.#stateDir),
        method,
        /* A connection of its own each time: a kept one may have been closed by a gateway that stops. */
        agent: false,
        path: `/api/v1/${path}`,
        timeout: ANSWER_MS,
        ...(signal !== undefined && { signal }),
        ...(body !== undefined && { headers: { 'content-type': 'application/json' } }),
      });
      outgoing.once('response', resolve);
      outgoing.once('timeout', () => outgoing.destroy(new Error(`${ANSWER_MS / 1000} s`)));
      outgoing.once('error', (error) => reject(this.#failureOf(error)));
      outgoing.end(body);
    });
  }

  #failureOf(error: NodeJS.ErrnoException): Failure {
    const state = this.#stateDir;
    if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
      return new NotRunning([this.#say('not-running', { state })]);
    if (error.code === 'EACCES' || error.code === 'EPERM') return new Failure([this.#say('not-allowed', { state })]);
    if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return new CutOff([this.#say('connection-ended')]);
    return new Failure([this.#say('no-answer', { why: error.code ?? error.message })]);
  }

  async #answer<View>(response: IncomingMessage): Promise<Answer<View>> {
    const text = await bodyOf(response).catch((error) => {
      throw this.#failureOf(error);
    });
    let view: unknown;
    try {
      view = JSON.parse(text);
    } catch {
      throw new Failure([this.#say('not-understood')]);
    }
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return { text, view: view as View };
    const { message, field } = (view as Partial<ErrorView>).error ?? {};
    const words = message?.[this.#say.language];
    if (words === undefined) throw new Failure([this.#say('not-understood')]);
    const line = field === undefined ? words : this.#say.language === 'ja' ? `${field}${words}` : `${field} ${words}`;
    throw new Failure([line], status === 400 ? EXIT_MISTAKE : EXIT_FAILED);
  }
}

/** No process has the socket. */
class NotRunning extends Failure {}
/** The process ended, or closed, while it was asked. */
class CutOff extends Failure {}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

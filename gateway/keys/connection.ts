/**
 * TLS 1.3 to the GMS, pinned to its signing root: the chain is verified before one byte of ours is sent. The
 * certificate's times are not looked at: a box without a clock could not, and whoever holds the root holds the leaf.
 */
import { createHash, X509Certificate } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect, type TLSSocket } from 'node:tls';
import { type Endpoint, formatEndpoint } from '#gms/endpoint.ts';
import { GmsError } from '#gms/errors.ts';
import { rawPublic } from '#gms/raw-keys.ts';

/** Milliseconds. */
export interface Patience {
  /** An address that does not answer within this time is passed over. */
  readonly connect: number;
  /** An answer begins within this time. */
  readonly answer: number;
  /** Its body is complete within this time after that; the longest bundle (1 MiB) passes at 280 kbit/s. */
  readonly body: number;
}

const PATIENCE: Patience = { connect: 3_000, answer: 10_000, body: 30_000 };

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Uint8Array;
  /** Which address answered. */
  readonly endpoint: Endpoint;
}

/** Ed25519 public key of the root that the server's chain ends in; undefined when it is not the pinned one. */
export function pinnedRoot(socket: TLSSocket, fingerprint: Uint8Array): Uint8Array | undefined {
  const peer = socket.getPeerCertificate(true);
  if (peer.raw === undefined || peer.issuerCertificate?.raw === undefined) return undefined;
  const leaf = new X509Certificate(peer.raw);
  const root = new X509Certificate(peer.issuerCertificate.raw);
  const key = root.publicKey;
  if (key.asymmetricKeyType !== 'ed25519') return undefined;
  const spki = key.export({ format: 'der', type: 'spki' });
  const same = createHash('sha256').update(spki).digest().equals(fingerprint);
  return same && root.ca && leaf.checkIssued(root) && leaf.verify(key) ? rawPublic(key) : undefined;
}

/** Keeps connections alive; every one of them is pinned. */
class PinnedAgent extends Agent {
  readonly #fingerprint: Uint8Array;
  readonly #verified: (root: Uint8Array) => void;
  /** Sockets that the agent does not know yet. */
  readonly #connecting = new Set<TLSSocket>();

  readonly #connectMs: number;

  constructor(fingerprint: Uint8Array, connectMs: number, verified: (root: Uint8Array) => void) {
    super({ keepAlive: true, maxSockets: 4, scheduling: 'lifo' });
    this.#connectMs = connectMs;
    this.#fingerprint = fingerprint;
    this.#verified = verified;
  }

  override createConnection(
    options: { host?: string; port?: number | string },
    callback: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const host = options.host ?? '';
    const port = Number(options.port);
    const socket = connect({
      host,
      port,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
      rejectUnauthorized: false,
    });
    this.#connecting.add(socket);
    socket.setTimeout(this.#connectMs, () => socket.destroy(new Error('no answer')));
    const fail = (error: Error): void => {
      this.#connecting.delete(socket);
      callback(error, socket);
    };
    socket.once('error', fail);
    socket.once('secureConnect', () => {
      socket.off('error', fail);
      this.#connecting.delete(socket);
      const root = pinnedRoot(socket, this.#fingerprint);
      if (root === undefined) {
        socket.destroy();
        callback(new GmsError('wrong-root', { address: formatEndpoint({ address: host, port }) }), socket);
        return;
      }
      socket.setTimeout(0);
      socket.removeAllListeners('timeout');
      this.#verified(root);
      callback(null, socket);
    });
  }

  override destroy(): void {
    for (const socket of this.#connecting) socket.destroy(new Error('closed'));
    super.destroy();
  }
}

export interface RequestParts {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Record<string, string>;
  readonly body?: Uint8Array;
}

export class GmsConnection {
  readonly #agent: PinnedAgent;
  readonly #answerMax: number;
  readonly #patience: Patience;
  #closed = false;
  /** Tried in this order. */
  endpoints: readonly Endpoint[];
  /** Ed25519 public key of the verified root, from the first connection on. */
  root: Uint8Array | undefined;

  /** `answerMax` bounds an answer's body, bytes. */
  constructor(endpoints: readonly Endpoint[], fingerprint: Uint8Array, answerMax: number, patience = PATIENCE) {
    this.endpoints = endpoints;
    this.#answerMax = answerMax;
    this.#patience = patience;
    this.#agent = new PinnedAgent(fingerprint, patience.connect, (root) => {
      this.root = root;
    });
  }

  /** The first address that answers. @throws GmsError gms-unreachable, wrong-root, bad-answer */
  async ask(parts: RequestParts): Promise<Answer> {
    const { response, endpoint } = await this.open(parts);
    const body = await this.read(response, endpoint);
    return { status: response.statusCode ?? 0, headers: response.headers, body, endpoint };
  }

  /** The body of an answer that has begun. @throws GmsError gms-unreachable, bad-answer */
  async read(response: IncomingMessage, endpoint: Endpoint): Promise<Uint8Array> {
    const chunks: Buffer[] = [];
    let length = 0;
    /* Whoever stalls a body would stall all that waits for it: the socket itself never gives up. */
    const timer = setTimeout(() => response.destroy(new Error('no end')), this.#patience.body);
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        length += chunk.length;
        if (length > this.#answerMax) {
          response.destroy();
          throw new GmsError('bad-answer', { problem: `more than ${this.#answerMax} bytes` });
        }
        chunks.push(chunk);
      }
    } catch (error) {
      if (error instanceof GmsError) throw error;
      throw new GmsError('gms-unreachable', { addresses: formatEndpoint(endpoint) });
    } finally {
      clearTimeout(timer);
    }
    return new Uint8Array(Buffer.concat(chunks));
  }

  /**
   * The answer as it begins: its body is still to come, read by `read`, or by one who has a patience of his own.
   * @throws GmsError gms-unreachable, wrong-root
   */
  async open(parts: RequestParts): Promise<{ response: IncomingMessage; endpoint: Endpoint }> {
    let wrong: GmsError | undefined;
    for (const endpoint of this.endpoints) {
      if (this.#closed) break;
      try {
        return { response: await this.#try(endpoint, parts, 1), endpoint };
      } catch (error) {
        if (error instanceof GmsError) wrong = error;
      }
    }
    throw wrong ?? new GmsError('gms-unreachable', { addresses: this.endpoints.map(formatEndpoint).join(', ') });
  }

  #try({ address, port }: Endpoint, parts: RequestParts, again: number): Promise<IncomingMessage> {
    const { method, path, headers, body } = parts;
    return new Promise((resolve, reject) => {
      const call = request({ agent: this.#agent, host: address, port, method, path, headers: headers ?? {} });
      const timer = setTimeout(() => call.destroy(new Error('no answer')), this.#patience.answer);
      let answered = false;
      call.on('error', (error) => {
        clearTimeout(timer);
        /* What befalls an answer that has begun is told by the answer. */
        if (answered) return;
        /* The server may close a kept connection in the moment in which it is used again. */
        if (call.reusedSocket && again > 0 && !this.#closed) resolve(this.#try({ address, port }, parts, again - 1));
        else reject(error);
      });
      call.on('response', (response) => {
        clearTimeout(timer);
        answered = true;
        resolve(response);
      });
      call.end(body);
    });
  }

  /** Ends what is under way; nothing is asked from now on. */
  close(): void {
    this.#closed = true;
    this.#agent.destroy();
  }
}

/** Serves the app on a Unix socket that only root may open. One gateway per state directory: the socket is its mark. */
import { lstatSync, unlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Text } from '#config/text.ts';
import type { GatewayApp } from './app.ts';

/** sun_path of sockaddr_un is 108 bytes with the closing zero. */
const MAX_SOCKET_PATH = 107;
/** A process that has the socket but does not accept within this, ms, counts as running. */
const ANSWER_MS = 1_000;

/** Why the API cannot be served, for a person. */
export class CannotServe extends Error {
  readonly text: Text;
  constructor(text: Text) {
    super(text.en);
    this.text = text;
  }
}

export interface Serving {
  /** Ends event streams and connections, removes the socket. */
  close(): Promise<void>;
}

/**
 * Listens on `path`. Throws CannotServe when another process answers there or the path cannot be a socket; a socket
 * that a killed process left behind is replaced.
 */
export async function serveApi(gateway: GatewayApp, path: string): Promise<Serving> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new CannotServe({
      en: `the path of the state directory is too long: ${path} has more than ${MAX_SOCKET_PATH} bytes`,
      ja: `状態ディレクトリのパスが長すぎます: ${path}が${MAX_SOCKET_PATH}バイトを超えています`,
    });
  }
  await makeRoom(path);
  const server = createServer(getRequestListener(gateway.app.fetch, { overrideGlobalObjects: false }));
  const listening = settled(server);
  listenPrivately(server, path);
  try {
    await listening;
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw new CannotServe({ en: `cannot listen on ${path} (${code})`, ja: `${path}で待ち受けできません(${code})` });
  }
  return {
    close: () =>
      new Promise((resolve) => {
        gateway.close();
        server.close(() => resolve());
        server.closeIdleConnections();
        /* Streams end by themselves; what still hangs after this is cut. */
        setTimeout(() => server.closeAllConnections(), ANSWER_MS).unref();
      }),
  };
}

/**
 * Node creates the socket within this call, and with its final permissions: there is no moment in which others could
 * open it.
 */
function listenPrivately(server: Server, path: string): void {
  const umask = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(umask);
  }
}

function settled(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => {
      server.off('error', reject);
      resolve();
    });
  });
}

async function makeRoom(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new CannotServe({
      en: `${path} exists and is not a socket; remove it if it is not needed`,
      ja: `${path}はソケットではありません。不要であれば削除してください`,
    });
  }
  if (await answers(path)) {
    throw new CannotServe({
      en: `another gateway is already running with this state directory (${path} answers)`,
      ja: `この状態ディレクトリを使うゲートウェイがすでに動作しています(${path}が応答しました)`,
    });
  }
  unlinkSync(path);
}

/** True when a process listens on the socket. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.setTimeout(ANSWER_MS, () => done(true));
    socket.once('connect', () => done(true));
    socket.once('error', (error: NodeJS.ErrnoException) =>
      done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}

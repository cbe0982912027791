/** Store → GMS → applications → listeners; stopped in reverse. The only place that listens. */
import { randomBytes } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer as createHttp, type Server as HttpServer, type RequestListener, request } from 'node:http';
import { createServer as createHttps, type Server as HttpsServer } from 'node:https';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import type { Endpoint } from '#gms/endpoint.ts';
import { GmsError } from '#gms/errors.ts';
import { createApp } from './app.ts';
import { type GmsEnvironment, openGms } from './gms.ts';
import { siteOf } from './rules/change.ts';

/** Connections at a time, all gateways together: twice ten thousand and some. */
const CONNECTIONS_MAX = 25_000;
/** How often a process that runs for months looks at the age of its TLS leaf; ms. */
const LEAF_CHECK_MS = 86_400_000;

export interface RunOptions {
  readonly directory: string;
  /** Where to listen; without any, on all addresses, IPv6 and IPv4, at the ports that tokens name. */
  readonly listen: readonly Endpoint[];
  readonly report: (problem: string) => void;
}

export interface RunningGms {
  /** Where it listens. */
  readonly endpoints: readonly Endpoint[];
  readonly socket: string;
  stop(): Promise<void>;
}

export const environment = (report: (problem: string) => void): GmsEnvironment => ({
  now: Date.now,
  random: (bytes) => new Uint8Array(randomBytes(bytes)),
  report,
});

export const adminSocket = (directory: string): string => join(directory, 'admin.sock');

/** @throws GmsError already-running and what `openGms` throws; Error when a port is taken. */
export async function runGms({ directory, listen, report }: RunOptions): Promise<RunningGms> {
  const socket = adminSocket(directory);
  const gms = openGms(directory, environment(report));
  if (await answers(socket)) {
    await gms.close();
    throw new GmsError('already-running', { directory });
  }
  const app = createApp({ gms, report });
  const servers: (HttpServer | HttpsServer)[] = [];
  const stop = async (): Promise<void> => {
    clearInterval(leafTimer);
    for (const server of servers) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    }
    await gms.close();
  };
  const gateway = getRequestListener(app.gateway.fetch);
  const leafTimer = setInterval(() => {
    gms.leaf().then(
      (leaf) => {
        for (const server of servers) if ('setSecureContext' in server) server.setSecureContext(leaf);
      },
      (error) => report(`certificate: ${error}`),
    );
  }, LEAF_CHECK_MS);

  try {
    const leaf = await gms.leaf();
    const endpoints: Endpoint[] = [];
    for (const endpoint of listen.length > 0 ? listen : everywhere(siteOf(gms.store).endpoints)) {
      const server = createHttps({ ...leaf, minVersion: 'TLSv1.3', ALPNProtocols: ['http/1.1'] }, gateway);
      server.maxConnections = CONNECTIONS_MAX;
      servers.push(server);
      endpoints.push({ ...endpoint, port: await listening(server, endpoint) });
    }
    rmSync(socket, { force: true });
    const admin = createHttp(getRequestListener(app.admin.fetch) as RequestListener);
    servers.push(admin);
    await listeningOn(admin, { path: socket });
    gms.keepHouse();
    return { endpoints, socket, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `::` takes IPv4 too. */
function everywhere(endpoints: readonly Endpoint[]): Endpoint[] {
  return [...new Set(endpoints.map(({ port }) => port))].map((port) => ({ address: '::', port }));
}

async function listening(server: HttpsServer, { address, port }: Endpoint): Promise<number> {
  try {
    await listeningOn(server, { host: address, port });
  } catch (error) {
    /* A machine without IPv6 has no `::`. */
    if (address !== '::' || (error as NodeJS.ErrnoException).code !== 'EAFNOSUPPORT') throw error;
    await listeningOn(server, { host: '0.0.0.0', port });
  }
  const bound = server.address();
  return typeof bound === 'object' && bound !== null ? bound.port : port;
}

function listeningOn(server: HttpServer | HttpsServer, where: { path: string } | { host: string; port: number }) {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    /* The socket is the owner's from its first moment. */
    const umask = process.umask(0o177);
    try {
      server.listen(where, () => {
        server.off('error', reject);
        if ('path' in where) chmodSync(where.path, 0o600);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}

/** Whether somebody serves the socket; a socket that a killed process left does not answer. */
function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = request({ socketPath, path: '/status' }, (response) => {
      response.resume();
      resolve(true);
    });
    probe.on('error', () => resolve(false));
    probe.end();
  });
}

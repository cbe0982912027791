/** A GMS in a directory of its own, with a clock that the test moves; over TLS on loopback where a test asks for it. */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { createServer as createPlain } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import type { Endpoint } from '#gms/endpoint.ts';
import { type App, createApp } from '../../gms-lite/app.ts';
import { type Gms, type GmsEnvironment, initGms, openGms } from '../../gms-lite/gms.ts';

export const ADMIN = { who: 'tester', from: 'test' };

export interface GmsWorld {
  readonly directory: string;
  readonly gms: Gms;
  readonly app: App;
  /** Everything that was reported as a fault. */
  readonly faults: string[];
  /** Every 32 random bytes that the GMS drew: its key material, for tests that look for it where it must not be. */
  readonly drawn: Uint8Array[];
  /** Moves the clock. */
  advance(ms: number): void;
  /** An administrator's request; its answer's JSON. */
  admin<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<T>;
  token(options?: Record<string, unknown>): Promise<string>;
  close(): Promise<void>;
}

/** A temporary directory, and how to get rid of it. */
export function temporary(): { directory: string; remove: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'gscip-'));
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

export async function gmsWorld(
  endpoints: readonly Endpoint[] = [{ address: '192.0.2.1', port: 7443 }],
): Promise<GmsWorld> {
  const { directory, remove } = temporary();
  let offset = 0;
  const faults: string[] = [];
  const drawn: Uint8Array[] = [];
  const environment: GmsEnvironment = {
    now: () => Date.now() + offset,
    random: (length) => {
      const bytes = new Uint8Array(randomBytes(length));
      if (length === 32) drawn.push(bytes.slice());
      return bytes;
    },
    report: (problem) => faults.push(problem),
  };
  const state = join(directory, 'gms');
  await initGms(state, endpoints, environment, ADMIN);
  const gms = openGms(state, environment);
  const app = createApp({ gms, report: environment.report });

  const admin = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const init = body === undefined ? { method } : { method, body: JSON.stringify(body) };
    return (await (await app.admin.request(path, init)).json()) as T;
  };
  return {
    directory: state,
    gms,
    app,
    faults,
    drawn,
    advance: (ms) => {
      offset += ms;
    },
    admin,
    token: async (options = {}) => (await admin<{ token: string }>('POST', '/tokens', options)).token,
    close: async () => {
      await gms.close();
      remove();
    },
  };
}

/** What stands between the gateways and the GMS in a test: answers itself, or lets the GMS answer. */
export type Intercept = (request: Request, genuine: () => Promise<Response>) => Promise<Response>;

export interface ServedGms extends GmsWorld {
  readonly port: number;
  intercept: Intercept | undefined;
  /** Stops listening and cuts all connections: the GMS is away. */
  vanish(): Promise<void>;
  /** Listens again, at the same port. */
  appear(): Promise<void>;
  /** Fulfilled when no gateway is connected. */
  alone(): Promise<void>;
}

/** A TCP port of 127.0.0.1 on which nobody listens. */
export async function freePort(): Promise<number> {
  const probe = createPlain().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

/** A GMS that gateways reach at `addresses` on loopback by TLS. */
export async function servedGms(addresses: readonly string[] = ['127.0.0.1'], fixedPort?: number): Promise<ServedGms> {
  const port = fixedPort ?? (await freePort());
  const world = await gmsWorld(addresses.map((address) => ({ address, port })));
  const leaf = await world.gms.leaf();
  let servers: Server[] = [];
  const served: ServedGms = {
    ...world,
    port,
    intercept: undefined,
    vanish: async () => {
      const closing = servers.map(async (server) => {
        const closed = once(server, 'close');
        server.close();
        server.closeAllConnections();
        await closed;
      });
      servers = [];
      await Promise.all(closing);
    },
    alone: async () => {
      for (const server of servers) {
        const open = (): Promise<number> =>
          new Promise((resolve) => server.getConnections((_, count) => resolve(count)));
        while ((await open()) > 0) await new Promise(setImmediate);
      }
    },
    appear: async () => {
      const answer = async (request: Request): Promise<Response> => {
        const genuine = async (): Promise<Response> => world.app.gateway.fetch(request);
        return served.intercept === undefined ? genuine() : served.intercept(request, genuine);
      };
      for (const address of addresses) {
        const server = createServer({ ...leaf, minVersion: 'TLSv1.3' }, getRequestListener(answer));
        servers.push(server);
        server.listen(port, address);
        await once(server, 'listening');
      }
    },
    close: async () => {
      await served.vanish();
      await world.close();
    },
  };
  await served.appear();
  return served;
}

/** Whether `haystack` holds any of the secrets: raw, or as hex or base64 of either alphabet. */
export function findSecret(haystack: Uint8Array | string, secrets: readonly Uint8Array[]): boolean {
  const bytes = Buffer.from(haystack as string);
  return secrets.some((secret) => {
    const raw = Buffer.from(secret);
    const hex = raw.toString('hex');
    const base64 = raw.toString('base64').slice(0, 40);
    const texts = [hex, hex.toUpperCase(), base64, base64.replaceAll('+', '-').replaceAll('/', '_')];
    return bytes.includes(raw) || texts.some((text) => bytes.includes(text));
  });
}

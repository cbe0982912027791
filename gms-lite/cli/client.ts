/** The command line as a client of the administrative socket. */
import { request } from 'node:http';
import { userInfo } from 'node:os';
import { GmsError } from '#gms/errors.ts';
import { adminSocket } from '../main.ts';
import { ACTOR_HEADER } from '../routes/administer.ts';

/** One request. @throws GmsError what the GMS answers, or not-running */
export function ask<T>(directory: string, method: string, path: string, body?: unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: adminSocket(directory),
        method,
        path,
        headers: { [ACTOR_HEADER]: userInfo().username, 'content-type': 'application/json' },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const json: unknown = text === '' ? undefined : JSON.parse(text);
          if (response.statusCode !== undefined && response.statusCode < 300) resolve(json as T);
          else reject(GmsError.fromJSON(json) ?? new GmsError('internal'));
        });
      },
    );
    call.on('error', (error: NodeJS.ErrnoException) => {
      const absent = error.code === 'ENOENT' || error.code === 'ECONNREFUSED';
      reject(absent ? new GmsError('not-running', { directory }) : error);
    });
    call.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

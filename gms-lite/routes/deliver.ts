/** GET /v1/bundle, GET /v1/events, POST /v1/acknowledge: what an enrolled gateway asks. docs/gms.md § 6. */
import { type Context, Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { acknowledgementSchema, BUNDLE_EVENT, HEARTBEAT_MS, PATHS, type Sequence } from '#gms/delivery.ts';
import { GmsError } from '#gms/errors.ts';
import type { Gms } from '../gms.ts';
import type { Element } from '../store/records.ts';
import { Authenticator } from './authenticate.ts';
import { readJson } from './body.ts';

/** Event streams that one GE can have: the old one may linger while a new one begins. */
const STREAMS_PER_GE = 3;

export function deliverRoutes(gms: Gms): Hono {
  const authenticator = new Authenticator(gms);
  const streams = new Map<string, number>();

  const authenticated = (c: Context, body = ''): Element =>
    authenticator.check({
      header: c.req.header('authorization'),
      method: c.req.method,
      path: c.req.path,
      body: new TextEncoder().encode(body),
    });

  return new Hono()
    .get(PATHS.bundle, (c) => {
      const element = authenticated(c);
      gms.sight(element.id);
      return c.body(new Uint8Array(gms.bundle(element)), 200, { 'content-type': 'application/octet-stream' });
    })
    .post(PATHS.acknowledge, async (c) => {
      const text = await c.req.text();
      const element = authenticated(c, text);
      const { sequence, software } = readJson(acknowledgementSchema, text);
      const current = gms.sequenceOf(element);
      if (sequence.incarnation === current.incarnation && sequence.counter <= current.counter) {
        gms.sight(element.id, { counter: sequence.counter, software });
      }
      return c.body(null, 204);
    })
    .get(PATHS.events, (c) => {
      const element = authenticated(c);
      const open = streams.get(element.id) ?? 0;
      if (open >= STREAMS_PER_GE) throw new GmsError('too-many-requests');
      streams.set(element.id, open + 1);
      gms.sight(element.id);
      return streamSSE(c, async (stream) => {
        const tell = (sequence: Sequence): void => {
          void stream.writeSSE({ event: BUNDLE_EVENT, data: JSON.stringify(sequence) });
        };
        gms.feed.on(element.id, tell);
        const beat = setInterval(() => {
          gms.sight(element.id);
          void stream.write(':\n\n');
        }, HEARTBEAT_MS);
        const { promise, resolve } = Promise.withResolvers<void>();
        stream.onAbort(() => {
          clearInterval(beat);
          gms.feed.off(element.id, tell);
          const left = (streams.get(element.id) ?? 1) - 1;
          if (left === 0) streams.delete(element.id);
          else streams.set(element.id, left);
          resolve();
        });
        /* What changed between the GE's fetch and this stream is told at once. */
        tell(gms.sequenceOf(gms.store.get('element', element.id) ?? element));
        await promise;
      });
    });
}

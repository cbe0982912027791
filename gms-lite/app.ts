/** The GMS's two applications as values: what gateways may ask, by TLS; what administrators may ask, on the socket. */
import { Hono, type MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { GmsError } from '#gms/errors.ts';
import { TIME_HEADER } from '#gms/request.ts';
import type { Gms } from './gms.ts';
import { adminRoutes } from './routes/administer.ts';
import { deliverRoutes } from './routes/deliver.ts';
import { enrolRoutes } from './routes/enrol.ts';

/** Largest body of a request, bytes. */
const BODY_MAX = 64 * 1024;

const limited = bodyLimit({
  maxSize: BODY_MAX,
  onError: () => {
    throw new GmsError('body-too-long', { limit: BODY_MAX });
  },
});

/** Reads the body before anything else does: one that breaks off, or is no body at all, is the sender's fault. */
const wholeBody: MiddlewareHandler = async (c, next) => {
  try {
    await limited(c, async () => void (await c.req.text()));
  } catch (error) {
    throw error instanceof GmsError ? error : new GmsError('body-broken');
  }
  await next();
};

export interface AppDeps {
  readonly gms: Gms;
  /** Told about our own faults; never about refusals. */
  readonly report: (problem: string) => void;
}

export interface App {
  readonly gateway: Hono;
  readonly admin: Hono;
}

export function createApp({ gms, report }: AppDeps): App {
  const frame = (): Hono =>
    new Hono()
      .use(wholeBody)
      .use(async (c, next) => {
        await next();
        c.header(TIME_HEADER, String(gms.now()));
        c.header('cache-control', 'no-store');
      })
      .notFound((c) => c.json(new GmsError('not-found').toJSON(), 404))
      .onError((error, c) => {
        c.header(TIME_HEADER, String(gms.now()));
        if (error instanceof GmsError) return c.json(error.toJSON(), error.status);
        report(`${c.req.method} ${c.req.path}: ${error.stack ?? error.message}`);
        return c.json(new GmsError('internal').toJSON(), 500);
      });
  return {
    gateway: frame().route('/', enrolRoutes(gms)).route('/', deliverRoutes(gms)),
    admin: frame().route('/', adminRoutes(gms)),
  };
}

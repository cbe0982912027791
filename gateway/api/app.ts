/**
 * The gateway's HTTP interface as a value: no port, no socket, tested with `app.request()`.
 *
 *   GET  /api/v1/status            StatusView
 *   GET  /api/v1/flows             FlowsView    ?device ?peer ?verdict ?limit
 *   GET  /api/v1/pairs             PairsView    ?device ?peer ?verdict ?limit
 *   GET  /api/v1/explain           ExplainView  ?address ?from
 *   GET  /api/v1/drops             DropsView
 *   GET  /api/v1/config            the configuration file's text
 *   GET  /api/v1/events            server-sent events, GatewayEvent each
 *   POST /api/v1/enrol             {token, force?} → EnrolledView; 422 when the GMS or the token refuses
 *   POST /api/v1/stop              {reason?} → 202
 *
 * Every other answer is an ErrorView.
 */
import { Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { type Text, textOf } from '#config/text.ts';
import { DROPS } from '#wire/drops.ts';
import { EventStreams } from './events.ts';
import { explainSteps } from './explain.ts';
import { address, BadParameter, enrolment, onlyKnown, rowFilter, stopReason } from './parameters.ts';
import type { GatewayView } from './view.ts';
import type { DropsView, EnrolledView, ErrorView, ExplainView } from './views.ts';

/** Bytes of a request body: a reason, or a token with all its addresses. */
const MAX_BODY = 4_096;

export interface GatewayApp {
  readonly app: Hono;
  /** Ends the event streams, so that a server can close. */
  close(): void;
}

const failure = (message: Text, field?: string): ErrorView => ({
  error: { ...(field !== undefined && { field }), message },
});

/** `failed` hears of exceptions of our own; the client is told only that one happened. */
export function createApp(view: GatewayView, failed: (error: Error) => void): GatewayApp {
  const streams = new EventStreams();
  const app = new Hono();

  app.get('/api/v1/status', async (c) => {
    onlyKnown(c.req.query(), []);
    return c.json(await view.status());
  });
  app.get('/api/v1/flows', async (c) => c.json(await view.flows(rowFilter(c.req.query()))));
  app.get('/api/v1/pairs', async (c) => c.json(await view.pairs(rowFilter(c.req.query()))));

  app.get('/api/v1/explain', async (c) => {
    const query = c.req.query();
    onlyKnown(query, ['address', 'from']);
    const peer = address(query, 'address');
    const device = address(query, 'from');
    if (peer === undefined) throw new BadParameter('address', { en: 'is missing', ja: 'が指定されていません' });
    const facts = await view.explain(peer, { ...(device !== undefined && { device }) });
    return c.json({ ...facts, steps: explainSteps(facts) } satisfies ExplainView);
  });

  app.get('/api/v1/drops', async (c) => {
    onlyKnown(c.req.query(), []);
    const counts = await view.drops();
    const drops = DROPS.map(({ name, en, ja }, index) => ({ name, text: { en, ja }, count: counts[index] ?? 0 }));
    return c.json({ total: drops.reduce((sum, drop) => sum + drop.count, 0), drops } satisfies DropsView);
  });

  app.get('/api/v1/config', (c) =>
    c.text(view.configText(), 200, { 'content-type': 'application/yaml; charset=utf-8' }),
  );

  app.get('/api/v1/events', (c) => (streams.full ? c.json(failure(TOO_MANY_LISTENERS), 503) : streams.open(c, view)));

  app.post(
    '/api/v1/stop',
    bodyLimit({ maxSize: MAX_BODY, onError: (c) => c.json(failure(BODY_TOO_LARGE), 413) }),
    async (c) => {
      const text = await c.req.text();
      view.stop(stopReason(text === '' ? {} : parsedJson(text)));
      return c.json({}, 202);
    },
  );

  app.post(
    '/api/v1/enrol',
    bodyLimit({ maxSize: MAX_BODY, onError: (c) => c.json(failure(BODY_TOO_LARGE), 413) }),
    async (c) => {
      const { token, force } = enrolment(parsedJson(await c.req.text()));
      try {
        const { ge, name } = await view.enrol(token, force);
        return c.json({ ge, name } satisfies EnrolledView);
      } catch (error) {
        const text = textOf(error);
        if (text === undefined) throw error;
        return c.json(failure(text), 422);
      }
    },
  );

  app.notFound((c) => c.json(failure(NO_SUCH_ROUTE), 404));
  app.onError((error, c) => {
    if (error instanceof BadParameter) return c.json(failure(error.text, error.field), 400);
    failed(error);
    return c.json(failure(OWN_FAULT), 500);
  });
  return { app, close: () => streams.close() };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadParameter('body', { en: 'must be JSON', ja: 'はJSON形式で指定してください' });
  }
}

const TOO_MANY_LISTENERS: Text = {
  en: 'too many listeners follow the events already',
  ja: 'イベントを受信している接続が多すぎます',
};
const BODY_TOO_LARGE: Text = { en: 'the request is too large', ja: 'リクエストが大きすぎます' };
const NO_SUCH_ROUTE: Text = {
  en: 'there is nothing at this address of the interface',
  ja: 'このパスのAPIはありません',
};
const OWN_FAULT: Text = {
  en: 'the gateway could not answer because of a fault of its own; its log says more',
  ja: 'ゲートウェイの内部エラーのため応答できません。詳細はログを確認してください',
};

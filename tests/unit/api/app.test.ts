import { beforeEach, describe, expect, test } from 'vitest';
import { createApp, type GatewayApp } from '#api/app.ts';
import { MAX_LISTENERS } from '#api/events.ts';
import type { DropsView, ExplainView } from '#api/views.ts';
import type { Text } from '#config/text.ts';
import { type FakeGateway, FLOWS, fakeGateway, PAIRS, STATUS } from '#kit/gateway-view.ts';
import { DROPS } from '#wire/drops.ts';

let gateway: FakeGateway;
let api: GatewayApp;
let faults: Error[];

beforeEach(() => {
  gateway = fakeGateway();
  faults = [];
  api = createApp(gateway, (error) => faults.push(error));
});

interface Body extends Partial<DropsView & ExplainView> {
  readonly error: { readonly field?: string; readonly message: Text };
}
const get = async (path: string) => {
  const response = await api.app.request(`/api/v1/${path}`);
  return { status: response.status, body: (await response.json()) as Body };
};
const post = (path: string, body?: string) =>
  api.app.request(`/api/v1/${path}`, { method: 'POST', ...(body !== undefined && { body }) });

describe('answers', () => {
  test('status is the gateway’s own', async () => {
    expect(await get('status')).toEqual({ status: 200, body: STATUS });
  });

  test('flows and pairs pass the filter on in canonical form and count what matches', async () => {
    expect((await get('flows')).body).toEqual({ total: 2, flows: FLOWS });
    expect((await get('flows?peer=10.1.0.9&verdict=encrypt&limit=5')).body).toEqual({ total: 1, flows: [FLOWS[0]] });
    expect((await get('pairs?limit=1')).body).toEqual({ total: 2, pairs: [PAIRS[0]] });
    await get('pairs?device=2001:DB8:0::1');
    expect(gateway.asked).toEqual([
      { limit: 1000 },
      { peer: '10.1.0.9', verdict: 'encrypt', limit: 5 },
      { limit: 1 },
      { device: '2001:db8::1', limit: 1000 },
    ]);
  });

  test('drops have a name, both sentences and a count each, zeros included', async () => {
    const { body } = await get('drops');
    expect(body.total).toBe(3);
    expect(body.drops).toHaveLength(DROPS.length);
    expect(body.drops?.find((drop) => drop.name === 'bad-checksum')).toEqual({
      name: 'bad-checksum',
      text: { en: 'the checksum is wrong', ja: 'チェックサムが誤っている' },
      count: 3,
    });
  });

  test('explain asks about the address and adds the steps', async () => {
    const { body } = await get('explain?address=10.1.0.9&from=10.0.0.5');
    expect(gateway.asked).toEqual([{ peer: '10.1.0.9', device: '10.0.0.5' }]);
    expect(body).toMatchObject({ peer: '10.1.0.9', device: '10.0.0.5', verdict: 'encrypt' });
    expect(body.steps?.map((step) => step.step)).toEqual(['exception', 'state', 'pair']);
  });

  test('the configuration is given as it was written', async () => {
    const response = await api.app.request('/api/v1/config');
    expect(await response.text()).toBe('kind: router\nouter: eth0\n');
    expect(response.headers.get('content-type')).toContain('yaml');
  });

  test('stop is accepted, with and without a reason', async () => {
    expect((await post('stop')).status).toBe(202);
    expect((await post('stop', '{"reason":" new cable "}')).status).toBe(202);
    expect(gateway.stops).toEqual(['', 'new cable']);
  });
});

describe('enrolment', () => {
  test('gives the token on and answers who this gateway is', async () => {
    const response = await post('enrol', '{"token":"good","force":true}');
    expect([response.status, await response.json()]).toEqual([200, { ge: '00112233445566aa', name: 'press-7' }]);
    expect(gateway.asked).toEqual([{ token: 'good', force: true }]);
  });

  test('a refusal comes in its own words; a fault of our own does not', async () => {
    const refused = await post('enrol', '{"token":"expired"}');
    expect([refused.status, await refused.json()]).toEqual([
      422,
      { error: { message: { en: 'the token has expired', ja: 'トークンの有効期限が切れています' } } },
    ]);
    gateway.broken = true;
    expect((await post('enrol', '{"token":"good"}')).status).toBe(500);
  });
});

describe('bad input is answered with the field and both languages', () => {
  test.each([
    ['explain', 'address'],
    ['explain?address=', 'address'],
    ['explain?address=press-7', 'address'],
    ['explain?address=10.1.0.9&from=10.0.0.0/8', 'from'],
    ['flows?device=fe80::1%25eth0', 'device'],
    ['flows?verdict=maybe', 'verdict'],
    ['flows?limit=0', 'limit'],
    ['flows?limit=10001', 'limit'],
    ['pairs?limit=1e3', 'limit'],
    ['pairs?devise=10.0.0.1', 'devise'],
    ['status?full=1', 'full'],
  ])('%s', async (path, field) => {
    const { status, body } = await get(path);
    expect(status).toBe(400);
    expect(body.error.field).toBe(field);
    expect(body.error.message.en).toMatch(/[a-z]/);
    expect(body.error.message.ja).toMatch(/[\u3040-\u30ff\u4e00-\u9fff]/);
    expect(gateway.asked).toEqual([]);
  });

  test.each([
    ['{', 400],
    ['{"reason":7}', 400],
    ['{"reason":"two\\nlines"}', 400],
    [JSON.stringify({ reason: 'x'.repeat(501) }), 400],
    [JSON.stringify({ reason: 'x'.repeat(5_000) }), 413],
  ])('stop with %.20s does not stop', async (body, status) => {
    expect((await post('stop', body)).status).toBe(status);
    expect(gateway.stops).toEqual([]);
  });

  test.each(['', '{}', '{"token":7}', '{"token":"t","force":"yes"}', '[]', 'null'])(
    'enrolment with %s asks nobody',
    async (body) => {
      expect((await post('enrol', body)).status).toBe(400);
      expect(gateway.asked).toEqual([]);
    },
  );

  test('an unknown path and a wrong method are not found', async () => {
    expect((await get('keys')).status).toBe(404);
    expect((await get('stop')).status).toBe(404);
  });
});

test('a fault of our own is logged, not shown', async () => {
  gateway.broken = true;
  const { status, body } = await get('status');
  expect(status).toBe(500);
  expect(JSON.stringify(body)).not.toContain('worker is gone');
  expect(faults.map((fault) => fault.message)).toEqual(['the worker is gone']);
});

describe('events', () => {
  const event = (count: number) =>
    ({ time: '2026-01-05T03:00:00.000Z', level: 'info', name: 'bundle', details: { count } }) as const;

  async function readUntil(reader: ReadableStreamDefaultReader<Uint8Array>, wanted: string): Promise<string> {
    let text = '';
    while (!text.includes(wanted)) {
      const { done, value } = await reader.read();
      if (done) throw new Error(`ended without ${wanted}: ${text}`);
      text += Buffer.from(value).toString();
    }
    return text;
  }

  test('arrive in order as server-sent events', async () => {
    const response = await api.app.request('/api/v1/events');
    const reader = response.body!.getReader();
    await readUntil(reader, ': connected');
    gateway.emit(event(1));
    gateway.emit(event(2));
    const text = await readUntil(reader, '"count":2');
    expect(text.indexOf('"count":1')).toBeLessThan(text.indexOf('"count":2'));
    expect(text).toContain('event: bundle\n');
    await reader.cancel();
    await expect.poll(() => gateway.listeners).toBe(0);
  });

  test('end when the app is closed, behind what was waiting', async () => {
    const response = await api.app.request('/api/v1/events');
    gateway.emit(event(1));
    api.close();
    expect(await response.text()).toContain('"count":1');
    expect(gateway.listeners).toBe(0);
  });

  test('are refused to one listener too many, and given again when one left', async () => {
    const open = [];
    for (let i = 0; i < MAX_LISTENERS; i++) open.push(await api.app.request('/api/v1/events'));
    expect((await get('events')).status).toBe(503);
    await open[0]!.body!.cancel();
    await expect.poll(() => gateway.listeners).toBe(MAX_LISTENERS - 1);
    expect((await api.app.request('/api/v1/events')).status).toBe(200);
    api.close();
  });
});

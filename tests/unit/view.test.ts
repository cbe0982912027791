/** What the API says: of the GMS by what the key client says, of flows by what the workers say. */
import { expect, test } from 'vitest';
import type { Filter, FlowRow, Latest, Query } from '#datapath/messages.ts';
import { GmsError } from '#gms/errors.ts';
import type { KeyState } from '#keys/state.ts';
import { type GatewayFacts, GatewayReport } from '../../gateway/view.ts';

const CONNECTED: KeyState = {
  enrolled: true,
  ge: '00112233445566aa',
  name: 'press-7',
  keys: 'valid',
  sequence: { incarnation: 1, counter: 42 },
  lastContact: Date.UTC(2026, 0, 5, 3),
  validUntil: undefined,
  gmsAddress: '192.0.2.9:8443',
  connected: true,
  error: undefined,
};

async function gmsOf(keys: KeyState): Promise<unknown> {
  const facts = {
    config: { kind: 'bridge', cipher: 'native' },
    startedAt: 0,
    state: () => 'running',
    ring: () => undefined,
    keys: () => keys,
    exceptions: () => [],
    ports: () => [],
    query: async () => [],
  } as unknown as GatewayFacts;
  return (await new GatewayReport(facts).status()).gms;
}

test('a stream through which bundles do not come is no connection, and the reason is told in both languages', async () => {
  const held = { address: '192.0.2.9:8443', lastContact: '2026-01-05T03:00:00.000Z', sequence: CONNECTED.sequence };
  expect(await gmsOf(CONNECTED)).toEqual({ ...held, state: 'connected' });
  const error = new GmsError('gms-unreachable', { addresses: '192.0.2.9:8443' });
  expect(await gmsOf({ ...CONNECTED, connected: false, error })).toEqual({ ...held, state: 'lost', error: error.text });
  expect(await gmsOf({ ...CONNECTED, connected: false })).toEqual({ ...held, state: 'connecting' });
  expect(await gmsOf({ ...CONNECTED, connected: false, enrolled: false })).toMatchObject({ state: 'unenrolled' });
});

const row = (peerPort: number, idleMs: number) => ({ peerPort, idleMs }) as FlowRow;

/** Answers of the workers to each query, in turn. */
function reportOf(answer: (query: Query) => Promise<unknown[]>) {
  const facts: Pick<GatewayFacts, 'query'> = { query: (query) => answer(query) as Promise<never[]> };
  return new GatewayReport(facts as GatewayFacts);
}

test('flows of all workers are merged by when they were seen, and each worker knows filter and limit', async () => {
  const asked: Query[] = [];
  const workers: Latest<FlowRow>[] = [
    { total: 200_000, rows: [row(1, 50), row(2, 10), row(3, 30)] },
    { total: 7, rows: [row(4, 5), row(5, 40), row(6, 20)] },
  ];
  const report = reportOf(async (query) => {
    asked.push(query);
    return workers;
  });
  const filter: Filter = { device: '10.0.0.1', verdict: 'plain', limit: 3 };
  const { total, flows } = await report.flows(filter);
  expect(asked).toEqual([{ what: 'flows', filter }]);
  expect(total).toBe(200_007);
  expect(flows.map((flow) => flow.peerPort)).toEqual([4, 2, 6]);
});

test('workers have one look at a time, and one that fails holds up no other', async () => {
  const running: { readonly end: () => void; readonly fail: (error: Error) => void }[] = [];
  const report = reportOf(
    () =>
      new Promise((resolve, reject) => running.push({ end: () => resolve([{ total: 1, rows: [] }]), fail: reject })),
  );
  const looks = [report.flows({ limit: 1 }), report.pairs({ limit: 1 }), report.flows({ limit: 1 })];
  const told = Promise.allSettled(looks);
  for (let i = 0; i < 3; i++) {
    await expect.poll(() => running.length).toBe(i + 1);
    if (i === 1) running[i].fail(new Error('stuck'));
    else running[i].end();
  }
  expect((await told).map((one) => one.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
});

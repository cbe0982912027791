/** What the API says of the GMS, by what the key client says. */
import { expect, test } from 'vitest';
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

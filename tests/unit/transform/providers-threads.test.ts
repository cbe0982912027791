/** Keys cross threads by ticket only. Two real workers race for the same tickets; each key arrives exactly once. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { createGrantMemory } from '#transform/providers/noble-grants.ts';
import type { ClaimData } from './claim-worker.ts';

const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

function start(data: ClaimData): Worker {
  const worker = new Worker(new URL('./claim-worker.ts', import.meta.url), { workerData: data, execArgv: [] });
  workers.push(worker);
  return worker;
}

async function ask<T>(worker: Worker, message: unknown): Promise<T> {
  const answer = once(worker, 'message');
  worker.postMessage(message);
  return (await answer)[0] as T;
}

describe.each(['native', 'noble'] as const)('%s', (kind) => {
  const grants = kind === 'noble' ? createGrantMemory() : undefined;
  const provider = grants === undefined ? createNativeProvider() : createNobleProvider({ grants });

  it('each of 200 keys is claimed by exactly one of two workers, and is the key that was granted', async () => {
    const text = 'who holds it';
    const keys = Array.from({ length: 200 }, (_, i) => provider.importKey(new Uint8Array(32).fill(i + 1)));
    const expected = keys.map((key) => Buffer.from(provider.mac(key, Buffer.from(text))).toString('hex'));
    const tickets = keys.map((key) => provider.grant(key));
    const pair = [start({ provider: kind, grants }), start({ provider: kind, grants })];
    const [a, b] = await Promise.all(pair.map((worker) => ask<string[]>(worker, { tickets, text })));
    for (let i = 0; i < tickets.length; i++) expect([a[i], b[i]].sort()).toEqual([expected[i], 'RangeError'].sort());
    expect(() => provider.claim(tickets[0])).toThrow(RangeError);
    provider.close();
  });
});

it('native: what an ended worker granted and nobody claimed is withdrawn', async () => {
  const provider = createNativeProvider();
  const worker = start({ provider: 'native', grants: undefined });
  const ended = once(worker, 'exit');
  const ticket = await ask<bigint>(worker, 'leave');
  await ended;
  expect(() => provider.claim(ticket)).toThrow(RangeError);
  provider.close();
});

it('noble: without shared memory a ticket means nothing in another thread', async () => {
  const provider = createNobleProvider();
  const ticket = provider.grant(provider.importKey(new Uint8Array(32)));
  const worker = start({ provider: 'noble', grants: undefined });
  expect(await ask<string[]>(worker, { tickets: [ticket], text: '' })).toEqual(['RangeError']);
  provider.close();
});

/** Real workers on threads of their own, without ports: one that fails never keeps the gateway from ending. */
import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { PolicySettings } from '#datapath/messages.ts';
import { type PoolStart, WorkerPool } from '#datapath/pool.ts';
import { loadProviders } from '#transform/providers/load.ts';
import { PORTS } from '#wire/record.ts';

const POLICY: PolicySettings = { withoutKeys: 'closed', nonIp: 'by-mode', exceptions: [], protectedPrefixes: [] };
/** A worker throws at this: main checks texts before it hands them on. */
const BAD_POLICY: PolicySettings = { ...POLICY, protectedPrefixes: ['nowhere'] };
const FAULT = /"nowhere"/;

async function settings(workers: number, policy = POLICY): Promise<PoolStart> {
  const { createGrants } = await loadProviders('noble');
  const none = Array.from({ length: PORTS }, () => -1);
  return {
    cipher: 'noble',
    grants: createGrants(),
    fds: Array.from({ length: workers }, () => none),
    names: ['', '', ''],
    mtus: [0, 0, 0],
    managementMac: undefined,
    policy,
  };
}

/** A pool, the promise of its first failure, and the ends of its threads, which the pool has been told before. */
function pool() {
  const made = new WorkerPool(() => 0n);
  const failed = once(made, 'failed') as Promise<[error: Error, worker: number]>;
  const exits: Promise<number>[] = [];
  const onWorker = (worker: Worker) => {
    setImmediate(() => exits.push(new Promise((resolve) => worker.once('exit', resolve))));
  };
  process.on('worker', onWorker);
  onTestFinished(() => void process.off('worker', onWorker));
  return { pool: made, failed, exits };
}

describe('a worker that fails', { timeout: 20_000 }, () => {
  test('has ended long before the pool is stopped, which ends all the same', async () => {
    const { pool: one, failed, exits } = pool();
    await one.start(await settings(1));
    one.setPolicy(BAD_POLICY);
    const [error, worker] = await failed;
    expect([error.message, worker]).toEqual([expect.stringMatching(FAULT), 0]);
    expect(await Promise.all(exits)).toEqual([1]);
    await one.stop();
  });

  test('fails while the pool is being stopped: no matter', async () => {
    const { pool: two, failed, exits } = pool();
    await two.start(await settings(2));
    two.setPolicy(BAD_POLICY);
    await two.stop();
    expect((await failed)[0].message).toMatch(FAULT);
    expect(await Promise.all(exits)).toEqual([1, 1]);
  });

  test('is told once', async () => {
    const { pool: one, exits } = pool();
    const told: string[] = [];
    one.on('failed', (error) => told.push(error.message));
    await one.start(await settings(1));
    one.setPolicy(BAD_POLICY);
    await Promise.all(exits);
    await one.stop();
    expect(told).toEqual([expect.stringMatching(FAULT)]);
  });

  test('answers no question: it is refused at once', async () => {
    const { pool: one, failed } = pool();
    await one.start(await settings(1));
    one.setPolicy(BAD_POLICY);
    await expect(one.query({ what: 'status' })).rejects.toThrow(FAULT);
    await failed;
    await expect(one.query({ what: 'status' })).rejects.toThrow(FAULT);
    await one.stop();
  });

  test('while it starts, says why', async () => {
    const { pool: one } = pool();
    await expect(one.start(await settings(1, BAD_POLICY))).rejects.toThrow(FAULT);
    await one.stop();
  });
});

test('a pool that is stopped has ended its workers, and stops again without any', async () => {
  const { pool: two, exits } = pool();
  await two.start(await settings(2));
  await two.stop();
  expect(await Promise.all(exits)).toEqual([0, 0]);
  await two.stop();
});

test('a look at the tables is found by itself, though nothing comes that would turn the workers', async () => {
  const { pool: two } = pool();
  await two.start(await settings(2));
  const filter = { limit: 10 };
  const nothing = { total: 0, rows: [] };
  expect(await two.query({ what: 'flows', filter })).toEqual([nothing, nothing]);
  expect(await two.query({ what: 'pairs', filter })).toEqual([nothing, nothing]);
  await two.stop();
});

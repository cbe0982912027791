import { expect, test } from 'vitest';
import { EventQueue, MAX_WAITING } from '#api/events.ts';
import type { GatewayEvent } from '#api/views.ts';

const event = (count: number): GatewayEvent => ({ time: '', level: 'info', name: 'bundle', details: { count } });

test('a listener that does not read loses the oldest and is told how many', () => {
  const queue = new EventQueue();
  for (let i = 0; i < MAX_WAITING + 3; i++) queue.put(event(i));
  expect(queue.take()).toMatchObject({ name: 'events-lost', level: 'warning', details: { count: 3 } });
  expect(queue.take()).toEqual(event(3));
  for (let i = 4; i < MAX_WAITING + 3; i++) expect(queue.take()).toEqual(event(i));
  expect(queue.take()).toBeUndefined();
});

test('waiting ends with an event, with the end of the queue, or with the time', async () => {
  const queue = new EventQueue();
  const waiting = queue.wait(60_000);
  queue.put(event(1));
  await waiting;
  expect(queue.take()).toEqual(event(1));
  await queue.wait(1);
  expect(queue.take()).toBeUndefined();
  const last = queue.wait(60_000);
  queue.close();
  await last;
  expect(queue.closed).toBe(true);
});

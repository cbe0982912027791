/** The key client where the GMS is away, only half there, or was so while the box's clock went wrong. */
import { EventEmitter, once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { PATHS } from '#gms/delivery.ts';
import { decodeStatement } from '#wire/statement.ts';
import { FakeClock, gateway, gms, reborn, versionsOf } from './client-scene.ts';

describe('a box whose clock ran ahead while it was off', () => {
  it.each([
    [0, 'valid'],
    [720, 'expired'],
  ])('judges by the time of the GMS as soon as it is told; offline hours %i', async (offlineHours, before) => {
    await gms.admin('PATCH', '/policy', { offlineHours });
    const first = await gateway('a', 'plant');
    await first.client.start();
    const { sequence } = first.client.ring!;
    await first.client.stop();

    const again = reborn(first.directory, new FakeClock(11 * 365 * 86_400_000));
    const states: string[] = [];
    again.client.on('state', ({ keys }) => states.push(keys));
    await again.client.start();
    const ring = again.client.ring!;
    expect([states[0], ring.sequence]).toEqual([before, sequence]);
    expect(Math.abs(ring.issuedAt * 1000 - gms.gms.now())).toBeLessThan(60_000);
    expect(decodeStatement(ring.statement)!.notAfter).toBeGreaterThan(ring.issuedAt);
    /* Nothing was made anew that was right. */
    expect(again.rings.filter((each) => each !== undefined)).toHaveLength(offlineHours === 0 ? 2 : 1);
  });
});

/** Every bundle that is asked for, and what becomes of the request; the rest reaches the GMS. */
function bundlesBecome(answer: (genuine: () => Promise<Response>) => Promise<Response>): { asked: number } {
  const counted = { asked: 0 };
  gms.intercept = (request, genuine) => {
    if (!request.url.endsWith(PATHS.bundle)) return genuine();
    counted.asked++;
    return answer(genuine);
  };
  return counted;
}

describe('a fetch that fails while the stream lives', () => {
  it('is tried again after one second, two, four; status says so meanwhile', async () => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    await a.state((state) => state.connected);
    const bundles = bundlesBecome(async () => new Response('cut', { status: 502 }));
    await gms.admin('POST', '/rotations', { group: 'plant' });
    await a.state((state) => state.error !== undefined);
    expect(a.client.state).toMatchObject({ connected: false, keys: 'valid', error: { code: 'bad-answer' } });
    for (const pause of [1000, 2000]) {
      a.clock.advance(pause - 1);
      const asked = bundles.asked;
      const failed = once(a.client, 'state');
      a.clock.advance(1);
      await failed;
      expect(bundles.asked).toBe(asked + 1);
    }
    gms.intercept = undefined;
    a.clock.advance(4000);
    await a.ring((ring) => versionsOf(ring)?.[0] === 2);
    expect(await a.state((state) => state.connected)).toMatchObject({ error: undefined });
  });

  it('as one whose answer stalls in the middle, is given up, and the rotation arrives after all', async () => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    await a.state((state) => state.connected);
    bundlesBecome(async (genuine) => {
      const bytes = new Uint8Array(await (await genuine()).arrayBuffer());
      return new Response(new ReadableStream({ start: (c) => c.enqueue(bytes.subarray(0, 100)) }));
    });
    await gms.admin('POST', '/rotations', { group: 'plant' });
    await a.state((state) => state.error?.code === 'gms-unreachable');
    gms.intercept = undefined;
    a.clock.advance(1000);
    await a.ring((ring) => versionsOf(ring)?.[0] === 2);
  });

  it('is no contact: heartbeats count only while what the stream announced is here', async () => {
    await gms.admin('PATCH', '/policy', { offlineHours: 24 });
    const a = await gateway('a', 'plant');
    const begun = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
    const asked = new EventEmitter();
    let blocked = false;
    gms.intercept = async (request, genuine) => {
      if (request.url.endsWith(PATHS.events)) {
        return new Response(new ReadableStream<Uint8Array>({ start: (c) => begun.resolve(c) }));
      }
      if (!blocked) return genuine();
      asked.emit('bundle');
      return new Response('cut', { status: 502 });
    };
    await a.client.start();
    const stream = await begun.promise;
    const say = (text: string): void => stream.enqueue(new TextEncoder().encode(text));
    const { sequence } = a.client.ring!;
    const announce = (counter: number): void => {
      say(`event: bundle\ndata: ${JSON.stringify({ ...sequence, counter })}\n\n`);
    };
    const atStart = a.client.state.lastContact!;
    a.clock.advance(5000);
    announce(sequence.counter);
    while (a.client.state.lastContact === atStart) await new Promise(setImmediate);
    const held = a.client.state.lastContact!;
    expect(held - atStart).toBeGreaterThanOrEqual(5000);

    blocked = true;
    for (const newer of [1, 2, 3]) {
      a.clock.advance(100);
      const tried = once(asked, 'bundle');
      announce(sequence.counter + newer);
      say(':\n\n');
      await tried;
      await a.state((state) => state.error !== undefined);
      expect(a.client.state.lastContact).toBe(held);
    }
    expect(a.client.state).toMatchObject({ connected: false, keys: 'valid' });
  });
});

describe('keys without the GMS', () => {
  it('are those of the stored bundle, at once and before anybody is asked', async () => {
    const a = await gateway('a', 'plant');
    await a.client.start();
    await a.client.stop();
    const later = reborn(a.directory, a.clock);
    later.client.load();
    expect(later.rings.map((ring) => ring?.sequence)).toEqual([a.rings[0]?.sequence]);
    await later.client.start();
    await later.state((state) => state.connected);
    expect(later.rings.length).toBe(1);
  });

  it('count for the offline hours, over a restart too, and again after the next contact', async () => {
    const protectedPrefixes = ['192.0.2.0/24'];
    await gms.admin('PATCH', '/policy', { offlineHours: 24, protectedPrefixes });
    const a = await gateway('a', 'plant');
    await a.client.start();
    await a.state((state) => state.connected);
    await gms.vanish();
    await a.state((state) => !state.connected);
    a.clock.advance(23 * 3_600_000);
    expect(a.client.state.keys).toBe('valid');
    a.clock.advance(2 * 3_600_000);
    expect([a.client.state.keys, a.client.ring, a.rings.at(-1)]).toEqual(['expired', undefined, undefined]);
    await a.client.stop();

    const later = reborn(a.directory, a.clock);
    later.client.load();
    expect([later.client.state.keys, later.client.ring]).toEqual(['expired', undefined]);
    /* Whoever keeps the GMS away does not end this promise. */
    expect(later.client.protectedPrefixes).toEqual(protectedPrefixes);
    await later.client.start();
    expect([later.client.state.keys, later.client.ring]).toEqual(['expired', undefined]);
    await later.clock.pausing();
    await gms.appear();
    const back = later.ring(() => true);
    later.clock.advance(59_000);
    expect(versionsOf(await back)).toEqual([1]);
  });
});

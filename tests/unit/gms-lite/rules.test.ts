/** What groups, keys and removals do to bundles. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enrolmentToSign, toText } from '#gms/enrolment.ts';
import { generateRaw, secretObject, signWith } from '#gms/raw-keys.ts';
import { decodeToken } from '#gms/token.ts';
import { SYSTEM } from '../../../gms-lite/gms.ts';
import { bundleContent } from '../../../gms-lite/rules/content.ts';
import { keepHouse, nextHousekeeping } from '../../../gms-lite/rules/housekeeping.ts';
import { type GmsWorld, gmsWorld } from '../../kit/gms-world.ts';

let world: GmsWorld;
beforeEach(async () => {
  world = await gmsWorld();
  await world.admin('POST', '/groups', { name: 'plant' });
  await world.admin('POST', '/groups', { name: 'office' });
});
afterEach(() => world.close());

async function join(name: string, ...groups: string[]): Promise<string> {
  const { secret } = decodeToken(await world.token({ name, groups }));
  const own = generateRaw('ed25519');
  const { publicKey: staticKey } = generateRaw('x25519');
  const proof = signWith(secretObject('ed25519', own.secret), enrolmentToSign(secret, own.publicKey, staticKey));
  const body = {
    secret: toText(secret),
    signingKey: toText(own.publicKey),
    staticKey: toText(staticKey),
    proof: toText(proof),
  };
  const answer = await world.app.gateway.request('/v1/enrol', { method: 'POST', body: JSON.stringify(body) });
  return ((await answer.json()) as { ge: string }).ge;
}

const content = (ge: string) => bundleContent(world.gms.store, world.gms.store.get('element', ge)!).metadata;
const counter = (ge: string): number => content(ge).sequence.counter;
const versions = (ge: string, group: string): number[] | undefined =>
  content(ge)
    .groups.find((g) => g.name === group)
    ?.keys.map((key) => key.version);
const keepHouseNow = () => world.gms.change(SYSTEM, keepHouse);
const later = (ms: number) => {
  world.advance(ms);
  return keepHouseNow();
};

describe('one number, one content', () => {
  it('whatever happens: a GE whose content changed has another counter, any other keeps its own', async () => {
    const ges = [await join('a', 'plant'), await join('b', 'plant'), await join('c', 'office'), await join('d')];
    const hours = 3_600_000;
    const steps: [string, () => Promise<unknown>][] = [
      ['rotate plant', () => world.admin('POST', '/rotations', { group: 'plant' })],
      ['add d to office', () => world.admin('PUT', '/groups/office/members/d')],
      ['overlap ends', () => later(2 * hours)],
      ['remove a from plant', () => world.admin('DELETE', '/groups/plant/members/a')],
      ['a comes back', () => world.admin('PUT', '/groups/plant/members/a')],
      ['rename c', () => world.admin('PATCH', '/elements/c', { name: 'see', mode: 'closed' })],
      ['policy', () => world.admin('PATCH', '/policy', { offlineHours: 24 })],
      ['rotate the domain', () => world.admin('POST', '/rotations', { domain: true })],
      ['remove b', () => world.admin('DELETE', '/elements/b')],
      ['a week', () => later(7 * 24 * hours)],
      ['nothing', () => keepHouseNow()],
    ];
    for (const [name, step] of steps) {
      const before = ges.map((ge) => ({ content: JSON.stringify(content(ge)), counter: counter(ge) }));
      await step();
      ges.forEach((ge, i) => {
        if (world.gms.store.get('element', ge)?.state !== 'active') return;
        const changed =
          JSON.stringify({ ...content(ge), sequence: 0 }) !==
          JSON.stringify({ ...JSON.parse(before[i].content), sequence: 0 });
        if (changed) expect(counter(ge), `${name}: ${i}`).toBeGreaterThan(before[i].counter);
      });
    }
  });

  it('a change touches only the GEs that it concerns', async () => {
    const [a, b, c] = [await join('a', 'plant'), await join('b', 'plant'), await join('c', 'office')];
    const before = [a, b, c].map(counter);
    await world.admin('POST', '/rotations', { group: 'plant' });
    expect([a, b, c].map(counter)).toEqual([before[0] + 1, before[1] + 1, before[2]]);
  });
});

describe('rotation', () => {
  it('announces the new version with the old one behind it, for the overlap, and never a third', async () => {
    const a = await join('a', 'plant');
    expect(versions(a, 'plant')).toEqual([1]);
    await world.admin('POST', '/rotations', { group: 'plant' });
    const [current, previous] = content(a).groups[0].keys;
    expect([current.version, current.notAfter, previous.version]).toEqual([2, 0, 1]);
    expect(previous.notAfter - current.notBefore).toBe(3600);
    expect(nextHousekeeping(world.gms.store)).toBe(previous.notAfter);
    await world.admin('POST', '/rotations', { group: 'plant' });
    expect(versions(a, 'plant')).toEqual([3, 2]);
    world.advance(3_601_000);
    await keepHouseNow();
    expect(versions(a, 'plant')).toEqual([3]);
  });

  it('comes by itself at its hour, every day', async () => {
    await world.admin('POST', '/groups', { name: 'daily', rotation: { at: '03:00', zone: 'Asia/Tokyo' } });
    const a = await join('a', 'daily');
    for (let day = 2; day < 5; day++) {
      const [group] = (await world.admin<{ name: string; rotatesAt: number }[]>('GET', '/groups')).filter(
        (g) => g.name === 'daily',
      );
      expect(new Date(group.rotatesAt * 1000).toISOString()).toMatch(/T18:00:00/);
      world.advance(group.rotatesAt * 1000 - world.gms.now());
      await keepHouseNow();
      expect(versions(a, 'daily')?.[0]).toBe(day);
      await keepHouseNow();
      expect(versions(a, 'daily')?.[0]).toBe(day);
    }
  });
});

describe('a clock that ran ahead and was put right', () => {
  const YEAR = 365 * 86_400_000;
  const daily = async () => (await world.admin<Schedule[]>('GET', '/groups')).find((group) => group.name === 'daily')!;
  interface Schedule {
    readonly name: string;
    readonly rotatesAt: number;
    readonly versions: readonly { readonly version: number; readonly notAfter: number }[];
  }
  beforeEach(() => world.admin('POST', '/groups', { name: 'daily', rotation: { at: '03:00', zone: 'Asia/Tokyo' } }));

  it('leaves no date of its own: the schedule goes on, the overlap ends, members are told', async () => {
    const a = await join('a', 'daily');
    const before = (await daily()).rotatesAt;
    await later(YEAR);
    expect((await daily()).rotatesAt - before).toBeGreaterThan(300 * 86_400);
    const told = counter(a);
    await later(-YEAR);
    const now = world.gms.seconds;
    const { rotatesAt, versions: held } = await daily();
    expect(rotatesAt).toBe(before);
    expect(held.map((key) => key.version)).toEqual([2, 1]);
    expect(held[1].notAfter).toBeLessThanOrEqual(now + 3600);
    expect(counter(a)).toBeGreaterThan(told);
    expect(content(a).groups[0].keys[1].notAfter).toBe(held[1].notAfter);
    const settled = counter(a);
    await keepHouseNow();
    expect(counter(a)).toBe(settled);

    await later(3_601_000);
    expect(versions(a, 'daily')).toEqual([2]);
    for (let day = 0; day < 5; day++) await later(86_400_000);
    expect((await daily()).versions[0].version).toBe(7);
  });

  it('is put right by a rotation by hand as well, which does not wait for housekeeping', async () => {
    const before = (await daily()).rotatesAt;
    await later(YEAR);
    world.advance(-YEAR);
    await world.admin('POST', '/rotations', { group: 'daily' });
    expect((await daily()).rotatesAt).toBe(before);
  });

  it('is no matter of a day that daylight saving makes longer', async () => {
    const zone = 'Europe/Berlin';
    world.advance(Date.parse('2030-10-26T02:30:00Z') - world.gms.now());
    await world.admin('POST', '/groups', { name: 'long', rotation: { at: '04:20', zone } });
    const group = async () => (await world.admin<Schedule[]>('GET', '/groups')).find(({ name }) => name === 'long')!;
    const entries = [...world.gms.store.list('audit')].length;
    expect(new Date((await group()).rotatesAt * 1000).toISOString()).toBe('2030-10-27T03:20:00.000Z');
    await keepHouseNow();
    expect(new Date((await group()).rotatesAt * 1000).toISOString()).toBe('2030-10-27T03:20:00.000Z');
    expect([...world.gms.store.list('audit')].slice(entries).filter((e) => e.subject === 'group long')).toEqual([]);
  });
});

describe('removal', () => {
  it('from a group: a new version at once, no overlap, the others told who is out', async () => {
    const [a, b] = [await join('a', 'plant', 'office'), await join('b', 'plant')];
    await world.admin('DELETE', '/groups/plant/members/a');
    expect(versions(b, 'plant')).toEqual([2]);
    expect(content(b).revoked).toEqual([{ ge: a, group: 1, removed: false }]);
    expect(versions(a, 'plant')).toBeUndefined();
    expect(versions(a, 'office')).toEqual([1]);
    expect(content(a).domainKeys.map((key) => key.version)).toEqual([1]);
  });

  it('altogether: also from the domain, whose old key ends at once', async () => {
    const [a, b, c] = [await join('a', 'plant'), await join('b', 'plant'), await join('c', 'office')];
    await world.admin('DELETE', '/elements/a');
    for (const ge of [b, c]) expect(content(ge).domainKeys.map((key) => key.version)).toEqual([2]);
    expect(content(b).revoked).toEqual([{ ge: a, group: 1, removed: true }]);
    expect(content(c).revoked).toEqual([]);
    expect(await join('a', 'plant')).not.toBe(a);
  });

  it('altogether, of one that had left its group before: who is in that group is told as well', async () => {
    const [a, b] = [await join('a', 'plant', 'office'), await join('b', 'plant')];
    await world.admin('DELETE', '/groups/plant/members/a');
    const before = world.gms.store.get('element', b)!.counter;
    await world.admin('DELETE', '/elements/a');
    expect(content(b).revoked).toEqual([{ ge: a, group: 1, removed: true }]);
    expect(world.gms.store.get('element', b)!.counter).toBeGreaterThan(before);
  });

  it('is forgotten when the last statement that named the group has ended, or when the GE comes back', async () => {
    const [a, b] = [await join('a', 'plant'), await join('b', 'plant')];
    await world.admin('DELETE', '/groups/plant/members/a');
    await world.admin('PUT', '/groups/plant/members/a');
    expect(content(b).revoked).toEqual([]);
    await world.admin('DELETE', '/groups/plant/members/a');
    const ends = world.gms.store.get('element', a)!.statementNotAfter * 1000;
    world.advance(ends - world.gms.now() - 60_000);
    await keepHouseNow();
    expect(content(b).revoked).toHaveLength(1);
    world.advance(120_000);
    await keepHouseNow();
    expect(content(b).revoked).toEqual([]);
  });
});

describe('a revocation', () => {
  it('lasts as long as every statement that named the group, also after the offline hours were lowered', async () => {
    await world.admin('PATCH', '/policy', { offlineHours: 0 });
    const [a, b] = [await join('a', 'plant'), await join('b', 'plant')];
    const longest = world.gms.store.get('element', a)!.statementNotAfter;
    await world.admin('PATCH', '/policy', { offlineHours: 24 });
    expect(world.gms.store.get('element', a)!.statementNotAfter).toBeLessThan(longest);
    await world.admin('DELETE', '/elements/a');
    await later(8 * 86_400_000);
    expect(content(b).revoked).toEqual([{ ge: a, group: 1, removed: true }]);
    await later(longest * 1000 - world.gms.now() - 60_000);
    expect(content(b).revoked).toHaveLength(1);
    await later(120_000);
    expect(content(b).revoked).toEqual([]);
  });

  it('of a gateway from a store made before lasts as long as the statement that is known', async () => {
    const [a, b] = [await join('a', 'plant'), await join('b', 'plant')];
    const { statementNotAfter } = world.gms.store.get('element', a)!;
    await world.gms.store.transact((tx) => {
      const { statementsEnd: _, ...before } = tx.get('element', a)!;
      tx.put('element', a, before);
    });
    await world.admin('PATCH', '/policy', { offlineHours: 24 });
    await world.admin('DELETE', '/groups/plant/members/a');
    await later(8 * 86_400_000);
    expect(content(b).revoked).toHaveLength(1);
    expect([...world.gms.store.list('revocation')]).toMatchObject([{ ge: a, until: statementNotAfter }]);
  });
});

describe('statements', () => {
  it('are renewed before half of their life is over', async () => {
    const a = await join('a', 'plant');
    const first = world.gms.store.get('element', a)!;
    world.advance((first.statementNotAfter * 1000 - world.gms.now()) / 2 + 2000);
    await keepHouseNow();
    const second = world.gms.store.get('element', a)!;
    expect(second.statementNotAfter).toBeGreaterThan(first.statementNotAfter);
    expect(second.counter).toBe(first.counter + 1);
  });
});

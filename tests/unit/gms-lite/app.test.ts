/** The GMS's applications, without a port. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PATHS } from '#gms/delivery.ts';
import { enrolmentToSign, toText } from '#gms/enrolment.ts';
import { generateRaw, secretObject, signWith } from '#gms/raw-keys.ts';
import { signRequest } from '#gms/request.ts';
import { decodeToken } from '#gms/token.ts';
import { findSecret, type GmsWorld, gmsWorld } from '../../kit/gms-world.ts';

let world: GmsWorld;
beforeEach(async () => {
  world = await gmsWorld();
});
afterEach(() => world.close());

/** A gateway's side of the enrolment, by hand. */
function newcomer(token: string, changes: Record<string, unknown> = {}) {
  const { secret } = decodeToken(token);
  const own = generateRaw('ed25519');
  const signing = secretObject('ed25519', own.secret);
  const { publicKey: staticKey } = generateRaw('x25519');
  const request = {
    secret: toText(secret),
    signingKey: toText(own.publicKey),
    staticKey: toText(staticKey),
    proof: toText(signWith(signing, enrolmentToSign(secret, own.publicKey, staticKey))),
    ...changes,
  };
  return { signing, request };
}

const post = (request: unknown) =>
  world.app.gateway.request(PATHS.enrol, { method: 'POST', body: JSON.stringify(request) });

async function enrolled(token: string) {
  const { signing, request } = newcomer(token);
  const { ge } = (await (await post(request)).json()) as { ge: string };
  const get = (path: string, time = world.gms.now(), authorization?: string) =>
    world.app.gateway.request(path, {
      headers: { authorization: authorization ?? signRequest(signing, ge, 'GET', path, time, new Uint8Array()) },
    });
  return { ge, signing, get };
}

describe('enrolment', () => {
  it('makes a gateway active at once, as the token says', async () => {
    await world.admin('POST', '/groups', { name: 'plant' });
    const token = await world.token({ name: 'press 1', kind: 'router', mode: 'closed', groups: ['plant'] });
    const answer = await post(newcomer(token, { name: 'own idea', kind: 'bridge' }).request);
    expect(answer.status).toBe(200);
    expect(await answer.json()).toMatchObject({ name: 'press 1', kind: 'router', mode: 'closed' });
    expect(await world.admin('GET', '/elements')).toMatchObject([
      { name: 'press 1', state: 'active', groups: ['plant'], held: null },
    ]);
  });

  it('refuses a used, an expired, an unknown token and a stolen public key, each in its own words', async () => {
    const used = await world.token();
    await post(newcomer(used).request);
    const brief = await world.token({ ttl: 60 });
    const unknown = { ...newcomer(brief).request };
    const stranger = newcomer(await world.token()).request;
    const cases: [unknown, number, string][] = [
      [newcomer(used).request, 403, 'token-used'],
      [{ ...stranger, signingKey: unknown.signingKey }, 401, 'not-authenticated'],
      [{ ...unknown, staticKey: 'short' }, 400, 'bad-field'],
      ['no object', 400, 'bad-field'],
    ];
    for (const [request, status, error] of cases) {
      const answer = await post(request);
      expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([status, error]);
    }
    world.advance(61_000);
    expect(await (await post(unknown)).json()).toMatchObject({ error: 'token-expired' });
  });

  it('gives the same gateway again when the answer got lost', async () => {
    const { request } = newcomer(await world.token());
    const first = (await (await post(request)).json()) as { ge: string };
    const second = (await (await post(request)).json()) as { ge: string };
    expect(second.ge).toBe(first.ge);
    expect(await world.admin<unknown[]>('GET', '/elements')).toHaveLength(1);
  });

  it('keeps names apart: a proposed name gives way, a given one is refused', async () => {
    await post(newcomer(await world.token(), { name: 'box' }).request);
    await post(newcomer(await world.token(), { name: 'box' }).request);
    const names = (await world.admin<{ name: string }[]>('GET', '/elements')).map((e) => e.name).sort();
    expect(names).toEqual(['box', expect.stringMatching(/^box-[0-9a-f]{6}$/)]);
    expect(await world.admin('POST', '/tokens', { name: 'box' })).toMatchObject({ error: 'ge-exists' });
  });
});

describe('a request of a gateway', () => {
  it('gets its bundle with a signature, once', async () => {
    const { ge, signing, get } = await enrolled(await world.token());
    const authorization = signRequest(signing, ge, 'GET', PATHS.bundle, world.gms.now(), new Uint8Array());
    expect((await get(PATHS.bundle, 0, authorization)).status).toBe(200);
    const again = await get(PATHS.bundle, 0, authorization);
    expect([again.status, await again.json()]).toMatchObject([401, { error: 'replayed' }]);
  });

  it('is refused without one, with one for another path, and by a clock that is wrong', async () => {
    const { ge, signing, get } = await enrolled(await world.token());
    expect((await world.app.gateway.request(PATHS.bundle)).status).toBe(401);
    const elsewhere = signRequest(signing, ge, 'GET', PATHS.events, world.gms.now(), new Uint8Array());
    expect((await get(PATHS.bundle, 0, elsewhere)).status).toBe(401);
    const late = await get(PATHS.bundle, world.gms.now() - 120_000);
    expect(await late.json()).toMatchObject({ error: 'clock' });
    expect(Math.abs(Number(late.headers.get('gscip-time')) - world.gms.now())).toBeLessThan(5000);
  });

  it('is told that its gateway is removed', async () => {
    const { ge, get } = await enrolled(await world.token());
    await world.admin('DELETE', `/elements/${ge}`);
    expect([(await get(PATHS.bundle)).status]).toEqual([410]);
  });
});

describe('administration', () => {
  it('refuses what this version cannot do and what does not exist, naming it', async () => {
    const refusals: [string, string, unknown, string][] = [
      ['POST', '/groups', { name: 'x', checksum: 'keyed' }, 'checksum-without-pccom'],
      ['POST', '/groups', { name: 'x', transform: 'clear' }, 'bad-field'],
      ['POST', '/groups', { name: ' x' }, 'bad-field'],
      ['POST', '/groups', { name: 'x', rotation: { at: '25:00', zone: 'UTC' } }, 'bad-field'],
      ['POST', '/groups', { name: 'x', rotation: { at: '03:00', zone: 'Mars' } }, 'bad-field'],
      ['PUT', '/groups/x/members/y', undefined, 'group-unknown'],
      ['POST', '/rotations', { group: 'x' }, 'group-unknown'],
      ['POST', '/tokens', { groups: ['x'] }, 'group-unknown'],
      ['PATCH', '/policy', { protectedPrefixes: ['10.0.0.0/33'] }, 'bad-prefix'],
      ['PATCH', '/policy', { protectedPrefixes: ['::ffff:10.0.0.1'] }, 'bad-prefix'],
      ['PATCH', '/policy', { exceptions: ['10.0.0.1,icmp,80'] }, 'bad-exception'],
      ['GET', '/nowhere', undefined, 'not-found'],
    ];
    for (const [method, path, body, error] of refusals) {
      expect(await world.admin(method, path, body), `${method} ${path}`).toMatchObject({ error });
    }
    expect(await world.admin('GET', '/groups')).toEqual([]);
  });

  it('reads prefixes and exceptions into one spelling', async () => {
    const policy = await world.admin('PATCH', '/policy', {
      protectedPrefixes: ['10.1.2.3/8', '2001:db8::1/32', '192.0.2.9'],
      exceptions: ['192.0.2.1,udp,123,out', '198.51.100.0/24,47', '2001:db8::5,in'],
    });
    expect(policy.protectedPrefixes).toEqual(['10.0.0.0/8', '2001:db8::/32', '192.0.2.9/32']);
    expect(policy.exceptions).toEqual([
      { address: '192.0.2.1/32', protocol: 'udp', port: 123, direction: 'out' },
      { address: '198.51.100.0/24', protocol: 47, direction: 'out' },
      { address: '2001:db8::5/128', direction: 'in' },
    ]);
  });

  it('keeps an audit whose chain shows a change', async () => {
    await world.admin('POST', '/groups', { name: 'plant' });
    await world.admin('POST', '/rotations', { all: true });
    const audit = await world.admin<{ intact: boolean; entries: { action: string }[] }>('GET', '/audit');
    expect(audit.intact).toBe(true);
    expect(audit.entries.map((entry) => entry.action)).toEqual(['init', 'create group', 'rotate', 'rotate']);
    await world.gms.store.transact((tx) => {
      tx.put('audit', '0000000002', { ...tx.get('audit', '0000000002')!, who: 'somebody else' });
    });
    expect(await world.admin('GET', '/audit')).toMatchObject({ intact: false, broken: 2 });
  });

  it('shows no key material anywhere, and keeps none in the clear', async () => {
    await world.admin('POST', '/groups', { name: 'plant' });
    const { ge, get } = await enrolled(await world.token({ groups: ['plant'] }));
    await world.admin('POST', '/rotations', { all: true });
    const answers: string[] = [];
    for (const path of ['/groups', '/elements', '/policy', '/status', '/audit']) {
      answers.push(JSON.stringify(await world.admin('GET', path)));
    }
    answers.push(JSON.stringify(await world.admin('DELETE', `/elements/${ge}`)));
    answers.push(await (await get(PATHS.bundle)).text(), ...world.faults);
    expect(world.drawn.length).toBeGreaterThanOrEqual(6);
    expect(findSecret(answers.join('\n'), world.drawn)).toBe(false);
    const master = readFileSync(join(world.directory, 'master.key'));
    const file = readFileSync(join(world.directory, 'store', 'data.mdb'));
    expect(findSecret(file, [...world.drawn, master])).toBe(false);
    /* The search finds what is there: a public key stands in the store, raw. */
    const known = [...world.gms.store.list('element')][0].staticKey;
    expect(findSecret(file, [known])).toBe(true);
    expect(world.faults).toEqual([]);
  });
});

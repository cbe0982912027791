/** Enrolment over real TLS on loopback. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GmsError } from '#gms/errors.ts';
import { decodeToken, encodeToken } from '#gms/token.ts';
import { enrol } from '#keys/enrol.ts';
import { KeyStore } from '#keys/store.ts';
import { findSecret, type ServedGms, servedGms, temporary } from '../../kit/gms-world.ts';

let gms: ServedGms;
let place: ReturnType<typeof temporary>;
beforeEach(async () => {
  gms = await servedGms(['127.0.0.1', '::1']);
  place = temporary();
});
afterEach(async () => {
  await gms.close();
  place.remove();
});

const refusal = async (attempt: Promise<unknown>): Promise<string> =>
  attempt.then(
    () => 'accepted',
    (error) => (error instanceof GmsError ? error.code : `threw ${error}`),
  );

/** The token with some of its parts changed, checksum right. */
const changed = (token: string, parts: object): string => encodeToken({ ...decodeToken(token), ...parts });

describe('enrolment', () => {
  it.each(['127.0.0.1', '::1'])('takes one token, over %s', async (address) => {
    const token = changed(await gms.token({ name: 'press' }), { endpoints: [{ address, port: gms.port }] });
    const identity = await enrol(token, place.directory, { kind: 'router', software: 'test 1' });
    expect(identity).toMatchObject({ name: 'press', kind: 'router', mode: 'open' });
    expect(await gms.admin('GET', '/elements')).toMatchObject([{ id: identity.ge, software: 'test 1' }]);
  });

  it('tries the addresses in their order until one answers', async () => {
    const endpoints = [
      { address: '127.0.0.2', port: gms.port },
      { address: '::1', port: gms.port },
    ];
    const token = changed(await gms.token(), { endpoints });
    expect(await refusal(enrol(token, place.directory))).toBe('accepted');
  });

  it('says for each wrong token what is wrong', async () => {
    const used = await gms.token();
    const other = temporary();
    await enrol(used, other.directory);
    other.remove();
    expect(await refusal(enrol(used, place.directory))).toBe('token-used');

    const brief = await gms.token({ ttl: 1 });
    gms.advance(2000);
    expect(await refusal(enrol(brief, place.directory))).toBe('token-expired');

    const token = await gms.token();
    expect(await refusal(enrol(token.slice(0, -1), place.directory))).toBe('token-mistyped');
    const secret = new Uint8Array(16);
    expect(await refusal(enrol(changed(token, { secret }), place.directory))).toBe('token-unknown');
    await gms.vanish();
    expect(await refusal(enrol(token, place.directory))).toBe('gms-unreachable');
    await gms.appear();
    expect(await refusal(enrol(token, place.directory))).toBe('accepted');
  });

  it('sends nothing to a server with another root', async () => {
    const impostor = await servedGms();
    const requests: string[] = [];
    impostor.intercept = async (request, genuine) => {
      requests.push(request.url);
      return genuine();
    };
    const endpoints = [{ address: '127.0.0.1', port: impostor.port }];
    const token = await gms.token();
    expect(await refusal(enrol(changed(token, { endpoints }), place.directory))).toBe('wrong-root');
    expect(requests).toEqual([]);
    /* The same server is talked to when its own token names it. */
    const genuine = temporary();
    await enrol(await impostor.token(), genuine.directory);
    expect(requests).toHaveLength(1);
    genuine.remove();
    await impostor.close();
  });

  it('goes on with the same keys and token when the answer got lost', async () => {
    const token = await gms.token();
    gms.intercept = async (_, genuine) => {
      await genuine();
      return new Response('cut', { status: 502 });
    };
    expect(await refusal(enrol(token, place.directory))).toBe('bad-answer');
    gms.intercept = undefined;
    expect(await refusal(enrol(token, place.directory))).toBe('accepted');
    expect(await gms.admin<unknown[]>('GET', '/elements')).toHaveLength(1);
  });

  it('gives an identity up only by force, and only for a new one', async () => {
    const first = await enrol(await gms.token(), place.directory);
    const token = await gms.token();
    expect(await refusal(enrol(token, place.directory))).toBe('already-enrolled');
    await gms.vanish();
    expect(await refusal(enrol(token, place.directory, { force: true }))).toBe('gms-unreachable');
    const store = new KeyStore(place.directory);
    expect(store.identity()?.ge).toBe(first.ge);
    expect(store.ownKeys()).toBeDefined();
    await store.close();
    await gms.appear();
    const second = await enrol(token, place.directory, { force: true });
    expect(second.ge).not.toBe(first.ge);
  });

  it('keeps its secrets sealed', async () => {
    await enrol(await gms.token(), place.directory);
    const store = new KeyStore(place.directory);
    const own = store.ownKeys()!;
    await store.close();
    const file = readFileSync(join(place.directory, 'store', 'data.mdb'));
    const device = readFileSync(join(place.directory, 'device.key'));
    expect(findSecret(file, [own.signing, own.static, device])).toBe(false);
    expect(findSecret(Buffer.concat([file, own.static]), [own.static])).toBe(true);
  });
});

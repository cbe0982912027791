/** New keys from main come first: keys of pairs, of which there are thousands, make room for them. */
import { expect, test } from 'vitest';
import { Desk } from '#datapath/desk.ts';
import type { IdentityMessage } from '#datapath/messages.ts';
import type { Millis } from '#dprp/spec.ts';
import { GE_A, Gms } from '#kit/dprp-world.ts';
import { boundKeyRoom } from '#kit/key-room.ts';
import { H1, H2, udp } from '#kit/sim-frames.ts';
import { SimWorld } from '#kit/sim-world.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';

test('group keys take the place of an idle pair, and an identity larger than all places is named', () => {
  const world = new SimWorld(1);
  for (const side of ['a', 'b'] as const) world.key(side);
  world.sendFromH1(udp({ from: H1, to: H2 }, 1, 2, Buffer.from('data')));
  world.run(2_000);
  const { datapath, provider } = world.a;
  expect(datapath.associations.count).toBe(1);

  const main = createNobleProvider();
  const ticketed = (groups: number): IdentityMessage => {
    const settings = { ge: GE_A, groups: [{ number: 7, versions: [1] }] };
    const {
      staticSecret,
      domainKeys,
      groupKeys,
      gmsTime: _,
      transforms: __,
      ...rest
    } = new Gms().identity(main as never, settings);
    const ticket = (key: unknown): bigint => main.grant(key as never);
    return {
      ...rest,
      gmsTimeOffset: 0,
      staticSecret: ticket(staticSecret),
      domainKeys: domainKeys.map(({ version, key }) => ({ version, ticket: ticket(key) })),
      groupKeys: Array.from({ length: groups }, (_unused, i) => {
        const { key, ...group } = groupKeys[0];
        return { ...group, group: 7 + i, ticket: ticket(key) };
      }),
    };
  };
  const desk = new Desk(datapath, provider, 0);
  /* All other places are taken: the pair's two are what there is for a secret, a domain key and a group key. */
  const room = boundKeyRoom(provider);
  const taken = [];
  for (;;) {
    try {
      taken.push(provider.importKey(new Uint8Array(32)));
    } catch {
      break;
    }
  }
  provider.release(taken.pop()!);
  desk.handle({ type: 'identity', identity: ticketed(1) }, world.now as Millis);
  expect(datapath.associations.count).toBe(0);
  expect(datapath.policy.mode).toBeDefined();
  expect(room.live.size).toBe(taken.length);
  expect(() => desk.handle({ type: 'identity', identity: ticketed(9) }, world.now as Millis)).toThrow(/more keys/);
});

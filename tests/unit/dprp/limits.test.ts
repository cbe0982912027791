import { describe, expect, it } from 'vitest';
import type { Identity, Received } from '#dprp/spec.ts';
import { expectNothingLeft, expectSameKeys } from '#kit/dprp-expect.ts';
import { flow, GE_A, GE_B, GE_C, H1, PAIR_A, PAIR_B, twoGateways, type World } from '#kit/dprp-world.ts';

const address = (n: number): Uint8Array => {
  const bytes = Uint8Array.from(H1);
  bytes[13] = n >> 16;
  bytes[14] = n >> 8;
  bytes[15] = n;
  return bytes;
};
const sentTypes = (world: World, type: number): number =>
  world.sent.filter((f) => f.message.payload[5] === type).length;

describe('what starts here', () => {
  it('is bounded: overloaded is a discard for a moment, and the table empties again', () => {
    const world = twoGateways({ b: 'none', machine: { limits: { running: 8 } } });
    for (let i = 0; i < 9; i++) world.a.begin({ device: H1, peer: address(100 + i) }, 'packet', 0);
    expect(world.a.dprp.running).toBe(8);
    expect(world.a.actions).toMatchObject([{ do: 'discard', reason: 'overloaded', until: 1_000 }]);
    world.run(1_500);
    expect(world.a.dprp.running).toBe(0);
    world.run(30_000);
    expectNothingLeft(world.a);
  });

  it('a device that scans the network leaves room for the others', () => {
    const world = twoGateways({ b: 'none', machine: { limits: { running: 8, runningPerDevice: 6 } } });
    for (let i = 0; i < 9; i++) world.a.begin({ device: H1, peer: address(100 + i) }, 'packet', 0);
    expect(world.a.dprp.running).toBe(6);
    expect(world.a.actions.map((action) => action.do)).toEqual(['discard', 'discard', 'discard']);
    for (let i = 0; i < 2; i++) world.a.begin({ device: address(9), peer: address(100 + i) }, 'packet', 0);
    expect(world.a.dprp.running).toBe(8);
  });

  it('joins what runs: one negotiation per pair', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    expect(world.a.begin(PAIR_A, 'packet', 0)).toEqual([]);
    expect(world.a.dprp.running).toBe(1);
  });

  it('from outside has a quarter of the table, and one try per source and second', () => {
    const world = twoGateways({ b: 'none', machine: { limits: { running: 16 } } });
    const begin = (device: number, peer: number): unknown =>
      world.a.begin({ device: address(device), peer: address(peer) }, 'inbound', world.now).map((x) => x.do);
    expect(begin(1, 100)).toEqual(['send']);
    expect(begin(2, 100), 'the same source at another device').toEqual(['discard']);
    for (let i = 1; i < 4; i++) expect(begin(1, 100 + i)).toEqual(['send']);
    expect(begin(1, 200)).toEqual(['discard']);
    expect(world.a.begin({ device: H1, peer: address(300) }, 'packet', 0)).toMatchObject([{ do: 'send' }]);
    world.run(1_100);
    expect(begin(2, 100)).toEqual(['send']);
  });

  it('waits for late RGIs in a bounded table', () => {
    const world = twoGateways({ b: 'none', machine: { limits: { settled: 4 } } });
    for (let i = 0; i < 12; i++) world.a.begin({ device: H1, peer: address(i) }, 'packet', 0);
    world.run(1_100);
    expect(world.a.crypto.live.size).toBeLessThanOrEqual(4 + 2);
    world.run(30_000);
    expectNothingLeft(world.a);
  });

  it('a provider without free places is overload, not an exception', () => {
    const world = twoGateways();
    world.a.crypto.room = 0;
    world.a.dprp.tick(0 as never);
    for (let i = 0; i < 4; i++) world.a.begin({ device: H1, peer: address(i) }, 'packet', 0);
    expect(world.a.names()).toContain('discard overloaded');
    world.a.crypto.room = Number.POSITIVE_INFINITY;
    world.b.crypto.room = 0;
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(300);
    expect(world.b.drops).toContain('dprp-budget');
    world.b.crypto.room = Number.POSITIVE_INFINITY;
    world.run(3_000);
    world.a.begin(PAIR_A, 'packet', world.now);
    world.runFor(2_000);
    expectSameKeys(world);
    expectNothingLeft(world.a, world.b);
  });

  it('whichever key is the first without a place, nothing is left behind, and the next try agrees', () => {
    for (const side of ['a', 'b'] as const) {
      let needed = 0;
      for (let refused = true; refused; needed++) {
        const world = twoGateways();
        world[side].crypto.room = needed;
        world.a.begin(PAIR_A, 'packet', 0);
        world.run(900);
        refused = world[side].crypto.room < 0;
        world[side].crypto.room = Number.POSITIVE_INFINITY;
        world.run(20_000);
        world.a.begin(PAIR_A, 'packet', world.now);
        world.runFor(2_000);
        expectSameKeys(world);
        expectNothingLeft(world.a, world.b);
      }
      /* An ephemeral, six of a GE met for the first time, five of an agreement. */
      expect(needed, side).toBeGreaterThan(9);
    }
  });
});

describe('what far sides start', () => {
  it('makes keys ahead of MPIT, for a few: a flood of DDEs costs no more', () => {
    const world = twoGateways({ machine: { limits: { prepared: 3 } } });
    world.mallory = (f) => (f.message.payload[5] === 3 ? [] : [f]); /* no MPIT arrives */
    const before = world.b.crypto.calls.exchange ?? 0;
    for (let i = 0; i < 10; i++) world.a.begin({ device: address(i), peer: PAIR_A.peer }, 'packet', 0);
    world.run(20);
    expect(sentTypes(world, 2)).toBe(10);
    expect((world.b.crypto.calls.exchange ?? 0) - before).toBe(3 + 1 /* MAC keys */);
    world.run(40_000);
    expectNothingLeft(world.a, world.b);
  });

  it('holds as many half-open negotiations as its table has, the oldest of that GE making room', () => {
    const world = twoGateways({ machine: { limits: { halfOpen: 16, halfOpenPerGe: 8 } } });
    world.mallory = (f) => (f.message.payload[5] === 3 ? [] : [f]); /* no MPIT arrives */
    for (let i = 0; i < 40; i++) world.a.begin({ device: address(i), peer: PAIR_A.peer }, 'packet', 0);
    world.run(20);
    expect(sentTypes(world, 2)).toBe(40);
    expect(world.b.crypto.live.size).toBeLessThanOrEqual(8 + 8 + 2 + 2 /* prepared, pool, MAC keys */);
    world.run(40_000);
    expect(world.b.crypto.live.size).toBeLessThanOrEqual(4);
    expectNothingLeft(world.a, world.b);
  });

  it('ten thousand half-open ones leave room for the one that goes on', () => {
    const world = twoGateways({ machine: { limits: { halfOpenPerGe: 64 } } });
    const [dde] = world.a.begin(PAIR_A, 'packet', 0);
    if (dde.do !== 'send') throw new Error('a DDE was expected');
    const message: Received = { ...dde, icmp: 'request', ipVersion: 4, from: 'outer' };
    for (let i = 0; i < 10_000; i++)
      world.b.receive({ ...message, pair: { device: PAIR_A.peer, peer: address(i) } }, 0);
    expect(world.b.crypto.live.size).toBeLessThanOrEqual(64 + 4);
    world.wire.length = 0;
    world.run(2_000);
    expectSameKeys(world);
    expectNothingLeft(world.a, world.b);
  }, 60_000);

  it('verifies no more signatures in a second than the limit', () => {
    const world = twoGateways({ machine: { limits: { verifications: 3 }, verifyStatement: () => false } });
    for (let i = 0; i < 10; i++) world.a.begin({ device: address(i), peer: PAIR_A.peer }, 'packet', 0);
    world.run(5);
    expect(world.b.drops.filter((x) => x === 'dprp-statement').length).toBe(3);
    expect(world.b.drops.filter((x) => x === 'dprp-budget').length).toBe(7);
  });

  it('signature and static exchange are computed once per GE', () => {
    let verified = 0;
    const world = twoGateways({
      machine: {
        verifyStatement: () => {
          verified++;
          return true;
        },
      },
    });
    for (let i = 0; i < 5; i++) {
      world.a.begin({ device: address(i), peer: PAIR_A.peer }, 'packet', world.now);
      world.runFor(10);
    }
    expect(verified).toBe(2); /* each side once */
  });
});

describe('alarms', () => {
  const raised = (world: World, name: string): number =>
    world.b!.actions.filter((action) => action.do === 'alarm' && action.name === name).length;

  it('of a holder of the domain key who has bad statements: one per pair and five seconds, of 64 pairs', () => {
    const world = twoGateways({ a: { forged: true } });
    const [dde] = world.a.begin(PAIR_A, 'packet', 0);
    if (dde.do !== 'send') throw new Error('a DDE was expected');
    const message: Received = { ...dde, icmp: 'request', ipVersion: 4, from: 'outer' };
    const send = (peer: number, now: number): unknown =>
      world.b.receive({ ...message, pair: { device: PAIR_A.peer, peer: address(peer) } }, now);
    for (let i = 0; i < 100; i++) send(0, i);
    expect(raised(world, 'statement')).toBe(1);
    for (let i = 0; i < 300; i++) send(i, 100);
    expect(raised(world, 'statement')).toBe(64);
    for (let i = 0; i < 300; i++) send(i, 5_100);
    expect(raised(world, 'statement')).toBe(2 * 64);
    expect(world.b.drops.filter((name) => name === 'dprp-statement').length, 'each is counted').toBe(700);
  });

  it('of a member who stands before the address of another: one per pair and five seconds', () => {
    const world = twoGateways();
    world.b.remembered.set(Buffer.from(PAIR_A.device).toString('hex'), { ge: GE_C, transform: 'sealed' });
    for (let i = 0; i < 20; i++) {
      world.run(100 * i);
      world.a.begin(PAIR_A, 'packet', world.now);
      world.runFor(50);
    }
    expect(flow(world).filter((message) => message === 'b CDN').length).toBe(20);
    expect(raised(world, 'other-ge')).toBe(1);
  });

  it('of one kind do not hide those of another', () => {
    const world = twoGateways({ a: { forged: true } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    world.b.remembered.set(Buffer.from(PAIR_A.device).toString('hex'), { ge: GE_A, transform: 'sealed' });
    world.b.begin(PAIR_B, 'packet', 10);
    world.mallory = () => [];
    world.run(2_000);
    expect([raised(world, 'statement'), raised(world, 'downgrade')]).toEqual([1, 1]);
  });
});

describe('the identity', () => {
  const groups = [{ number: 7, versions: [1] }];

  it('without one nothing is begun, answered or noticed', () => {
    const world = twoGateways();
    world.a.setIdentity(undefined, 0);
    expect(world.a.begin(PAIR_A, 'packet', 0)).toMatchObject([{ do: 'discard', reason: 'no-keys' }]);
    expect(world.a.dprp.noAssociationNotice(4)).toBeUndefined();
    world.b.begin(PAIR_B, 'packet', 0);
    world.run(5);
    expect(world.a.drops).toEqual(['dprp-no-keys']);
  });

  it('that says something else ends what runs; what was started here starts anew', () => {
    for (const at of [0.5, 1.5, 2.5, 3.5]) {
      const world = twoGateways();
      world.a.begin(PAIR_A, 'packet', 0);
      world.run(at);
      const closed: Identity = world.gms.identity(world.a.provider, { ge: GE_A, groups, mode: 'closed' });
      world.a.setIdentity(closed, world.now);
      world.run(1_000);
      expectSameKeys(world);
      world.run(30_000);
      expectNothingLeft(world.a, world.b);
    }
  });

  it('that is taken away ends what runs, with every key', () => {
    for (const at of [0.5, 1.5, 2.5, 3.5]) {
      const world = twoGateways();
      world.a.begin(PAIR_A, 'packet', 0);
      world.run(at);
      world.a.setIdentity(undefined, world.now);
      world.b.setIdentity(undefined, world.now);
      expect(world.a.dprp.running).toBe(0);
      expectNothingLeft(world.a, world.b);
    }
  });

  it.each([
    ['statement', (i: Identity) => ({ ...i, ge: GE_B })],
    ['statement', (i: Identity) => ({ ...i, mode: 'closed' as const })],
    ['statement', (i: Identity) => ({ ...i, statement: new Uint8Array(10) })],
    ['signingKey', (i: Identity) => ({ ...i, signingKey: new Uint8Array(5) })],
    ['domainKeys', (i: Identity) => ({ ...i, domainKeys: [] })],
  ])('that contradicts itself is an error that names %s', (field, change) => {
    const world = twoGateways();
    const identity = world.gms.identity(world.a.provider, { ge: GE_A, groups });
    expect(() => world.a.setIdentity(change(identity), 0)).toThrow(`identity: ${field}`);
  });
});

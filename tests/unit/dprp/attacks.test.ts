/**
 * What somebody on the wire, and then a member of the domain on the wire, can do to a negotiation. docs/dprp.md § 10.
 */
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Action, Received } from '#dprp/spec.ts';
import { expectNothingLeft, expectSameKeys } from '#kit/dprp-expect.ts';
import { flow, Gateway, GE_A, GE_B, GE_C, Gms, H1, H2, PAIR_A, PAIR_B, twoGateways, World } from '#kit/dprp-world.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';

const isDrop = (actions: readonly Action[]): boolean =>
  actions.some((action) => action.do === 'drop') &&
  actions.every((action) => ['drop', 'notice', 'ask-gms', 'alarm'].includes(action.do));

/** CDN leaves a little behind MPIT, ms. */
const SOON = 0.1;

/** Runs a negotiation and hands every message to `attack` before it is delivered. */
function negotiate(attack: (to: Gateway, message: Received, now: number) => void): World & { b: Gateway } {
  const world = twoGateways();
  world.a.begin(PAIR_A, 'packet', 0);
  for (let i = 0; i < 4; i++) {
    const flight = world.wire.shift();
    if (!flight?.to) break;
    attack(flight.to, flight.message, i);
    flight.to.receive(flight.message, i);
    world.b.tick(i + SOON);
  }
  expect(flow(world).slice(-1)).toEqual(['b CDN']);
  expectSameKeys(world);
  expectNothingLeft(world.a, world.b);
  return world;
}

describe('somebody on the wire without a domain key', () => {
  it('changes any byte of any message: a counted drop, and the negotiation goes on', () => {
    let tried = 0;
    negotiate((to, message, now) => {
      for (let i = 0; i < message.payload.length; i++) {
        const payload = Uint8Array.from(message.payload);
        payload[i] ^= 1 << (i % 8);
        expect(isDrop(to.receive({ ...message, payload }, now)), `${message.icmp} byte ${i}`).toBe(true);
        tried++;
      }
    });
    expect(tried).toBeGreaterThan(800);
  });

  it('cuts any message at any length, or appends to it', () => {
    negotiate((to, message, now) => {
      for (let n = 0; n < message.payload.length; n++) {
        expect(isDrop(to.receive({ ...message, payload: message.payload.subarray(0, n) }, now)), `length ${n}`).toBe(
          true,
        );
      }
      expect(isDrop(to.receive({ ...message, payload: Uint8Array.of(...message.payload, 0) }, now))).toBe(true);
    });
  });

  it('sends a message as another kind of ICMP, or as another IP version', () => {
    negotiate((to, message, now) => {
      for (const icmp of ['request', 'reply', 'error'] as const) {
        if (icmp !== message.icmp) expect(isDrop(to.receive({ ...message, icmp }, now)), icmp).toBe(true);
      }
      expect(isDrop(to.receive({ ...message, ipVersion: 6 }, now))).toBe(true);
      expect(isDrop(to.receive({ ...message, from: 'inner' }, now))).toBe(true);
    });
  });

  it('reflects every message to its sender', () => {
    const world = twoGateways();
    world.mallory = (f) => {
      const { device, peer } = f.message.pair;
      for (const icmp of ['request', 'reply'] as const) {
        const back: Received = { ...f.message, icmp, pair: { device: peer, peer: device } };
        if (f.message.payload[5] === 1 && icmp === 'reply') continue; /* that is an echo: another test */
        reflected.push([f.from, back]);
      }
      return [f];
    };
    const reflected: [Gateway, Received][] = [];
    world.a.begin(PAIR_A, 'packet', 0);
    while (world.wire.length > 0) {
      for (const [to, message] of reflected.splice(0)) expect(isDrop(to.receive(message, world.now))).toBe(true);
      world.runFor(1);
    }
    expect(world.a.drops).toContain('dprp-own');
    expectSameKeys(world);
    expectNothingLeft(world.a, world.b);
  });

  it('replays a whole old negotiation: no key changes, and only half-open state is spent', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    const recorded = world.sent.map((f) => ({ to: f.from === world.a ? world.b : world.a, message: f.message }));
    world.run(60_000); /* every cache has forgotten it */
    const before = [world.a.sender(PAIR_A), world.b.sender(PAIR_B)];
    for (const { to, message } of recorded) {
      const actions = to.receive(message, world.now);
      expect(actions.some((x) => ['install', 'confirm', 'abandon', 'plain', 'discard'].includes(x.do))).toBe(false);
    }
    world.wire.length = 0;
    expect([world.a.sender(PAIR_A), world.b.sender(PAIR_B)]).toEqual(before);
    world.run(90_000);
    expectNothingLeft(world.a, world.b);
  });

  it('replays an RGI, an MPIT or a CDN into another negotiation of the same pair, or of another one', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    const [, rgi, mpit, cdn] = world.sent.map((f) => f.message);
    const other = { device: H1, peer: Uint8Array.from(H2).fill(9, 15) };
    for (const pair of [PAIR_A, other]) {
      world.a.begin(pair, 'renewal', world.now);
      const old = [rgi, cdn].map((m) => world.a.receive({ ...m, pair }, world.now));
      expect(old.every(isDrop)).toBe(true);
      expect(isDrop(world.b.receive({ ...mpit, pair: { device: pair.peer, peer: H1 } }, world.now))).toBe(
        pair !== PAIR_A,
      );
    }
  });

  it('answers with an echo: nothing that was protected becomes plain, and RGI upgrades the rest', () => {
    const world = twoGateways();
    world.mallory = (f) => (f.message.payload[5] === 1 ? [world.echoOf({ ...f, to: f.from }), f] : [f]);
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    expectSameKeys(world);
    expect(world.a.state(PAIR_A).verdict).toBeUndefined();
  });

  it('sends rubbish: never an exception, always a drop', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    const dde = world.sent[0].message.payload;
    const rubbish = fc.oneof(
      fc.uint8Array({ maxLength: 1_100 }),
      fc.tuple(fc.nat(19), fc.nat(255), fc.uint8Array({ maxLength: 600 })).map(([at, value, tail]) => {
        const bytes = Uint8Array.from([...dde.subarray(0, 44), ...tail]);
        bytes[at] = value;
        return bytes;
      }),
    );
    const icmp = fc.constantFrom('request', 'reply', 'error');
    fc.assert(
      fc.property(rubbish, icmp, (payload, kind) => {
        const message: Received = {
          pair: PAIR_B,
          ipVersion: 4,
          icmp: kind,
          id: 1,
          sequence: 1,
          payload,
          from: 'outer',
        };
        expect(isDrop(world.b.receive(message, 1))).toBe(true);
        expect(isDrop(world.a.receive({ ...message, pair: PAIR_A }, 1))).toBe(true);
      }),
      { numRuns: 1_000 },
    );
    expect(world.b.crypto.violations).toEqual([]);
  });

  it('a notice is never longer than what it answers', () => {
    const world = twoGateways({ a: { domainVersions: [1] }, b: { domainVersions: [3] } });
    world.a.begin(PAIR_A, 'packet', 0);
    const dde = world.sent[0].message;
    world.run(1);
    const notice = world.b.actions.find((x) => x.do === 'notice');
    expect(notice?.do === 'notice' && notice.payload.length + 128).toBeLessThan(dde.payload.length);
    const short = Uint8Array.from(dde.payload.subarray(0, 200));
    new DataView(short.buffer).setUint16(6, 200 - 44);
    expect(world.b.receive({ ...dde, payload: short }, 100).map((x) => x.do)).toEqual(['drop']);
  });
});

/** A member of the domain: opens, changes and seals again what passes, but holds nobody's static key. */
describe('a stolen gateway on the wire', () => {
  const AAD = { request: 8, reply: 0, error: 3 } as const;

  function reseal(gms: Gms, message: Received, change: (body: Uint8Array) => Uint8Array): Received {
    const provider = createNobleProvider();
    const key = provider.importKey(gms.key('domain 1'));
    const { payload } = message;
    const aad = (header: Uint8Array): Uint8Array => Uint8Array.of(...header, AAD[message.icmp], 4);
    const header = payload.slice(0, 20);
    const body = provider.openMessage(key, payload.subarray(20, 44), aad(header), payload.subarray(44))!;
    const changed = change(Uint8Array.from(body));
    new DataView(header.buffer).setUint16(6, changed.length + 16);
    const nonce = Uint8Array.from(randomBytes(24));
    const sealed = provider.sealMessage(key, nonce, aad(header), changed);
    return { ...message, payload: Uint8Array.of(...header, ...nonce, ...sealed) };
  }

  it.each([
    ['RGI', 1],
    ['MPIT', 2],
    ['CDN', 3],
  ])('changes any byte of %s under the seal: a counted drop', (_, at) => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    for (let i = 0; i < at; i++) {
      const flight = world.wire.shift()!;
      flight.to!.receive(flight.message, 1);
      world.b.tick(1 + SOON);
    }
    const { to, message } = world.wire[0];
    const length = message.payload.length - 60;
    for (let i = 0; i < length; i++) {
      const changed = reseal(world.gms, message, (body) => {
        body[i] ^= 1 << (i % 8);
        return body;
      });
      expect(isDrop(to!.receive(changed, 1)), `byte ${i}`).toBe(true);
    }
    for (let n = 0; n < length; n += 7) {
      expect(
        isDrop(
          to!.receive(
            reseal(world.gms, message, (body) => body.subarray(0, n)),
            1,
          ),
        ),
        `length ${n}`,
      ).toBe(true);
    }
    expect(world.a.names().filter((n) => n.startsWith('plain'))).toEqual([]);
    world.run(2_000);
    expectSameKeys(world);
    expectNothingLeft(world.a, world.b);
  });

  it('changes any byte of DDE under the seal: nobody ever holds keys from it, nor plaintext', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    const dde = world.wire.shift()!.message;
    for (let i = 0; i < dde.payload.length - 60; i += 3) {
      const b = new Gateway(
        'b',
        world.gms,
        { ge: GE_B, groups: [{ number: 7, versions: [1] }] },
        { limits: { ephemerals: 0 } },
      );
      const changed = reseal(world.gms, dde, (body) => {
        body[i] ^= 1 << (i % 8);
        return body;
      });
      const answer = b.receive(changed, 1).find((x) => x.do === 'send');
      if (answer?.do !== 'send') {
        expect(b.drops.length, `byte ${i}`).toBe(1);
        continue;
      }
      const rgi: Received = { ...dde, pair: PAIR_A, icmp: 'reply', sequence: 1, payload: answer.payload };
      expect(world.a.receive(rgi, 1), `byte ${i}`).toEqual([{ do: 'drop', name: 'dprp-hash-chain' }]);
      expect(
        b.names().filter((n) => n !== 'expect'),
        `byte ${i}`,
      ).toEqual([]);
    }
  });

  it('puts its own ephemeral key in place of both: refused by the MAC of the static keys', () => {
    const world = twoGateways();
    const own = Uint8Array.from(randomBytes(32));
    world.mallory = (f) => {
      const at = f.message.payload[5] === 1 ? 75 : f.message.payload[5] === 2 ? 100 : undefined;
      if (at === undefined) return [f];
      const message = reseal(world.gms, f.message, (body) => {
        body.set(own, at);
        return body;
      });
      return [{ ...f, message }];
    };
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(2_000);
    expect(world.a.names().some((n) => n.startsWith('install') || n.startsWith('plain'))).toBe(false);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'negotiation-failed' });
  });

  it('answers in the name of another: its statement without its static key is worth nothing', () => {
    const gms = new Gms();
    const groups = [{ number: 7, versions: [1] }];
    const a = new Gateway('a', gms, { ge: GE_A, groups });
    const identity = gms.identity(createNobleProvider(), { ge: GE_B, groups });
    const thief = new Gateway('thief', gms, { ge: GE_C, groups });
    const stolen = gms.identity(thief.provider, { ge: GE_C, groups });
    thief.setIdentity({ ...stolen, ge: GE_B, statement: identity.statement }, 0);
    const world = new World(gms, a, thief);
    a.begin(PAIR_A, 'packet', 0);
    world.run(2_000);
    expect(a.drops).toContain('dprp-mac');
    expect(a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'negotiation-failed' });
    thief.begin(PAIR_B, 'packet', 2_000);
    world.run(2_100);
    expect(a.names().some((n) => n.startsWith('install'))).toBe(false);
  });

  it('names a group that it is in by its statement, but whose key it does not hold', () => {
    const world = twoGateways();
    const groups = [{ number: 7, versions: [1] }];
    const wrong = world.gms.identity(world.b.provider, { ge: GE_B, groups });
    const key = world.b.provider.importKey(Uint8Array.from(randomBytes(32)));
    world.b.setIdentity({ ...wrong, groupKeys: [{ ...wrong.groupKeys[0], key: key as never }] }, 0);
    world.b.begin(PAIR_B, 'packet', 0);
    world.run(10);
    expect(world.a.drops).toContain('dprp-proof');
    expect(world.a.names().some((n) => n.startsWith('install'))).toBe(false);
    world.a.begin(PAIR_A, 'packet', 20);
    world.run(100);
    expect(world.a.sender(PAIR_A)).toBeDefined(); /* a sends, and nobody can read it */
    expect(world.a.names()).not.toContain('confirm');
    world.run(30_000);
    expect(world.a.sender(PAIR_A)).toBeUndefined();
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'negotiation-failed' });
    expectNothingLeft(world.a, world.b);
  });
});

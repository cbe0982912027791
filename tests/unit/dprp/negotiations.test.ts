import { describe, expect, it } from 'vitest';
import type { Received } from '#dprp/spec.ts';
import { expectNothingLeft, expectSameKeys } from '#kit/dprp-expect.ts';
import { flow, Gateway, GE_A, GE_B, GMS_TIME, PAIR_A, PAIR_B, twoGateways } from '#kit/dprp-world.ts';

describe('a first packet between two gateways of one group', () => {
  it('takes four messages, and one round trip until it leaves', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(1);
    expect(world.b.names()).toEqual(['expect']);
    world.run(2);
    expect(world.a.names()).toEqual(['install and send']);
    world.run(3);
    expect(world.b.names()).toEqual(['expect', 'install and send', 'confirm']);
    expect(flow(world)).toEqual(['a DDE', 'b RGI', 'a MPIT']);
    world.run(4.1);
    expect(world.a.names()).toEqual(['install and send', 'confirm']);
    expect(flow(world)).toEqual(['a DDE', 'b RGI', 'a MPIT', 'b CDN']);
    expect(world.sent.map((f) => f.message.icmp)).toEqual(['request', 'reply', 'request', 'reply']);
    expectSameKeys(world);
    expect(world.a.sender(PAIR_A)).toMatchObject({
      role: 'initiator',
      peerGe: GE_B,
      initiatorGe: GE_A,
      group: 7,
      keyVersion: 1,
      transform: 'sealed',
      algorithm: 1,
      took: 2,
    });
    expectNothingLeft(world.a, world.b);
  });

  describe('CDN leaves behind what came with MPIT', () => {
    /** b has taken MPIT at 2 ms, and nothing since. */
    function untilMpit(transform: 'sealed' | 'pccom' = 'sealed') {
      const settings = { groups: [{ number: 7, versions: [1], transform }] };
      const world = twoGateways({ a: settings, b: settings });
      world.a.begin(PAIR_A, 'packet', 0);
      for (let at = 0; at < 2; at++) {
        const { to, message } = world.wire.shift()!;
        to!.receive(message, at);
        to!.tick(at);
      }
      const { message: mpit } = world.wire.shift()!;
      return { world, mpit, said: world.b.receive(mpit, 2).map((action) => action.do) };
    }

    it('a little later, once', () => {
      const { world, said } = untilMpit();
      expect(said).toEqual(['install', 'confirm']);
      expect(world.b.nextTimeout()).toBeGreaterThan(2);
      expect(world.b.nextTimeout()).toBeLessThan(2.1);
      world.b.tick(2.01);
      expect(flow(world)).toEqual(['a DDE', 'b RGI', 'a MPIT']);
      world.b.tick(2.1);
      world.b.tick(2.2);
      expect(flow(world)).toEqual(['a DDE', 'b RGI', 'a MPIT', 'b CDN']);
    });

    it('at once where MPIT is repeated, to both', () => {
      const { world, mpit } = untilMpit();
      expect(world.b.receive({ ...mpit, sequence: 2 }, 2.01).map((action) => action.do)).toEqual(['send', 'send']);
      world.b.tick(2.1);
      const answers = world.sent
        .filter((f) => f.from === world.b)
        .slice(-2)
        .map((f) => f.message);
      expect(answers.map(({ sequence }) => sequence)).toEqual([mpit.sequence, 2]);
      expect(answers[0].payload).toEqual(answers[1].payload);
    });

    it('and what was repeated holds up no CDN of a later negotiation', () => {
      const { world, mpit } = untilMpit();
      world.b.receive({ ...mpit, sequence: 2 }, 2.01);
      world.b.tick(2.02);
      world.wire.length = 0;
      world.run(10);
      world.a.begin({ device: PAIR_A.device, peer: Uint8Array.of(...PAIR_A.peer.slice(0, 15), 77) }, 'packet', 10);
      world.run(14.1);
      expect(flow(world).slice(-4)).toEqual(['a DDE', 'b RGI', 'a MPIT', 'b CDN']);
    });

    it('before the keys that it is made with go', () => {
      const { world } = untilMpit();
      expect(world.b.setIdentity(undefined, 2.01).map((action) => action.do)).toContain('send');
      world.b.tick(2.1);
      expect(flow(world)).toEqual(['a DDE', 'b RGI', 'a MPIT', 'b CDN']);
    });

    it('at once under pccom, whose packets the initiator cannot read before', () => {
      expect(untilMpit('pccom').said).toEqual(['install', 'confirm', 'send']);
    });
  });

  it('sends MPIT before it installs, so that the held packets follow it', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(1.5);
    const rgi = world.wire[0].message;
    world.wire.length = 0;
    expect(world.a.receive(rgi, 2).map((action) => action.do)).toEqual(['send', 'install']);
  });

  it('every request has a new sequence number, and every answer that of its request', () => {
    const world = twoGateways();
    let hidden = 3;
    world.mallory = (f) => (f.from === world.b && hidden-- > 0 ? [] : [f]);
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(1_000);
    const requests = world.sent.filter((f) => f.message.icmp === 'request').map((f) => f.message.sequence);
    expect(requests).toEqual([1, 2, 3, 4, 5]);
    for (const reply of world.sent.filter((f) => f.message.icmp === 'reply')) {
      expect(requests).toContain(reply.message.sequence);
    }
    expectSameKeys(world);
  });
});

describe('repeats', () => {
  it('a repeated DDE gets the same RGI, a repeated MPIT the same CDN, and neither touches a key', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    const [dde, rgi, mpit, cdn] = world.sent.map((f) => f.message);
    const calls = { ...world.b.crypto.calls };
    const held = new Set(world.b.crypto.live);
    const again = (message: typeof dde, sequence: number): unknown =>
      world.b.receive({ ...message, sequence }, world.now).map((action) => ({ ...action, pair: undefined }));
    const answer = (sequence: number, payload: Uint8Array): unknown => [
      { do: 'send', icmp: 'reply', id: dde.id, sequence, payload, pair: undefined },
    ];
    expect(again(dde, 77)).toEqual(answer(77, rgi.payload));
    expect(again(mpit, 78)).toEqual(answer(78, cdn.payload));
    expect(world.b.crypto.live).toEqual(held);
    const { open, ...rest } = world.b.crypto.calls;
    const { open: before, ...others } = calls;
    expect(open).toBe(before + 2);
    expect(rest).toEqual(others);
  });

  it('a repeated RGI or CDN is late, and counted', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    const keys = new Set(world.a.crypto.live);
    for (const f of world.sent.filter((s) => s.from === world.b)) world.a.receive(f.message, world.now);
    expect(world.a.drops).toEqual(['dprp-unknown-negotiation', 'dprp-unknown-negotiation']);
    expect(world.a.crypto.live).toEqual(keys);
  });
});

describe('both start at once', () => {
  it.each([0, 0.4, 0.9, 1.1, 1.5, 1.9, 2.1, 2.6])('%d ms apart: both send with one agreement in the end', (apart) => {
    for (const first of ['a', 'b'] as const) {
      const world = twoGateways();
      const begin = {
        a: () => world.a.begin(PAIR_A, 'packet', world.now),
        b: () => world.b.begin(PAIR_B, 'packet', world.now),
      };
      begin[first]();
      world.run(apart);
      begin[first === 'a' ? 'b' : 'a']();
      world.run(500);
      expectSameKeys(world);
      world.run(30_000);
      expectSameKeys(world);
      const held = world.a.state(PAIR_A).generations.filter((g) => g !== undefined);
      expect(held.length, 'the other one ended after the grace').toBe(1);
      expect(world.b.state(PAIR_B).generations.filter((g) => g !== undefined).length).toBe(1);
      expectNothingLeft(world.a, world.b);
    }
  });

  it('where both are completed, the agreement that the lower GE id started is used', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.b.begin(PAIR_B, 'packet', 0);
    world.run(100);
    expect(world.a.actions.filter((x) => x.do === 'install').length).toBe(2);
    expect(world.a.sender(PAIR_A)?.initiatorGe).toBe(GE_A);
    expect(world.b.sender(PAIR_B)?.initiatorGe).toBe(GE_A);
    const generations = world.a.actions.flatMap((x) => (x.do === 'install' ? [x.agreement.generation] : []));
    expect(generations.map((g) => g % 2).sort()).toEqual([0, 1]);
  });

  it('where the lower one’s MPIT never arrives, the other one serves', () => {
    const world = twoGateways();
    world.mallory = (f) => (f.from === world.a && f.message.payload[5] === 3 ? [] : [f]);
    world.a.begin(PAIR_A, 'packet', 0);
    world.b.begin(PAIR_B, 'packet', 0);
    world.run(12_000);
    expectSameKeys(world);
    expect(world.a.sender(PAIR_A)?.initiatorGe).toBe(GE_B);
    expect(world.a.names()).toContain('abandon');
    expect(world.a.state(PAIR_A).verdict).toBeUndefined();
    expectNothingLeft(world.a, world.b);
  });
});

describe('renewal', () => {
  it('is received with at once and sent with from CDN on; the old generation ends after the grace', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    const old = world.a.sender(PAIR_A);
    world.a.begin(PAIR_A, 'renewal', 100);
    world.run(102);
    expect(world.a.names().at(-1)).toBe('install');
    expect(world.a.sender(PAIR_A)).toBe(old);
    world.run(104.1);
    expect(world.a.sender(PAIR_A)?.generation).toBe(2);
    expectSameKeys(world);
    expect(world.b.state(PAIR_B).generations.filter((g) => g !== undefined).length).toBe(2);
    world.run(20_000);
    expect(world.b.state(PAIR_B).generations.filter((g) => g !== undefined).length).toBe(1);
    expectNothingLeft(world.a, world.b);
  });

  it('goes on through many renewals from both sides', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    for (let i = 0; i < 12; i++) {
      if (i % 3 === 0) world.b.begin(PAIR_B, 'renewal', world.now);
      else world.a.begin(PAIR_A, 'renewal', world.now);
      world.runFor(5_000);
      expectSameKeys(world);
    }
    expectNothingLeft(world.a, world.b);
  });

  it('that nobody answers leaves what serves, and says when to try again', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    world.mallory = () => [];
    world.a.begin(PAIR_A, 'renewal', 100);
    world.run(2_000);
    expect(world.a.actions.at(-1)).toMatchObject({ do: 'keep', reason: 'no-gateway-silence', until: 3_100 });
    expect(world.a.sender(PAIR_A)).toBeDefined();
  });

  it('uses the newer version of the group key as soon as both hold it', () => {
    const both = [{ number: 7, versions: [2, 1] }];
    const world = twoGateways({ a: { groups: both } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    expect(world.a.sender(PAIR_A)?.keyVersion).toBe(1);
    expect(world.b.names()).toContain('ask-gms');
    world.b.setIdentity(world.gms.identity(world.b.provider, { ge: GE_B, groups: both }), 100);
    world.a.begin(PAIR_A, 'renewal', 100);
    world.run(200);
    expect(world.a.sender(PAIR_A)?.keyVersion).toBe(2);
    expectSameKeys(world);
  });
});

describe('a restarted gateway', () => {
  it('as responder: the heal gives new keys in one round trip, and sends with them at once', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    world.replaceB(new Gateway('b', world.gms, { ge: GE_B, groups: [{ number: 7, versions: [1] }] }));
    const notice = world.b.dprp.noAssociationNotice(4)!;
    const got = world.a.receive(
      { pair: PAIR_A, ipVersion: 4, icmp: 'error', id: 0, sequence: 0, payload: notice, from: 'outer' },
      100,
    );
    expect(got).toMatchObject([{ do: 'no-association-notice' }]);
    world.a.begin(PAIR_A, 'heal', 100);
    world.run(102);
    expect(world.a.names().at(-1)).toBe('install and send');
    world.run(200);
    expectSameKeys(world);
    world.run(20_000);
    expectNothingLeft(world.a, world.b);
  });

  it('as initiator: its new negotiation takes the place of the old association', () => {
    const world = twoGateways();
    world.b.begin(PAIR_B, 'packet', 0);
    world.run(100);
    for (let i = 0; i < 4; i++) {
      world.replaceB(new Gateway('b', world.gms, { ge: GE_B, groups: [{ number: 7, versions: [1] }] }));
      world.b.begin(PAIR_B, 'packet', world.now);
      world.runFor(100);
      expectSameKeys(world);
    }
  });

  it('an MPIT of before, overtaken on the way, does not replace the keys of after', () => {
    const world = twoGateways();
    const held: Received[] = [];
    world.mallory = (f) => {
      if (f.message.payload[5] !== 3 || held.length > 0) return [f];
      held.push(f.message);
      return [];
    };
    world.b.begin(PAIR_B, 'packet', 0);
    world.run(2.5); /* MPIT is out, and late */
    const restarted = new Gateway('b', world.gms, { ge: GE_B, groups: [{ number: 7, versions: [1] }] });
    world.wire.length = 0;
    world.replaceB(restarted);
    restarted.begin(PAIR_B, 'packet', world.now);
    world.runFor(10);
    expectSameKeys(world);
    expect(held.length).toBe(1);
    expect(world.a.receive(held[0], world.now)).toEqual([{ do: 'drop', name: 'dprp-unknown-negotiation' }]);
    expectSameKeys(world);
  });

  it('in the middle of a negotiation: a heal does not wait for the CDN that cannot come', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(2.5); /* MPIT is out */
    world.wire.length = 0;
    world.replaceB(new Gateway('b', world.gms, { ge: GE_B, groups: [{ number: 7, versions: [1] }] }));
    world.run(100);
    expect(world.b.drops).toContain('dprp-unknown-negotiation');
    world.a.begin(PAIR_A, 'heal', 100);
    world.run(110);
    expectSameKeys(world);
    expectNothingLeft(world.a, world.b);
  });

  it('notices count at most once per second and pair', () => {
    const world = twoGateways();
    const notice = (): unknown =>
      world.a
        .receive(
          {
            pair: PAIR_A,
            ipVersion: 4,
            icmp: 'error',
            id: 0,
            sequence: 0,
            payload: world.b.dprp.noAssociationNotice(4)!,
            from: 'outer',
          },
          world.now,
        )
        .map((x) => x.do);
    expect(notice()).toEqual(['no-association-notice']);
    expect(notice()).toEqual(['drop']);
    world.run(1_000);
    expect(notice()).toEqual(['no-association-notice']);
  });
});

describe('statements', () => {
  it.each([
    ['forged', { forged: true }],
    ['expired', { notAfter: GMS_TIME - 1 }],
  ])('a %s one is not followed: an alarm, and never plaintext', (_, b) => {
    const world = twoGateways({ b });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(5_000);
    expect(world.a.drops).toContain('dprp-statement');
    expect(world.a.names()).toContain('alarm statement');
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'negotiation-failed' });
  });

  it('of the initiator that is not good gets no answer but that a gateway is here', () => {
    const world = twoGateways({ a: { notAfter: GMS_TIME - 1 } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(flow(world)).toEqual(['a DDE', 'b GE here']);
    expect(world.b.names()).toContain('alarm statement');
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'peer-refused' });
  });

  it('that does not name an offered group is refused', () => {
    const world = twoGateways();
    const own = world.gms.identity(world.a.provider, { ge: GE_A, groups: [{ number: 7, versions: [1] }] });
    const lying = { ...own, statement: own.statement };
    /* The machine itself offers only what its statement names. */
    world.a.setIdentity({ ...lying, groupKeys: [...own.groupKeys, { ...own.groupKeys[0], group: 8 }] }, 0);
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expectSameKeys(world);
    expect(world.a.sender(PAIR_A)?.group).toBe(7);
  });

  it('of a removed member counts for nothing', () => {
    const revoked = [{ ge: GE_A, group: 7, removed: true }];
    const world = twoGateways({ b: { revoked } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(world.b.drops).toEqual(['dprp-revoked']);
    world.b.begin(PAIR_B, 'packet', 10);
    world.run(5_000);
    expect(world.b.state(PAIR_B).verdict).toMatchObject({ do: 'discard', reason: 'negotiation-failed' });
    expect(world.b.sender(PAIR_B)).toBeUndefined();
  });
});

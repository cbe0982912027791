/** Key switches between two machines: docs/dprp.md § 11.6. What is lost comes again, what is forged changes nothing. */
import { describe, expect, it } from 'vitest';
import type { Agreement, Millis } from '#dprp/spec.ts';
import { decodeHeader, SEALED_AT, TYPE_KSW, TYPE_KSW_ANSWER } from '#wire/dprp.ts';
import { KSW_CONNECTIONS } from '#wire/ksw.ts';
import {
  Gateway,
  GE_A,
  GE_B,
  GE_C,
  type InFlight,
  PAIR_A,
  PAIR_B,
  twoGateways,
  type WireSettings,
  type World,
} from '../../kit/dprp-world.ts';

const groups = [{ number: 7, versions: [1], transform: 'pccom' as const }];
const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));

/** Two gateways that hold an agreement; a begins to switch to it. */
function agreed(wire: WireSettings = {}, limits = {}): World & { b: Gateway; agreement: Agreement } {
  const world = twoGateways({ a: { groups }, b: { groups }, wire, machine: { limits } });
  world.a.begin(PAIR_A, 'packet', 0);
  world.run(2_000);
  const agreement = world.a.sender(PAIR_A) as Agreement;
  expect(world.b.sender(PAIR_B)?.negotiation).toBe(agreement.negotiation);
  world.sent.length = 0;
  return Object.assign(world, { agreement });
}

const connections = (count: number): Int32Array =>
  Int32Array.from({ length: 2 * count }, (_, i) => (i * 0x01234567) | 0);

function begin(world: World & { agreement: Agreement }, count = 1, old?: string): void {
  const to = { pair: PAIR_A, negotiation: world.agreement.negotiation, old, connections: connections(count) };
  world.a.perform(world.a.dprp.beginSwitch(to, world.now as Millis), world.now);
}

const type = (flight: InFlight): number => flight.message.payload[5];
const did = (gateway: Gateway, what: string): number => gateway.actions.filter((a) => a.do === what).length;

describe('a key switch', () => {
  it('tells every connection once, and ends with the answer', () => {
    const world = agreed();
    begin(world, 3);
    world.runFor(100);
    expect(world.sent.map(type)).toEqual([TYPE_KSW, TYPE_KSW_ANSWER]);
    expect(world.b.followed.get(world.agreement.negotiation)?.connections).toEqual(connections(3));
    expect([did(world.a, 'switched'), did(world.b, 'switch'), did(world.a, 'switch-failed')]).toEqual([1, 1, 0]);
  });

  it('has as many parts as its connections need, none above 1,000 bytes, and counts when all are there', () => {
    const count = 3 * KSW_CONNECTIONS + 1;
    const world = agreed();
    let held: InFlight | undefined;
    world.mallory = (flight) => {
      if (type(flight) !== TYPE_KSW || held !== undefined) return [flight];
      held = flight;
      return [];
    };
    begin(world, count);
    world.runFor(20);
    const parts = world.sent.filter((f) => type(f) === TYPE_KSW);
    expect(parts).toHaveLength(4);
    for (const { message } of parts) expect(message.payload.length).toBeLessThanOrEqual(1_000);
    expect([did(world.b, 'switch'), did(world.a, 'switched')]).toEqual([0, 0]);
    world.runFor(1_000);
    /* Only what was not answered came again. */
    expect(world.sent.filter((f) => type(f) === TYPE_KSW)).toHaveLength(5);
    expect([did(world.b, 'switch'), did(world.a, 'switched')]).toEqual([1, 1]);
    expect(world.b.followed.get(world.agreement.negotiation)?.connections).toEqual(connections(count));
  });

  for (let i = 0; i < 20; i++) {
    it(`over a wire that loses, doubles, delays and reorders, is made once (SEED=${SEED + i})`, () => {
      const world = agreed({ delay: 10, jitter: 60, duplicate: 0.3, seed: SEED + i });
      let n = 0;
      world.mallory = (flight) => (++n % 3 === 1 ? [] : [flight]);
      begin(world, 400);
      world.runFor(20_000);
      expect([did(world.a, 'switched'), did(world.b, 'switch'), did(world.a, 'switch-failed')]).toEqual([1, 1, 0]);
      expect(world.b.followed.get(world.agreement.negotiation)?.connections).toEqual(connections(400));
    });
  }

  it('that is never answered fails, and says so once', () => {
    const world = agreed();
    world.mallory = (flight) => (type(flight) === TYPE_KSW_ANSWER ? [] : [flight]);
    begin(world);
    world.runFor(30_000);
    expect([did(world.a, 'switched'), did(world.a, 'switch-failed'), did(world.b, 'switch')]).toEqual([0, 1, 1]);
    const sent = world.sent.filter((f) => type(f) === TYPE_KSW).length;
    world.runFor(30_000);
    expect(world.sent.filter((f) => type(f) === TYPE_KSW)).toHaveLength(sent);
  });

  it('that lacks a part is not forgotten for others that are whole', () => {
    const world = agreed({}, { switches: 2 });
    let lost = 0;
    world.mallory = (flight) => (type(flight) === TYPE_KSW && lost++ === 0 ? [] : [flight]);
    begin(world, KSW_CONNECTIONS + 1);
    world.runFor(5);
    expect(world.sent.map(type)).toEqual([TYPE_KSW, TYPE_KSW, TYPE_KSW_ANSWER]);
    for (const generation of [0, 1, 2, 3].filter((g) => g !== world.agreement.generation)) {
      const negotiation = `c0ffee000000000${generation}`;
      for (const state of [world.a.state(PAIR_A), world.b.state(PAIR_B)]) {
        const agreement = state.generations[world.agreement.generation] as Agreement;
        state.generations[generation] = { ...agreement, negotiation, generation };
      }
      begin({ ...world, agreement: { ...world.agreement, negotiation } } as typeof world);
      world.runFor(5);
    }
    expect([did(world.a, 'switched'), did(world.b, 'switch')]).toEqual([3, 3]);
    world.runFor(20_000);
    expect([did(world.a, 'switched'), did(world.b, 'switch'), did(world.a, 'switch-failed')]).toEqual([4, 4, 0]);
  });

  it('that is cancelled is repeated no more', () => {
    const world = agreed();
    world.mallory = () => [];
    begin(world);
    world.a.dprp.cancelSwitch(PAIR_A, world.agreement.negotiation);
    world.runFor(30_000);
    expect(world.sent).toHaveLength(1);
    expect(did(world.a, 'switch-failed')).toBe(0);
  });

  it('from an agreement that the far end does not hold is not followed', () => {
    const world = agreed();
    begin(world, 1, '0123456789abcdef');
    world.runFor(1_000);
    expect([did(world.b, 'switch'), did(world.a, 'switched')]).toEqual([0, 0]);
    expect(world.b.drops).toContain('dprp-unknown-negotiation');
  });
});

describe('somebody on the wire, or in the domain', () => {
  /** b's view of a KSW of a's that was kept, perhaps changed. */
  function kept(world: World & { agreement: Agreement }): InFlight {
    let flight: InFlight | undefined;
    world.mallory = (f) => {
      if (type(f) === TYPE_KSW) flight ??= f;
      return [];
    };
    begin(world, 2);
    world.mallory = (f) => [f];
    return flight as InFlight;
  }

  it('changes a byte anywhere: nothing is switched', () => {
    const world = agreed();
    const { message } = kept(world);
    for (let at = 0; at < message.payload.length; at++) {
      const payload = Uint8Array.from(message.payload);
      payload[at] ^= 0x40;
      world.b.receive({ ...message, payload }, world.now);
    }
    expect(did(world.b, 'switch')).toBe(0);
    world.b.receive(message, world.now);
    expect(did(world.b, 'switch')).toBe(1);
  });

  it('cuts it at every length: always a drop', () => {
    const world = agreed();
    const { message } = kept(world);
    for (let n = 0; n < message.payload.length; n++) {
      world.b.drops.length = 0;
      world.b.receive({ ...message, payload: message.payload.slice(0, n) }, world.now);
      expect(world.b.drops, `${n}`).toHaveLength(1);
    }
    expect(did(world.b, 'switch')).toBe(0);
  });

  it('replays it: answered while it is remembered, followed once', () => {
    const world = agreed();
    const { message } = kept(world);
    for (let i = 0; i < 5; i++) world.b.receive(message, world.now);
    expect(did(world.b, 'switch')).toBe(1);
    world.runFor(60_000);
    world.b.receive(message, world.now);
    expect(did(world.b, 'switch')).toBe(1);
    expect(world.b.drops.at(-1)).toBe('dprp-unknown-negotiation');
  });

  it('withholds it until the far end switched to a later agreement: not answered, though parts of it came before', () => {
    for (const count of [1, KSW_CONNECTIONS + 1]) {
      const world = agreed();
      const parts: InFlight[] = [];
      world.mallory = (f) => {
        if (type(f) === TYPE_KSW) parts.push(f);
        return [];
      };
      begin(world, count);
      const last = parts.pop() as InFlight;
      for (const { message } of parts) world.b.receive(message, world.now);
      world.b.superseded.add(world.agreement.negotiation);
      world.b.receive(last.message, world.now);
      expect([did(world.b, 'switch'), world.b.drops]).toEqual([0, ['dprp-unknown-negotiation']]);
    }
  });

  it('names more connections than there is room for: not answered, and a smaller switch is', () => {
    const world = agreed();
    for (const [room, named] of [
      [2, 3],
      [2 * KSW_CONNECTIONS, 2 * KSW_CONNECTIONS + 1],
    ]) {
      world.b.mayName = room;
      world.b.drops.length = 0;
      begin(world, named);
      world.runFor(20_000);
      expect([did(world.b, 'switch'), new Set(world.b.drops)]).toEqual([0, new Set(['dprp-budget'])]);
    }
    begin(world, 2 * KSW_CONNECTIONS);
    world.runFor(1_000);
    expect([did(world.b, 'switch'), did(world.a, 'switched')]).toEqual([1, 1]);
  });

  it('a member says much and never ends: it gets no room, others do', () => {
    const world = agreed({}, { followedBytes: 6_000 });
    const parts: InFlight['message'][] = [];
    world.mallory = (f) => {
      if (type(f) === TYPE_KSW) parts.push(f.message);
      return [];
    };
    begin(world, 2 * KSW_CONNECTIONS);
    const [first, last] = parts.splice(0);

    /* A member of its own agreements with b. */
    const c = new Gateway('c', world.gms, { ge: GE_C, groups });
    const told: InFlight['message'][] = [];
    c.send = (action) => {
      if (action.do !== 'send') return;
      const { icmp, id, sequence, payload } = action;
      told.push({ pair: PAIR_B, ipVersion: 4, icmp, id, sequence, payload, from: 'outer' });
    };
    const statement = (gateway: Gateway, ge: string): Uint8Array =>
      world.gms.identity(gateway.provider, { ge: ge as typeof GE_C, groups }).statement;
    const spare = [0, 1, 2, 3].filter((g) => g !== world.agreement.generation);
    for (const generation of spare) {
      const negotiation = `c0ffee000000000${generation}`;
      const agreement = { ...world.agreement, negotiation, generation };
      world.b.state(PAIR_B).generations[generation] = { ...agreement, peerStatement: statement(c, GE_C) };
      c.state(PAIR_A).generations[generation] = { ...agreement, peerStatement: statement(world.b, GE_B) };
      const to = { pair: PAIR_A, negotiation, old: undefined, connections: connections(4 * KSW_CONNECTIONS) };
      c.perform(c.dprp.beginSwitch(to, world.now as Millis), world.now);
    }
    world.b.drops.length = 0;
    world.b.receive(first, world.now);
    for (const part of [0, 1, 2]) for (let i = 0; i < spare.length; i++) world.b.receive(told[4 * i + part], world.now);
    world.b.receive(last, world.now);
    expect(did(world.b, 'switch')).toBe(1);
    /* What is not taken is not answered. */
    expect(new Set(world.b.drops)).toEqual(new Set(['dprp-budget']));
    const answers = world.sent.filter((f) => type(f) === TYPE_KSW_ANSWER).length;
    expect(answers + world.b.drops.length).toBe(2 + 3 * spare.length);
  });

  it('sends it for another pair, back to its sender, or as the other ICMP message: nothing', () => {
    const world = agreed();
    const { message } = kept(world);
    world.b.receive({ ...message, pair: { device: message.pair.peer, peer: message.pair.device } }, world.now);
    world.a.receive({ ...message, pair: PAIR_A }, world.now);
    world.b.receive({ ...message, icmp: 'reply' }, world.now);
    expect([did(world.a, 'switch'), did(world.b, 'switch')]).toEqual([0, 0]);
  });

  it('another member of domain and group cannot make one', () => {
    const world = agreed();
    const c = new Gateway('c', world.gms, { ge: GE_C, groups });
    /* A stolen box: it knows the agreement's facts, and says that it is in a's place. */
    const own = world.gms.identity(world.b.provider, { ge: GE_B, groups }).statement;
    c.state(PAIR_A).generations[world.agreement.generation] = { ...world.agreement, peerStatement: own };
    let forged: InFlight['message'] | undefined;
    c.send = (action) => {
      if (action.do !== 'send') return;
      const { icmp, id, sequence, payload } = action;
      forged = { pair: PAIR_B, ipVersion: 4, icmp, id, sequence, payload, from: 'outer' };
    };
    const to = { pair: PAIR_A, negotiation: world.agreement.negotiation, old: undefined, connections: connections(1) };
    c.perform(c.dprp.beginSwitch(to, world.now as Millis), world.now);
    expect(decodeHeader((forged as InFlight['message']).payload, false)).toMatchObject({ type: TYPE_KSW });
    expect((forged as InFlight['message']).payload.length).toBeGreaterThan(SEALED_AT);
    world.b.drops.length = 0;
    world.b.receive(forged as InFlight['message'], world.now);
    expect(world.b.drops).toEqual(['dprp-mac']);
    expect(did(world.b, 'switch')).toBe(0);
  });

  it('forges answers: the switch goes on', () => {
    const world = agreed();
    let answer: InFlight | undefined;
    world.mallory = (f) => {
      if (type(f) !== TYPE_KSW_ANSWER) return [f];
      answer ??= f;
      return [];
    };
    begin(world);
    world.runFor(10);
    const { message } = answer as InFlight;
    for (let at = 0; at < message.payload.length; at++) {
      const payload = Uint8Array.from(message.payload);
      payload[at] ^= 1;
      world.a.receive({ ...message, payload }, world.now);
    }
    expect(did(world.a, 'switched')).toBe(0);
    world.a.receive(message, world.now);
    expect(did(world.a, 'switched')).toBe(1);
  });

  it('a removed member switches nothing any more', () => {
    const world = agreed();
    const { message } = kept(world);
    world.b.setIdentity(
      world.gms.identity(world.b.provider, { ge: GE_B, groups, revoked: [{ ge: GE_A, group: 7, removed: true }] }),
      world.now,
    );
    world.b.drops.length = 0;
    world.b.receive(message, world.now);
    expect(world.b.drops).toEqual(['dprp-revoked']);
  });
});

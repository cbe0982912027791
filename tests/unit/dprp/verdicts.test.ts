import { describe, expect, it } from 'vitest';
import { expectNothingLeft, expectSameKeys } from '#kit/dprp-expect.ts';
import { flow, GE_A, GE_B, GE_C, H2, PAIR_A, PAIR_B, twoGateways } from '#kit/dprp-world.ts';

const peerText = Buffer.from(H2).toString('hex');

describe('nobody at the far end', () => {
  it('who echoes is known after one round trip, and passed for a minute', () => {
    const world = twoGateways({ b: 'none' });
    world.farEnd = 'echoes';
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(2);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'plain', reason: 'no-gateway-echo', until: 60_002 });
    world.run(20_000);
    expectNothingLeft(world.a);
  });

  it('who is silent is known after tries at 0, 30, 90, 250, 600 ms and one second in all', () => {
    const world = twoGateways({ b: 'none' });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(999);
    expect(world.sent.map((f) => f.at)).toEqual([0, 30, 90, 250, 600]);
    expect(world.a.state(PAIR_A).verdict).toBeUndefined();
    world.run(1_000);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'plain', reason: 'no-gateway-silence' });
    world.run(20_000);
    expectNothingLeft(world.a);
  });

  it('is discarded in closed mode', () => {
    const world = twoGateways({ a: { mode: 'closed' }, b: 'none' });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(2_000);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'own-mode-closed' });
  });

  it('silence is judged earlier where the same destination echoed before', () => {
    const world = twoGateways({ b: 'none' });
    world.farEnd = 'echoes';
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    world.farEnd = 'silent';
    world.a.begin(PAIR_A, 'revalidate', 100);
    world.run(250);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ reason: 'no-gateway-silence' });
    expect(world.sent.filter((f) => f.at >= 100).length).toBe(3);
  });

  it.each(['echoes', 'silent'] as const)('a late RGI upgrades the pair (%s)', (farEnd) => {
    const world = twoGateways();
    const { b } = world;
    world.b = undefined as never;
    world.farEnd = farEnd;
    world.a.begin(PAIR_A, 'packet', 0);
    const dde = world.sent[0].message;
    world.run(1_500);
    expect(world.a.state(PAIR_A).verdict?.do).toBe('plain');
    world.b = b;
    b.receive(dde, world.now);
    world.run(1_600);
    expectSameKeys(world);
    expectNothingLeft(world.a, b);
  });

  it('a short echo, a changed echo, or one with another id or sequence proves nothing', () => {
    const world = twoGateways({ b: 'none' });
    world.a.begin(PAIR_A, 'packet', 0);
    const { message } = world.echoOf(world.sent[0]);
    const changed = Uint8Array.from(message.payload);
    changed[59] ^= 1;
    for (const lie of [
      { ...message, payload: message.payload.subarray(0, 59) },
      { ...message, payload: changed },
      { ...message, id: message.id ^ 1 },
      { ...message, sequence: 2 },
    ]) {
      expect(world.a.receive(lie, 1)).toMatchObject([{ do: 'drop' }]);
    }
    expect(world.a.receive({ ...message, payload: message.payload.subarray(0, 60) }, 1)).toMatchObject([
      { do: 'plain' },
    ]);
  });
});

describe('two gateways without a common group', () => {
  const other = { groups: [{ number: 9, versions: [1] }] };

  it('pass in plaintext where both are open, and both know it', () => {
    const world = twoGateways({ b: other });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'plain', reason: 'no-common-group', peerGe: GE_B });
    expect(world.b.state(PAIR_B).verdict).toMatchObject({ do: 'plain', reason: 'no-common-group', peerGe: GE_A });
    expect(flow(world)).toEqual(['a DDE', 'b RGI', 'a MPIT', 'b CDN']);
    expectNothingLeft(world.a, world.b);
  });

  it('discard where one is closed, each with its own word for it', () => {
    const world = twoGateways({ b: { ...other, mode: 'closed' } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'peer-mode-closed' });
    expect(world.b.state(PAIR_B).verdict).toMatchObject({ do: 'discard', reason: 'own-mode-closed' });
  });

  it('a common group in two versions is never plaintext: discard, and the older side asks the GMS', () => {
    const world = twoGateways({ b: { groups: [{ number: 7, versions: [3, 2] }] } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'key-version-differs' });
    expect(world.b.state(PAIR_B).verdict).toMatchObject({ do: 'discard', reason: 'key-version-differs' });
    expect(world.a.actions).toContainEqual({ do: 'ask-gms', why: 'group-key' });
    expect(world.b.names()).not.toContain('ask-gms');
  });
});

describe('domain keys', () => {
  it('an older one that both hold is found by the notice', () => {
    const world = twoGateways({ a: { domainVersions: [2, 1] }, b: { domainVersions: [1] } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(flow(world)).toEqual(['a DDE', 'b GE here', 'a DDE', 'b RGI', 'a MPIT', 'b CDN']);
    expectSameKeys(world);
    expect(world.b.actions).toContainEqual({ do: 'ask-gms', why: 'domain-key' });
    world.run(20_000);
    expectNothingLeft(world.a, world.b);
  });

  it('none in common: discard, ask the GMS, never plaintext', () => {
    const world = twoGateways({ a: { domainVersions: [1] }, b: { domainVersions: [3] } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(2_000);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'domain-key-differs' });
    expect(world.a.actions).toContainEqual({ do: 'ask-gms', why: 'domain-key' });
    expect(world.a.names().some((name) => name.startsWith('plain'))).toBe(false);
  });

  it('a gateway that names one version after another is followed once', () => {
    const world = twoGateways({ a: { domainVersions: [3, 2, 1] }, b: { domainVersions: [2] } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(1.5);
    const groups = [{ number: 7, versions: [1] }];
    world.b.setIdentity(world.gms.identity(world.b.provider, { ge: GE_B, groups, domainVersions: [1] }), 1.5);
    world.run(2_000);
    const ids = world.sent.filter((f) => f.from === world.a).map((f) => f.message.payload.subarray(12, 20).join());
    expect(new Set(ids).size).toBe(2);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'domain-key-differs' });
  });

  it('a notice that does not quote our own DDE is dropped', () => {
    const world = twoGateways({ a: { domainVersions: [1] }, b: { domainVersions: [3] } });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(1.5);
    const notice = world.wire.find((f) => f.message.icmp === 'error')!.message;
    world.wire.length = 0;
    const quote = Uint8Array.from(notice.quote!);
    quote[15] ^= 1;
    expect(world.a.receive({ ...notice, quote }, 2)).toEqual([{ do: 'drop', name: 'dprp-notice' }]);
    expect(world.a.receive({ ...notice, quote: quote.subarray(0, 20) }, 2)).toMatchObject([{ name: 'dprp-notice' }]);
  });
});

describe('downgrade', () => {
  const other = { groups: [{ number: 9, versions: [1] }] };

  it.each([
    ['an echo', 'none', 'echoes'],
    ['silence', 'none', 'silent'],
    ['no common group', other, 'silent'],
  ] as const)('%s never lowers a remembered address', (_, b, farEnd) => {
    const world = twoGateways({ b });
    world.farEnd = farEnd;
    world.a.remembered.set(peerText, { ge: GE_B, transform: 'sealed' });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(2_000);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'remembered' });
    expect(world.a.names()).toContain('alarm downgrade');
    expect(world.a.names().some((name) => name.startsWith('plain'))).toBe(false);
  });

  it('another GE at a remembered address is refused with an alarm, on whichever side remembers', () => {
    const world = twoGateways();
    world.a.remembered.set(peerText, { ge: GE_C, transform: 'sealed' });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'remembered' });
    expect(world.a.names()).toContain('alarm other-ge');
    world.b.begin(PAIR_B, 'packet', 10);
    world.run(20);
    expect(world.b.state(PAIR_B).verdict).toMatchObject({ do: 'discard', reason: 'peer-refused' });
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'remembered' });
    expectNothingLeft(world.a, world.b);
  });

  it('a weaker transform than the remembered one is accepted where both bundles say so', () => {
    const pccom = { groups: [{ number: 7, versions: [1], transform: 'pccom' as const }] };
    const world = twoGateways({ a: pccom, b: pccom });
    world.a.remembered.set(peerText, { ge: GE_B, transform: 'sealed' });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(world.a.sender(PAIR_A)?.transform).toBe('pccom');
    expect(world.a.names()).not.toContain('alarm downgrade');
  });

  it('and refused while both belong to a group with the stronger one', () => {
    const weak = { number: 7, versions: [1], transform: 'pccom' as const };
    const world = twoGateways({
      a: { groups: [weak, { number: 8, versions: [2] }] },
      b: { groups: [weak, { number: 8, versions: [1] }] },
    });
    world.a.remembered.set(peerText, { ge: GE_B, transform: 'sealed' });
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'remembered' });
    expect(world.a.names()).toContain('alarm downgrade');
  });

  it('nothing plain goes to a protected prefix', () => {
    for (const b of ['none', other] as const) {
      const world = twoGateways({ b });
      world.farEnd = 'echoes';
      world.a.prefixes.add(peerText);
      world.a.begin(PAIR_A, 'packet', 0);
      world.run(2_000);
      expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'protected-prefix' });
    }
  });

  it('an echo, or no common group, never lowers a pair that has shown protected packets', () => {
    for (const b of ['none', other] as const) {
      const world = twoGateways({ b });
      world.farEnd = 'echoes';
      world.a.shownProtected = true;
      world.a.begin(PAIR_A, 'packet', 0);
      world.run(2_000);
      expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'remembered' });
    }
  });

  it('an echo does not end an association', () => {
    const world = twoGateways();
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(100);
    world.b = undefined as never;
    world.farEnd = 'echoes';
    world.a.remembered.set(peerText, { ge: GE_B, transform: 'sealed' });
    world.a.begin(PAIR_A, 'revalidate', 100);
    world.run(200);
    expect(world.a.names().slice(-2)).toEqual(['alarm downgrade', 'keep no-gateway-echo']);
    expect(world.a.sender(PAIR_A)).toBeDefined();
  });
});

describe('addresses', () => {
  it('that are translated on the way are found out by both, and discarded', () => {
    const world = twoGateways();
    const nat = Uint8Array.from(PAIR_A.device);
    nat[15] = 99;
    world.mallory = (f) => {
      const { pair } = f.message;
      const outward = f.from === world.a;
      return [{ ...f, message: { ...f.message, pair: outward ? { device: pair.device, peer: nat } : PAIR_A } }];
    };
    world.a.begin(PAIR_A, 'packet', 0);
    world.run(10);
    expect(world.a.state(PAIR_A).verdict).toMatchObject({ do: 'discard', reason: 'address-translated' });
    expect(world.b.state({ device: H2, peer: nat }).verdict).toMatchObject({ reason: 'address-translated' });
  });
});

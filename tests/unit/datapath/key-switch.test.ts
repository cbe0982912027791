/** A pair's keys are switched: what waits in each state, what ends it, and what happens when an association is gone. */
import { beforeEach, describe, expect, it } from 'vitest';
import { type Association, Associations } from '#datapath/associations.ts';
import { ASKING, CLOSED, GUARD, KeySwitches, WAITING } from '#datapath/key-switch.ts';
import type { Lane } from '#datapath/lane.ts';
import { FLIGHT_MS, GUARD_MS, NAMED_CONNECTIONS, SWITCH_CONNECTIONS } from '#datapath/limits.ts';
import { portsKey, type SwitchCut } from '#datapath/switch-cut.ts';
import type { Dprp, GeId, KeyHandle, Millis, Switched, TransformName } from '#dprp/spec.ts';
import type { Pair } from '#pit/pair.ts';
import { PairTable } from '#pit/pairs.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { addressFromText, bytesToWords } from '#wire/address.ts';
import { FORM_TCP, FORM_UDP, Frame } from '#wire/frame.ts';

const H1 = addressFromText('192.0.2.1') as Uint8Array;
const H2 = addressFromText('192.0.2.2') as Uint8Array;
const S = 5_000;
const at = (ms: number): Millis => ms as Millis;

let provider: ReturnType<typeof createNobleProvider>;
let pair: Pair<Association>;
let associations: Associations;
let switches: KeySwitches;
let connections: Int32Array;
let asked: Switched[];
let cancelled: string[];

beforeEach(() => {
  provider = createNobleProvider();
  associations = new Associations(provider, () => {});
  const random = (into: Uint8Array): Uint8Array => into.fill(1);
  const pairs = new PairTable<Association>({ capacity: 4, idleMs: 1_000, random, onForget: () => undefined });
  pair = pairs.findOrAdd(bytesToWords(H1), bytesToWords(H2), 4, 0);
  pair.verdict = 'encrypt';
  connections = Int32Array.of(portsKey(1_000, 80), S);
  asked = [];
  cancelled = [];
  const nothing = (): void => {};
  const lane: Pick<Lane, 'flush' | 'connections' | 'releaseHeld' | 'dropHeldInbound'> = {
    flush: nothing,
    connections: () => connections,
    releaseHeld: nothing,
    dropHeldInbound: nothing,
  };
  const dprp: Pick<Dprp, 'beginSwitch' | 'cancelSwitch'> = {
    beginSwitch: (to) => {
      asked.push(to);
      return [];
    },
    cancelSwitch: (_, negotiation) => {
      cancelled.push(negotiation);
    },
  };
  switches = new KeySwitches({
    lane: lane as Lane,
    associations,
    dprp: () => dprp as Dprp,
    startedAt: -10_000,
    apply: nothing,
  });
});

/** An agreement that both ends confirmed at `now`. `common`: generations that both held before it. */
function agree(
  generation: number,
  common: number,
  now: number,
  sends = false,
  transform: TransformName = 'pccom',
  peerGe = 'b000000000000002' as GeId,
) {
  const association = associations.install(
    pair,
    {
      pair: { device: H1, peer: H2 },
      negotiation: `n${generation}`,
      role: 'initiator',
      peerGe,
      initiatorGe: 'a000000000000001' as GeId,
      group: 7,
      keyVersion: 1,
      transform,
      generation,
      algorithm: 0,
      prk: provider.importKey(new Uint8Array(32).fill(generation)) as unknown as KeyHandle,
      transcript: new Uint8Array(32),
      peerStatement: new Uint8Array(0),
      sends,
      peerSends: undefined,
      common,
      took: 1,
    },
    at(now),
  )!;
  if (transform !== 'sealed') switches.installed(association, common === 0, false, at(now));
  associations.confirm(association, at(now));
  switches.confirmed(association, sends, at(now));
  return association;
}

const tcp = (sequence: number, payloadLength: number, sourcePort = 1_000): Frame =>
  Object.assign(new Frame(), { form: FORM_TCP, sequence, payloadLength, sourcePort, destinationPort: 80 });
const udp = (): Frame => Object.assign(new Frame(), { form: FORM_UDP, payloadLength: 10 });
const waits = (...frames: Frame[]): boolean[] => frames.map((frame) => switches.waits(frame, pair));

describe('what was sent', () => {
  const sends = (now: number): boolean => switches.sends(pair, now);

  it('counts while its keys send, and until it has arrived when they are gone', () => {
    expect(sends(0)).toBe(false);
    const association = agree(0, 0, 0, true);
    expect(sends(100_000)).toBe(true);
    association.sending(100_000);
    associations.end(association);
    expect([sends(99_999 + FLIGHT_MS), sends(100_000 + FLIGHT_MS)]).toEqual([true, false]);
  });

  it('counts under keys that sealed took the place of', () => {
    agree(0, 0, 0, true).sending(1_000);
    agree(2, 0b0001, 1_000, false, 'sealed');
    expect([sends(999 + FLIGHT_MS), sends(1_000 + FLIGHT_MS)]).toEqual([true, false]);
  });

  it('counts for every pair when its own is forgotten', () => {
    pair.sentBareAt = 1_000;
    switches.forget(pair);
    pair.sentBareAt = Number.NEGATIVE_INFINITY;
    expect([sends(999 + FLIGHT_MS), sends(1_000 + FLIGHT_MS)]).toEqual([true, false]);
  });
});

describe('a switch of the far end', () => {
  const named = (count: number): Int32Array => Int32Array.from({ length: 2 * count }, (_, i) => i);
  const follow = (generation: number, count: number, now: number): void => {
    const to = { pair: { device: H1, peer: H2 }, negotiation: `n${generation}`, old: 'n0', connections: named(count) };
    switches.follow(pair, to, at(now));
  };
  /** How many connections are named now, as far as the budget knows. */
  const taken = (generation = 2): number => {
    return NAMED_CONNECTIONS / 2 - (switches.facts(pair, `n${generation}`)?.mayName ?? Number.NaN);
  };

  it('takes room for the connections that it names, until they are forgotten', () => {
    agree(0, 0, 0, true);
    const next = agree(2, 0b0001, 1_000);
    expect(taken()).toBe(0);
    follow(2, 5, 2_000);
    const { until } = next.receiveCut as NonNullable<typeof next.receiveCut>;
    const seen = [until - 1, until, until + 1].map((now) => {
      associations.forgetCuts(now);
      return taken();
    });
    expect([seen, next.receiveCut]).toEqual([[5, 0, 0], undefined]);
  });

  it('gives the room back when another takes its place, and when its keys end', () => {
    agree(0, 0, 0, true);
    const next = agree(2, 0b0001, 1_000);
    follow(2, 5, 2_000);
    follow(2, 3, 3_000);
    expect(taken()).toBe(3);
    agree(1, 0b0101, 4_000);
    associations.end(next);
    associations.end(next);
    expect(taken(1)).toBe(0);
  });

  it('takes room from its own gateway first, then from all', () => {
    const room = (...from: string[]): number[] => from.map((ge) => associations.mayName(ge as GeId));
    const half = NAMED_CONNECTIONS / 2;
    const names = (generation: number, ge: string, size: number): Association => {
      const association = agree(generation, 0, 0, true, 'pccom', ge as GeId);
      const cut: Pick<SwitchCut, 'size' | 'until'> = { size, until: 100_000 };
      associations.cutReceiving(association, cut as SwitchCut);
      return association;
    };
    names(0, 'b', half - 10);
    expect(room('b', 'c', 'd')).toEqual([10, half, half]);
    const second = names(1, 'c', half);
    expect(room('b', 'c', 'd')).toEqual([10, 0, 10]);
    associations.end(second);
    expect(room('b', 'c', 'd')).toEqual([10, half, half]);
  });

  it('to an agreement before the one that it sends with is refused', () => {
    const first = agree(0, 0, 0);
    agree(2, 0b0001, 1_000, true);
    expect(switches.facts(pair, 'n0')).toMatchObject({ followed: false, superseded: true });
    const to = { pair: { device: H1, peer: H2 }, negotiation: 'n0', old: undefined, connections: new Int32Array(0) };
    switches.follow(pair, to, at(2_000));
    switches.peerSpoke(Object.assign(first, { peerSends: undefined }), true, at(2_000));
    expect(pair.receiving).toBe(2);
  });
});

describe('a switch', () => {
  it('of a direction that sends nothing needs no word: the first agreement is sent with at once', () => {
    const first = agree(0, 0, 0, true);
    expect([associations.sender(pair), pair.switching, asked.length]).toEqual([first, 0, 0]);
  });

  it('is silent for the guard, asks, lets older octets pass, and ends with the answer', () => {
    const old = agree(0, 0, 0, true);
    const next = agree(2, 0b0001, 1_000);
    expect([pair.switching, associations.sender(pair)]).toEqual([GUARD, old]);
    expect(waits(udp(), tcp(S, 10), tcp(S, 0))).toEqual([true, false, false]);
    switches.tick(at(999 + GUARD_MS));
    expect(asked).toEqual([]);
    switches.tick(at(1_000 + GUARD_MS));
    expect(pair.switching).toBe(ASKING);
    expect(asked).toMatchObject([{ negotiation: 'n2', old: 'n0', connections }]);
    /* Before S, up to S, across S, from S on; without octets; a connection that is new. */
    expect(waits(tcp(S - 20, 10), tcp(S - 10, 10), tcp(S - 5, 10), tcp(S, 10))).toEqual([false, false, true, true]);
    expect(waits(tcp(S, 0), tcp(7, 10, 1_001), tcp(7, 0, 1_001), udp())).toEqual([false, true, false, true]);
    switches.switched(pair, 'n2', at(1_010));
    expect([pair.switching, associations.sender(pair)]).toEqual([0, next]);
    expect(next.sendCut?.find(portsKey(1_000, 80), S - 1)).toBe(S);
    expect(next.sendCut?.older).toBe(old);
  });

  it('with keyed checksums makes segments without octets wait, too', () => {
    agree(0, 0, 0, true, 'pccom-keyed');
    agree(2, 0b0001, 1_000, false, 'pccom-keyed');
    switches.tick(at(1_000 + GUARD_MS));
    expect(waits(tcp(S, 0), tcp(S - 1, 0))).toEqual([true, false]);
  });

  it('waits while octets before the former one are in flight', () => {
    agree(0, 0, 0, true);
    const second = agree(2, 0b0001, 1_000);
    switches.tick(at(1_000 + GUARD_MS));
    switches.switched(pair, 'n2', at(1_010));
    second.sendCut?.sentOlder(2_000);
    agree(1, 0b0101, 2_500);
    expect([pair.switching, waits(udp(), tcp(S, 10))]).toEqual([WAITING, [false, false]]);
    switches.tick(at(1_999 + FLIGHT_MS));
    expect(pair.switching).toBe(WAITING);
    second.sendCut?.sentOlder(3_000);
    switches.tick(at(2_000 + FLIGHT_MS));
    expect(pair.switching).toBe(WAITING);
    switches.tick(at(3_000 + FLIGHT_MS));
    expect(pair.switching).toBe(GUARD);
    switches.tick(at(3_000 + FLIGHT_MS + GUARD_MS));
    expect(asked.map((to) => [to.negotiation, to.old])).toEqual([
      ['n2', 'n0'],
      ['n1', 'n2'],
    ]);
  });

  it('keeps back what is under keys before the older ones', () => {
    agree(0, 0, 0, true);
    agree(2, 0b0001, 1_000);
    switches.tick(at(1_000 + GUARD_MS));
    switches.switched(pair, 'n2', at(1_010));
    connections = Int32Array.of(portsKey(1_000, 80), S + 1_000);
    agree(1, 0b0101, 10_000);
    for (const state of [GUARD, ASKING]) {
      expect([pair.switching, waits(tcp(S - 20, 10), tcp(S - 5, 10), tcp(S, 10), tcp(S - 20, 0))]).toEqual([
        state,
        [true, true, false, false],
      ]);
      switches.tick(at(10_000 + GUARD_MS));
    }
  });

  it('to an agreement whose far end holds nothing older lets nothing pass', () => {
    agree(0, 0, 0, true);
    const next = agree(2, 0, 1_000);
    expect([pair.switching, associations.sender(pair)]).toEqual([CLOSED, next]);
    expect(waits(udp(), tcp(S - 20, 10), tcp(S, 0))).toEqual([true, true, true]);
    switches.tick(at(1_000 + GUARD_MS));
    expect(asked).toMatchObject([{ negotiation: 'n2', old: undefined, connections: new Int32Array(0) }]);
    switches.switched(pair, 'n2', at(1_010));
    expect([pair.switching, next.sendCut]).toEqual([0, undefined]);
  });

  it('of more connections than it may name lets nothing pass either', () => {
    agree(0, 0, 0, true);
    connections = Int32Array.from({ length: 2 * (SWITCH_CONNECTIONS + 1) }, (_, i) => i);
    agree(2, 0b0001, 1_000);
    switches.tick(at(1_000 + GUARD_MS));
    /* TCP passed until now: it has a guard of its own. */
    expect([pair.switching, asked, waits(tcp(S - 20, 10), tcp(S, 0))]).toEqual([CLOSED, [], [true, true]]);
    switches.tick(at(999 + 2 * GUARD_MS));
    expect(asked).toEqual([]);
    switches.tick(at(1_000 + 2 * GUARD_MS));
    expect(asked).toMatchObject([{ old: undefined, connections: new Int32Array(0) }]);
  });

  it('takes the next one when another agreement was confirmed meanwhile', () => {
    agree(0, 0, 0, true);
    agree(2, 0b0001, 1_000);
    switches.tick(at(1_000 + GUARD_MS));
    agree(1, 0b0101, 1_008);
    expect(asked).toHaveLength(1);
    switches.switched(pair, 'n2', at(1_010));
    expect([pair.switching, associations.sender(pair)?.negotiation]).toEqual([WAITING, 'n2']);
    switches.tick(at(1_010 + FLIGHT_MS));
    switches.tick(at(1_010 + FLIGHT_MS + GUARD_MS));
    expect(asked[1]).toMatchObject({ negotiation: 'n1', old: 'n2' });
  });

  it('to sealed is none, and gives up the one that runs', () => {
    agree(0, 0, 0, true);
    agree(2, 0b0001, 1_000);
    switches.tick(at(1_000 + GUARD_MS));
    const sealed = agree(1, 0b0101, 1_008, false, 'sealed');
    expect([pair.switching, associations.sender(pair), cancelled]).toEqual([0, sealed, ['n2']]);
  });
});

describe('an association that ends', () => {
  it('as the older one before KSW: everything waits for the new one', () => {
    const old = agree(0, 0, 0, true);
    const next = agree(2, 0b0001, 1_000);
    associations.end(old);
    expect([pair.switching, associations.sender(pair), waits(tcp(S - 20, 10))]).toEqual([CLOSED, next, [true]]);
    /* TCP passed until now. */
    switches.tick(at(1_000 + GUARD_MS));
    switches.tick(at(999 + 2 * GUARD_MS));
    expect(asked).toEqual([]);
    switches.tick(at(1_000 + 2 * GUARD_MS));
    expect(asked).toMatchObject([{ negotiation: 'n2', old: undefined }]);
  });

  it('as the new one before KSW: the older one goes on', () => {
    const old = agree(0, 0, 0, true);
    associations.end(agree(2, 0b0001, 1_000));
    switches.tick(at(1_000 + GUARD_MS));
    expect([pair.switching, associations.sender(pair), asked]).toEqual([0, old, []]);
  });

  it('as the new one behind KSW, and a switch that was never answered: everything begins anew', () => {
    for (const end of [(next: Association) => associations.end(next), () => switches.failed(pair, 'n2', at(11_000))]) {
      pair.verdict = 'encrypt';
      agree(0, 0, 0, true);
      const next = agree(2, 0b0001, 1_000);
      switches.tick(at(1_000 + GUARD_MS));
      end(next);
      switches.tick(at(11_001));
      expect([pair.switching, pair.verdict, associations.count]).toEqual([0, 'unknown', 0]);
    }
  });

  it('leaves none of pccom to send with by itself', () => {
    const first = agree(0, 0, 0, true);
    agree(2, 0b0001, 1_000);
    switches.tick(at(1_000 + GUARD_MS));
    switches.switched(pair, 'n2', at(1_010));
    associations.end(associations.sender(pair) as Association);
    expect([first.ended, associations.sender(pair)]).toEqual([false, undefined]);
  });
});

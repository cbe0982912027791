/** What a negotiation costs in computing: both ends in one process, no wire, GEs that know each other. */
import { randomBytes } from 'node:crypto';
import { createDprp } from '#dprp/negotiations.ts';
import type { Action, Dprp, DprpPolicy, Millis, Pair } from '#dprp/spec.ts';
import { GE_A, GE_B, Gms } from '#kit/dprp-world.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { median } from './statistics.ts';

const STEPS = ['a DDE', 'b RGI', 'b ahead', 'a MPIT', 'b CDN', 'a confirm', 'ticks (key pairs)'] as const;
type Step = (typeof STEPS)[number];

export interface NegotiationCost {
  /** Mean µs of each step. */
  readonly steps: Readonly<Record<Step, number>>;
  /** µs of one negotiation, both sides, key pairs made meanwhile aside. */
  readonly medianOfBoth: number;
  /** Mean µs on the initiator's and the responder's side, with half of the making of key pairs. */
  readonly sideA: number;
  readonly sideB: number;
}

/** Negotiations until everything is compiled. */
const WARM = 300;
/** Between two negotiations on the machine's clock, ms: key pairs are made in time. */
const APART = 4;

const policy: DprpPolicy = {
  protectedPrefix: () => false,
  remembered: () => undefined,
  heldGenerations: () => 0,
  hasShownProtected: () => false,
  sends: () => false,
  receives: () => false,
  agreement: () => undefined,
};

export function negotiationCost(kind: 'native' | 'noble', count: number): NegotiationCost {
  const gms = new Gms();
  const [a, b] = [gateway(gms, kind, GE_A), gateway(gms, kind, GE_B)];
  const spent: Record<Step, number> = {
    'a DDE': 0,
    'b RGI': 0,
    'b ahead': 0,
    'a MPIT': 0,
    'b CDN': 0,
    'a confirm': 0,
    'ticks (key pairs)': 0,
  };
  const totals: number[] = [];
  let total = 0;
  const timed = (step: Step, run: () => Action[]): Action[] => {
    const start = performance.now();
    const actions = run();
    const took = 1_000 * (performance.now() - start);
    spent[step] += took;
    total += took;
    return actions;
  };
  for (let i = 0; i < count + WARM; i++) {
    if (i === WARM) for (const step of STEPS) spent[step] = 0;
    const now = (APART * (i + 1)) as Millis;
    total = 0;
    const device = Uint8Array.from([...new Uint8Array(10), 0xff, 0xff, 10, i >> 16, i >> 8, i]);
    const peer = Uint8Array.from([...new Uint8Array(10), 0xff, 0xff, 11, 0, 0, 1]);
    const [pairA, pairB]: Pair[] = [
      { device, peer },
      { device: peer, peer: device },
    ];
    const carry = (to: Dprp, pair: Pair, actions: Action[]): Action[] => {
      const sent = actions.find((x) => x.do === 'send');
      if (sent?.do !== 'send') throw new Error('a message was expected');
      return to.receive({ ...sent, pair, ipVersion: 4, from: 'outer' }, now);
    };
    const dde = timed('a DDE', () => a.dprp.begin(pairA, 'packet', now));
    const rgi = timed('b RGI', () => carry(b.dprp, pairB, dde));
    timed('b ahead', () => b.dprp.tick(now));
    const mpit = timed('a MPIT', () => carry(a.dprp, pairA, rgi));
    const installed = timed('b CDN', () => carry(b.dprp, pairB, mpit));
    /* It leaves behind the data that came with MPIT. */
    const cdn = timed('b CDN', () => b.dprp.tick(b.dprp.nextTimeout() as Millis));
    timed('a confirm', () => carry(a.dprp, pairA, cdn));
    if (i >= WARM) totals.push(total);
    timed('ticks (key pairs)', () => [...a.dprp.tick(now), ...b.dprp.tick(now)]);
    a.release(mpit);
    b.release(installed);
  }
  a.dprp.close();
  b.dprp.close();
  const steps = Object.fromEntries(STEPS.map((step) => [step, spent[step] / count])) as Record<Step, number>;
  const ticks = steps['ticks (key pairs)'] / 2;
  return {
    steps,
    medianOfBoth: median(totals),
    sideA: steps['a DDE'] + steps['a MPIT'] + steps['a confirm'] + ticks,
    sideB: steps['b RGI'] + steps['b ahead'] + steps['b CDN'] + ticks,
  };
}

function gateway(
  gms: Gms,
  kind: 'native' | 'noble',
  ge: typeof GE_A,
): { readonly dprp: Dprp; readonly release: (actions: Action[]) => void } {
  const provider = kind === 'noble' ? createNobleProvider() : createNativeProvider();
  const dprp = createDprp({
    policy,
    identity: gms.identity(provider, { ge, groups: [{ number: 7, versions: [1] }] }),
    crypto: provider as never,
    random: (length) => randomBytes(length),
  });
  const release = (actions: Action[]): void => {
    for (const x of actions) if (x.do === 'install') provider.release(x.agreement.prk as never);
  };
  return { dprp, release };
}

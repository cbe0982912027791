/**
 * What a negotiation costs in computing: both ends in one process, no wire. Prints figures, asserts nothing.
 *
 *     node tests/perf/dprp.ts [native|noble] [negotiations]
 */
import { randomBytes } from 'node:crypto';
import { createDprp } from '#dprp/negotiations.ts';
import type { Action, Dprp, DprpPolicy, Millis, Pair } from '#dprp/spec.ts';
import { GE_A, GE_B, Gms } from '#kit/dprp-world.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';

const kind = process.argv[2] ?? 'native';
const count = Number(process.argv[3] ?? 3_000);
const gms = new Gms();
const policy: DprpPolicy = {
  protectedPrefix: () => false,
  remembered: () => undefined,
  heldGenerations: () => 0,
  hasShownProtected: () => false,
  sends: () => false,
  receives: () => false,
  agreement: () => undefined,
};

function gateway(ge: typeof GE_A): { dprp: Dprp; release: (a: Action[]) => void } {
  const provider = kind === 'noble' ? createNobleProvider() : createNativeProvider();
  const dprp = createDprp({
    identity: gms.identity(provider, { ge, groups: [{ number: 7, versions: [1] }] }),
    policy,
    crypto: provider as never,
    random: (length) => randomBytes(length),
  });
  return {
    dprp,
    release: (actions) => {
      for (const x of actions) if (x.do === 'install') provider.release(x.agreement.prk as never);
    },
  };
}

const a = gateway(GE_A);
const b = gateway(GE_B);
const spent = { 'a DDE': 0, 'b RGI': 0, 'a MPIT': 0, 'b CDN': 0, 'a confirm': 0, 'ticks (key pairs)': 0 };
const totals: number[] = [];
let now = 0;

function timed(what: keyof typeof spent, run: () => Action[]): Action[] {
  const start = performance.now();
  const actions = run();
  const took = 1_000 * (performance.now() - start);
  spent[what] += took;
  total += took;
  return actions;
}
let total = 0;

const WARM = 300;
for (let i = 0; i < count + WARM; i++) {
  if (i === WARM) for (const key of Object.keys(spent)) spent[key as keyof typeof spent] = 0;
  now += 4;
  total = 0;
  const device = Uint8Array.from([...new Uint8Array(10), 0xff, 0xff, 10, i >> 16, i >> 8, i]);
  const peer = Uint8Array.from([...new Uint8Array(10), 0xff, 0xff, 11, 0, 0, 1]);
  const pairA: Pair = { device, peer };
  const pairB: Pair = { device: peer, peer: device };
  const carry = (to: Dprp, pair: Pair, actions: Action[]): Action[] => {
    const sent = actions.find((x) => x.do === 'send');
    if (sent?.do !== 'send') throw new Error('a message was expected');
    return to.receive({ ...sent, pair, ipVersion: 4, from: 'outer' }, now as Millis);
  };
  const dde = timed('a DDE', () => a.dprp.begin(pairA, 'packet', now as Millis));
  const rgi = timed('b RGI', () => carry(b.dprp, pairB, dde));
  const mpit = timed('a MPIT', () => carry(a.dprp, pairA, rgi));
  const cdn = timed('b CDN', () => carry(b.dprp, pairB, mpit));
  timed('a confirm', () => carry(a.dprp, pairA, cdn));
  if (i >= WARM) totals.push(total);
  timed('ticks (key pairs)', () => [...a.dprp.tick(now as Millis), ...b.dprp.tick(now as Millis)]);
  a.release(mpit);
  b.release(cdn);
}
totals.sort((x, y) => x - y);
const per = (us: number): string => `${(us / count).toFixed(1).padStart(8)} µs`;
console.log(`${kind}, ${count} negotiations of known GEs, one process`);
for (const [what, us] of Object.entries(spent)) console.log(`${what.padEnd(20)}${per(us)}`);
const sum = Object.values(spent).reduce((x, y) => x + y, 0);
const sideA = spent['a DDE'] + spent['a MPIT'] + spent['a confirm'] + spent['ticks (key pairs)'] / 2;
const sideB = spent['b RGI'] + spent['b CDN'] + spent['ticks (key pairs)'] / 2;
console.log(`median of all four    ${totals[totals.length >> 1].toFixed(1)} µs`);
console.log(`until the packet goes ${per(spent['a DDE'] + spent['b RGI'] + spent['a MPIT'])}`);
console.log(`side a, b             ${per(sideA)}, ${per(sideB)}`);
console.log(
  `per second            ${Math.round((1e6 * count) / sideA)} (a), ${Math.round((1e6 * count) / sideB)} (b), ${Math.round((1e6 * count) / sum)} (both)`,
);
a.dprp.close();
b.dprp.close();

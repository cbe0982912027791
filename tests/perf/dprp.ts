/**
 * What a negotiation costs in computing: both ends in one process, no wire. Prints figures, asserts nothing.
 *
 *     node tests/perf/dprp.ts [native|noble] [negotiations]
 */
import { negotiationCost } from './bench/negotiation-cost.ts';

const kind = process.argv[2] === 'noble' ? 'noble' : 'native';
const count = Number(process.argv[3] ?? 3_000);
const { steps, medianOfBoth, sideA, sideB } = negotiationCost(kind, count);
const us = (n: number): string => `${n.toFixed(1).padStart(8)} µs`;
const perSecond = (n: number): string => String(Math.round(1e6 / n));
const both = Object.values(steps).reduce((sum, step) => sum + step, 0);
console.log(`${kind}, ${count} negotiations of known GEs, one process`);
for (const [step, took] of Object.entries(steps)) console.log(`${step.padEnd(20)}${us(took)}`);
console.log(`median of all four  ${us(medianOfBoth)}`);
console.log(`until the packet goes${us(steps['a DDE'] + steps['b RGI'] + steps['a MPIT'])}`);
console.log(`side a, b           ${us(sideA)}, ${us(sideB)}`);
console.log(`per second          ${perSecond(sideA)} (a), ${perSecond(sideB)} (b), ${perSecond(both)} (both)`);

/** Times: what a first packet waits for, and what every packet does; and the memory of gateways just started. */
import { residentBytes } from '#kit/machine.ts';
import { ping } from '#kit/programs/ping.ts';
import type { AddressPair } from './connector.ts';
import { type BenchLab, restartGateways } from './lab.ts';
import type { Measured } from './result.ts';
import { alternate, alternateWarm, type Field, type Gathered, only, put, without } from './rounds.ts';
import { median, orderOf } from './statistics.ts';

const times = { unit: 'ms', better: 'less' } as const;

/* ---- gateways just started --------------------------------------------------------------------------------------- */

/** A plain bridge is no process: there is nothing to compare with. The larger of the two gateways counts. */
export async function memory(field: Field): Promise<Measured[]> {
  const samples = await alternate(only(field, 'sealed', 'pccom'), async (net) => {
    await restartGateways(net);
    return Math.max(...net.gateways.map((box) => residentBytes(box.pid))) / 1e6;
  });
  return [{ row: 'memory', unit: 'MB', better: 'less', samples, is: ['is-memory'] }];
}

/** Pairs of one start: the first, the hundredth, and those after the first `WARM`, whose median is the row's figure. */
const HUNDREDTH = 100;
const WARM = 200;
const COLD = 40;
/** Of a tunnel, whose process goes on: each is forgotten before the next. */
const TUNNEL_COLD = 8;

export async function negotiation(field: Field): Promise<Measured[]> {
  const [cold, first, hundredth]: Gathered[] = [{}, {}, {}];
  const modes = only(field, 'plain', 'sealed', 'pccom', 'wireguard-go');
  for (let round = 0; round < field.samples; round++) {
    await Promise.all(modes.labs.map(restartGateways));
    for (const net of orderOf(modes.labs, round)) {
      if (net.tunnel !== undefined) {
        put(cold, net.mode, median(await coldTunnel(net)));
        continue;
      }
      const connects = await net.connector.connect(freshPairs(net).slice(0, WARM + COLD));
      put(first, net.mode, connects[0]);
      put(hundredth, net.mode, connects[HUNDREDTH - 1]);
      put(cold, net.mode, median(connects.slice(WARM)));
    }
  }
  const row = 'negotiation';
  return [
    { row, ...times, samples: cold, is: ['is-negotiation', { first: WARM + 1, last: WARM + COLD }] },
    { row: `${row}-first`, ...times, samples: first, is: ['is-negotiation-first'] },
    { row: `${row}-100th`, ...times, samples: hundredth, is: ['is-negotiation-100th'] },
  ];
}

const freshPairs = ({ addresses }: BenchLab): AddressPair[] =>
  addresses.h1.flatMap((from) => addresses.h2.map((to) => [from, to] as const));

async function coldTunnel({ tunnel, connector, near, far }: BenchLab): Promise<number[]> {
  const connects: number[] = [];
  for (let i = 0; i < TUNNEL_COLD; i++) {
    await tunnel!.forget!();
    connects.push(...(await connector.connect([[near, far]])));
  }
  return connects;
}

/** Of a tunnel, in one sample; charon's clock shows whole milliseconds. */
const TUNNEL_NEGOTIATIONS = 20;

/** Pairs that two gateways just started negotiate for one sample; the median is of the last ones. */
const OWN_PAIRS = 240;

/** @throws Error when a gateway negotiated nothing: then the row would have measured something else */
export async function ownNegotiation(field: Field): Promise<Measured[]> {
  const modes = only(field, 'sealed', 'pccom', 'strongswan');
  const samples = await alternate(modes, async (net) => {
    if (net.tunnel !== undefined) return net.tunnel.initiate!(TUNNEL_NEGOTIATIONS);
    await restartGateways(net);
    await net.connector.connect(freshPairs(net).slice(0, OWN_PAIRS));
    const { negotiation: figures } = await net.gateways[0].status();
    if (figures === undefined) throw new Error(`${net.gateways[0].name} negotiated nothing`);
    return figures.medianMs;
  });
  return [{ row: 'negotiation-own', ...times, samples, is: ['is-negotiation-own', { count: TUNNEL_NEGOTIATIONS }] }];
}

/* ---- a known pair ------------------------------------------------------------------------------------------------ */

const KNOWN_CONNECTS = 100;

export async function known(field: Field): Promise<Measured[]> {
  const samples = await alternateWarm(without(field, 'verdict'), async ({ connector, near, far }) =>
    median(await connector.connect(Array.from({ length: KNOWN_CONNECTS }, () => [near, far] as const))),
  );
  return [{ row: 'known', ...times, samples, is: ['is-known'] }];
}

const PING = { count: 200, interval: 0.005 };

export async function echo(field: Field): Promise<Measured[]> {
  const samples = await alternateWarm(without(field, 'verdict'), async ({ h1, far }) =>
    median((await ping(h1, far, PING)).milliseconds),
  );
  const values = { count: PING.count, interval: PING.interval * 1_000 };
  return [{ row: 'ping', ...times, samples, is: ['is-ping', values] }];
}

/** What is measured, and how: each row measures both sides in turns, after a round that is not counted. */
import { residentBytes } from '#kit/machine.ts';
import { iperf } from '#kit/programs/iperf3.ts';
import { ping } from '#kit/programs/ping.ts';
import { H1, H2 } from '../../lab/topologies/bridge.ts';
import type { RowName } from './arguments.ts';
import type { AddressPair } from './connector.ts';
import { DATAGRAMS, datagramsPerSecond } from './datagrams.ts';
import { type BenchLab, restartGateways, type SideBySide } from './lab.ts';
import type { Say } from './messages.ts';
import { median, orderOf, type Side } from './statistics.ts';
import type { Result, Unit } from './table.ts';

/** Samples of each side. */
export const ROUNDS = 5;

type Measure = (labs: SideBySide, say: Say) => Promise<Result[]>;
type Gathered = Record<Side, number[]>;

const gather = (): Gathered => ({ plain: [], sealed: [] });

/** One figure of each side per round, sides in turns. */
async function alternate(labs: SideBySide, measure: (net: BenchLab) => Promise<number>): Promise<Gathered> {
  const samples = gather();
  for (const side of orderOf(0)) await measure(labs[side]);
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of orderOf(round)) samples[side].push(await measure(labs[side]));
  }
  return samples;
}

/* ---- gateways just started ---------------------------------------------------------------------------------------- */

/** A plain bridge is no process: there is nothing to compare with. The larger of the two gateways counts. */
const memory: Measure = async ({ sealed }) => {
  const samples = gather();
  for (let round = 0; round < ROUNDS; round++) {
    await restartGateways(sealed);
    samples.sealed.push(Math.max(...[sealed.a, sealed.b].map((box) => residentBytes(box.pid))) / 1e6);
  }
  return [{ row: 'memory', unit: 'MB', samples, is: ['is-memory'] }];
};

/** Pairs of one start: the first, the hundredth, and those after the first `WARM`, whose median is the row's figure. */
const HUNDREDTH = 100;
const WARM = 200;
const COLD = 40;

const negotiation: Measure = async (labs) => {
  const [cold, own, first, hundredth] = [gather(), gather(), gather(), gather()];
  for (let round = 0; round < ROUNDS; round++) {
    await restartGateways(labs.sealed);
    for (const side of orderOf(round)) {
      const net = labs[side];
      const times = await net.connector.connect(freshPairs(net).slice(0, WARM + COLD));
      first[side].push(times[0]);
      hundredth[side].push(times[HUNDREDTH - 1]);
      cold[side].push(median(times.slice(WARM)));
      if (side === 'sealed') own.sealed.push(await ownNegotiation(net));
    }
  }
  const row = 'negotiation';
  const unit: Unit = 'ms';
  return [
    { row, unit, samples: cold, is: ['is-negotiation', { first: WARM + 1, last: WARM + COLD }] },
    { row: `${row}-own`, unit, samples: own, is: ['is-negotiation-own'] },
    { row: `${row}-first`, unit, samples: first, is: ['is-negotiation-first'] },
    { row: `${row}-100th`, unit, samples: hundredth, is: ['is-negotiation-100th'] },
  ];
};

const freshPairs = ({ addresses }: BenchLab): AddressPair[] =>
  addresses.h1.flatMap((from) => addresses.h2.map((to) => [from, to] as const));

/** @throws Error when the gateway negotiated nothing: then the row would have measured something else */
async function ownNegotiation({ a }: BenchLab): Promise<number> {
  const { negotiation: figures } = await a.status();
  if (figures === undefined) throw new Error(`${a.name} negotiated nothing`);
  return figures.medianMs;
}

/* ---- latency of a known pair ---------------------------------------------------------------------------------------- */

const KNOWN_CONNECTS = 100;

const known: Measure = async (labs) => {
  const pairs = Array.from({ length: KNOWN_CONNECTS }, () => [H1.v4, H2.v4] as const);
  const samples = await alternate(labs, async (net) => median(await net.connector.connect(pairs)));
  return [{ row: 'known', unit: 'ms', samples, is: ['is-known'] }];
};

const PING = { count: 200, interval: 0.005 };

const echo: Measure = async (labs) => {
  const samples = await alternate(labs, async (net) => median((await ping(net.h1, H2.v4, PING)).milliseconds));
  const values = { count: PING.count, interval: PING.interval * 1_000 };
  return [{ row: 'ping', unit: 'ms', samples, is: ['is-ping', values] }];
};

/* ---- throughput ------------------------------------------------------------------------------------------------------- */

const TCP_SECONDS = 2;
/** Above this, the kernel has merged segments before the gateway sees them. */
const LARGE_FRAME_BYTES = 10_000;

const tcp: Measure = async (labs) => {
  const frames = gather();
  const samples = await alternate(labs, async (net) => {
    const before = await innerPort(net);
    const { bitsPerSecond } = await iperf(net.h1, H2.v4, { seconds: TCP_SECONDS });
    const after = await innerPort(net);
    if (after.frames > before.frames) {
      frames[net.side].push((after.bytes - before.bytes) / (after.frames - before.frames));
    }
    return bitsPerSecond / 1e9;
  });
  frames.sealed.shift(); // of the round that is not counted
  const mean = median(frames.sealed);
  return [
    { row: 'tcp', unit: 'Gbit/s', samples, is: ['is-tcp', { seconds: TCP_SECONDS }] },
    {
      row: 'tcp-frame',
      unit: 'B',
      samples: frames,
      is: ['is-tcp-frame'],
      remark: [mean > LARGE_FRAME_BYTES ? 'frames-above' : 'frames-below', { bytes: Math.round(mean) }],
    },
  ];
};

/** What the sender's gateway has received from it; nothing where no gateway stands. */
async function innerPort({ side, a }: BenchLab): Promise<{ readonly frames: number; readonly bytes: number }> {
  if (side === 'plain') return { frames: 0, bytes: 0 };
  const port = (await a.status()).ports.find((p) => p.role === 'inner');
  if (port === undefined) throw new Error(`${a.name} has no inner port`);
  return { frames: port.framesIn, bytes: port.bytesIn };
}

const udp64: Measure = async (labs, say) => {
  const samples = await alternate(labs, datagramsPerSecond);
  const offers = DATAGRAMS.offers
    .map((rate) => (rate === 0 ? say('offer-unlimited') : say('offer-rate', { rate: rate.toLocaleString('en-US') })))
    .join(', ');
  return [{ row: 'udp64', unit: '1/s', samples, is: ['is-udp64', { offers, seconds: DATAGRAMS.seconds }] }];
};

export const MEASURES: Readonly<Record<RowName, Measure>> = { memory, negotiation, known, ping: echo, tcp, udp64 };

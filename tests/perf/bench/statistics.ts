/** Figures from samples: medians with the range they stand in, and ratios between modes. */
import { type Mode, PEERS, type Peer } from './modes.ts';

/** In the order they were taken. A mode that has no such figure has no samples. */
export type Samples = Readonly<Partial<Record<Mode, readonly number[]>>>;

/** Which figures are better: `more` for throughput, `less` for times and memory. */
export type Better = 'more' | 'less';

export interface Summary {
  readonly median: number;
  readonly minimum: number;
  readonly maximum: number;
}

/** @throws RangeError without values: a row that measured nothing must not look like one that did */
export function median(values: readonly number[]): number {
  if (values.length === 0 || values.some((v) => !Number.isFinite(v))) {
    throw new RangeError(`no median of [${values.join(', ')}]`);
  }
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Undefined where a mode has no samples. */
export function summary(values: readonly number[] = []): Summary | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), minimum: Math.min(...values), maximum: Math.max(...values) };
}

/** Median of `mode` in medians of `plain`, whichever is better; undefined where one has none or plain is nothing. */
export function ratioToPlain(samples: Samples, mode: Mode): number | undefined {
  const [plain, other] = [summary(samples.plain), summary(samples[mode])];
  if (plain === undefined || other === undefined || plain.median === 0) return undefined;
  return other.median / plain.median;
}

/** What `mode` takes more than `plain`, between medians; undefined where one has none. */
export function addedToPlain(samples: Samples, mode: Mode): number | undefined {
  const [plain, other] = [summary(samples.plain), summary(samples[mode])];
  return plain === undefined || other === undefined ? undefined : other.median - plain.median;
}

/** The peer with the better median; undefined where no peer has samples. */
export function bestPeer(
  samples: Samples,
  better: Better,
): { readonly peer: Peer; readonly median: number } | undefined {
  const peers = PEERS.flatMap((peer) => {
    const s = summary(samples[peer]);
    return s === undefined ? [] : [{ peer, median: s.median }];
  });
  peers.sort((a, b) => (better === 'more' ? b.median - a.median : a.median - b.median));
  return peers[0];
}

/** How many times better `mode` is than the best peer: above 1 for us, in times as in throughput. */
export function ratioToBestPeer(samples: Samples, mode: Mode, better: Better): number | undefined {
  const [best, own] = [bestPeer(samples, better)?.median, summary(samples[mode])?.median];
  if (best === undefined || own === undefined || best === 0 || own === 0) return undefined;
  return better === 'more' ? own / best : best / own;
}

/** All of them in the order of one round: each is first in turn, so that a drift of the machine meets all alike. */
export function orderOf<T>(all: readonly T[], round: number): readonly T[] {
  const first = all.length === 0 ? 0 : round % all.length;
  return [...all.slice(first), ...all.slice(0, first)];
}

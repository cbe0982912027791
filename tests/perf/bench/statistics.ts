/** Figures from samples: medians with the range they stand in, and ratios between sides. */

/** What is compared: `plain` is a kernel bridge in the gateways' place. */
export const SIDES = ['plain', 'sealed'] as const;
export type Side = (typeof SIDES)[number];

/** In the order they were taken. A side that has no such figure has no samples. */
export type Samples = Readonly<Record<Side, readonly number[]>>;

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

/** Undefined where a side has no samples. */
export function summary(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined;
  return { median: median(values), minimum: Math.min(...values), maximum: Math.max(...values) };
}

/** Median of `sealed` in medians of `plain`; undefined where a side has none or plain is nothing. */
export function ratioToPlain(samples: Samples): number | undefined {
  const [plain, sealed] = [summary(samples.plain), summary(samples.sealed)];
  if (plain === undefined || sealed === undefined || plain.median === 0) return undefined;
  return sealed.median / plain.median;
}

/** What `sealed` takes more than `plain`, between medians; undefined where a side has none. */
export function addedToPlain(samples: Samples): number | undefined {
  const [plain, sealed] = [summary(samples.plain), summary(samples.sealed)];
  return plain === undefined || sealed === undefined ? undefined : sealed.median - plain.median;
}

/** Sides in the order of one round: each is first as often as the other, so that a drift of the machine meets both. */
export const orderOf = (round: number): readonly Side[] => (round % 2 === 0 ? SIDES : SIDES.toReversed());

/** What the API needs from the gateway: `main` supplies it, a test fakes it. Nothing here waits for a packet. */
import type {
  EnrolledView,
  ExplainFacts,
  FlowsView,
  FlowView,
  GatewayEvent,
  PairsView,
  PairView,
  StatusView,
  Verdict,
} from './views.ts';

export interface PairFilter {
  /** Canonical address of the device behind this gateway. */
  readonly device?: string;
  readonly peer?: string;
  readonly verdict?: Verdict;
  /** How many are answered at most, 1 to MAX_LIMIT. */
  readonly limit: number;
}

/** Rows without a filter of their own: `main` may collect more than match and leave the choice to `matching`. */
export type FlowFilter = PairFilter;

export interface GatewayView {
  status(): Promise<StatusView>;
  flows(filter: FlowFilter): Promise<FlowsView>;
  pairs(filter: PairFilter): Promise<PairsView>;
  /** `peer` and `device` are canonical addresses. */
  explain(peer: string, options: { readonly device?: string }): Promise<ExplainFacts>;
  /** Counts by the index of DROPS (#wire/drops.ts), all workers together. */
  drops(): Promise<ArrayLike<number>>;
  /** The text of the configuration file in use. */
  configText(): string;
  /** Begins to stop and returns at once; `why` is for the log. The API itself is closed by its owner. */
  stop(why: string): void;
  /**
   * Enrols the running gateway at the GMS of the token. An error that is for the person to put right bears its words
   * (`text`, #config/text.ts).
   */
  enrol(token: string, force: boolean): Promise<EnrolledView>;
  /** Calls `listener` for every event from now on, in order, until the returned function is called. It never throws. */
  subscribe(listener: (event: GatewayEvent) => void): () => void;
}

/** The filter itself, for whoever collects rows from several workers. `total` counts before the limit cuts. */
export function matching<Row extends FlowView | PairView>(
  rows: readonly Row[],
  filter: PairFilter,
): { readonly total: number; readonly rows: readonly Row[] } {
  const all = rows.filter(
    (row) =>
      (filter.device === undefined || row.device === filter.device) &&
      (filter.peer === undefined || row.peer === filter.peer) &&
      (filter.verdict === undefined || row.verdict === filter.verdict),
  );
  return { total: all.length, rows: all.slice(0, filter.limit) };
}

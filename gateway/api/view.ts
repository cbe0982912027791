/** What the API needs from the gateway: `main` supplies it, a test fakes it. Nothing here waits for a packet. */
import type { Filter } from '#datapath/messages.ts';
import type { EnrolledView, ExplainFacts, FlowsView, GatewayEvent, PairsView, StatusView } from './views.ts';

export interface GatewayView {
  status(): Promise<StatusView>;
  /** `limit` is 1 to MAX_LIMIT; the latest come first. */
  flows(filter: Filter): Promise<FlowsView>;
  pairs(filter: Filter): Promise<PairsView>;
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

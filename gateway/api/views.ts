/**
 * What the API shows: the JSON of every answer, as types. Absent is absent: a field that does not apply is left out.
 * Addresses and GE ids are text, times are ISO 8601 in UTC, durations are milliseconds, sizes are bytes.
 */
import type { Text } from '#config/text.ts';
import type { GeId, Kind, Mode, Reason, TransformName } from '#dprp/spec.ts';
import type { DropName } from '#wire/drops.ts';

/**
 * `starting` until the ports are ready; then `closed` or `open` while there are no keys (whichever the configuration
 * allows), `running` with keys; `stopping` until the process ends.
 */
export type GatewayState = 'starting' | 'closed' | 'open' | 'running' | 'stopping';

/** What happens to a pair's packets. `unknown`: nothing was decided yet, the next packet starts a negotiation. */
export const VERDICTS = ['encrypt', 'plain', 'discard', 'negotiating', 'unknown'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** Why: what DPRP found, or what made DPRP unnecessary. */
export type VerdictReason = Reason | 'exception' | 'never-negotiated';

export interface PortView {
  readonly role: 'outer' | 'inner' | 'mgmt';
  readonly name: string;
  readonly mtu: number;
  readonly state: 'up' | 'down' | 'missing';
  readonly framesIn: number;
  readonly bytesIn: number;
  readonly framesOut: number;
  readonly bytesOut: number;
  /** Superpackets among framesIn (merged by the kernel), and their bytes. */
  readonly mergedIn: number;
  readonly mergedBytesIn: number;
  /** The same among framesOut: the kernel's that passed, and what the gateway merged. */
  readonly mergedOut: number;
  readonly mergedBytesOut: number;
}

export interface GmsView {
  /**
   * `unenrolled`: no GMS is known. `lost`: it does not answer, or with what cannot be used; `error` says why.
   * `removed`: it removed this gateway.
   */
  readonly state: 'unenrolled' | 'connecting' | 'connected' | 'lost' | 'removed';
  /** host:port of the one last tried. */
  readonly address?: string;
  /** What failed last, until the next success. */
  readonly error?: Text;
  readonly lastContact?: string;
  /** Of the bundle in use. */
  readonly sequence?: { readonly incarnation: number; readonly counter: number };
  /** When the keys end if the GMS stays silent; absent when they do not. */
  readonly keysUntil?: string;
}

export interface GroupView {
  readonly number: number;
  readonly name: string;
  /** Of the current key. */
  readonly version: number;
  readonly transform: TransformName;
}

export interface ExceptionView {
  readonly address: string;
  readonly protocol?: string | number;
  readonly port?: number;
  readonly direction: string;
  /** Packets that it let through. */
  readonly hits?: number;
}

export interface StatusView {
  readonly version: string;
  readonly kind: Kind;
  readonly state: GatewayState;
  /** From the bundle: absent before the first keys, like `ge` and `name`. */
  readonly mode?: Mode;
  readonly ge?: GeId;
  readonly name?: string;
  readonly gms: GmsView;
  readonly ports: readonly PortView[];
  readonly workers: number;
  readonly cipher: 'native' | 'noble';
  /** How many pairs have each verdict. */
  readonly pairs: Readonly<Partial<Record<Verdict, number>>>;
  readonly flows: number;
  /** That had to make room in a full table, since the start. */
  readonly evicted: { readonly pairs: number; readonly flows: number };
  /** Held for running negotiations. */
  readonly held: { readonly frames: number; readonly bytes: number };
  /** Milliseconds from the first DDE to usable keys, over the last negotiations. */
  readonly negotiation?: { readonly count: number; readonly medianMs: number; readonly maximumMs: number };
  readonly domainKeyVersion?: number;
  readonly groups: readonly GroupView[];
  readonly exceptions: readonly ExceptionView[];
  readonly uptimeMs: number;
  /** Resident memory of the process. */
  readonly memoryBytes: number;
}

/** What a pair's association is, where there is one. */
interface AssociationView {
  readonly transform?: TransformName;
  readonly group?: number;
  readonly peerGe?: GeId;
}

export interface FlowView extends AssociationView {
  /** Number of the IP protocol. */
  readonly protocol: number;
  readonly device: string;
  /** 0 for protocols without ports; the identifier for ICMP Echo. */
  readonly devicePort: number;
  readonly peer: string;
  readonly peerPort: number;
  readonly verdict: Verdict;
  /** Absent while nothing was found out. */
  readonly reason?: VerdictReason;
  /** Out: from the device to the peer. */
  readonly packetsOut: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly bytesIn: number;
  readonly ageMs: number;
  readonly idleMs: number;
}

export interface PairView extends AssociationView {
  readonly device: string;
  readonly peer: string;
  readonly verdict: Verdict;
  /** Absent while nothing was found out. */
  readonly reason?: VerdictReason;
  readonly keyVersion?: number;
  readonly generation?: number;
  readonly negotiationMs?: number;
  /** Frames held now. */
  readonly held: number;
  readonly idleMs: number;
}

/** `total` counts all that match, also those beyond the limit. */
export interface FlowsView {
  readonly total: number;
  readonly flows: readonly FlowView[];
}

export interface PairsView {
  readonly total: number;
  readonly pairs: readonly PairView[];
}

/** What the datapath knows about packets to an address. */
export interface ExplainFacts {
  readonly state: GatewayState;
  readonly mode?: Mode;
  readonly device?: string;
  readonly peer: string;
  readonly class: 'exception' | 'never-negotiated' | 'without-keys' | 'pair';
  readonly verdict: Verdict;
  readonly reason?: VerdictReason;
  readonly exception?: ExceptionView;
  /** Known pairs with this peer, a few of them. */
  readonly pairs: readonly PairView[];
  readonly remembered?: { readonly ge: GeId; readonly transform: TransformName };
  readonly protectedPrefix: boolean;
}

/** The questions the gateway asks itself about a packet, in its order, as far as they were asked. */
export type ExplainStep =
  | { readonly step: 'state'; readonly state: GatewayState; readonly decides: boolean }
  | { readonly step: 'exception'; readonly exception?: ExceptionView; readonly decides: boolean }
  | { readonly step: 'never-negotiated'; readonly decides: boolean }
  | { readonly step: 'pair'; readonly pairs: readonly PairView[]; readonly decides: boolean }
  | { readonly step: 'protected-prefix'; readonly protected: boolean; readonly decides: boolean }
  | {
      readonly step: 'remembered';
      readonly remembered?: { readonly ge: GeId; readonly transform: TransformName };
      readonly decides: boolean;
    }
  | { readonly step: 'negotiate'; readonly mode?: Mode; readonly decides: boolean };

export interface ExplainView extends ExplainFacts {
  readonly steps: readonly ExplainStep[];
}

/** Who this gateway is to the GMS, as soon as it is enrolled. */
export interface EnrolledView {
  readonly ge: string;
  readonly name: string;
}

/** One counter. The sentence comes with it, so that a client needs no table of its own. */
export interface DropView {
  readonly name: DropName;
  readonly text: Text;
  readonly count: number;
}

export interface DropsView {
  readonly total: number;
  /** All of them, zeros included, in the order of docs/packet-path.md. */
  readonly drops: readonly DropView[];
}

/** What happened, for people who follow along; each name has its sentence in the command line's messages. */
export const EVENT_NAMES = [
  'starting',
  'running',
  'closed',
  'open',
  'stopping',
  'bundle',
  'bundle-refused',
  'keys-ended',
  'removed',
  'wrong-root',
  'store-failed',
  'gms-connected',
  'gms-lost',
  'port-up',
  'port-down',
  'worker-failed',
  'locked-memory',
  'no-key-room',
  'drops-restored',
  /* alarms that a negotiation raises */
  'decision-differs',
  'downgrade',
  'statement',
  'other-ge',
  /* the API's own: this listener was too slow */
  'events-lost',
] as const;
export type EventName = (typeof EVENT_NAMES)[number];

export interface GatewayEvent {
  readonly time: string;
  readonly level: 'info' | 'warning' | 'alarm';
  readonly name: EventName;
  /** Details by name: port, address, device, peer, ge, sequence, count, error, … */
  readonly details: Readonly<Record<string, string | number>>;
}

/** Body of every answer that is not 2xx. `field` is the parameter that is wrong, where one is. */
export interface ErrorView {
  readonly error: { readonly field?: string; readonly message: Text };
}

/**
 * What main and a worker tell each other. Keys travel as one-time tickets (#transform/cipher.ts), never as bytes.
 * A worker waits in `native.next`: main posts, then signals the worker's event descriptor.
 */
import type { Action, GeId, Kind, Mode, Reason, Revocation, TransformName } from '#dprp/spec.ts';
import type { Verdict } from '#pit/pair.ts';
import type { RememberedPeer as Remembered } from '#pit/remembered.ts';
import type { PortCounters } from './counters.ts';

/** What is excepted from negotiation: compiled by policy.ts. Addresses are CIDR prefixes. */
export interface ExceptionRule {
  readonly address: string;
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | number;
  /** Port of the side that answers. */
  readonly port?: number;
  /** Where the answering side is, seen from this gateway; `gms` matches the address on either side. */
  readonly direction: 'out' | 'in' | 'both' | 'gms';
}

/** Everything a worker decides by, apart from keys. */
export interface PolicySettings {
  readonly withoutKeys: 'closed' | 'open';
  readonly nonIp: 'by-mode' | 'pass' | 'refuse';
  readonly exceptions: readonly ExceptionRule[];
  readonly protectedPrefixes: readonly string[];
}

/** The identity of #dprp/spec.ts with tickets in place of keys. */
export interface IdentityMessage {
  readonly ge: GeId;
  readonly mode: Mode;
  readonly kind: Kind;
  readonly statement: Uint8Array;
  readonly signingKey: Uint8Array;
  readonly staticSecret: bigint;
  readonly domainKeys: readonly { readonly version: number; readonly ticket: bigint }[];
  readonly groupKeys: readonly {
    readonly group: number;
    readonly version: number;
    readonly transform: TransformName;
    readonly ticket: bigint;
  }[];
  readonly revoked: readonly Revocation[];
  /** GMS time in seconds since 1970 = monotonic milliseconds / 1000 + this. */
  readonly gmsTimeOffset: number;
}

export type RememberedPeer = Remembered<GeId, TransformName>;

/** Which flows or pairs. Addresses are canonical. */
export interface Filter {
  readonly device?: string;
  readonly peer?: string;
  readonly verdict?: Verdict;
  /** How many are answered at most: those that were seen last. */
  readonly limit: number;
}

/** Of the rows that match the ones seen last, in no order; `total` counts all that match. */
export interface Latest<Row> {
  readonly total: number;
  readonly rows: readonly Row[];
}

/** `flows` and `pairs` take a worker several turns, one of them at a time: a newer one ends an older one. */
export type Query =
  | { readonly what: 'status' }
  | { readonly what: 'flows' | 'pairs'; readonly filter: Filter }
  | { readonly what: 'explain'; readonly peer: string; readonly device?: string };

export type ToWorker =
  | { readonly type: 'identity'; readonly identity: IdentityMessage | undefined }
  | { readonly type: 'policy'; readonly policy: PolicySettings }
  | { readonly type: 'remembered'; readonly peers: readonly RememberedPeer[] }
  | { readonly type: 'forget'; readonly peer: string | undefined }
  | { readonly type: 'mac'; readonly mac: number; readonly port: number }
  | { readonly type: 'ports'; readonly fds: readonly number[]; readonly mtus: readonly number[] }
  | { readonly type: 'query'; readonly id: number; readonly query: Query }
  | { readonly type: 'stop' };

/** What is true of a pair and of each of its flows. */
interface Decided {
  readonly device: string;
  readonly peer: string;
  readonly verdict: Verdict;
  /** Absent while nothing was found out. */
  readonly reason?: Reason;
  readonly transform?: TransformName;
  readonly group?: number;
  readonly peerGe?: GeId;
}

export interface PairView extends Decided {
  readonly keyVersion?: number;
  readonly generation?: number;
  readonly negotiationMs?: number;
  readonly held: number;
  readonly idleMs: number;
}

export interface WorkerStatus {
  readonly worker: number;
  readonly pairs: Readonly<Record<string, number>>;
  readonly flows: number;
  /** That had to make room in a full table, since the start. */
  readonly evicted: { readonly pairs: number; readonly flows: number };
  readonly negotiating: number;
  readonly held: { readonly frames: number; readonly bytes: number };
  readonly ports: readonly PortCounters[];
  /** By the index of #wire/drops.ts. */
  readonly drops: readonly number[];
  readonly exceptionHits: readonly number[];
  /** The last negotiations' times in milliseconds, from the first DDE to usable keys. */
  readonly negotiationMs: readonly number[];
}

export interface ExplainView {
  readonly peer: string;
  readonly device?: string;
  readonly class: 'exception' | 'never-negotiated' | 'pair' | 'without-keys';
  readonly verdict: Verdict;
  readonly reason?: Reason;
  readonly exception?: ExceptionRule;
  readonly pairs: readonly PairView[];
  readonly remembered?: RememberedPeer;
  readonly protectedPrefix: boolean;
  readonly mode?: Mode;
}

export interface FlowRow extends Decided {
  readonly protocol: number;
  readonly devicePort: number;
  readonly peerPort: number;
  readonly packetsOut: number;
  readonly bytesOut: number;
  readonly packetsIn: number;
  readonly bytesIn: number;
  readonly ageMs: number;
  readonly idleMs: number;
}

export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly type: 'remember'; readonly peer: RememberedPeer }
  | { readonly type: 'mac'; readonly mac: number; readonly port: number }
  /** An association's keys had no room, for the first time in this worker. */
  | { readonly type: 'no-key-room' }
  | { readonly type: 'ask-gms'; readonly why: 'domain-key' | 'group-key' }
  | {
      readonly type: 'alarm';
      readonly name: Extract<Action, { do: 'alarm' }>['name'];
      readonly device: string;
      readonly peer: string;
    }
  | { readonly type: 'stopped' };

/** What a demonstration found out, as `--json` writes it. */
import type { FlowView } from '#api/views.ts';

export interface FlowReport {
  readonly gateway: string;
  readonly protocol: number;
  readonly device: string;
  readonly peer: string;
  readonly transform: string | null;
  readonly verdict: string;
  readonly reason: string | null;
  /** Both ways. */
  readonly bytes: number;
}

/** One frame of a server, before and behind its gateway, bytes with Ethernet header. */
export interface FrameLengths {
  readonly transform: string;
  readonly sent: number;
  readonly carried: number;
}

export interface Check {
  readonly name: string;
  readonly good: boolean;
  readonly detail: string;
}

export interface DemoReport {
  /** Every check went as it should. */
  readonly ok: boolean;
  readonly checks: readonly Check[];
  /** Frames between the gateways, and those of them in which a device's bytes can be read. */
  readonly framesOnWire: number;
  readonly plaintextOnWire: number;
  /** The same with the gateways released. */
  readonly controlFramesOnWire: number;
  readonly controlPlaintextOnWire: number;
  readonly frames: readonly FrameLengths[];
  readonly coldPairs: number;
  readonly lostFirstPackets: number;
  readonly flows: readonly FlowReport[];
  readonly negotiationMs: { readonly samples: readonly number[]; readonly median: number };
  /** Connections between the closed gateway's server and an outsider that were refused, and passed at the open ones. */
  readonly closedRefused: number;
  readonly openPassed: number;
}

export function flowReport(gateway: string, flow: FlowView): FlowReport {
  const { protocol, device, peer, transform = null, verdict, reason = null, bytesIn, bytesOut } = flow;
  return { gateway, protocol, device, peer, transform, verdict, reason, bytes: bytesIn + bytesOut };
}

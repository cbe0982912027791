/** What people see of the tables: plain values made on request. */
import type { Reason } from '#dprp/spec.ts';
import type { FlowView } from '#pit/flows.ts';
import type { Pair } from '#pit/pair.ts';
import { addressText } from '#wire/address.ts';
import type { Association, Associations } from './associations.ts';
import type { FlowRow, PairView } from './messages.ts';

export function pairView(pair: Pair<Association>, associations: Associations, held: number, now: number): PairView {
  const sender = associations.sender(pair);
  const decided = pair.verdict !== 'unknown' && pair.verdict !== 'negotiating';
  return {
    device: addressText(pair.deviceBytes),
    peer: addressText(pair.peerBytes),
    verdict: pair.verdict,
    ...(decided && { reason: pair.reason as Reason }),
    held,
    idleMs: Math.max(0, now - pair.lastSeen),
    ...(sender !== undefined && {
      transform: sender.transform,
      group: sender.group,
      keyVersion: sender.keyVersion,
      peerGe: sender.peerGe,
      generation: sender.state.generation,
      negotiationMs: sender.took,
    }),
  };
}

/** A flow with its pair's verdict; without one when the pair was forgotten before the flow. */
export function flowRow(
  flow: FlowView,
  pair: Pair<Association> | undefined,
  associations: Associations,
  now: number,
): FlowRow {
  const sender = pair && associations.sender(pair);
  const decided = pair !== undefined && pair.verdict !== 'unknown' && pair.verdict !== 'negotiating';
  return {
    protocol: flow.protocol,
    device: flow.device,
    devicePort: flow.devicePort,
    peer: flow.peer,
    peerPort: flow.peerPort,
    verdict: pair?.verdict ?? 'unknown',
    ...(decided && { reason: pair.reason as Reason }),
    packetsOut: flow.packetsOut,
    bytesOut: flow.bytesOut,
    packetsIn: flow.packetsIn,
    bytesIn: flow.bytesIn,
    ageMs: Math.max(0, now - flow.firstSeen),
    idleMs: Math.max(0, now - flow.lastSeen),
    ...(sender !== undefined && { transform: sender.transform, group: sender.group, peerGe: sender.peerGe }),
  };
}

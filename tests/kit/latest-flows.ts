/** The flows of a table that were seen last, the latest first. */
import type { FlowTable, FlowView } from '#pit/flows.ts';
import { Look } from '#pit/look.ts';

const ANY = { device: undefined, peer: undefined };

export function latestFlows(flows: FlowTable, limit: number): FlowView[] {
  const look = new Look(flows, limit, (row) => flows.isOf(row, ANY));
  look.goOn(flows.rows);
  return look.latest.map((row) => flows.view(row)).sort((x, y) => y.lastSeen - x.lastSeen);
}

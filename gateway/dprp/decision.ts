/**
 * The decision, docs/dprp.md § 4: a pure function of what both ends said. Both compute it, and both must come to the
 * same bytes; local rules (remembered peers, protected prefixes) are #dprp/verdict.ts.
 */
import { DECISION_LENGTH } from '#wire/dprp.ts';
import { type GroupEntry, TRANSFORMS } from '#wire/ge-info.ts';
import type { GeId, Mode, TransformName } from './spec.ts';

/** What one end brings to the decision. */
export interface Side {
  readonly ge: GeId;
  readonly mode: Mode;
  readonly aesInHardware: boolean;
  /** Groups ascend, versions descend. */
  readonly entries: readonly GroupEntry[];
  /** Generations held for the pair, bit 0–3. */
  readonly held: number;
}

/** § 4.2, in the order of their numbers on the wire. */
export const OUTCOMES = [
  'protect',
  'plain' /* no common group, both open */,
  'closed' /* no common group, and at least one end is closed */,
  'version' /* a common group, but no common version or transform of it */,
  'translated' /* the ends see different addresses */,
  'refused' /* the responder's own rules forbid it */,
  'busy' /* both ends hold both generations of the initiator's */,
  'transform' /* a common group and version, under different transforms */,
] as const;
/** § 4.1: in the order of preference. */
export const STRONGEST_FIRST: readonly TransformName[] = ['sealed', 'pccom-keyed', 'pccom'];

export const isPccom = (transform: TransformName): boolean => transform !== 'sealed';

export type Outcome = (typeof OUTCOMES)[number];

export interface Decision {
  readonly outcome: Outcome;
  readonly group: number;
  readonly version: number;
  readonly transform: TransformName;
  /** 0 AES-256-GCM, 1 ChaCha20-Poly1305 */
  readonly algorithm: 0 | 1;
  readonly generation: number;
}

const without = (outcome: Outcome): Decision => ({
  outcome,
  group: 0,
  version: 0,
  transform: 'sealed',
  algorithm: 0,
  generation: 0,
});

/** What the ends saw beside their lists. */
export interface Circumstances {
  readonly translated: boolean;
  readonly refused: boolean;
}

export function decide(initiator: Side, responder: Side, seen: Circumstances): Decision {
  if (seen.translated) return without('translated');
  if (seen.refused) return without('refused');
  const common = commonEntry(initiator.entries, responder.entries);
  if (common === 'version' || common === 'transform') return without(common);
  if (common === undefined) {
    return without(initiator.mode === 'open' && responder.mode === 'open' ? 'plain' : 'closed');
  }
  const generation = chooseGeneration(initiator.ge < responder.ge, initiator.held, responder.held);
  if (generation === undefined) return without('busy');
  const algorithm = initiator.aesInHardware && responder.aesInHardware ? 0 : 1;
  return { outcome: 'protect', ...common, algorithm, generation };
}

/**
 * § 4.1: the stronger transform, then the lowest group, then its highest common version. 'version' and 'transform'
 * where groups are common by number only: such a pair is never passed in plaintext.
 */
function commonEntry(
  a: readonly GroupEntry[],
  b: readonly GroupEntry[],
): GroupEntry | 'version' | 'transform' | undefined {
  for (const transform of STRONGEST_FIRST) {
    for (const entry of a) {
      if (entry.transform !== transform) continue;
      if (b.some((e) => e.group === entry.group && e.version === entry.version && e.transform === transform)) {
        return { group: entry.group, version: entry.version, transform };
      }
    }
  }
  const inCommon = a.filter((entry) => b.some((e) => e.group === entry.group));
  if (inCommon.length === 0) return undefined;
  return inCommon.some((entry) => b.some((e) => e.group === entry.group && e.version === entry.version))
    ? 'transform'
    : 'version';
}

/**
 * § 4.4: even generations belong to negotiations that the lower GE id starts, odd ones to the other's, so that two that
 * run at once never meet. First one that nobody holds; else one that a single end holds, as it serves nothing.
 */
export function chooseGeneration(initiatorIsLower: boolean, heldI: number, heldR: number): number | undefined {
  const own = initiatorIsLower ? [0, 2] : [1, 3];
  const holders = (g: number): number => ((heldI >> g) & 1) + ((heldR >> g) & 1);
  return own.find((g) => holders(g) === 0) ?? own.find((g) => holders(g) === 1);
}

/** True when the other end names a higher version of a common group: our GMS has news for us. */
export function isBehind(own: readonly GroupEntry[], other: readonly GroupEntry[]): boolean {
  return other.some(
    (theirs) =>
      own.some((ours) => ours.group === theirs.group) &&
      own.every((ours) => ours.group !== theirs.group || ours.version < theirs.version),
  );
}

/** § 3.5: | outcome 1 | transform 1 | algorithm 1 | generation 1 | group 4 | version 4 |, big-endian. */
export function encodeDecision(d: Decision): Uint8Array {
  const bytes = new Uint8Array(DECISION_LENGTH);
  const view = new DataView(bytes.buffer);
  bytes[0] = OUTCOMES.indexOf(d.outcome);
  bytes[1] = TRANSFORMS.indexOf(d.transform);
  bytes[2] = d.algorithm;
  bytes[3] = d.generation;
  view.setUint32(4, d.group);
  view.setUint32(8, d.version);
  return bytes;
}

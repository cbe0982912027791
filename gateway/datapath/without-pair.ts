/**
 * What is decided without a pair, where the policy alone cannot say it: some addresses are never spoken to in plaintext
 * (docs/security.md), and what looks like a subnet's broadcast may be a single host's, when somebody forges ARP
 * answers.
 */
import type { GeId, TransformName } from '#dprp/spec.ts';
import type { PairTable } from '#pit/pairs.ts';
import type { RememberedPeers } from '#pit/remembered.ts';
import { dropCode } from '#wire/drops.ts';
import type { Frame } from '#wire/frame.ts';
import type { Association } from './associations.ts';
import { ASK_PAIR, PASS, PASS_BROADCAST, PASS_STRANGER, type Policy } from './policy.ts';

const REMEMBERED = dropCode('refused-remembered');
const PROTECTED_PREFIX = dropCode('refused-protected-prefix');

interface KnownPeers {
  readonly policy: Policy;
  readonly remembered: RememberedPeers<GeId, TransformName>;
}

interface KnownHosts extends KnownPeers {
  readonly slab: Uint8Array;
  readonly work: { readonly view: DataView };
  /** The frame at hand. */
  readonly frame: Frame;
  readonly pairs: PairTable<Association>;
}

/** PASS, ASK_PAIR or a drop code for the frame at hand. `outward`: it comes from behind us. */
export function decideWithoutPair(known: KnownHosts, outward: boolean, now: number): number {
  const { policy, slab, work, frame } = known;
  const code = policy.withoutPair(slab, work.view, frame, outward);
  if (code === PASS_STRANGER) return plaintextRefusal(known, outward ? frame.destination : frame.source, now);
  if (code !== PASS_BROADCAST) return code;
  if (policy.mode === undefined) return outward ? plaintextRefusal(known, frame.destination, now) : PASS;
  return isSingleHost(known, outward, now) ? ASK_PAIR : PASS;
}

/** PASS, or the drop code of why nothing in plaintext goes to this far address, or is taken from it. */
export function plaintextRefusal({ policy, remembered }: KnownPeers, far: Int32Array, now: number): number {
  if (policy.isProtected(far)) return PROTECTED_PREFIX;
  return remembered.size > 0 && remembered.get(far, now) !== undefined ? REMEMBERED : PASS;
}

/** True when the address is one that is, was or must be protected. */
function isSingleHost(known: KnownHosts, outward: boolean, now: number): boolean {
  const { source, destination, ipVersion } = known.frame;
  const { pairs } = known;
  const pair = outward ? pairs.find(source, destination, ipVersion) : pairs.find(destination, source, ipVersion);
  if (pair !== undefined && pair.sendGeneration >= 0) return true;
  return outward && plaintextRefusal(known, destination, now) !== PASS; /* remembered peers broadcast too */
}

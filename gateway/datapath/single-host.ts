/** What looks like a subnet's broadcast may be a single host's, when somebody forges ARP answers. */
import type { GeId, TransformName } from '#dprp/spec.ts';
import type { PairTable } from '#pit/pairs.ts';
import type { RememberedPeers } from '#pit/remembered.ts';
import type { Frame } from '#wire/frame.ts';
import type { Association } from './associations.ts';
import type { Policy } from './policy.ts';

export interface KnownHosts {
  /** The frame at hand, of CLASS_BROADCAST. */
  readonly frame: Frame;
  readonly pairs: PairTable<Association>;
  readonly policy: Policy;
  readonly remembered: RememberedPeers<GeId, TransformName>;
}

/** True when the address is one that is, was or must be protected. */
export function isSingleHost({ frame, pairs, policy, remembered }: KnownHosts, outward: boolean, now: number): boolean {
  const { source, destination, ipVersion } = frame;
  const pair = outward ? pairs.find(source, destination, ipVersion) : pairs.find(destination, source, ipVersion);
  if (pair !== undefined && pair.sendGeneration >= 0) return true;
  if (!outward) return false; /* remembered peers broadcast too */
  return policy.isProtected(destination) || remembered.get(destination, now) !== undefined;
}

/** What the machine of negotiations asks its owner when it decides. Control path. */
import type { DprpPolicy, GeId, Millis, TransformName } from '#dprp/spec.ts';
import { GENERATIONS } from '#pit/pair.ts';
import type { RememberedPeers } from '#pit/remembered.ts';
import { bytesToWords } from '#wire/address.ts';
import type { Associations } from './associations.ts';
import type { KeySwitches } from './key-switch.ts';
import type { Lane } from './lane.ts';
import type { Policy } from './policy.ts';

/** Facts the machine asks for when it decides. `switches` exists once the machine does. */
export function policyFacts(
  lane: Lane,
  policy: Policy,
  associations: Associations,
  remembered: RememberedPeers<GeId, TransformName>,
  now: () => Millis,
  switches: () => KeySwitches,
): DprpPolicy {
  return {
    protectedPrefix: (peer) => policy.isProtected(bytesToWords(peer)),
    remembered: (peer) => {
      const known = remembered.get(bytesToWords(peer), now());
      return known && { ge: known.ge, transform: known.transform, removed: policy.removed.has(known.ge) };
    },
    heldGenerations: (of) => {
      const pair = lane.findPair(of);
      let mask = 0;
      for (let g = 0; g < GENERATIONS; g++) {
        const held = pair?.associations[g];
        if (held !== undefined && !switches().isSpare(held, now())) mask |= 1 << g;
      }
      return mask;
    },
    hasShownProtected: (of) => {
      const pair = lane.findPair(of);
      return pair !== undefined && associations.sender(pair) !== undefined;
    },
    sends: (of) => {
      const pair = lane.findPair(of);
      return pair !== undefined && switches().sends(pair, now());
    },
    receives: (of) => {
      const pair = lane.findPair(of);
      return pair !== undefined && switches().receives(pair, now());
    },
    agreement: (of, negotiation) => {
      const pair = lane.findPair(of);
      return pair && switches().facts(pair, negotiation);
    },
  };
}

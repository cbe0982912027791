/**
 * Local rules on top of the common decision, docs/dprp.md § 5: whoever can drop or forge DPRP messages must not turn
 * protected traffic into plaintext. Everything here is this GE's own business and never negotiated.
 */
import { type Decision, STRONGEST_FIRST } from './decision.ts';
import type { Limits } from './limits.ts';
import type { Peer } from './peers.ts';
import type { Self } from './self.ts';
import type { Action, DprpPolicy, GeId, Millis, Mode, Pair, Reason } from './spec.ts';

export interface Objection {
  readonly reason: Reason;
  readonly alarm: 'downgrade' | 'other-ge' | undefined;
}

/** § 5.1: what forbids an authenticated decision; undefined when nothing does. */
export function objection(
  policy: DprpPolicy,
  self: Self,
  pair: Pair,
  peer: Pick<Peer, 'ge' | 'groups'>,
  decision: Decision,
): Objection | undefined {
  const peerGe = peer.ge;
  const remembered = policy.remembered(pair.peer);
  if (decision.outcome === 'protect') {
    if (remembered === undefined) return undefined;
    /* A gateway that the GMS removed does not come back: whoever else proves the group may stand in its place. One that
     * left a group may still serve under another. */
    if (remembered.ge !== peerGe && !remembered.removed) return { reason: 'remembered', alarm: 'other-ge' };
    const weaker =
      STRONGEST_FIRST.indexOf(decision.transform) > STRONGEST_FIRST.indexOf(remembered.transform) &&
      self.hasStrongerThan(decision.transform, peer.groups);
    return weaker ? { reason: 'remembered', alarm: 'downgrade' } : undefined;
  }
  if (decision.outcome !== 'plain') return undefined;
  if (remembered !== undefined || policy.hasShownProtected(pair)) {
    return { reason: 'remembered', alarm: remembered && remembered.ge !== peerGe ? 'other-ge' : 'downgrade' };
  }
  return policy.protectedPrefix(pair.peer) ? { reason: 'protected-prefix', alarm: undefined } : undefined;
}

export function object(pair: Pair, peerGe: GeId, o: Objection, limits: Limits, now: Millis): Action[] {
  const discard: Action = { do: 'discard', pair, reason: o.reason, until: after(now, limits.discardFor), peerGe };
  return o.alarm === undefined ? [discard] : [{ do: 'alarm', name: o.alarm, pair }, discard];
}

/** § 4.2: what an authenticated decision other than 'protect' means here. `serves`: an association serves the pair. */
export function settle(
  pair: Pair,
  peerGe: GeId,
  decision: Decision,
  own: Mode,
  serves: boolean,
  limits: Limits,
  now: Millis,
): Action {
  const discard = (reason: Reason): Action => {
    return { do: 'discard', pair, reason, until: after(now, limits.discardFor), peerGe };
  };
  /* Not now, but nothing speaks against what serves. */
  const later = (reason: Reason): Action => {
    const until = after(now, limits.retryAfter);
    return serves ? { do: 'keep', pair, reason, until } : { do: 'discard', pair, reason, until, peerGe };
  };
  switch (decision.outcome) {
    case 'plain':
      return { do: 'plain', pair, reason: 'no-common-group', until: after(now, limits.plainFor), peerGe };
    case 'closed':
      return discard(own === 'closed' ? 'own-mode-closed' : 'peer-mode-closed');
    case 'translated':
      return discard('address-translated');
    case 'refused':
      return discard('peer-refused');
    case 'version':
      return later('key-version-differs');
    case 'transform':
      return later('transform-differs');
    case 'busy':
    case 'protect':
      return later('negotiation-failed');
  }
}

/** What is known when no decision was reached. */
export type Unanswered =
  | 'no-gateway-echo'
  | 'no-gateway-silence'
  | 'negotiation-failed'
  | 'domain-key-differs'
  | 'peer-refused';

/**
 * § 5.2: the verdict without an authenticated answer. `sawGateway`: something that only a gateway sends came back, so
 * whatever else is true, the far end is not unprotected.
 */
export function settleUnanswered(
  policy: DprpPolicy,
  pair: Pair,
  own: Mode,
  what: Unanswered,
  sawGateway: boolean,
  serves: boolean,
  limits: Limits,
  now: Millis,
): Action[] {
  const nobody = what === 'no-gateway-echo' || what === 'no-gateway-silence';
  const known = policy.remembered(pair.peer) !== undefined || policy.hasShownProtected(pair);
  const soon = after(now, limits.retryAfter);
  const discard = (reason: Reason, until: Millis): Action => ({ do: 'discard', pair, reason, until });
  const alarm: Action = { do: 'alarm', name: 'downgrade', pair };

  if (serves) {
    const keep: Action = { do: 'keep', pair, reason: what, until: soon };
    return what === 'no-gateway-echo' && known ? [alarm, keep] : [keep];
  }
  if (!nobody) return [discard(what, soon)];
  if (sawGateway) return [discard('negotiation-failed', soon)];
  const later = after(now, limits.discardFor);
  if (known) return [alarm, discard('remembered', later)];
  if (policy.protectedPrefix(pair.peer)) return [discard('protected-prefix', later)];
  if (own === 'closed') return [discard('own-mode-closed', later)];
  return [{ do: 'plain', pair, reason: what, until: after(now, limits.plainFor) }];
}

export const after = (now: Millis, ms: number): Millis => (now + ms) as Millis;

import type { Pair } from '#pit/pair.ts';

/** Everything that is not its place or its addresses. */
export function stateOf(pair: Pair<string>) {
  const { verdict, reason, until, lastSeen, sendGeneration, receiving, switching, sentBareAt, inboundNotBefore } = pair;
  const { outward, agreements, followed, pathMtu, pathMtuUntil, noticedAt, receivesPlainUntil } = pair;
  const associations = [...pair.associations];
  const decided = { verdict, reason, until, lastSeen, sentBareAt, inboundNotBefore, outward };
  const forms = { sendGeneration, receiving, switching, associations, agreements, followed, receivesPlainUntil };
  return { ...decided, ...forms, pathMtu, pathMtuUntil, noticedAt };
}

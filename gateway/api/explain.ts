/** From what the datapath knows about an address to the questions it asks itself about a packet to it, in its order. */
import type { ExplainFacts, ExplainStep } from './views.ts';

/**
 * The steps up to the one that decides; exactly one decides, and it is the last.
 *
 * 1. exceptions and link services pass first: they need no keys; one for some protocol or port is told, and decides
 *    nothing about the rest
 * 2. without keys the configuration decides; what it lets pass does not, where the address is a protected prefix's or
 *    was protected before
 * 3. a pair that is known has its verdict
 * 4. an unknown pair is negotiated; a protected prefix or a remembered gateway says beforehand that silence will not
 *    mean plaintext
 */
export function explainSteps(facts: ExplainFacts): ExplainStep[] {
  const steps: ExplainStep[] = [];
  if (facts.class === 'exception') {
    steps.push({ step: 'exception', ...(facts.exception && { exception: facts.exception }), decides: true });
    return steps;
  }
  steps.push({ step: 'exception', ...(facts.exception && { exception: facts.exception }), decides: false });
  if (facts.class === 'never-negotiated') {
    steps.push({ step: 'never-negotiated', decides: true });
    return steps;
  }
  const withoutKeys = facts.class === 'without-keys';
  const refused = withoutKeys && facts.state === 'open' && facts.verdict === 'discard';
  steps.push({ step: 'state', state: facts.state, decides: withoutKeys && !refused });
  const prefix = { step: 'protected-prefix', protected: facts.protectedPrefix } as const;
  const remembered = { step: 'remembered', ...(facts.remembered && { remembered: facts.remembered }) } as const;
  if (refused) {
    steps.push({ ...prefix, decides: facts.protectedPrefix });
    if (!facts.protectedPrefix) steps.push({ ...remembered, decides: true });
  }
  if (withoutKeys) return steps;

  const known = facts.pairs.length > 0 && facts.verdict !== 'unknown';
  steps.push({ step: 'pair', pairs: facts.pairs, decides: known });
  if (known) return steps;

  steps.push({ ...prefix, decides: false }, { ...remembered, decides: false });
  steps.push({ step: 'negotiate', ...(facts.mode && { mode: facts.mode }), decides: true });
  return steps;
}

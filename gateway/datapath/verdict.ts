/** The verdict that counts now, and what counts for a flow under it. */
import type { Pair, Verdict } from '#pit/pair.ts';
import { FORM_FRAGMENT, type Frame } from '#wire/frame.ts';
import type { Association, Associations } from './associations.ts';

/** One past its time is unknown again. */
export function verdictNow(pair: Pair<Association>, associations: Associations, now: number): Verdict {
  if (pair.verdict === 'encrypt') {
    if (associations.sender(pair) === undefined) pair.verdict = 'unknown';
  } else if ((pair.verdict === 'plain' || pair.verdict === 'discard') && now >= pair.until) {
    pair.verdict = 'unknown';
  }
  return pair.verdict;
}

/**
 * A whole packet counts when it comes, not when it was held. A fragment names no flow: what is put together of them is
 * counted by `Protect`, and where nobody does that each counts for the flow without ports.
 */
export function countsNow(frame: Frame, held: boolean, verdict: Verdict): boolean {
  if (frame.form !== FORM_FRAGMENT) return !held;
  return verdict === 'plain' || verdict === 'discard';
}

/** An explanation's steps → numbered sentences; the one that decides is marked. */
import type { ExplainStep, ExplainView, PairView } from '#api/views.ts';
import { harmless } from '#terminal/table.ts';
import type { Say } from './messages.ts';
import { exceptionText, reasonWord, verdictWord, word } from './show.ts';

export function showExplain(view: ExplainView, say: Say): string[] {
  const verdict = verdictWord(view.verdict, say);
  const title =
    view.device === undefined
      ? say('explain-title', { peer: view.peer, verdict })
      : say('explain-title-from', { device: view.device, peer: view.peer, verdict });
  const reason = view.reason === undefined ? [] : [say('explain-reason', { reason: reasonWord(view.reason, say) })];
  const steps = view.steps.flatMap((step, i) =>
    sentences(step, say).map(
      (sentence, line) => `${step.decides ? '→' : ' '} ${line === 0 ? `${i + 1}.` : '  '} ${sentence}`,
    ),
  );
  return [title, ...reason, '', ...steps].map(harmless);
}

function sentences(step: ExplainStep, say: Say): string[] {
  switch (step.step) {
    case 'exception':
      if (step.exception === undefined) return [say('explain-no-exception')];
      return [
        say(step.decides ? 'explain-exception' : 'explain-some-excepted', {
          exception: exceptionText(step.exception, say),
        }),
      ];
    case 'never-negotiated':
      return [say('explain-never')];
    case 'state':
      if (step.state === 'open' && !step.decides) return [say('explain-without-keys-refused')];
      if (!step.decides) return [say('explain-keys', { state: word('state', step.state, say) })];
      return [say(step.state === 'open' ? 'explain-without-keys-open' : 'explain-without-keys-closed')];
    case 'pair':
      return pairSentences(step.pairs, say);
    case 'protected-prefix':
      return [say(step.protected ? 'explain-prefix' : 'explain-no-prefix')];
    case 'remembered':
      return [step.remembered ? say('explain-remembered', { ...step.remembered }) : say('explain-not-remembered')];
    case 'negotiate':
      return [
        say(
          step.mode === 'open'
            ? 'explain-negotiate-open'
            : step.mode === 'closed'
              ? 'explain-negotiate-closed'
              : 'explain-negotiate',
        ),
      ];
  }
}

/** A pair without a verdict waits for its next packet as one that nobody knows. */
function pairSentences(pairs: readonly PairView[], say: Say): string[] {
  const known = pairs.filter((pair) => pair.verdict !== 'unknown');
  return known.length === 0 ? [say('explain-no-pair')] : known.map((pair) => pairSentence(pair, say));
}

function pairSentence(pair: PairView, say: Say): string {
  const common = { device: pair.device, peer: pair.peer, verdict: verdictWord(pair.verdict, say) };
  if (pair.verdict !== 'encrypt')
    return say('explain-pair', { ...common, reason: reasonWord(pair.reason, say) || '–' });
  return say('explain-pair-encrypted', {
    ...common,
    transform: pair.transform ?? '–',
    group: pair.group ?? '–',
    ge: pair.peerGe ?? '–',
  });
}

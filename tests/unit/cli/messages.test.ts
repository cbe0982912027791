import { expect, test } from 'vitest';
import { EVENT_NAMES, VERDICTS } from '#api/views.ts';
import { messages, sayIn } from '#cli/messages.ts';
import { REASON_WORDS, VERDICT_WORDS } from '#cli/reasons.ts';
import { DROPS } from '#wire/drops.ts';

const JAPANESE = /[\u3040-\u30ff\u4e00-\u9fff]/;

test('reasons, verdicts and drops have words in both languages', () => {
  for (const { en, ja } of [...Object.values(REASON_WORDS), ...Object.values(VERDICT_WORDS), ...DROPS]) {
    expect(en).toMatch(/[a-z]/);
    expect(ja).toMatch(JAPANESE);
  }
  expect(Object.keys(VERDICT_WORDS).sort()).toEqual([...VERDICTS].sort());
});

test('every event has its sentence', () => {
  for (const name of EVENT_NAMES) expect(messages).toHaveProperty([`event-${name}`]);
});

test('values are filled in; one that is missing stays visible', () => {
  expect(sayIn('en')('more-rows', { shown: 10, total: 12 })).toContain('10 of 12');
  expect(sayIn('ja')('explain-title', { peer: '192.0.2.1' })).toBe('192.0.2.1宛てのパケット: {verdict}');
  expect(sayIn('en')('check-good', { file: '{kind}', kind: 'x' })).toBe('{kind}: correct (x)');
});

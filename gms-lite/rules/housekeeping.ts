/** What time alone changes: overlaps end, schedules rotate, statements and revocations grow old. */
import type { Reader } from '../store/store.ts';
import { activeElements, type Change, policyOf, statementLifetime } from './change.ts';
import { forgetTokens, renewStatements } from './elements.ts';
import { forgetRevocations } from './groups.ts';
import { eraseExpired, putTimesRight, rotate } from './keys.ts';

export function keepHouse(change: Change): void {
  eraseExpired(change);
  for (const group of [...change.tx.list('group')]) {
    if (group.rotatesAt !== 0 && group.rotatesAt <= change.now) rotate(change, group.number, 'schedule');
  }
  putTimesRight(change);
  renewStatements(change);
  forgetRevocations(change);
  forgetTokens(change);
}

/** When `keepHouse` has something to do that gateways wait for: seconds since 1970, Infinity for never. */
export function nextHousekeeping(tx: Reader): number {
  const lifetime = statementLifetime(policyOf(tx).offlineHours);
  return Math.min(
    ...[...tx.list('key')].filter((key) => key.notAfter !== 0).map((key) => key.notAfter),
    ...[...tx.list('group')].filter((group) => group.rotatesAt !== 0).map((group) => group.rotatesAt),
    ...activeElements(tx).map((element) => Math.ceil(element.statementNotAfter - lifetime / 2) + 1),
    ...[...tx.list('revocation')].map((revocation) => revocation.until),
  );
}

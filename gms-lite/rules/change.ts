/**
 * A change: one transaction with all that the rules need, and what they leave behind: an audit entry, and which GEs
 * have another bundle from now on. Rules read no clock and make no random numbers by themselves.
 */
import { createHash } from 'node:crypto';
import { type AuditEntry, type Element, numberId, type Policy, SITE, type Site } from '../store/records.ts';
import type { Reader, Writer } from '../store/store.ts';

/** Who asks for a change, and from where. */
export interface Actor {
  readonly who: string;
  readonly from: string;
}

export interface Change {
  readonly tx: Writer;
  /** Seconds since 1970. */
  readonly now: number;
  readonly actor: Actor;
  readonly random: (bytes: number) => Uint8Array;
  /** Seals 32 fresh key bytes for the store and wipes them. */
  readonly freshMaterial: (record: string) => Uint8Array;
  /** GEs whose bundle changed: they are told after the commit. */
  readonly touched: Set<string>;
}

/** How long a statement counts when keys do not expire without the GMS; s. */
const STATEMENT_WITHOUT_END = 10 * 365 * 86_400;
/** At least as long as a GE may miss its GMS, twice, and never shorter than a week; s. */
const STATEMENT_SHORTEST = 7 * 86_400;

export function statementLifetime(offlineHours: number): number {
  return offlineHours === 0 ? STATEMENT_WITHOUT_END : Math.max(2 * offlineHours * 3600, STATEMENT_SHORTEST);
}

export function siteOf(tx: Reader): Site {
  return tx.get('site', SITE)!;
}

export function policyOf(tx: Reader): Policy {
  return tx.get('policy', SITE)!;
}

export function activeElements(tx: Reader): Element[] {
  return [...tx.list('element')].filter((element) => element.state === 'active');
}

/** Gives the GE a new bundle: its counter grows once in a change, its statement is made anew. */
export function touch(change: Change, ge: string): void {
  const element = change.tx.get('element', ge);
  if (element === undefined || element.state !== 'active' || change.touched.has(ge)) return;
  change.touched.add(ge);
  const statementNotAfter = change.now + statementLifetime(policyOf(change.tx).offlineHours);
  const statementsEnd = Math.max(lastStatementEnd(element), statementNotAfter);
  change.tx.put('element', ge, { ...element, counter: element.counter + 1, statementNotAfter, statementsEnd });
}

/** When the last of its statements has ended, those included that were replaced: lowered offline hours recall none. */
export function lastStatementEnd({ statementsEnd, statementNotAfter }: Element): number {
  return statementsEnd ?? statementNotAfter;
}

/** Appends to the audit. `before` and `after` are JSON of public facts. */
export function audit(change: Change, action: string, subject: string, before: unknown, after: unknown): void {
  const last = change.tx.last('audit');
  const entry = {
    number: (last?.number ?? 0) + 1,
    at: change.now,
    ...change.actor,
    action,
    subject,
    before: JSON.stringify(before ?? null),
    after: JSON.stringify(after ?? null),
    previous: last?.hash ?? '',
  };
  change.tx.put('audit', numberId(entry.number), { ...entry, hash: auditHash(entry) });
}

/** SHA-256 over the fields in their order, in hex. */
export function auditHash(entry: Omit<AuditEntry, 'hash'>): string {
  const { number, at, who, from, action, subject, before, after, previous } = entry;
  const fields = JSON.stringify([number, at, who, from, action, subject, before, after, previous]);
  return createHash('sha256').update('gscip audit 1\0').update(fields).digest('hex');
}

/** Number of the first entry that does not fit the chain; undefined when all do. */
export function brokenAudit(entries: Iterable<AuditEntry>): number | undefined {
  let previous = '';
  let number = 0;
  for (const entry of entries) {
    number++;
    if (entry.number !== number || entry.previous !== previous || entry.hash !== auditHash(entry)) return number;
    previous = entry.hash;
  }
  return undefined;
}

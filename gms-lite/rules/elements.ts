/** GEs: enrolled by a token, changed, removed. docs/gms.md § 3. */

import type { Kind, Mode } from '#dprp/spec.ts';
import type { EnrolRequest } from '#gms/enrolment.ts';
import { enrolmentToSign } from '#gms/enrolment.ts';
import { GmsError } from '#gms/errors.ts';
import { verifyWith } from '#gms/raw-keys.ts';
import { tokenHash } from '#gms/token.ts';
import { DOMAIN, type Element, numberId, type Token } from '../store/records.ts';
import type { Reader } from '../store/store.ts';
import { activeElements, audit, type Change, policyOf, statementLifetime, touch } from './change.ts';
import { addMember, groupsOf, removeMember } from './groups.ts';
import { rotate } from './keys.ts';

/** GEs that a GMS can have, retired ones included. */
const ELEMENTS_MAX = 65_536;
/** Tokens that wait to be used. */
const TOKENS_MAX = 4096;
/** A used or expired token is remembered so long, so that its reason can still be told; s. */
const TOKEN_MEMORY = 30 * 86_400;

/** By name or id, among those that are not retired. @throws GmsError ge-unknown */
export function findElement(tx: Reader, nameOrId: string): Element {
  const living = [...tx.list('element')].filter((element) => element.state !== 'retired');
  const found = living.find((e) => e.name === nameOrId) ?? living.find((e) => e.id === nameOrId.toLowerCase());
  if (found === undefined) throw new GmsError('ge-unknown', { ge: nameOrId.slice(0, 63) });
  return found;
}

/** @throws GmsError ge-exists, too-many */
export function createToken(change: Change, token: Omit<Token, 'createdAt' | 'usedBy'>): void {
  if (token.name !== null) checkName(change.tx, token.name);
  if ([...change.tx.list('token')].length >= TOKENS_MAX) {
    throw new GmsError('too-many', { limit: TOKENS_MAX, what: 'tokens' });
  }
  change.tx.put('token', token.hash, { ...token, createdAt: change.now, usedBy: null });
  const { name, kind, mode, groups, expiry } = token;
  audit(change, 'create token', `token ${token.hash.slice(0, 8)}`, null, { name, kind, mode, groups, expiry });
}

/** Tokens that nobody will ask about any more. */
export function forgetTokens(change: Change): void {
  for (const token of [...change.tx.list('token')]) {
    if (token.expiry + TOKEN_MEMORY <= change.now) change.tx.remove('token', token.hash);
  }
}

function checkName(tx: Reader, name: string): void {
  const taken = [...tx.list('element')].some((e) => e.state !== 'retired' && e.name === name);
  if (taken) throw new GmsError('ge-exists', { name });
}

/**
 * A GE enters with a token's secret and is active at once. The same request again gives the same GE, so that a lost
 * answer costs nothing. @throws GmsError not-authenticated, token-unknown, token-used, token-expired, ge-exists
 */
export function enrol(change: Change, request: EnrolRequest): Element {
  const { tx, now } = change;
  const { secret, signingKey, staticKey, proof } = request;
  if (!verifyWith(signingKey, enrolmentToSign(secret, signingKey, staticKey), proof)) {
    throw new GmsError('not-authenticated');
  }
  const token = tx.get('token', tokenHash(secret));
  if (token === undefined) throw new GmsError('token-unknown');
  if (token.usedBy !== null) {
    const user = tx.get('element', token.usedBy);
    const same = user?.state === 'active' && equal(user.signingKey, signingKey) && equal(user.staticKey, staticKey);
    if (same) return user;
    throw new GmsError('token-used');
  }
  if (token.expiry <= now) {
    throw new GmsError('token-expired', { expiry: new Date(token.expiry * 1000).toISOString() });
  }
  if ([...tx.list('element')].length >= ELEMENTS_MAX) {
    throw new GmsError('too-many', { limit: ELEMENTS_MAX, what: 'gateways' });
  }

  const id = Buffer.from(change.random(8)).toString('hex');
  const name = token.name ?? freeName(tx, request.name ?? `ge-${id.slice(0, 6)}`, id);
  checkName(tx, name);
  const element: Element = {
    id,
    name,
    kind: token.kind ?? request.kind ?? 'bridge',
    mode: token.mode,
    state: 'active',
    signingKey,
    staticKey,
    counter: 0,
    statementNotAfter: now + statementLifetime(policyOf(tx).offlineHours),
    software: request.software ?? '',
    enrolledAt: now,
    lastSeen: now,
    held: -1,
  };
  tx.put('element', id, element);
  tx.put('token', token.hash, { ...token, usedBy: id });
  audit(change, 'enrol', `gateway ${name}`, null, { ge: id, kind: element.kind, mode: element.mode });
  touch(change, id);
  for (const number of token.groups) {
    const group = tx.get('group', numberId(number));
    if (group !== undefined) addMember(change, group, tx.get('element', id)!);
  }
  return tx.get('element', id)!;
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Names that gateways propose for themselves may meet; those that people give may not. */
function freeName(tx: Reader, name: string, id: string): string {
  const taken = [...tx.list('element')].some((e) => e.state !== 'retired' && e.name === name);
  return taken ? `${name.slice(0, 54)}-${id.slice(0, 6)}` : name;
}

/** @throws GmsError ge-exists */
export function setElement(
  change: Change,
  element: Element,
  values: { name?: string; mode?: Mode; kind?: Kind },
): void {
  if (values.name !== undefined && values.name !== element.name) checkName(change.tx, values.name);
  const { name, mode, kind } = { ...element, ...values };
  change.tx.put('element', element.id, { ...element, name, mode, kind });
  touch(change, element.id);
  audit(change, 'set gateway', `gateway ${element.name}`, pick(element), { name, mode, kind });
}

const pick = ({ name, mode, kind }: Element) => ({ name, mode, kind });

/** The GE is out of everything: each of its groups and the domain get new keys that it never sees. */
export function removeElement(change: Change, element: Element): void {
  const { tx } = change;
  for (const number of groupsOf(tx, element.id)) {
    removeMember(change, tx.get('group', numberId(number))!, tx.get('element', element.id)!);
  }
  /* Its counter grows too: that is what its stream tells it to ask about, and to learn that it is out. */
  touch(change, element.id);
  tx.put('element', element.id, { ...tx.get('element', element.id)!, state: 'retired' });
  audit(change, 'remove gateway', `gateway ${element.name}`, { ge: element.id }, null);
  rotate(change, DOMAIN, 'removal');
}

/** Statements past half of their life are made anew. */
export function renewStatements(change: Change): void {
  const lifetime = statementLifetime(policyOf(change.tx).offlineHours);
  for (const element of activeElements(change.tx)) {
    if (element.statementNotAfter - change.now < lifetime / 2) touch(change, element.id);
  }
}

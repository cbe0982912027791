/** Groups and who belongs to them. docs/gms.md § 1. */

import type { GroupChecksum, GroupTransform } from '#gms/bundle.ts';
import { GmsError } from '#gms/errors.ts';
import { STATEMENT_GROUPS } from '#wire/statement.ts';
import { type Element, type Group, membershipId, numberId, revocationId, SITE } from '../store/records.ts';
import type { Reader } from '../store/store.ts';
import { activeElements, audit, type Change, lastStatementEnd, siteOf, touch } from './change.ts';
import { putNewVersion, rotate } from './keys.ts';
import { nextDaily } from './schedule.ts';

/** Groups that a GMS can have. */
const GROUPS_MAX = 4096;

export interface NewGroup {
  readonly name: string;
  readonly number?: number | undefined;
  readonly transform: GroupTransform;
  readonly checksum: GroupChecksum;
  readonly rotation: Group['rotation'];
}

/** By name, or by number where no name fits. @throws GmsError group-unknown */
export function findGroup(tx: Reader, nameOrNumber: string): Group {
  const groups = [...tx.list('group')];
  const found =
    groups.find((group) => group.name === nameOrNumber) ??
    groups.find((group) => String(group.number) === nameOrNumber);
  if (found === undefined) throw new GmsError('group-unknown', { group: nameOrNumber.slice(0, 63) });
  return found;
}

/** @throws GmsError checksum-without-pccom, group-exists, group-number-used, too-many */
export function createGroup(change: Change, { name, number, transform, checksum, rotation }: NewGroup): Group {
  const { tx, now } = change;
  if (transform === 'sealed' && checksum === 'keyed') throw new GmsError('checksum-without-pccom');
  const groups = [...tx.list('group')];
  if (groups.some((group) => group.name === name)) throw new GmsError('group-exists', { group: name });
  if (groups.length >= GROUPS_MAX) throw new GmsError('too-many', { limit: GROUPS_MAX, what: 'groups' });
  const site = siteOf(tx);
  const given = number ?? site.nextGroup;
  if (groups.some((group) => group.number === given)) throw new GmsError('group-number-used', { number: given });

  tx.put('site', SITE, { ...site, nextGroup: Math.max(site.nextGroup, given + 1) });
  const rotatesAt = rotation === null ? 0 : nextDaily(now, rotation.at, rotation.zone);
  const kind = 'managed';
  const group: Group = { number: given, name, kind, transform, checksum, rotation, rotatesAt, createdAt: now };
  tx.put('group', numberId(given), group);
  putNewVersion(change, given);
  audit(change, 'create group', `group ${name}`, null, { number: given, transform, checksum, rotation });
  return group;
}

/** Ascending. */
export function groupsOf(tx: Reader, ge: string): number[] {
  return [...tx.list('membership', `${ge}/`)].map((membership) => membership.group);
}

/** Ids of the members that are active. */
export function membersOf(tx: Reader, group: number): string[] {
  return activeElements(tx)
    .map((element) => element.id)
    .filter((ge) => tx.get('membership', membershipId(ge, group)) !== undefined);
}

/** @throws GmsError already-member, too-many */
export function addMember(change: Change, group: Group, element: Element): void {
  const { tx, now } = change;
  const id = membershipId(element.id, group.number);
  if (tx.get('membership', id) !== undefined) {
    throw new GmsError('already-member', { ge: element.name, group: group.name });
  }
  if (groupsOf(tx, element.id).length >= STATEMENT_GROUPS) {
    throw new GmsError('too-many', { limit: STATEMENT_GROUPS, what: `groups of ${element.name}` });
  }
  tx.put('membership', id, { ge: element.id, group: group.number, since: now });
  touch(change, element.id);
  /* Who comes back is no longer revoked: the others learn it. */
  const revocation = revocationId(group.number, element.id);
  if (tx.get('revocation', revocation) !== undefined) {
    tx.remove('revocation', revocation);
    for (const ge of membersOf(tx, group.number)) touch(change, ge);
  }
  audit(change, 'add member', `group ${group.name}`, null, { ge: element.id, name: element.name });
}

/**
 * The GE leaves the group: the others get a new key version, the old one counts no longer, and the GE is named as
 * revoked until the last statement that names the group has ended. @throws GmsError not-member
 */
export function removeMember(change: Change, group: Group, element: Element): void {
  const { tx } = change;
  const id = membershipId(element.id, group.number);
  if (tx.get('membership', id) === undefined) {
    throw new GmsError('not-member', { ge: element.name, group: group.name });
  }
  tx.remove('membership', id);
  tx.put('revocation', revocationId(group.number, element.id), {
    ge: element.id,
    group: group.number,
    until: lastStatementEnd(element),
  });
  touch(change, element.id);
  audit(change, 'remove member', `group ${group.name}`, { ge: element.id, name: element.name }, null);
  rotate(change, group.number, 'removal');
}

/** Revocations whose statements have ended are forgotten. */
export function forgetRevocations(change: Change): void {
  for (const { ge, group, until } of [...change.tx.list('revocation')]) {
    if (until > change.now) continue;
    change.tx.remove('revocation', revocationId(group, ge));
    for (const member of membersOf(change.tx, group)) touch(change, member);
  }
}

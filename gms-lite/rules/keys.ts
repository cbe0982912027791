/** Versions of group keys and of the domain key: made, replaced, erased. docs/gms.md § 7. */
import { DOMAIN, type GroupKey, keyId, numberId } from '../store/records.ts';
import type { Reader } from '../store/store.ts';
import { activeElements, audit, type Change, touch } from './change.ts';
import { membersOf } from './groups.ts';
import { nextRotation, OVERLAP_LONGEST, overlap } from './schedule.ts';

/** Newest first. */
export function keysOf(tx: Reader, group: number): GroupKey[] {
  return [...tx.list('key', `${numberId(group)}/`)].reverse();
}

/** Name under which key material is sealed. */
export const materialRecord = (group: number, version: number): string => `key/${keyId(group, version)}`;

/** The first version, or the next: the caller decides what becomes of the older ones. */
export function putNewVersion(change: Change, group: number): number {
  const version = (keysOf(change.tx, group)[0]?.version ?? 0) + 1;
  const material = change.freshMaterial(materialRecord(group, version));
  change.tx.put('key', keyId(group, version), { group, version, material, notBefore: change.now, notAfter: 0 });
  return version;
}

/**
 * Replaces the current version. The replaced one is accepted for the overlap, or, after a removal, not at all; an even
 * older one ends at once. Every member gets a new bundle.
 */
export function rotate(change: Change, group: number, why: 'now' | 'schedule' | 'removal'): number {
  const { tx, now } = change;
  const held = keysOf(tx, group);
  const record = tx.get('group', numberId(group));
  const rotatesAt = record?.rotation == null ? 0 : nextRotation(now, record.rotatesAt, record.rotation);
  if (record !== undefined && rotatesAt !== record.rotatesAt)
    tx.put('group', numberId(group), { ...record, rotatesAt });

  const lifetime = rotatesAt === 0 ? Number.POSITIVE_INFINITY : 86_400;
  const remaining = rotatesAt === 0 ? Number.POSITIVE_INFINITY : rotatesAt - now;
  const notAfter = why === 'removal' ? 0 : now + overlap(lifetime, remaining);
  const version = putNewVersion(change, group);
  held.forEach((key, i) => {
    if (i === 0 && notAfter > now) tx.put('key', keyId(group, key.version), { ...key, notAfter });
    else tx.remove('key', keyId(group, key.version));
  });

  touchMembers(change, group);
  audit(change, 'rotate', subjectOf(group, record?.name), { version: held[0]?.version }, { version, why });
  return version;
}

const subjectOf = (group: number, name: string | undefined): string => (group === DOMAIN ? 'domain' : `group ${name}`);

/** Each of them gets a new bundle. */
function touchMembers(change: Change, group: number): void {
  const members = group === DOMAIN ? activeElements(change.tx).map((e) => e.id) : membersOf(change.tx, group);
  for (const ge of members) touch(change, ge);
}

/** Erases versions whose overlap is over; their members get bundles without them. */
export function eraseExpired(change: Change): void {
  for (const key of [...change.tx.list('key')]) {
    if (key.notAfter === 0 || key.notAfter > change.now) continue;
    change.tx.remove('key', keyId(key.group, key.version));
    touchMembers(change, key.group);
  }
}

/** What a clock that ran ahead left behind: rotations and ends of overlaps that lie farther away than any can. */
export function putTimesRight(change: Change): void {
  const { tx, now } = change;
  for (const group of [...tx.list('group')]) {
    if (group.rotation === null) continue;
    const rotatesAt = nextRotation(now, group.rotatesAt, group.rotation);
    if (rotatesAt === group.rotatesAt) continue;
    tx.put('group', numberId(group.number), { ...group, rotatesAt });
    audit(
      change,
      'put rotation right',
      subjectOf(group.number, group.name),
      { at: group.rotatesAt },
      { at: rotatesAt },
    );
  }
  for (const key of [...tx.list('key')]) {
    if (key.notAfter <= now + OVERLAP_LONGEST) continue;
    tx.put('key', keyId(key.group, key.version), { ...key, notAfter: now + OVERLAP_LONGEST });
    touchMembers(change, key.group);
  }
}

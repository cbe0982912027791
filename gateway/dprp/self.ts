/** The identity, checked once and made ready for negotiations. */
import { GROUPS_MAX, type GroupEntry, VERSIONS_MAX } from '#wire/ge-info.ts';
import { decodeStatement, type Statement } from '#wire/statement.ts';
import { type Side, STRONGEST_FIRST } from './decision.ts';
import type { DomainKey, GeId, GroupKey, Identity, KeyHandle, Mode, TransformName } from './spec.ts';

export const geIdText = (bytes: Uint8Array): GeId => Buffer.from(bytes).toString('hex') as GeId;

export class Self {
  readonly identity: Identity;
  readonly ge: GeId;
  readonly mode: Mode;
  readonly statement: Statement;
  /** What GE information names, in the order of the wire. */
  readonly entries: readonly GroupEntry[];
  readonly #removed: ReadonlySet<string>;

  /**
   * @throws RangeError naming the field: an identity that contradicts its own statement would fail every negotiation.
   */
  constructor(identity: Identity) {
    const statement = decodeStatement(identity.statement);
    if (statement === undefined) throw new RangeError('identity: statement must be one that the GMS made');
    if (geIdText(statement.geId) !== identity.ge) throw new RangeError('identity: statement must name this GE');
    if (statement.mode !== identity.mode)
      throw new RangeError('identity: statement must name the mode of the identity');
    if (statement.kind !== identity.kind)
      throw new RangeError('identity: statement must name the kind of the identity');
    if (identity.signingKey.length !== 32) throw new RangeError('identity: signingKey must be 32 bytes');
    if (identity.domainKeys.length === 0) throw new RangeError('identity: domainKeys must hold at least one key');
    this.identity = identity;
    this.ge = identity.ge;
    this.mode = identity.mode;
    this.statement = statement;
    this.entries = chooseEntries(identity, statement.groups);
    this.#removed = new Set(identity.revoked.map((r) => `${r.ge} ${r.group}`));
  }

  get newestDomainKey(): DomainKey {
    return this.identity.domainKeys[0];
  }

  domainKey(version: number): DomainKey | undefined {
    return this.identity.domainKeys.find((k) => k.version === version);
  }

  groupKey(group: number, version: number): KeyHandle | undefined {
    return this.identity.groupKeys.find((k) => k.group === group && k.version === version)?.key;
  }

  /** § 5.1: the bundle gives a group that both belong to a stronger transform than this one. */
  hasStrongerThan(transform: TransformName, groupsOfPeer: ReadonlySet<number>): boolean {
    const rank = STRONGEST_FIRST.indexOf(transform);
    return this.entries.some((e) => groupsOfPeer.has(e.group) && STRONGEST_FIRST.indexOf(e.transform) < rank);
  }

  /** True when the GE was removed from one of the groups that it offers. */
  wasRemoved(ge: GeId, entries: readonly GroupEntry[]): boolean {
    return this.#removed.size > 0 && entries.some((e) => this.#removed.has(`${ge} ${e.group}`));
  }

  side(aesInHardware: boolean, held: number): Side {
    return { ge: this.ge, mode: this.mode, aesInHardware, entries: this.entries, held };
  }

  /** § 6.5: negotiations may go on under the other identity: it says the same of this GE. */
  continues(before: Self): boolean {
    const a = this.statement;
    const b = before.statement;
    return (
      this.ge === before.ge &&
      a.mode === b.mode &&
      a.kind === b.kind &&
      Buffer.compare(a.staticKey, b.staticKey) === 0 &&
      Buffer.compare(this.identity.signingKey, before.identity.signingKey) === 0 &&
      a.groups.length === b.groups.length &&
      a.groups.every((group, i) => group === b.groups[i])
    );
  }
}

/** § 3.3: twelve groups at most, those that a decision would prefer; of each the two highest versions. */
function chooseEntries(identity: Identity, named: readonly number[]): GroupEntry[] {
  const rank = (k: GroupKey): number => STRONGEST_FIRST.indexOf(k.transform);
  const usable = identity.groupKeys
    .filter((k) => named.includes(k.group) && identity.transforms.includes(k.transform))
    .sort((a, b) => rank(a) - rank(b) || a.group - b.group || b.version - a.version);
  const groups = [...new Set(usable.map((k) => k.group))].slice(0, GROUPS_MAX).sort((a, b) => a - b);
  return groups.flatMap((group) => {
    const keys = usable.filter((k) => k.group === group);
    return keys
      .filter((k) => k.transform === keys[0].transform)
      .slice(0, VERSIONS_MAX)
      .map(({ version, transform }) => ({ group, version, transform }));
  });
}

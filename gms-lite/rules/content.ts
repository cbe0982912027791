/** What the bundle of one GE says, as a function of the store alone: one counter, one content. docs/gms.md § 4. */
import type { BundleMetadata } from '#gms/bundle.ts';
import { DOMAIN, type Element, type GroupKey, numberId } from '../store/records.ts';
import type { Reader } from '../store/store.ts';
import { policyOf, siteOf } from './change.ts';
import { groupsOf } from './groups.ts';
import { keysOf } from './keys.ts';

export interface BundleContent {
  /** Everything but the statement, which needs a signature. */
  readonly metadata: Omit<BundleMetadata, 'statement'>;
  /** Keys in the order of the material section. */
  readonly keys: readonly GroupKey[];
}

export function bundleContent(tx: Reader, element: Element): BundleContent {
  const site = siteOf(tx);
  const policy = policyOf(tx);
  const keys: GroupKey[] = [];
  const place = (key: GroupKey) => {
    const { version, notBefore, notAfter } = key;
    return { version, material: keys.push(key) - 1, notBefore, notAfter };
  };
  const numbers = groupsOf(tx, element.id);
  const metadata = {
    ge: element.id,
    name: element.name,
    kind: element.kind,
    mode: element.mode,
    sequence: { incarnation: site.incarnation, counter: element.counter },
    domainKeys: keysOf(tx, DOMAIN).map(place),
    groups: numbers.map((number) => {
      const { name, transform, checksum = 'ordinary' } = tx.get('group', numberId(number))!;
      return { number, name, transform, checksum, keys: keysOf(tx, number).map(place) };
    }),
    revoked: numbers.flatMap((number) =>
      [...tx.list('revocation', `${numberId(number)}/`)].map(({ ge, group }) => {
        return { ge, group, removed: tx.get('element', ge)?.state === 'retired' };
      }),
    ),
    protectedPrefixes: [...policy.protectedPrefixes],
    exceptions: [...policy.exceptions],
    gms: [...site.endpoints],
    offlineHours: policy.offlineHours,
    forgetPeers: policy.forgetPeers,
  };
  return { metadata, keys };
}

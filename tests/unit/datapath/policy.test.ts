/** What the bundle says of other gateways: which of them left a group, and which the GMS removed. */
import { describe, expect, it } from 'vitest';
import { Policy } from '#datapath/policy.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';
import { Gms } from '../../kit/dprp-gms.ts';
import { GE_A, GE_B, GE_C } from '../../kit/dprp-world.ts';

describe('a gateway that a group revoked', () => {
  const gms = new Gms();
  const provider = createNobleProvider();
  const policy = new Policy({ withoutKeys: 'closed', nonIp: 'by-mode', exceptions: [], protectedPrefixes: [] });
  const told = (revoked: Parameters<typeof gms.identity>[1]['revoked'] = []): readonly string[] => {
    policy.setIdentity(gms.identity(provider, { ge: GE_A, groups: [{ number: 7, versions: [1] }], revoked }));
    return [...policy.removed];
  };

  it('is gone only when the GMS removed it altogether', () => {
    const left = { ge: GE_B, group: 9, removed: false };
    const gone = { ge: GE_C, group: 7, removed: true };
    expect(told([left, gone])).toEqual([GE_C]);
    expect(told([left])).toEqual([]);
  });

  it('is not gone any more when the bundle names it no longer, or there is none', () => {
    const gone = [{ ge: GE_C, group: 7, removed: true }];
    expect([told(gone), told()]).toEqual([[GE_C], []]);
    told(gone);
    policy.setIdentity(undefined);
    expect([...policy.removed]).toEqual([]);
  });
});

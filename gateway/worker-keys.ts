/** What the key client hands out, as the workers are told of it. */
import type { RememberedPeer } from '#datapath/messages.ts';
import type { IdentityKeys } from '#datapath/pool.ts';
import type { RememberedPeer as StoredPeer } from '#keys/peers.ts';
import type { KeyRing } from '#keys/ring.ts';
import { addressText } from '#wire/address.ts';

export function identityOf(ring: KeyRing): IdentityKeys {
  /* The worker's clock is CLOCK_MONOTONIC; the ring's is this process's performance clock. */
  const monotonic = Number(process.hrtime.bigint()) / 1e6;
  const gmsNow = ring.issuedAt + (performance.now() - ring.receivedAt) / 1000;
  return {
    ge: ring.ge,
    mode: ring.mode,
    /* As the statement says, which far gateways read: a preset of the token may differ from what this box is. */
    kind: ring.kind,
    statement: ring.statement,
    signingKey: ring.signingKey,
    staticSecret: ring.staticSecret,
    domainKeys: ring.domainKeys,
    groupKeys: ring.groups.flatMap(({ number, transform, keys }) =>
      keys.map(({ version, key }) => ({ group: number, version, transform, key })),
    ),
    revoked: ring.revoked,
    gmsTimeOffset: gmsNow - monotonic / 1000,
  };
}

/** The store keeps addresses as hex digits and the end as a time of day. */
export function asRemembered({ address, ge, transform, until }: StoredPeer): RememberedPeer {
  return { address: addressText(Buffer.from(address, 'hex')), ge, transform, left: until - Date.now() };
}

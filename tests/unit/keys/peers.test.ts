import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GeId } from '#dprp/spec.ts';
import { openDurable } from '#gms/at-rest.ts';
import { PeerMemory, type RememberedPeer } from '#keys/peers.ts';
import { KeyStore } from '#keys/store.ts';
import { temporary } from '../../kit/gms-world.ts';

let place: ReturnType<typeof temporary>;
beforeEach(() => {
  place = temporary();
});
afterEach(() => place.remove());

const peer = (n: number, until: number): RememberedPeer => ({
  address: n.toString(16).padStart(32, '0'),
  ge: '0011223344556677' as GeId,
  transform: 'sealed',
  until,
});

describe('remembered peers', () => {
  it('are there after a restart, until a person forgets one or all', async () => {
    const first = new KeyStore(place.directory);
    for (const n of [1, 2, 3]) first.peers.put(peer(n, n));
    await first.close();
    const { peers, close } = ((store) => ({ peers: store.peers, close: () => store.close() }))(
      new KeyStore(place.directory),
    );
    expect(peers.list()).toEqual([1, 2, 3].map((n) => peer(n, n)));
    peers.clear(peer(2, 2).address);
    expect(peers.get(peer(2, 2).address)).toBeUndefined();
    expect(peers.get(peer(3, 3).address)).toEqual(peer(3, 3));
    peers.clear();
    expect(peers.list()).toEqual([]);
    await close();
  });

  it('are bounded: the one that ends first makes room', async () => {
    const db = openDurable<Uint8Array>(place.directory, 'binary');
    const peers = new PeerMemory(db, 3);
    for (const [n, until] of [
      [1, 50],
      [2, 10],
      [3, 90],
    ]) {
      peers.put(peer(n, until));
    }
    peers.put(peer(3, 95));
    expect(peers.list().map((p) => p.until)).toEqual([50, 10, 95]);
    peers.put(peer(4, 60));
    expect(peers.list().map((p) => p.until)).toEqual([50, 95, 60]);
    await db.close();
  });

  it('have addresses of 16 bytes only', async () => {
    const store = new KeyStore(place.directory);
    expect(() => store.peers.put({ ...peer(1, 1), address: '192.0.2.1' })).toThrow(RangeError);
    await store.close();
  });
});

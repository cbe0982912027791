import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
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

  it('are bounded: the one written longest ago makes room, over a restart too', async () => {
    const db = openDurable<Uint8Array>(place.directory, 'binary');
    const before = new PeerMemory(db, 3);
    for (const n of [1, 3, 2]) before.put(peer(n, 10 * n));
    const peers = new PeerMemory(db, 3);
    peers.put(peer(1, 95));
    expect(peers.list().map((p) => p.until)).toEqual([95, 20, 30]);
    peers.put(peer(4, 60));
    expect(peers.list().map((p) => p.until)).toEqual([95, 30, 60]);
    peers.put(peer(5, 70));
    peers.put(peer(6, 70));
    expect(peers.list().map((p) => p.until)).toEqual([60, 70, 70]);
    await db.close();
  });

  it('of a gateway that makes addresses up push out its own, not those of others', async () => {
    const db = openDurable<Uint8Array>(place.directory, 'binary');
    const peers = new PeerMemory(db, 20);
    for (let n = 0; n < 8; n++) peers.put(peer(n, n));
    const flood = (memory: PeerMemory, from: number): void => {
      for (let n = from; n < from + 30; n++) memory.put({ ...peer(n, 100), ge: '8899aabbccddeeff' as GeId });
    };
    const others = (): number => peers.list().filter((p) => p.ge === peer(0, 0).ge).length;
    flood(peers, 100);
    expect([peers.list().length, others()]).toEqual([20, 8]);
    peers.clear(peer(0, 0).address);
    flood(new PeerMemory(db, 20), 200);
    expect([peers.list().length, others()]).toEqual([20, 7]);
    await db.close();
  });

  it('a put reads nothing of a full table', async () => {
    const db = openDurable<Uint8Array>(place.directory, 'binary');
    const peers = new PeerMemory(db, 8);
    for (let n = 0; n < 8; n++) peers.put(peer(n, n));
    const reads = ['getRange', 'getKeysCount', 'get'].map((name) => vi.spyOn(db, name as 'get'));
    for (let n = 8; n < 40; n++) peers.put(peer(n, n));
    expect(reads.map((read) => read.mock.calls.length)).toEqual([0, 0, 0]);
    await db.close();
  });

  it('have addresses of 16 bytes only', async () => {
    const store = new KeyStore(place.directory);
    expect(() => store.peers.put({ ...peer(1, 1), address: '192.0.2.1' })).toThrow(RangeError);
    await store.close();
  });
});

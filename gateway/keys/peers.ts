/**
 * Peers that were once protected (docs/dprp.md, downgrade): kept over a restart, so that cutting the power does not
 * turn protected traffic into plaintext.
 */
import type { RootDatabase } from 'lmdb';
import { z } from 'zod';
import type { GeId, TransformName } from '#dprp/spec.ts';
import { geIdSchema } from '#gms/enrolment.ts';
import { REMEMBERED_MAX } from '#pit/remembered.ts';
import { Shares } from '#pit/shares.ts';
import { TRANSFORMS } from '#wire/ge-info.ts';

export interface RememberedPeer {
  /** 32 hex digits: the 16 bytes of the address, IPv4 as ::ffff:a.b.c.d. */
  readonly address: string;
  readonly ge: GeId;
  readonly transform: TransformName;
  /** ms since 1970. */
  readonly until: number;
}

const TABLE = 'peer';
const END = '\uffff';
const schema = z.object({ ge: geIdSchema, transform: z.enum(TRANSFORMS), until: z.number() });

export class PeerMemory {
  readonly #db: RootDatabase<Uint8Array, string[]>;
  readonly #limit: number;
  /** Of what is stored, so that no `put` reads the table; undefined while nobody has read it. */
  #shares: Shares<GeId> | undefined;

  /** `limit`: peers stored at a time; then the gateway with most of them loses the one written longest ago. */
  constructor(db: RootDatabase<Uint8Array, string[]>, limit = REMEMBERED_MAX) {
    this.#db = db;
    this.#limit = limit;
  }

  /** @throws RangeError when the address is not 32 lower-case hex digits. */
  put({ address, ge, transform, until }: RememberedPeer): void {
    if (!/^[0-9a-f]{32}$/.test(address)) throw new RangeError('peer: address must be 32 lower-case hex digits');
    const shares = this.#shares ?? this.#read(this.list());
    shares.set(address, ge);
    const gone = shares.size > this.#limit ? shares.next() : undefined;
    try {
      this.#db.transactionSync(() => {
        if (gone !== undefined) this.#db.removeSync([TABLE, gone]);
        this.#db.putSync([TABLE, address], new TextEncoder().encode(JSON.stringify({ ge, transform, until })));
      });
      if (gone !== undefined) shares.delete(gone);
    } catch (error) {
      this.#shares = undefined;
      throw error;
    }
  }

  /** Also one whose time is over: the caller knows the time. */
  get(address: string): RememberedPeer | undefined {
    const bytes = this.#db.get([TABLE, address]);
    return bytes && read(address, bytes);
  }

  list(): RememberedPeer[] {
    const peers = [...this.#range()].map(({ key, value }) => read(key[1], value)).filter((peer) => peer !== undefined);
    if (this.#shares === undefined) this.#read(peers);
    return peers;
  }

  #read(peers: readonly RememberedPeer[]): Shares<GeId> {
    this.#shares = new Shares();
    for (const { address, ge } of peers.toSorted((a, b) => a.until - b.until)) this.#shares.set(address, ge);
    return this.#shares;
  }

  /** Without an address all are forgotten. */
  clear(address?: string): void {
    this.#shares = undefined;
    this.#db.transactionSync(() => {
      if (address !== undefined) this.#db.removeSync([TABLE, address]);
      else for (const { key } of [...this.#range()]) this.#db.removeSync(key);
    });
  }

  #range() {
    return this.#db.getRange({ start: [TABLE, ''], end: [TABLE, END] });
  }
}

function read(address: string, bytes: Uint8Array): RememberedPeer | undefined {
  const parsed = schema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  return parsed.success ? { address, ...parsed.data, ge: parsed.data.ge as GeId } : undefined;
}

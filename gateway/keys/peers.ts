/**
 * Peers that were once protected (docs/dprp.md, downgrade): kept over a restart, so that cutting the power does not
 * turn protected traffic into plaintext.
 */
import type { RootDatabase } from 'lmdb';
import { z } from 'zod';
import type { GeId, TransformName } from '#dprp/spec.ts';
import { geIdSchema } from '#gms/enrolment.ts';
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
/** Peers remembered at a time; then the one that would be forgotten first makes room. */
export const PEERS_MAX = 16_384;

const schema = z.object({ ge: geIdSchema, transform: z.enum(TRANSFORMS), until: z.number() });

export class PeerMemory {
  readonly #db: RootDatabase<Uint8Array, string[]>;
  readonly #limit: number;

  constructor(db: RootDatabase<Uint8Array, string[]>, limit = PEERS_MAX) {
    this.#db = db;
    this.#limit = limit;
  }

  /** @throws RangeError when the address is not 32 lower-case hex digits. */
  put({ address, ge, transform, until }: RememberedPeer): void {
    if (!/^[0-9a-f]{32}$/.test(address)) throw new RangeError('peer: address must be 32 lower-case hex digits');
    this.#db.transactionSync(() => {
      if (this.#db.get([TABLE, address]) === undefined && this.#count() >= this.#limit) this.#forgetFirst();
      this.#db.putSync([TABLE, address], new TextEncoder().encode(JSON.stringify({ ge, transform, until })));
    });
  }

  /** Also one whose time is over: the caller knows the time. */
  get(address: string): RememberedPeer | undefined {
    const bytes = this.#db.get([TABLE, address]);
    return bytes && read(address, bytes);
  }

  list(): RememberedPeer[] {
    return [...this.#range()].map(({ key, value }) => read(key[1], value)).filter((peer) => peer !== undefined);
  }

  /** Without an address all are forgotten. */
  clear(address?: string): void {
    this.#db.transactionSync(() => {
      if (address !== undefined) this.#db.removeSync([TABLE, address]);
      else for (const { key } of [...this.#range()]) this.#db.removeSync(key);
    });
  }

  #range() {
    return this.#db.getRange({ start: [TABLE, ''], end: [TABLE, END] });
  }

  #count(): number {
    return this.#db.getKeysCount({ start: [TABLE, ''], end: [TABLE, END] });
  }

  #forgetFirst(): void {
    const first = this.list().reduce((a, b) => (a.until <= b.until ? a : b));
    this.#db.removeSync([TABLE, first.address]);
  }
}

function read(address: string, bytes: Uint8Array): RememberedPeer | undefined {
  const parsed = schema.safeParse(JSON.parse(new TextDecoder().decode(bytes)));
  return parsed.success ? { address, ...parsed.data, ge: parsed.data.ge as GeId } : undefined;
}

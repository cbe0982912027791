/**
 * What a gateway keeps over a restart, in `DIR/store`: who it is, its GMS's root, the last bundle, remembered peers.
 * Secrets are sealed under `DIR/device.key` (mode 0600).
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { z } from 'zod';
import { AtRest, createKeyFile, openDurable, readKeyFile } from '#gms/at-rest.ts';
import { sequenceSchema } from '#gms/delivery.ts';
import { geIdSchema, kindSchema, modeSchema, nameSchema } from '#gms/enrolment.ts';
import { PeerMemory } from './peers.ts';

const endpointsSchema = z.array(z.object({ address: z.string(), port: z.number() }));

/** Who this gateway is. The name is the one of the enrolment; a bundle may bring another. */
const identitySchema = z.object({
  ge: geIdSchema,
  name: nameSchema,
  kind: kindSchema,
  mode: modeSchema,
  /** X25519 public key of the GMS, hex. */
  gmsKey: z.string().regex(/^[0-9a-f]{64}$/),
  /** Fingerprint of the signing root, hex; and its Ed25519 public key. */
  fingerprint: z.string().regex(/^[0-9a-f]{64}$/),
  signingRoot: z.string().regex(/^[0-9a-f]{64}$/),
  endpoints: endpointsSchema,
});
export type StoredIdentity = z.infer<typeof identitySchema>;

/** About the last bundle and the last word from the GMS. */
const contactSchema = z.object({
  sequence: sequenceSchema.nullable(),
  /** SHA-256 of the bundle's content, hex. */
  content: z.string(),
  /** ms since 1970: the GMS's time at the last contact, and the box's own at that moment. */
  gmsTime: z.number(),
  wallTime: z.number(),
  forgetPeers: z.number(),
  /** The GMS said that this gateway is removed. */
  removed: z.boolean(),
});
export type Contact = z.infer<typeof contactSchema>;

const RECORDS = {
  identity: 'identity',
  signing: 'signing key',
  static: 'static key',
  pendingSigning: 'pending signing key',
  pendingStatic: 'pending static key',
  bundle: 'bundle',
  contact: 'contact',
};

/** The gateway's own secret keys, raw; whoever takes them wipes them. */
export interface OwnKeys {
  readonly signing: Uint8Array;
  readonly static: Uint8Array;
}

export class KeyStore {
  readonly #db: RootDatabase<Uint8Array, string[]>;
  readonly #rest: AtRest;
  readonly peers: PeerMemory;

  /** Opens or makes the store. @throws GmsError key-file-mode, key-file-bad */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const file = join(directory, 'device.key');
    this.#rest = new AtRest(existsSync(file) ? readKeyFile(file) : createKeyFile(file));
    this.#db = openDurable<Uint8Array>(join(directory, 'store'), 'binary');
    this.peers = new PeerMemory(this.#db);
  }

  #put(record: string, value: Uint8Array): void {
    this.#db.putSync([record], this.#rest.seal(record, value));
  }

  /** @throws GmsError store-unreadable */
  #get(record: string): Uint8Array | undefined {
    const sealed = this.#db.get([record]);
    return sealed && this.#rest.open(record, sealed);
  }

  #putJson(record: string, value: unknown): void {
    this.#put(record, new TextEncoder().encode(JSON.stringify(value)));
  }

  #getJson<S extends z.ZodType>(record: string, schema: S): z.infer<S> | undefined {
    const bytes = this.#get(record);
    return bytes && schema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  }

  /** undefined while the gateway is not enrolled. */
  identity(): StoredIdentity | undefined {
    return this.#getJson(RECORDS.identity, identitySchema);
  }

  ownKeys(): OwnKeys | undefined {
    return this.#keys(RECORDS.signing, RECORDS.static);
  }

  /** Keys of an enrolment whose answer never came: it is tried again with the same keys. */
  pendingKeys(): OwnKeys | undefined {
    return this.#keys(RECORDS.pendingSigning, RECORDS.pendingStatic);
  }

  #keys(signing: string, static_: string): OwnKeys | undefined {
    const keys = { signing: this.#get(signing), static: this.#get(static_) };
    return keys.signing && keys.static && { signing: keys.signing, static: keys.static };
  }

  putPendingKeys(keys: OwnKeys): void {
    this.#db.transactionSync(() => {
      this.#put(RECORDS.pendingSigning, keys.signing);
      this.#put(RECORDS.pendingStatic, keys.static);
    });
  }

  /** The pending keys become the gateway's own; everything of a former identity is forgotten. */
  enrolled(identity: StoredIdentity): void {
    const keys = this.pendingKeys();
    if (keys === undefined) throw new Error('enrolled without pending keys');
    this.#db.transactionSync(() => {
      for (const record of Object.values(RECORDS)) this.#db.removeSync([record]);
      this.#put(RECORDS.signing, keys.signing);
      this.#put(RECORDS.static, keys.static);
      this.#putJson(RECORDS.identity, identity);
      this.peers.clear();
    });
    keys.signing.fill(0);
    keys.static.fill(0);
  }

  /** The last accepted bundle, as it was delivered. */
  bundle(): Uint8Array | undefined {
    return this.#get(RECORDS.bundle);
  }

  contact(): Contact | undefined {
    return this.#getJson(RECORDS.contact, contactSchema);
  }

  /** Bundle and what is known about it belong together: one transaction. A `null` bundle is erased. */
  keep(contact: Contact, bundle?: Uint8Array | null): void {
    this.#db.transactionSync(() => {
      this.#putJson(RECORDS.contact, contact);
      if (bundle === null) this.#db.removeSync([RECORDS.bundle]);
      else if (bundle !== undefined) this.#put(RECORDS.bundle, bundle);
    });
  }

  async close(): Promise<void> {
    await this.#db.close();
    this.#rest.close();
  }
}

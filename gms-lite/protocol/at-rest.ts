/**
 * How both ends keep secrets on disk: XChaCha20-Poly1305 under a key file that only its owner may read, in an LMDB
 * store whose every commit reaches the disk before it returns.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { open, type RootDatabase } from 'lmdb';
import { GmsError } from './errors.ts';

const KEY_LENGTH = 32;
const NONCE_LENGTH = 24;
const CONTEXT = 'gscip at rest 1\0';

/** Writes a new key file (mode 0600) and gives the key. @throws Error with code EEXIST when the file is there. */
export function createKeyFile(file: string): Uint8Array {
  const key = new Uint8Array(randomBytes(KEY_LENGTH));
  const handle = openSync(file, 'wx', 0o600);
  try {
    writeSync(handle, key);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  return key;
}

/** @throws GmsError key-file-mode, key-file-bad; Error with code ENOENT when there is none */
export function readKeyFile(file: string): Uint8Array {
  const handle = openSync(file, 'r');
  try {
    const { mode, size } = fstatSync(handle);
    if ((mode & 0o077) !== 0) throw new GmsError('key-file-mode', { file, mode: (mode & 0o777).toString(8) });
    const key = new Uint8Array(KEY_LENGTH);
    if (size !== KEY_LENGTH || readSync(handle, key) !== KEY_LENGTH) throw new GmsError('key-file-bad', { file });
    return key;
  } finally {
    closeSync(handle);
  }
}

/** Seals records; the record's name is authenticated, so that no record passes for another. */
export class AtRest {
  readonly #key: Uint8Array;

  /** Takes over `key`. */
  constructor(key: Uint8Array) {
    this.#key = key;
  }

  seal(record: string, plaintext: Uint8Array): Uint8Array {
    const nonce = new Uint8Array(randomBytes(NONCE_LENGTH));
    const sealed = xchacha20poly1305(this.#key, nonce, Buffer.from(CONTEXT + record)).encrypt(plaintext);
    return new Uint8Array(Buffer.concat([nonce, sealed]));
  }

  /** The caller wipes the result when it is secret. @throws GmsError store-unreadable */
  open(record: string, sealed: Uint8Array): Uint8Array {
    try {
      const cipher = xchacha20poly1305(this.#key, sealed.slice(0, NONCE_LENGTH), Buffer.from(CONTEXT + record));
      return cipher.decrypt(sealed.subarray(NONCE_LENGTH));
    } catch {
      throw new GmsError('store-unreadable', { record });
    }
  }

  close(): void {
    this.#key.fill(0);
  }
}

/** An LMDB store in `directory`: a commit returns after fsync, since flash loses what was only written. */
export function openDurable<V>(directory: string, encoding: 'msgpack' | 'binary'): RootDatabase<V, string[]> {
  return open<V, string[]>({ path: directory, encoding, noSubdir: false, noSync: false, overlappingSync: false });
}

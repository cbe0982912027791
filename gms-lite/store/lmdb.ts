/** The store of one machine: LMDB, synchronous writes. A kill at any moment loses nothing that was acknowledged. */
import { openDurable } from '#gms/at-rest.ts';
import type { Table, Tables } from './records.ts';
import type { Store, Writer } from './store.ts';

/** Sorts behind every id. */
const END = '\u{10ffff}';

/** @throws Error when the directory cannot be written. */
export function openLmdbStore(directory: string): Store {
  const db = openDurable<Tables[Table]>(directory, 'msgpack');

  const writer: Writer = {
    get: <T extends Table>(table: T, id: string) => db.get([table, id]) as Tables[T] | undefined,
    list: <T extends Table>(table: T, prefix = '') =>
      db.getRange({ start: [table, prefix], end: [table, prefix + END] }).map(({ value }) => value as Tables[T]),
    last: <T extends Table>(table: T) => {
      const range = db.getRange({ start: [table, END], end: [table, ''], reverse: true, limit: 1 });
      for (const { value } of range) return value as Tables[T];
      return undefined;
    },
    put: (table, id, record) => {
      db.putSync([table, id], record);
    },
    remove: (table, id) => {
      db.removeSync([table, id]);
    },
  };

  return {
    get: writer.get,
    list: writer.list,
    last: writer.last,
    transact: async (work) => db.transactionSync(() => work(writer)),
    close: () => db.close(),
  };
}

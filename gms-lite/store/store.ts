/**
 * Where the GMS keeps its records. Reads are of the last committed state and never wait; changes are made in
 * transactions that happen whole or not at all.
 */
import type { Table, Tables } from './records.ts';

export interface Reader {
  get<T extends Table>(table: T, id: string): Tables[T] | undefined;
  /** Records whose id starts with `prefix`, in the order of their ids. */
  list<T extends Table>(table: T, prefix?: string): Iterable<Tables[T]>;
  /** The record with the highest id. */
  last<T extends Table>(table: T): Tables[T] | undefined;
}

export interface Writer extends Reader {
  put<T extends Table>(table: T, id: string, record: Tables[T]): void;
  remove(table: Table, id: string): void;
}

export interface Store extends Reader {
  /**
   * Runs `work`, which sees its own writes. What it wrote is on disk when the promise is fulfilled; when it throws,
   * nothing is written and the promise is rejected with its error.
   */
  transact<R>(work: (tx: Writer) => R): Promise<R>;
  close(): Promise<void>;
}

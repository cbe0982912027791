/** Datagrams that nobody takes: does their sender learn of it? */
import { fileURLToPath } from 'node:url';
import type { Machine } from '../machine.ts';

const PROCESS = fileURLToPath(new URL('./refused-process.ts', import.meta.url));

/** How many of `count` sockets, each with one datagram, got ECONNREFUSED. */
export async function countRefused(machine: Machine, address: string, port: number, count: number): Promise<number> {
  return Number(await machine.run(process.execPath, PROCESS, address, String(port), String(count)));
}

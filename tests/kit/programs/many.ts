/** Very many pairs of addresses between two hosts, all at once, by programs that stay. */
import { fileURLToPath } from 'node:url';
import type { Machine } from '../machine.ts';
import type { Program } from '../process.ts';

/** One line to the program; it answers with one line, a Fetched. */
export interface FetchOrder {
  readonly port: number;
  /** Bytes of every pair's stream. */
  readonly bytes: number;
  /** Source and destination address. */
  readonly pairs: readonly (readonly [from: string, to: string])[];
}

export interface Fetched {
  /** Pairs whose stream arrived as it was sent. */
  readonly good: number;
  /** What went wrong with the others, in words. */
  readonly bad: readonly string[];
}

const PROCESS = fileURLToPath(new URL('./many-process.ts', import.meta.url));
const PORT = 5_400;

/** The bytes of a stream: other ones for every seed, and none alike within it for long. */
export function streamOf(seed: number, bytes: number): Buffer {
  const stream = Buffer.alloc(bytes);
  let state = (seed + 1) | 0;
  for (let at = 0; at + 4 <= bytes; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    stream.writeInt32LE(state, at);
  }
  return stream;
}

export class ManyPairs {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async start(from: Machine, to: Machine): Promise<ManyPairs> {
    const server = to.start([process.execPath, PROCESS, 'serve', String(PORT)]);
    await server.out.next(/^listening$/);
    return new ManyPairs(from.start([process.execPath, PROCESS, 'fetch']));
  }

  /** Fetches `bytes` over every pair, all at the same time. */
  async fetch(pairs: FetchOrder['pairs'], bytes: number): Promise<Fetched> {
    const order: FetchOrder = { port: PORT, bytes, pairs };
    this.#program.child.stdin!.write(`${JSON.stringify(order)}\n`);
    return JSON.parse(await this.#program.out.next(/^\{/)) as Fetched;
  }
}

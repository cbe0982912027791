/**
 * Times of TCP connects between two hosts, one after the other, by programs that stay: nothing of a start is measured.
 */
import { fileURLToPath } from 'node:url';
import type { Machine } from '#kit/machine.ts';
import type { Program } from '#kit/process.ts';

/** Source and destination address. */
export type AddressPair = readonly [from: string, to: string];

/** One line to the program; it answers with one line, the times in ms. */
export interface ConnectOrder {
  readonly pairs: readonly AddressPair[];
  readonly port: number;
}

const LISTEN = fileURLToPath(new URL('./listen-process.ts', import.meta.url));
const CONNECT = fileURLToPath(new URL('./connect-process.ts', import.meta.url));
const PORT = 5_300;
/** Connects within one host until the program's own way is compiled. */
const WARMING = 400;

export class Connector {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  static async start(from: Machine, to: Machine): Promise<Connector> {
    for (const machine of [from, to]) {
      const listener = machine.start([process.execPath, LISTEN, String(PORT)]);
      await listener.out.next(/^listening$/);
    }
    const connector = new Connector(from.start([process.execPath, CONNECT]));
    await connector.connect(Array.from({ length: WARMING }, () => ['127.0.0.1', '127.0.0.1'] as const));
    return connector;
  }

  /** Milliseconds that each connect took, in order. @throws Error when one fails */
  async connect(pairs: readonly AddressPair[]): Promise<number[]> {
    const order: ConnectOrder = { pairs, port: PORT };
    this.#program.child.stdin!.write(`${JSON.stringify(order)}\n`);
    const answer = await this.#program.out.next(/^\[|^failed/);
    if (!answer.startsWith('[')) throw new Error(`a TCP connect ${answer}`);
    return JSON.parse(answer) as number[];
  }
}

/** Frames that say anything about themselves: a sender whose vnet headers are the test's. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from '../lab.ts';
import type { Machine } from '../machine.ts';
import { type Program, run } from '../process.ts';

const SOURCE = fileURLToPath(new URL('./raw-sender.c', import.meta.url));

/** struct virtio_net_hdr in its order; what is absent is 0. */
export interface VnetHeader {
  readonly flags?: number;
  readonly gsoType?: number;
  readonly headerLength?: number;
  readonly gsoSize?: number;
  readonly csumStart?: number;
  readonly csumOffset?: number;
}

export class RawSender {
  readonly #program: Program;

  private constructor(program: Program) {
    this.#program = program;
  }

  /** Sends from `link`, as if the device itself did. */
  static async start(lab: Lab, machine: Machine, link: string): Promise<RawSender> {
    const binary = join(lab.directory('raw-sender'), 'raw-sender');
    if (!existsSync(binary)) await run(['cc', '-O1', '-Wall', '-Werror', '-D_GNU_SOURCE', SOURCE, '-o', binary]);
    const program = machine.start([binary, link]);
    await program.out.next(/^ready$/);
    return new RawSender(program);
  }

  /** `sent`, or the name of the kernel's error. */
  async send(frame: Uint8Array, header: VnetHeader = {}): Promise<string> {
    const { flags = 0, gsoType = 0, headerLength = 0, gsoSize = 0, csumStart = 0, csumOffset = 0 } = header;
    const vnet = Buffer.alloc(10);
    vnet[0] = flags;
    vnet[1] = gsoType;
    let at = 2;
    for (const value of [headerLength, gsoSize, csumStart, csumOffset]) at = vnet.writeUInt16LE(value, at);
    this.#program.child.stdin!.write(`${vnet.toString('hex')}${Buffer.from(frame).toString('hex')}\n`);
    return await this.#program.out.next(/./);
  }
}

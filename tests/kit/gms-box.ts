/** The GMS of a lab: gms-lite as it is shipped, driven by its own command line. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TransformName } from '#dprp/spec.ts';
import type { Lab } from './lab.ts';
import type { Machine } from './machine.ts';
import { type Program, run } from './process.ts';

const COMMAND = fileURLToPath(new URL('../../gms-lite/cli/main.ts', import.meta.url));
export const GMS_PORT = 7443;

/** What a token says about the gateway that uses it. */
export interface TokenRequest {
  readonly name: string;
  readonly kind: 'bridge' | 'router';
  readonly mode: 'open' | 'closed';
  readonly groups: readonly string[];
}

export interface Rotated {
  readonly group: string | null;
  readonly version: number;
}

export class GmsBox {
  readonly machine: Machine;
  readonly state: string;
  #program: Program | undefined;

  private constructor(machine: Machine, state: string) {
    this.machine = machine;
    this.state = state;
  }

  /** Makes a GMS that gateways reach at `addresses`, with its groups, and starts it. */
  static async make(
    lab: Lab,
    machine: Machine,
    addresses: readonly string[],
    groups: readonly string[],
    transforms: TransformName | Readonly<Record<string, TransformName>> = 'sealed',
  ): Promise<GmsBox> {
    const gms = new GmsBox(machine, join(lab.directory('gms'), 'state'));
    const endpoints = addresses.map((a) => (a.includes(':') ? `[${a}]:${GMS_PORT}` : `${a}:${GMS_PORT}`));
    await gms.command('init', '--address', ...endpoints);
    await gms.start();
    for (const g of groups) {
      const transform = typeof transforms === 'string' ? transforms : transforms[g];
      const how = transform === 'pccom-keyed' ? ['pccom', '--checksum', 'keyed'] : [transform];
      await gms.command('group', 'create', g, '--rotate', 'never', '--transform', ...how);
    }
    return gms;
  }

  async start(): Promise<void> {
    this.#program = this.machine.start([process.execPath, COMMAND, 'run', '--json', '--state', this.state]);
    await this.#program.out.next(/"listening"/);
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.#program?.stop('SIGKILL');
  }

  /** It falls silent, without an end: connections are taken by its kernel, and nobody answers. */
  pause(): void {
    this.#program?.child.kill('SIGSTOP');
  }

  resume(): void {
    this.#program?.child.kill('SIGCONT');
  }

  /** One command of gms-lite; returns what it printed as JSON. */
  async command<T>(...words: string[]): Promise<T> {
    return JSON.parse(await run([process.execPath, COMMAND, ...words, '--json', '--state', this.state])) as T;
  }

  /** An enrolment token. */
  async token({ name, kind, mode, groups }: TokenRequest): Promise<string> {
    const words = ['--name', name, '--kind', kind, '--mode', mode, ...groups.flatMap((g) => ['--group', g])];
    return (await this.command<{ token: string }>('token', 'create', ...words)).token;
  }

  rotate(group: string): Promise<Rotated[]> {
    return this.command<Rotated[]>('rotate', group);
  }
}

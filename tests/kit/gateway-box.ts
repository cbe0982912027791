/**
 * A machine that may be a gateway. As `kernel` it forwards as a plain Linux bridge or router; as `gscip` the gateway
 * runs on it as it is shipped, driven by its own command line. It may change from one to the other while devices talk.
 */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { DropsView, ExplainView, FlowsView, FlowView, PairsView, PairView, StatusView } from '#api/views.ts';
import { GatewayClient, type Parameters } from '#cli/client.ts';
import { Failure } from '#cli/failure.ts';
import { sayIn } from '#cli/messages.ts';
import type { GmsBox } from './gms-box.ts';
import type { Lab } from './lab.ts';
import type { Machine } from './machine.ts';
import { type Ended, type Program, until } from './process.ts';

/** The command line as it is shipped. */
const COMMAND = ['sh', fileURLToPath(new URL('../../gateway/start', import.meta.url))];
const KERNEL_BRIDGE = 'br0';

export type Gateways = 'kernel' | 'gscip';

/** What a box is in its network; the same for both ways of forwarding. */
export interface GatewayPlan {
  readonly kind: 'bridge' | 'router';
  readonly mode: 'open' | 'closed';
  readonly groups: readonly string[];
  readonly outer: string;
  /** `bridge` only. */
  readonly inner?: string;
  /** `bridge` only: the box's own addresses in the network it stands in. */
  readonly management?: { readonly addresses: readonly string[]; readonly gateways: readonly string[] };
  readonly workers?: number;
  readonly port?: 'packet' | 'pcap';
  readonly cipher?: 'native' | 'noble';
  readonly withoutKeys?: 'closed' | 'open';
  readonly exceptions?: readonly object[];
}

export class GatewayBox {
  readonly lab: Lab;
  readonly machine: Machine;
  readonly plan: GatewayPlan;
  readonly state: string;
  readonly configFile: string;
  readonly #client: GatewayClient;
  #program: Program | undefined;

  constructor(lab: Lab, machine: Machine, plan: GatewayPlan) {
    this.lab = lab;
    this.machine = machine;
    this.plan = plan;
    const folder = lab.directory(machine.name);
    this.state = join(folder, 'state');
    this.configFile = join(folder, 'gateway.yaml');
    this.#client = new GatewayClient(this.state, sayIn('en'));
    this.configure({});
    lab.atEnd(async () => void this.#letGo());
  }

  get name(): string {
    return this.machine.name;
  }

  /** Process id of the running gateway. */
  get pid(): number {
    const pid = this.#program?.child.pid;
    if (pid === undefined) throw new Error(`${this.name} does not run`);
    return pid;
  }

  /** Writes the configuration file: the plan, and `changes` to it. */
  configure(changes: Partial<GatewayPlan>): void {
    const { mode: _mode, groups: _groups, management, ...plan } = { ...this.plan, ...changes };
    const port = management === undefined ? {} : { management: { name: 'mgmt', ...management } };
    writeFileSync(this.configFile, stringify({ ...plan, ...port }));
  }

  /* ---- the kernel forwards ------------------------------------------------------------------------------------ */

  /** A router forwards anyway, with the addresses that its topology gave it. */
  async beKernel(): Promise<void> {
    const { kind, outer, inner, management } = this.plan;
    if (kind === 'router' || inner === undefined) return;
    await this.machine.bridge(KERNEL_BRIDGE, [outer, inner]);
    if (management === undefined) return;
    await this.machine.address(KERNEL_BRIDGE, ...management.addresses);
    await this.machine.route(...management.gateways);
  }

  async ceaseKernel(): Promise<void> {
    if (this.plan.kind === 'bridge') await this.machine.ip('link', 'del', 'dev', KERNEL_BRIDGE);
  }

  /* ---- the gateway runs --------------------------------------------------------------------------------------- */

  /**
   * Starts the gateway, with `env` beside its environment; resolves when it answers and stands in its first state
   * (`closed` without keys).
   */
  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    const words = ['run', '--config', this.configFile, '--state', this.state, '--json'];
    const program = this.machine.start([...COMMAND, ...words], { env });
    this.#program = program;
    void program.ended.then((end) => {
      /* Whatever a test asks it next would only say that it is not there. */
      if (this.#program === program) console.error(`${this.name} ended by itself (${end}):\n${this.log().join('\n')}`);
    });
    await until(`the gateway on ${this.name} starts`, async () => {
      if (!program.running) {
        await program.ended;
        throw new Error(`${this.name}: ${this.log().join('\n')}`);
      }
      return (await this.#client.running()) && (await this.status()).state !== 'starting';
    });
    await this.#profile();
  }

  /** The links that the gateway made get the lab's profile too, unless its port chose for them. */
  async #profile(): Promise<void> {
    if (this.plan.port === 'pcap') return;
    const links = JSON.parse(await this.machine.ip('-j', 'link', 'show')) as { ifname: string; link_type: string }[];
    for (const l of links) if (l.link_type === 'ether') await this.lab.applyProfile(this.machine, l.ifname);
  }

  /** Enrols with a token of its own, and waits until it has keys. */
  async enrol(gms: GmsBox): Promise<void> {
    const { kind, mode, groups } = this.plan;
    const token = await gms.token({ name: this.name, kind, mode, groups });
    await this.command('enrol', token);
    await this.reaches('running');
  }

  async reaches(state: StatusView['state']): Promise<void> {
    await until(`${this.name} is ${state}`, async () => (await this.status()).state === state);
  }

  /** What the gateway has logged. */
  log(): readonly string[] {
    return [...(this.#program?.err.all ?? []), ...(this.#program?.out.all ?? [])];
  }

  async stop(): Promise<void> {
    await this.#letGo()?.stop('SIGTERM');
  }

  /** kill -9 */
  async kill(): Promise<void> {
    await this.#letGo()?.stop('SIGKILL');
  }

  /** Its end is wanted from now on. */
  #letGo(): Program | undefined {
    const program = this.#program;
    this.#program = undefined;
    return program;
  }

  /** Opens the box: the kernel forwards, unprotected, until the gateway is started again. */
  async release(reason: string): Promise<void> {
    const program = this.#letGo();
    await this.command('release', '--config', this.configFile, '--reason', reason);
    await program?.ended;
  }

  /** Tries to run, and returns how that ended: for a configuration that cannot work. */
  startInVain(): Promise<Ended> {
    return this.machine.try(...COMMAND, 'run', '--config', this.configFile, '--state', this.state);
  }

  /** One command of the gateway's command line, inside its machine. */
  command(name: string, ...words: string[]): Promise<string> {
    return this.machine.run(...COMMAND, name, ...words, '--state', this.state, '--json');
  }

  /**
   * One question. Node's HTTP parser was seen to take the first bytes of an answer for garbage (HPE_…) in a process
   * that had lost connections to killed gateways; a new connection then answers, so it is asked once more.
   */
  async #ask<View>(path: string, parameters: Parameters = {}): Promise<View> {
    try {
      return (await this.#client.get<View>(path, parameters)).view;
    } catch (error) {
      if (!(error instanceof Failure && error.lines.some((line) => line.includes('HPE_')))) throw error;
      console.warn(`${this.name}: ${path} is asked once more: ${error.lines.join(' ')}`);
      return (await this.#client.get<View>(path, parameters)).view;
    }
  }

  /* ---- what it says about itself ------------------------------------------------------------------------------ */

  async status(): Promise<StatusView> {
    return await this.#ask<StatusView>('status');
  }

  async flows(filter: { readonly device?: string; readonly peer?: string } = {}): Promise<readonly FlowView[]> {
    return (await this.#ask<FlowsView>('flows', filter)).flows;
  }

  async pairs(filter: { readonly device?: string; readonly peer?: string } = {}): Promise<readonly PairView[]> {
    return (await this.#ask<PairsView>('pairs', filter)).pairs;
  }

  async explain(peer: string): Promise<ExplainView> {
    return await this.#ask<ExplainView>('explain', { address: peer });
  }

  /** Drops that were counted, by name. */
  async drops(): Promise<Readonly<Record<string, number>>> {
    const { drops } = await this.#ask<DropsView>('drops');
    return Object.fromEntries(drops.filter((d) => d.count > 0).map((d) => [d.name, d.count]));
  }
}

/** Starts the gateways and enrols them, all at once. */
export async function startGateways(boxes: readonly GatewayBox[], gms: GmsBox): Promise<void> {
  await Promise.all(boxes.map((b) => b.start()));
  await Promise.all(boxes.map((b) => b.enrol(gms)));
}

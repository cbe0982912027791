/**
 * A lab: machines (network namespaces) and cables (veth) between them. Everything is removed at the end, after an
 * exception and on a signal too; what a killed run left is removed before the next one starts.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeLeftovers, removeNamespace, removeNamespaceNow } from './leftovers.ts';
import { Machine, PROFILE_FEATURES, type Profile } from './machine.ts';
import { run } from './process.ts';

/** Fixed everywhere, so that figures can be compared. */
export const CONGESTION_CONTROL = 'cubic';
const SETTINGS = {
  'net.ipv4.tcp_congestion_control': CONGESTION_CONTROL,
  'net.ipv6.conf.all.accept_dad': 0,
  'net.ipv6.conf.default.accept_dad': 0,
  'net.ipv6.conf.default.router_solicitations': 0,
  /* Neighbours ask as hosts do; only reverse-path filters of the distribution are out of the way. */
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.default.rp_filter': 0,
};

/** One end of a cable. */
export interface End {
  readonly machine: Machine;
  readonly link: string;
  readonly addresses?: readonly string[];
}

let made = 0;
const open = new Set<Lab>();

export class Lab {
  /** gsc-<pid>-<number>: namespaces and the folder begin with it. */
  readonly id = `gsc-${process.pid}-${made++}`;
  /** For configurations, state and captures of this lab. */
  readonly folder = join(tmpdir(), this.id);
  readonly profile: Profile;
  readonly machines: Machine[] = [];
  readonly #undo: (() => Promise<unknown>)[] = [];
  #removed: Promise<void> | undefined;

  private constructor(profile: Profile) {
    this.profile = profile;
  }

  static async make(profile: Profile = 'wire'): Promise<Lab> {
    await removeLeftovers();
    await allowCongestionControl();
    const lab = new Lab(profile);
    mkdirSync(lab.folder, { mode: 0o755 });
    watchSignals();
    open.add(lab);
    return lab;
  }

  /** Makes a lab, uses it, removes it. */
  static async use<T>(profile: Profile, body: (lab: Lab) => Promise<T>): Promise<T> {
    const lab = await Lab.make(profile);
    try {
      return await body(lab);
    } finally {
      await lab.remove();
    }
  }

  async machine(name: string): Promise<Machine> {
    const machine = new Machine(name, `${this.id}-${name}`);
    await run(['ip', 'netns', 'add', machine.namespace]);
    this.machines.push(machine);
    await machine.sysctl(SETTINGS);
    await machine.ip('link', 'set', 'dev', 'lo', 'up');
    return machine;
  }

  /** A cable between two machines, both ends up and carrying frames. */
  async cable(left: End, right: End): Promise<void> {
    const peer = ['peer', 'name', right.link, 'netns', right.machine.namespace];
    await left.machine.ip('link', 'add', 'name', left.link, 'type', 'veth', ...peer);
    const ends = [left, right];
    for (const { machine, link, addresses = [] } of ends) {
      await this.applyProfile(machine, link);
      await machine.address(link, ...addresses);
      await machine.ip('link', 'set', 'dev', link, 'up');
    }
    for (const { machine, link } of ends) await machine.operational(link);
  }

  /** Every interface of the lab gets the profile, those that a gateway makes too. */
  async applyProfile(machine: Machine, link: string, profile = this.profile): Promise<void> {
    const features = PROFILE_FEATURES[profile];
    if (features.length > 0) await machine.run('ethtool', '-K', link, ...features);
  }

  /** A folder of its own for a program of this lab. */
  directory(name: string): string {
    const path = join(this.folder, name);
    mkdirSync(path, { recursive: true, mode: 0o755 });
    return path;
  }

  /** Something to be undone, last first, before the machines go. */
  atEnd(undo: () => Promise<unknown>): void {
    this.#undo.push(undo);
  }

  /** Removes everything, once; a step that fails does not keep the others from being done. */
  remove(): Promise<void> {
    this.#removed ??= this.#remove();
    return this.#removed;
  }

  /** For a process that ends by an exception nobody caught. */
  removeNow(): void {
    for (const m of this.machines) removeNamespaceNow(m.namespace);
    rmSync(this.folder, { recursive: true, force: true });
    open.delete(this);
  }

  async #remove(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (step: () => Promise<unknown>) => {
      await step().catch((error) => failures.push(error));
    };
    for (const undo of this.#undo.splice(0).reverse()) await attempt(undo);
    /* Programs end with their machine: one that left children behind has not closed its output before they end. */
    for (const m of this.machines) await attempt(() => removeNamespace(m.namespace));
    for (const m of this.machines) await attempt(() => m.programsEnd());
    rmSync(this.folder, { recursive: true, force: true });
    open.delete(this);
    if (failures.length > 0) throw new AggregateError(failures, `${this.id} could not be removed whole`);
  }
}

/**
 * A namespace may only choose what the whole machine allows; the list is added to, and the machine's own choice stays.
 */
async function allowCongestionControl(): Promise<void> {
  const setting = 'net.ipv4.tcp_allowed_congestion_control';
  const allowed = (await run(['sysctl', '-n', setting])).trim().split(' ');
  if (allowed.includes(CONGESTION_CONTROL)) return;
  await run(['sysctl', '-qw', `${setting}=${[...allowed, CONGESTION_CONTROL].join(' ')}`]);
}

let watching = false;

/** On a signal every lab is removed, and then the process ends by that signal; what is left at its end goes too. */
function watchSignals(): void {
  if (watching) return;
  watching = true;
  process.once('exit', () => {
    for (const lab of open) lab.removeNow();
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      void Promise.allSettled([...open].map((lab) => lab.remove())).then(() => process.kill(process.pid, signal));
    });
  }
}

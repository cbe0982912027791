/** One machine of a lab: a network namespace, its links, and the programs that run inside. */
import { readFileSync } from 'node:fs';
import { type Ended, Program, run, runToEnd, until } from './process.ts';

/**
 * How the links of a lab treat segments and checksums:
 *   wire      each sender makes real segments with real checksums, each receiver merges, as between machines
 *   offload   veth as it comes: superpackets and partial checksums travel unchanged; flatters everybody
 *   packet    one frame at a time: the worst case
 */
export const PROFILES = ['wire', 'offload', 'packet'] as const;
export type Profile = (typeof PROFILES)[number];

/** Arguments of `ethtool -K IF`; none where the link stays as it comes. */
export const PROFILE_FEATURES: Readonly<Record<Profile, readonly string[]>> = {
  wire: ['tso', 'off', 'tx', 'off', 'gro', 'on'],
  offload: [],
  packet: ['tso', 'off', 'gso', 'off', 'gro', 'off', 'tx', 'off'],
};

export class Machine {
  readonly name: string;
  /** Of its network namespace. */
  readonly namespace: string;
  readonly #programs: Program[] = [];

  constructor(name: string, namespace: string) {
    this.name = name;
    this.namespace = namespace;
  }

  /** The words that run a program inside this machine. */
  inside(words: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.namespace, ...words];
  }

  /** Runs a program that must succeed; returns what it printed. */
  run(...words: string[]): Promise<string> {
    return run(this.inside(words));
  }

  /** Runs a program to its end, whatever its exit code. */
  try(...words: string[]): Promise<Ended> {
    return runToEnd(this.inside(words));
  }

  /** Starts a program; the lab ends it if nobody else does. */
  start(
    words: readonly string[],
    options: { readonly rawOutput?: boolean; readonly env?: NodeJS.ProcessEnv } = {},
  ): Program {
    const program = new Program(this.inside(words), options);
    this.#programs.push(program);
    return program;
  }

  ip(...words: string[]): Promise<string> {
    return run(['ip', '-n', this.namespace, ...words]);
  }

  /** Gives a link its addresses (with prefix length), usable at once. */
  async address(link: string, ...addresses: string[]): Promise<void> {
    for (const a of addresses) {
      const quick = a.includes(':') ? ['nodad'] : [];
      await this.ip('addr', 'add', a, 'dev', link, ...quick);
    }
  }

  /** Default routes through `gateways`, one for each IP version. */
  async route(...gateways: string[]): Promise<void> {
    for (const g of gateways) await this.ip('route', 'replace', 'default', 'via', g);
  }

  async sysctl(settings: Readonly<Record<string, string | number>>): Promise<void> {
    const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
    await this.run('sysctl', '-qw', ...words);
  }

  /** This machine forwards between its links, as a router. */
  async forward(): Promise<void> {
    await this.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 });
  }

  /** Puts `links` behind one kernel bridge, which learns and floods at once, and waits until it carries frames. */
  async bridge(name: string, links: readonly string[]): Promise<void> {
    const quiet = ['stp_state', '0', 'forward_delay', '0', 'mcast_snooping', '0'];
    await this.ip('link', 'add', 'name', name, 'type', 'bridge', ...quiet);
    for (const l of links) await this.ip('link', 'set', 'dev', l, 'master', name, 'up');
    await this.up(name);
  }

  /**
   * Brings a link up and waits: one that was just brought up swallows frames until the kernel has given it its queue.
   */
  async up(link: string): Promise<void> {
    await this.ip('link', 'set', 'dev', link, 'up');
    await this.operational(link);
  }

  /** Waits until a link whose other end is up carries frames. */
  async operational(link: string): Promise<void> {
    await until(`${link} of ${this.name} comes up`, async () =>
      (await this.ip('link', 'show', 'dev', link)).includes('state UP'),
    );
  }

  /** Waits until somebody listens on a port. */
  async listening(protocol: 'tcp' | 'udp', port: number): Promise<void> {
    const flag = protocol === 'tcp' ? '-t' : '-u';
    await until(
      `somebody listens on ${protocol} port ${port} of ${this.name}`,
      async () => (await this.run('ss', '-Hln', flag, 'sport', '=', `:${port}`)).trim() !== '',
    );
  }

  /** A counter of /proc/net/snmp or /proc/net/netstat, such as Tcp RetransSegs. */
  async counter(protocol: string, name: string): Promise<number> {
    const text = await this.run('cat', '/proc/net/snmp', '/proc/net/netstat');
    const [names, values] = text
      .split('\n')
      .filter((l) => l.startsWith(`${protocol}:`))
      .map((l) => l.split(' '));
    const at = names?.indexOf(name) ?? -1;
    if (at < 1) throw new Error(`the kernel has no counter ${protocol} ${name}`);
    return Number(values[at]);
  }

  /** Waits until everything that was started inside has ended. */
  async programsEnd(): Promise<void> {
    await Promise.all(this.#programs.map((p) => p.ended));
  }
}

/** Resident memory of a process, bytes. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (match === null) throw new Error(`process ${pid} has no memory`);
  return Number(match[1]) * 1024;
}

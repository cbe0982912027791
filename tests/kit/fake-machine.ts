/**
 * A machine as gateway/host sees it, in memory: links, the tables of our drops, and monitors that tell of every change.
 * Its kernel is one before 6.16: drops for a device that is away are refused, and die with their device.
 */
import { CommandError } from '#host/problem.ts';
import type { Command, Monitor, System } from '#host/system.ts';

interface FakeLink {
  readonly index: number;
  readonly name: string;
  mtu: number;
  up: boolean;
  alias: string;
}

interface FakeMonitor {
  readonly command: Command;
  readonly pid: number;
  readonly onLine: (line: string) => void;
  readonly onEnd: () => void;
}

const FAMILY_NUMBERS: Partial<Record<Command, number>> = { ip: 0, nft: 12 };

export class FakeMachine implements System {
  /** Every program that was run, with its arguments. */
  readonly runs: string[] = [];
  /** Monitors that were started, by program. */
  readonly started: Partial<Record<Command, number>> = {};
  /** Programs that fail from now on, by the beginning of their command line. */
  readonly failing = new Set<string>();
  readonly #links = new Map<string, FakeLink>();
  /** By `family chain`: the header, then the rules. */
  readonly #chains = new Map<string, string[]>();
  #monitors: FakeMonitor[] = [];
  #count = 0;

  /* ---- what happens to it --------------------------------------------------------------------------------------- */

  plugIn(name: string, mtu = 1_500): void {
    this.#links.set(name, { index: ++this.#count, name, mtu, up: false, alias: '' });
    this.#tell('ip', `${name}: new`);
  }

  unplug(name: string): void {
    this.#links.delete(name);
    for (const [chain, [header]] of this.#chains) if (header.includes(`"${name}"`)) this.#chains.delete(chain);
    this.#tell('ip', `Deleted ${name}`);
  }

  setMtu(name: string, mtu: number): void {
    this.#link(name).mtu = mtu;
    this.#tell('ip', `${name}: mtu ${mtu}`);
  }

  mtuOf(name: string): number {
    return this.#link(name).mtu;
  }

  isUp(name: string): boolean {
    return this.#link(name).up;
  }

  /** Somebody removes our tables of these families. */
  removeTables(...families: readonly string[]): void {
    for (const chain of this.#chains.keys()) {
      if (families.some((family) => chain.startsWith(`${family} `))) this.#chains.delete(chain);
    }
    this.#tell('nft', 'delete table gscip');
  }

  /** The monitors of a program end by themselves. */
  endMonitors(command: Command): void {
    const ended = this.#monitors.filter((m) => m.command === command);
    this.#monitors = this.#monitors.filter((m) => m.command !== command);
    for (const monitor of ended) monitor.onEnd();
  }

  /** How often a program was run with arguments that begin so, since the last `runs.length = 0`. */
  ran(beginning: string): number {
    return this.runs.filter((run) => run.startsWith(beginning)).length;
  }

  /* ---- what it answers ------------------------------------------------------------------------------------------ */

  async run(command: Command, args: readonly string[], input = ''): Promise<string> {
    const words = `${command} ${args.join(' ')}`;
    this.runs.push(words);
    if ([...this.failing].some((beginning) => words.startsWith(beginning))) throw this.#refusal(command, args);
    if (command === 'nft') return this.#nft(args, input);
    if (command === 'ip') return this.#ip(args, input);
    return '';
  }

  #refusal(command: Command, args: readonly string[]): CommandError {
    return new CommandError(command, args, 'refused by the test');
  }

  #ip(args: readonly string[], input: string): string {
    const words = args.join(' ');
    if (words === '-j -d link show') return JSON.stringify([...this.#links.values()].map(shown));
    if (words === '-force -batch -') {
      for (const line of input.split('\n').filter((l) => l !== '')) {
        const [, , , name] = line.split(' ');
        if (this.#links.has(name)) this.#setLink(name, line.split(' ').slice(4));
      }
    } else if (words.startsWith('link set dev ')) this.#setLink(args[3], args.slice(4));
    return '';
  }

  #setLink(name: string, [what, value]: readonly string[]): void {
    const link = this.#link(name);
    const before = JSON.stringify(link);
    if (what === 'up' || what === 'down') link.up = what === 'up';
    else if (what === 'mtu') link.mtu = Number(value);
    else if (what === 'alias') link.alias = value;
    if (JSON.stringify(link) !== before) this.#tell('ip', `${name}: ${what}`);
  }

  #nft(args: readonly string[], input: string): string {
    if (args[0] === '-c') throw this.#refusal('nft', args);
    if (args[0] === 'list') return this.#list(args[2]);
    for (const line of input.split('\n').filter((l) => l !== '')) this.#nftLine(line);
    this.#tell('nft', `add something to gscip`);
    return '';
  }

  #nftLine(line: string): void {
    const [action, what, family, , chain, ...rest] = line.split(' ');
    const key = `${family} ${chain}`;
    if (what === 'table' && action === 'delete') {
      for (const each of this.#chains.keys()) if (each.startsWith(`${family} `)) this.#chains.delete(each);
    } else if (what === 'rule') this.#chains.get(key)?.push(rest.join(' '));
    else if (what === 'chain' && action === 'delete') this.#chains.delete(key);
    else if (what === 'chain' && action === 'add') {
      const [, device] = /device "([^"]+)"/.exec(line) ?? [];
      if (device !== undefined && !this.#links.has(device)) throw this.#refusal('nft', [line]);
      this.#chains.set(key, [rest.join(' ').replace(/^\{ | \}$/g, '')]);
    }
  }

  #list(family: string): string {
    const chains = [...this.#chains].filter(([key]) => key.startsWith(`${family} `));
    if (chains.length === 0) throw this.#refusal('nft', ['list', 'table', family]);
    const text = chains.map(([key, lines]) => `\tchain ${key.split(' ')[1]} {\n\t\t${lines.join('\n\t\t')}\n\t}\n`);
    return `table ${family} gscip {\n${text.join('\n')}}\n`;
  }

  #link(name: string): FakeLink {
    const link = this.#links.get(name);
    if (link === undefined) throw new CommandError('ip', ['link', 'set', 'dev', name], `Cannot find device "${name}"`);
    return link;
  }

  async read(path: string): Promise<string | undefined> {
    if (path !== '/proc/net/netlink') return undefined;
    return this.#monitors.map((m) => `0 ${FAMILY_NUMBERS[m.command]} ${m.pid} 00000001 0`).join('\n');
  }

  async set(): Promise<void> {}
  async save(): Promise<void> {}
  async remove(): Promise<void> {}

  async namespace(): Promise<string> {
    return '1';
  }

  /* ---- what it tells -------------------------------------------------------------------------------------------- */

  monitor(command: Command, _args: readonly string[], onLine: (line: string) => void, onEnd: () => void): Monitor {
    const monitor = { command, pid: ++this.#count, onLine, onEnd };
    this.started[command] = (this.started[command] ?? 0) + 1;
    this.#monitors.push(monitor);
    return {
      pid: monitor.pid,
      close: async () => {
        this.#monitors = this.#monitors.filter((m) => m !== monitor);
      },
    };
  }

  #tell(command: Command, line: string): void {
    for (const monitor of this.#monitors) {
      if (monitor.command === command) setImmediate(() => monitor.onLine(line));
    }
  }
}

function shown({ index, name, mtu, up, alias }: FakeLink): object {
  const flags = up ? ['UP', 'LOWER_UP'] : [];
  const mac = `02:00:00:00:00:0${index % 10}`;
  return { ifindex: index, ifname: name, link_type: 'ether', mtu, max_mtu: 9_216, flags, ifalias: alias, address: mac };
}

/**
 * Sees what happens behind our back: a port is unplugged or comes back, a cable is pulled, somebody flushes the rules.
 *
 * `ip monitor` and `nft monitor` only say that it is time to look; what is true is read from the kernel, one look at a
 * time. A look that finds nothing to do changes nothing, so the events of our own changes end by themselves.
 */
import { establishManagement, type HostPorts } from './bridge.ts';
import { belt, bindsByName, protect } from './drops.ts';
import { apply, protectedPorts, sharedMtu } from './host.ts';
import { findLink, type Link, MGMT_PORT, type PortRole, readLinks } from './links.ts';
import type { HostPlan, Survey } from './plan.ts';
import { hasOtherMtu, lowerUnprotected, quieten, raise } from './ports.ts';
import { findRouter, followCarrier } from './router.ts';
import { linux, type Monitor, type System } from './system.ts';

export type HostEvent =
  /** The sockets of this port are dead: close all of them. */
  | { readonly event: 'port-gone'; readonly port: PortRole; readonly name: string }
  /**
   * The port stands again behind its drops: open new sockets. Who throws has none, and is told once more in a while.
   */
  | { readonly event: 'port-back'; readonly port: PortRole; readonly name: string }
  | { readonly event: 'carrier'; readonly port: PortRole; readonly name: string; readonly up: boolean }
  /**
   * The largest layer-3 packet that passes all ports is another one now; told before a port is back that brought it.
   */
  | { readonly event: 'mtu'; readonly mtu: number }
  /**
   * Alarm: somebody had removed the drops of these ports; those that nothing else closed were taken down, and all are
   * up behind new drops.
   */
  | { readonly event: 'drops-restored'; readonly names: readonly string[] }
  /** Alarm: a look failed; it is repeated. */
  | { readonly event: 'trouble'; readonly error: Error };

export interface Watch {
  /** Resolves when nothing of it runs any more; the drops stay. */
  close(): Promise<void>;
}

/* Linux's numbers of the netlink families, in /proc/net/netlink. */
const NETLINK_ROUTE = 0;
const NETLINK_NETFILTER = 12;
const SUBSCRIBE_PAUSE = 10; /* ms between looks whether a monitor has subscribed */
const SUBSCRIBE_TRIES = 300;
const RETRY_PAUSE = 1_000; /* ms after a failed look or an ended monitor */

/** True when the process's netlink socket of the family is in a multicast group, from the text of /proc/net/netlink. */
export function hasSubscribed(table: string, pid: number, family: number): boolean {
  return table.split('\n').some((line) => {
    const [, protocol, port, groups] = line.trim().split(/\s+/);
    return Number(protocol) === family && Number(port) === pid && Number.parseInt(groups ?? '0', 16) !== 0;
  });
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

interface Known {
  index: number | undefined;
  carrier: boolean;
}

/**
 * Watches an applied plan until closed; resolves when both monitors listen and a first look was had. `onEvent` is
 * called in the order of what happened; it must not throw but for `port-back`.
 */
export async function watch(
  plan: HostPlan,
  ports: HostPorts,
  onEvent: (event: HostEvent) => void,
  system: System = linux,
): Promise<Watch> {
  const watcher = new Watcher(plan, ports, onEvent, system);
  await watcher.start();
  return watcher;
}

class Watcher implements Watch {
  readonly #system: System;
  readonly #plan: HostPlan;
  readonly #onEvent: (event: HostEvent) => void;
  readonly #roles: ReadonlyMap<PortRole, string>;
  readonly #known = new Map<PortRole, Known>();
  readonly #monitors = new Map<string, Monitor>();
  #byName = false;
  #closed = false;
  #wanted = false;
  #looking: Promise<void> | undefined;
  #mtu: number;
  /** What is done again after a pause: each by itself, or one would be forgotten over another. */
  readonly #retries = new Map<'ip' | 'nft' | 'look', NodeJS.Timeout>();

  constructor(plan: HostPlan, ports: HostPorts, onEvent: (event: HostEvent) => void, system: System) {
    this.#system = system;
    this.#plan = plan;
    this.#onEvent = onEvent;
    this.#mtu = ports.mtu;
    const roles: [PortRole, string][] = [
      ['outer', ports.outer],
      ['inner', ports.inner],
    ];
    if (ports.mgmt !== undefined) roles.push(['mgmt', ports.mgmt]);
    this.#roles = new Map(roles);
  }

  async start(): Promise<void> {
    this.#byName = await bindsByName(this.#system);
    const links = await readLinks(this.#system);
    for (const [role, name] of this.#roles) {
      const link = findLink(links, name);
      this.#known.set(role, { index: link?.index, carrier: link?.carrier ?? false });
    }
    await Promise.all([this.#listen('ip'), this.#listen('nft')]);
    await this.#look();
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const retry of this.#retries.values()) clearTimeout(retry);
    await Promise.all([...this.#monitors.values()].map((m) => m.close()));
    await this.#looking;
  }

  /* ---- when to look ---- */

  async #listen(command: 'ip' | 'nft'): Promise<void> {
    const onLine = (line: string) => {
      if (command === 'ip' || line.includes('gscip')) void this.#look();
    };
    const onEnd = () => {
      if (this.#closed) return;
      this.#trouble(new Error(`the monitor "${command}" ended; starting another`));
      this.#later(command, () => this.#listen(command).then(() => this.#look()));
    };
    const monitor = this.#system.monitor(
      command,
      command === 'ip' ? ['-o', 'monitor', 'link'] : ['monitor'],
      onLine,
      onEnd,
    );
    this.#monitors.set(command, monitor);
    /* What happens before the child has subscribed is never told: the first look comes after that. */
    const family = command === 'ip' ? NETLINK_ROUTE : NETLINK_NETFILTER;
    for (let i = 0; i < SUBSCRIBE_TRIES && !this.#closed; i++) {
      if (hasSubscribed((await this.#system.read('/proc/net/netlink')) ?? '', monitor.pid, family)) return;
      await pause(SUBSCRIBE_PAUSE);
    }
  }

  #later(what: 'ip' | 'nft' | 'look', work: () => Promise<void>): void {
    const again = (error: unknown) => {
      if (this.#closed) return;
      this.#trouble(error);
      this.#later(what, work);
    };
    clearTimeout(this.#retries.get(what));
    this.#retries.set(
      what,
      setTimeout(() => void work().catch(again), RETRY_PAUSE),
    );
  }

  #trouble(error: unknown): void {
    this.#onEvent({ event: 'trouble', error: error instanceof Error ? error : new Error(String(error)) });
  }

  /** Looks now, or once more behind the look that is going on. */
  #look(): Promise<void> {
    this.#wanted = true;
    this.#looking ??= this.#lookWhileWanted().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookWhileWanted(): Promise<void> {
    while (this.#wanted && !this.#closed) {
      this.#wanted = false;
      try {
        await this.#reconcile();
      } catch (error) {
        if (this.#closed) return;
        this.#trouble(error);
        this.#later('look', () => this.#look());
      }
    }
  }

  /* ---- what to do ---- */

  async #reconcile(): Promise<void> {
    await this.#restoreDrops();
    const now: Survey = { links: await readLinks(this.#system), byName: this.#byName };
    for (const [role, name] of this.#roles) {
      const known = this.#known.get(role)!;
      const link = findLink(now.links, name);
      if (known.index === undefined || link?.index === known.index) continue;
      known.index = undefined;
      this.#onEvent({ event: 'port-gone', port: role, name });
    }
    if (this.#plan.kind === 'bridge') await this.#rebuildBridge(now);
    else await this.#rebuildRouter(now);
    const links = await readLinks(this.#system);
    this.#tellCarriers(links);
    await this.#adoptMtus(links);
  }

  /** First of all, before anything is asked: a port without drops goes down. */
  async #restoreDrops(): Promise<void> {
    const names = [...this.#roles.values()];
    const naked = await lowerUnprotected(this.#system, names);
    /* Where chains die with their device one that is away is always naked: the belt alone tells that all is well. */
    const hadBelt = this.#byName || !(await belt(this.#system, protectedPorts(this.#plan)));
    if (naked.length === 0) {
      if (!hadBelt) this.#onEvent({ event: 'drops-restored', names });
      return;
    }
    const now: Survey = { links: await readLinks(this.#system), byName: this.#byName };
    const present = naked.filter((n) => findLink(now.links, n) !== undefined);
    await protect(this.#system, now.byName ? naked : present);
    /* A port that is new is not raised here: it is not quiet yet. */
    const same = [...this.#roles].filter(
      ([role, n]) => present.includes(n) && this.#known.get(role)?.index === findLink(now.links, n)?.index,
    );
    await raise(
      this.#system,
      same.map(([, n]) => findLink(now.links, n)!),
    );
    const restored = hadBelt ? same.map(([, n]) => n) : names;
    if (restored.length > 0) this.#onEvent({ event: 'drops-restored', names: restored });
  }

  async #rebuildBridge(now: Survey): Promise<void> {
    for (const role of ['outer', 'inner'] as const) {
      const link = findLink(now.links, this.#roles.get(role) ?? '');
      if (link === undefined || this.#known.get(role)?.index !== undefined) continue;
      await protect(this.#system, [link.name]);
      await quieten(this.#system, link, role, this.#plan.port);
      await raise(this.#system, [link]);
      this.#tellMtu(await readLinks(this.#system));
      this.#back(role, link);
    }
    const mgmt = this.#known.get('mgmt');
    if (mgmt === undefined || mgmt.index !== undefined || !findLink(now.links, this.#plan.outer)) return;
    await establishManagement(this.#system, this.#plan, now, []);
    const made = findLink(await readLinks(this.#system), MGMT_PORT);
    if (made !== undefined) this.#back('mgmt', made);
  }

  async #rebuildRouter(now: Survey): Promise<void> {
    const missing = [...this.#known].filter(([, known]) => known.index === undefined).map(([role]) => role);
    const { nic } = findRouter(now.links, this.#plan.outer);
    if (missing.length > 0 && nic !== undefined) {
      await apply(this.#plan, this.#system);
      const links = await readLinks(this.#system);
      this.#tellMtu(links);
      for (const role of missing) {
        const link = findLink(links, this.#roles.get(role) ?? '');
        if (link !== undefined) this.#back(role, link);
      }
    }
    await followCarrier(this.#system, await readLinks(this.#system));
  }

  #back(role: PortRole, link: Link): void {
    const known = this.#known.get(role)!;
    this.#onEvent({ event: 'port-back', port: role, name: link.name });
    known.index = link.index;
  }

  /** Somebody gave a port another MTU: it is the port's own from now on, with room for tags on top. */
  async #adoptMtus(links: readonly Link[]): Promise<void> {
    let adopted = false;
    for (const role of ['outer', 'inner'] as const) {
      const link = findLink(links, this.#roles.get(role)!);
      if (link === undefined || this.#known.get(role)!.index !== link.index || !hasOtherMtu(link)) continue;
      await quieten(this.#system, link, role, this.#plan.port);
      adopted = true;
    }
    this.#tellMtu(adopted ? await readLinks(this.#system) : links);
  }

  #tellMtu(links: readonly Link[]): void {
    const mtu = sharedMtu(this.#plan, links);
    if (mtu === undefined || mtu === this.#mtu) return;
    this.#mtu = mtu;
    this.#onEvent({ event: 'mtu', mtu });
  }

  #tellCarriers(links: readonly Link[]): void {
    for (const [role, name] of this.#roles) {
      const known = this.#known.get(role)!;
      const carrier = findLink(links, name)?.carrier ?? false;
      /* A port that is gone was told of as that. */
      if (known.index === undefined || known.carrier === carrier) continue;
      known.carrier = carrier;
      this.#onEvent({ event: 'carrier', port: role, name, up: carrier });
    }
  }
}

/**
 * What the lab of gateway/host needs: three namespaces, a gateway process inside the middle one, captures at the
 * others.
 */
import { spawn } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { HostEvent } from '#host/watch.ts';
import { Lines, run as runWords } from '#kit/process.ts';
import type { Answer, Order } from './host-child.ts';

/** Runs a program that must succeed; returns what it printed. */
export const run = (...words: string[]): Promise<string> => runWords(words);

export interface Capture {
  /** One line of tcpdump -e for each frame that arrived so far. */
  readonly frames: string[];
  /** Waits for a frame. */
  until(fits: (frame: string) => boolean): Promise<string>;
  stop(): Promise<void>;
}

/** Frames that arrive at `link` in the namespace: what the other end of its cable sent. */
export async function capture(namespace: string, link: string): Promise<Capture> {
  const args = [
    'netns',
    'exec',
    namespace,
    'tcpdump',
    '-l',
    '-n',
    '-e',
    '-tt',
    '--immediate-mode',
    '-Q',
    'in',
    '-i',
    link,
  ];
  const child = spawn('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const frames = new Lines();
  const notes = new Lines();
  createInterface({ input: child.stdout }).on('line', (l) => frames.push(l));
  createInterface({ input: child.stderr }).on('line', (l) => notes.push(l));
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => {
      notes.end();
      frames.end();
      resolve();
    });
  });
  await notes.next((l) => l.includes('listening on'));
  return {
    frames: frames.all,
    until: (fits) => frames.next(fits),
    async stop() {
      child.kill();
      await gone;
    },
  };
}

/** A gateway's host code in a process of its own, inside a namespace. */
export class Gateway {
  readonly #child;
  readonly #answers = new Lines();
  readonly #events = new Lines();
  readonly gone: Promise<void>;

  constructor(namespace: string) {
    const script = new URL('./host-child.ts', import.meta.url).pathname;
    const args = ['netns', 'exec', namespace, process.execPath, script];
    this.#child = spawn('ip', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      (line.startsWith('{"event"') ? this.#events : this.#answers).push(line);
    });
    this.gone = new Promise((resolve) => {
      this.#child.once('exit', () => {
        this.#answers.end();
        this.#events.end();
        resolve();
      });
    });
  }

  /** Gives an order and waits for what became of it. */
  async order(order: Order): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    return JSON.parse(await this.#answers.next(() => true)) as Answer;
  }

  /** Gives an order that must succeed. */
  async succeed(order: Order): Promise<Answer> {
    const answer = await this.order(order);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }

  async event(name: HostEvent['event'], port?: string): Promise<HostEvent> {
    const fits = (e: HostEvent) => e.event === name && (port === undefined || ('port' in e && e.port === port));
    return JSON.parse(await this.#events.next((l) => fits(JSON.parse(l) as HostEvent))) as HostEvent;
  }

  /** Whatever happens next. */
  async next(): Promise<HostEvent> {
    return JSON.parse(await this.#events.next(() => true)) as HostEvent;
  }

  /** kill -9 */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.gone;
  }
}

/**
 *   h1 eth0 ── inner [g] outer ── eth0 h2
 *
 * h1 has 10.66.0.1, h2 10.66.0.2, both in 10.66.0.0/24 and with an IPv6 address. The namespaces bear the names that
 * tests/kit/leftovers.ts knows, with the process in them: other runs have theirs.
 */
export class HostLab {
  readonly g = `gsc-${process.pid}-0-g`;
  readonly h1 = `gsc-${process.pid}-0-h1`;
  readonly h2 = `gsc-${process.pid}-0-h2`;

  async make(): Promise<void> {
    await this.remove();
    for (const ns of [this.g, this.h1, this.h2]) {
      await run('ip', 'netns', 'add', ns);
      await this.ip(ns, 'link', 'set', 'dev', 'lo', 'up');
    }
    await this.cable('inner', this.h1, '10.66.0.1');
    await this.cable('outer', this.h2, '10.66.0.2');
  }

  async remove(): Promise<void> {
    const id = (await this.in(this.g, 'readlink', '/proc/self/ns/net').catch(() => '')).replace(/\D/g, '');
    await rm(`/run/gscip/outer-${id}.json`, { force: true });
    for (const ns of [this.g, this.h1, this.h2]) await run('ip', 'netns', 'del', ns).catch(() => '');
  }

  /** A new cable between the gateway's `port`, which stays down, and eth0 of a host, which is up. */
  async cable(port: string, host: string, address: string, ...options: string[]): Promise<void> {
    const peer = ['peer', 'name', 'eth0', 'netns', host];
    await this.ip(this.g, 'link', 'add', 'name', port, ...options, 'type', 'veth', ...peer);
    await this.ip(host, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    await this.ip(host, 'addr', 'add', `fd66::${address.slice(-1)}/64`, 'dev', 'eth0', 'nodad');
    await this.ip(host, 'link', 'set', 'dev', 'eth0', 'up');
  }

  ip(namespace: string, ...args: string[]): Promise<string> {
    return run('ip', '-n', namespace, ...args);
  }

  in(namespace: string, ...command: string[]): Promise<string> {
    return run('ip', 'netns', 'exec', namespace, ...command);
  }

  /** True when the host answers a ping. */
  async pings(from: string, to: string): Promise<boolean> {
    return await this.in(from, 'ping', '-c', '1', '-W', '1', to).then(
      () => true,
      () => false,
    );
  }
}

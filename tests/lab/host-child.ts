/**
 * gateway/host in a process inside a namespace: orders come as JSON lines, answers and events go back as JSON lines.
 */
import { createInterface } from 'node:readline';
import type { GatewayConfig } from '#config/config.ts';
import { type Applied, apply, release, shutdown } from '#host/host.ts';
import { plan, survey } from '#host/plan.ts';
import { type Command, linux, type System } from '#host/system.ts';
import { type HostEvent, type Watch, watch } from '#host/watch.ts';

export interface Order {
  readonly do: 'plan' | 'apply' | 'watch' | 'release' | 'shutdown';
  readonly config: GatewayConfig;
  /** The process is as good as dead after this many touches of the system: none after them has any effect. */
  readonly dieAfter?: number;
  /** After this many touches one command fails, and the next ones work again. */
  readonly failAfter?: number;
  /** Of `watch`: who is told first that a port is back cannot open it. */
  readonly refuseBack?: boolean;
  /** The kernel refuses drops for a device that does not exist, as those before 6.16 do. */
  readonly deviceBound?: boolean;
}

export interface Answer {
  readonly error?: string;
  readonly applied?: Applied;
  readonly problems?: readonly string[];
  /** What was changed, in order. */
  readonly touches: readonly string[];
  /** When the first drops stood, seconds since 1970. */
  readonly closedAt?: number;
}

const LOOKS: readonly string[] = ['show', 'list', '-c', '-k'];
const isLook = (command: Command, args: readonly string[]) =>
  args.some((a) => LOOKS.includes(a)) && !(command === 'ip' && args.includes('-batch'));

/** The real system, counted; after `dieAfter` touches nothing works any more, as nothing does in a killed process. */
function counted(order: Order, touches: string[]): System {
  const touch = (what: string) => {
    if (order.dieAfter !== undefined && touches.length >= order.dieAfter) throw new Error('killed');
    touches.push(what);
    if (order.failAfter !== undefined && touches.length === order.failAfter + 1) throw new Error('refused by the test');
  };
  return {
    ...linux,
    async run(command, args, input) {
      if (order.deviceBound && args.includes('-c')) throw new Error('No such file or directory');
      if (!isLook(command, args)) touch(`${command} ${args.join(' ')}${input === undefined ? '' : ` < ${input}`}`);
      const output = await linux.run(command, args, input);
      if (command === 'nft' && args[0] === '-f') closedAt ??= Date.now() / 1000;
      return output;
    },
    async set(path, value) {
      touch(`set ${path} ${value}`);
      await linux.set(path, value);
    },
    async save(path, text) {
      touch(`save ${path}`);
      await linux.save(path, text);
    },
    async remove(path) {
      touch(`remove ${path}`);
      await linux.remove(path);
    },
  };
}

/** Passes events on; the first `port-back` is refused if the order says so. */
function told({ refuseBack = false }: Order): (event: HostEvent) => void {
  let refuse = refuseBack;
  return (event) => {
    console.log(JSON.stringify(event));
    if (event.event !== 'port-back' || !refuse) return;
    refuse = false;
    throw new Error('refused by the test');
  };
}

let closedAt: number | undefined;
let watching: Watch | undefined;
let watchTouches: string[] = [];
let last: Applied | undefined;

async function obey(order: Order): Promise<Answer> {
  const touches: string[] = [];
  closedAt = undefined;
  const system = counted(order, touches);
  try {
    const p = plan(order.config, await survey(system));
    const problems = p.problems.map((x) => `${x.field}: ${x.problem.en}; ${x.fix.en}`);
    if (order.do === 'plan') return { problems, touches };
    if (order.do === 'apply') last = await apply(p, system);
    else if (order.do === 'release') await release(p, system);
    else if (order.do === 'shutdown') {
      await watching?.close();
      await shutdown(p, system);
      return { touches: [...watchTouches, ...touches] };
    } else {
      const applied = last ?? (await apply(p, system));
      watchTouches = touches;
      watching = await watch(p, applied.ports, told(order), system);
    }
    return { touches, ...(last ? { applied: last } : {}), ...(closedAt === undefined ? {} : { closedAt }) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error), touches };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await obey(JSON.parse(line) as Order)));
}
await watching?.close();

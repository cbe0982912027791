/** What Linux counts of one thread: system calls, processor time, and symbols of kernel, Node and addon, by `perf`. */
import { readdirSync, readFileSync } from 'node:fs';
import { run, runToEnd } from '#kit/process.ts';

/** Clock ticks per second of /proc/…/stat. */
const TICKS = 100;

const tasks = (pid: number): string[] => readdirSync(`/proc/${pid}/task`);

/** Thread ids of a gateway's datapath workers, in their order. @throws Error when there are none */
export function workerThreads(pid: number): number[] {
  const named = tasks(pid).map((t) => ({ t, name: readFileSync(`/proc/${pid}/task/${t}/comm`, 'utf8').trim() }));
  const workers = named.filter(({ name }) => name.startsWith('datapath-'));
  if (workers.length === 0) throw new Error(`process ${pid} has no datapath worker`);
  return workers.sort((a, b) => a.name.localeCompare(b.name)).map(({ t }) => Number(t));
}

/** Processor seconds of a thread, in user mode and in the kernel. */
export function threadTime(pid: number, thread: number): { readonly user: number; readonly system: number } {
  const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { user: Number(fields[11]) / TICKS, system: Number(fields[12]) / TICKS };
}

/** What is counted. `with-frames`: receive calls that found frames; the others found the socket empty. */
const EVENTS = {
  all: 'raw_syscalls:sys_enter',
  ppoll: 'syscalls:sys_enter_ppoll',
  recvmmsg: 'syscalls:sys_enter_recvmmsg',
  sendmmsg: 'syscalls:sys_enter_sendmmsg',
  'with-frames': 'syscalls:sys_exit_recvmmsg',
} as const;
export type Calls = Readonly<Record<keyof typeof EVENTS, number>>;

/** System calls that a thread makes in so many seconds. */
export async function systemCalls(thread: number, seconds: number): Promise<Calls> {
  const { 'with-frames': full, ...others } = EVENTS;
  const events = ['-e', Object.values(others).join(','), '-e', full, '--filter', 'ret > 0'];
  const words = ['perf', 'stat', '-x,', '-t', String(thread), ...events, '--', 'sleep', String(seconds)];
  const { stderr } = await runToEnd(words);
  const lines = stderr.split('\n').map((l) => l.split(','));
  const count = (event: string): number => {
    const found = Number(lines.find((l) => l[2] === event)?.[0]);
    if (!Number.isFinite(found)) throw new Error(`perf did not count ${event}: ${stderr}`);
    return found;
  };
  return Object.fromEntries(Object.entries(EVENTS).map(([name, event]) => [name, count(event)])) as Calls;
}

/** Samples a thread's stacks into `file`. */
export async function recordStacks(thread: number, seconds: number, file: string): Promise<void> {
  const how = ['-q', '-e', 'cpu-clock', '-F', '4999', '-g', '-t', String(thread), '-o', file];
  await run(['perf', 'record', ...how, '--', 'sleep', String(seconds)]);
}

/** Symbols in a recording as `share  place  symbol`, the most first. */
export async function symbols(file: string, most: number): Promise<string[]> {
  const text = await run([
    'perf',
    'report',
    '--stdio',
    '--no-children',
    '-g',
    'none',
    '-F',
    'overhead,dso,sym',
    '-i',
    file,
  ]);
  const lines = text.split('\n').filter((l) => /^\s+[\d.]+%/.test(l));
  return lines.slice(0, most).map((l) => l.trimEnd());
}

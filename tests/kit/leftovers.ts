/** What labs leave behind when their process was killed: namespaces, processes in them, folders. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, until } from './process.ts';

/** Namespaces and folders of labs are called gsc-<pid>-<number>[-<machine>]. */
const LAB_NAME = /^gsc-(\d+)-\d+/;

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

const ofTheDead = (name: string): boolean => {
  const pid = LAB_NAME.exec(name)?.[1];
  return pid !== undefined && !alive(Number(pid));
};

const numbers = (listed: string): number[] =>
  listed
    .split('\n')
    .filter((l) => l !== '')
    .map(Number);

/** Ends processes, one by one; one that has ended already is no failure. */
function end(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/** Ends the processes inside a namespace and removes it with its links. */
export async function removeNamespace(name: string): Promise<void> {
  const inside = async (): Promise<number[]> => numbers(await run(['ip', 'netns', 'pids', name]));
  end(await inside());
  await until(`the processes in ${name} end`, async () => (await inside()).length === 0);
  await run(['ip', 'netns', 'del', name]);
}

/** The same at once, for a process that is about to end and can wait for nothing. */
export function removeNamespaceNow(name: string): void {
  if (!existsSync(`/run/netns/${name}`)) return;
  end(numbers(execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' })));
  execFileSync('ip', ['netns', 'del', name]);
}

export async function namespaces(): Promise<string[]> {
  const listed = await run(['ip', 'netns', 'list']);
  return listed
    .split('\n')
    .filter((l) => l !== '')
    .map((l) => l.split(' ')[0]);
}

/** Removes everything of labs whose process is dead; returns the names of what there was. */
export async function removeLeftovers(): Promise<string[]> {
  const removed: string[] = [];
  for (const name of (await namespaces()).filter(ofTheDead)) {
    await removeNamespace(name);
    removed.push(name);
  }
  for (const name of readdirSync(tmpdir()).filter(ofTheDead)) {
    rmSync(join(tmpdir(), name), { recursive: true, force: true });
    removed.push(name);
  }
  return removed;
}

/**
 * Devices on tagged lines. The kernel needs no 802.1Q device for it: a program at the link's tc hooks puts the tags on
 * and takes them off, so the device's own programs know nothing of them.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Lab } from './lab.ts';
import type { Machine } from './machine.ts';
import { run } from './process.ts';

/** An 802.1Q or 802.1ad tag. */
export interface Tag {
  readonly tpid: 0x8100 | 0x88a8;
  /** 1–4094 */
  readonly vid: number;
}

const SOURCE = fileURLToPath(new URL('./tagging.bpf.c', import.meta.url));
/** What clang for another target does not look through by itself. */
const HEADERS = [`/usr/include/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu`];

/** As ethertypes and tags stand in the frame, outermost first. */
export const tagBytes = (tags: readonly Tag[]): Buffer =>
  Buffer.concat(tags.map(({ tpid, vid }) => Buffer.from([tpid >> 8, tpid & 0xff, vid >> 8, vid & 0xff])));

/**
 * From now on everything the machine sends on `link` bears `tags` (1–4, outermost first), and it receives only what
 * bears exactly these. Tags it had before are replaced.
 */
export async function tagLink(lab: Lab, machine: Machine, link: string, tags: readonly Tag[]): Promise<void> {
  const object = await programOf(lab, tags);
  await machine.run('tc', 'qdisc', 'replace', 'dev', link, 'clsact');
  for (const [hook, section] of [
    ['egress', 'push'],
    ['ingress', 'pop'],
  ] as const) {
    const where = ['dev', link, hook, 'pref', '1', 'handle', '1'];
    await machine.run('tc', 'filter', 'replace', ...where, 'bpf', 'da', 'obj', object, 'sec', section);
  }
}

export async function untagLink(machine: Machine, link: string): Promise<void> {
  await machine.run('tc', 'qdisc', 'del', 'dev', link, 'clsact');
}

async function programOf(lab: Lab, tags: readonly Tag[]): Promise<string> {
  const name = tags.map(({ tpid, vid }) => `${tpid.toString(16)}-${vid}`).join('_');
  const object = join(lab.directory('tagging'), `${name}.o`);
  if (existsSync(object)) return object;
  const innermostFirst = [...tags].reverse();
  const defines = innermostFirst.flatMap(({ tpid, vid }, i) => [`-DTPID${i + 1}=${tpid}`, `-DVID${i + 1}=${vid}`]);
  const include = HEADERS.flatMap((folder) => ['-isystem', folder]);
  const flags = ['-O2', '-Wall', '-Werror', '-target', 'bpf', `-DTAGS=${tags.length}`, ...defines, ...include];
  await run(['clang', ...flags, '-c', SOURCE, '-o', object]);
  return object;
}

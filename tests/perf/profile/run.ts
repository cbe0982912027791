/**
 * Two gateways under load, looked at three times with the same load: by counters alone, by the profilers of V8, by perf.
 * Each look costs something: the throughput that stands beside it says how much.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import type { GatewayBox } from '#kit/gateway-box.ts';
import { Lab } from '#kit/lab.ts';
import { PROFILES, type Profile } from '#kit/machine.ts';
import { iperf, startIperfServer } from '#kit/programs/iperf3.ts';
import { table } from '#terminal/table.ts';
import { type BridgeLab, bridge, H2 } from '../../lab/topologies/bridge.ts';
import { type Calls, recordStacks, symbols, systemCalls, threadTime, workerThreads } from './kernel.ts';
import { FOLDER_VARIABLE, type Probed, socketOf } from './probe.ts';
import { type CpuProfile, foldedStacks, selfShares } from './summary.ts';

const MODES = ['sealed', 'pccom', 'verdict'] as const;
const DIRECTIONS = ['out', 'in'] as const;
const LOADS = ['tcp', 'udp64'] as const;

interface Wanted {
  readonly mode: (typeof MODES)[number];
  /** From h1's gateway, ge-a: `out` seals at ge-a and opens at ge-b. */
  readonly direction: (typeof DIRECTIONS)[number];
  readonly load: (typeof LOADS)[number];
  readonly profile: Profile;
  readonly seconds: number;
  readonly output: string;
}

/** Before a look, seconds: everything is compiled. */
const WARM_SECONDS = 2;
/** A load goes on this much longer than the look at it, seconds. */
const MARGIN_SECONDS = 1;
const FUNCTIONS = 25;

class Usage extends Error {}

function oneOf<const T extends string>(option: string, allowed: readonly T[], word: string): T {
  const found = allowed.find((a) => a === word);
  if (found === undefined) throw new Usage(`--${option}: ${allowed.join(', ')}; not ${word}`);
  return found;
}

function parse(words: readonly string[]): Wanted {
  const string = { type: 'string' } as const;
  const options = { mode: string, direction: string, load: string, profile: string, seconds: string, output: string };
  let values: Partial<Record<keyof typeof options, string>>;
  try {
    values = parseArgs({ args: [...words], options }).values;
  } catch (error) {
    throw new Usage((error as Error).message);
  }
  const seconds = Number(values.seconds ?? 3);
  if (!(seconds >= 1 && seconds <= 60)) throw new Usage('--seconds: 1 to 60');
  return {
    mode: oneOf('mode', MODES, values.mode ?? 'sealed'),
    direction: oneOf('direction', DIRECTIONS, values.direction ?? 'out'),
    load: oneOf('load', LOADS, values.load ?? 'tcp'),
    profile: oneOf('profile', PROFILES, values.profile ?? 'wire'),
    seconds,
    output: values.output ?? 'build/profile',
  };
}

/** Returns the exit code: 0 done, 1 failed, 2 usage. */
export async function runProfile(words: readonly string[]): Promise<number> {
  try {
    await profile(parse(words));
    return 0;
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return error instanceof Usage ? 2 : 1;
  }
}

async function profile(wanted: Wanted): Promise<void> {
  const sockets = mkdtempSync(join(tmpdir(), 'gscip-profile-'));
  /* Before any gateway starts. With the map that V8 writes, perf knows the names of compiled functions. */
  process.env[FOLDER_VARIABLE] = sockets;
  const probe = new URL('./probe.ts', import.meta.url).href;
  process.env.NODE_OPTIONS = `--import ${probe} --perf-basic-prof-only-functions`;
  const pids: number[] = [];
  try {
    await Lab.use(wanted.profile, async (lab) => {
      const net = await bridge(lab, {
        gateways: 'gscip',
        wan: 'cable',
        transform: wanted.mode === 'pccom' ? 'pccom' : 'sealed',
        /* Without a common group two open gateways let the pair pass in plaintext. */
        ...(wanted.mode === 'verdict' && { b: { groups: [] } }),
      });
      pids.push(net.a.pid, net.b.pid);
      await startIperfServer(net.h2);
      await look(net, wanted, sockets);
    });
  } finally {
    rmSync(sockets, { recursive: true, force: true });
    for (const pid of pids) rmSync(join(tmpdir(), `perf-${pid}.map`), { force: true });
  }
}

/* ---- the load ------------------------------------------------------------------------------------------------------ */

/** Loads both gateways while `during` looks; resolves to what the load achieved, in words. */
async function underLoad({ h1 }: BridgeLab, wanted: Wanted, during: () => Promise<void>): Promise<string> {
  const reverse = wanted.direction === 'in';
  const seconds = wanted.seconds + 2 * MARGIN_SECONDS;
  const udp = wanted.load === 'udp64' ? { datagramBytes: 64 } : {};
  const done = iperf(h1, H2.v4, { seconds, reverse, ...udp });
  done.catch(() => undefined); // told below
  await new Promise((resolve) => setTimeout(resolve, MARGIN_SECONDS * 1_000));
  await during();
  const { bitsPerSecond, datagramsPerSecond } = await done;
  return wanted.load === 'tcp'
    ? `${(bitsPerSecond / 1e9).toFixed(2)} Gbit/s`
    : `${Math.round(datagramsPerSecond)} datagrams/s`;
}

/* ---- the looks ------------------------------------------------------------------------------------------------------- */

interface Counted extends Calls {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  readonly user: number;
  readonly system: number;
}

async function look(net: BridgeLab, wanted: Wanted, sockets: string): Promise<void> {
  const boxes = [net.a, net.b];
  const folder = wanted.output;
  mkdirSync(folder, { recursive: true });
  const name = (box: GatewayBox, ending: string): string =>
    join(folder, `${wanted.mode}-${wanted.direction}-${box.name}.${ending}`);

  await iperf(net.h1, H2.v4, { seconds: WARM_SECONDS });
  const counted: Counted[] = [];
  const free = await underLoad(net, wanted, async () => {
    counted.push(...(await Promise.all(boxes.map((b) => count(b, wanted.seconds)))));
  });
  console.log(`${wanted.mode}, ${wanted.direction}, ${wanted.load}, ${wanted.profile}: ${free}\n`);
  console.log(countedTable(boxes, counted, wanted.seconds).join('\n'));

  let probed: Probed[] = [];
  const sampled = await underLoad(net, wanted, async () => {
    await Promise.all(boxes.map((b) => order(sockets, b.pid, 'start')));
    await new Promise((resolve) => setTimeout(resolve, wanted.seconds * 1_000));
    probed = (await Promise.all(boxes.map((b) => order(sockets, b.pid, 'stop')))).map((answers) => answers[0]);
  });
  for (const [i, box] of boxes.entries()) {
    const { file, collections, collectionMs } = probed[i];
    const each = collections / wanted.seconds;
    copyFileSync(file, name(box, 'cpuprofile'));
    const cpu = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
    writeFileSync(name(box, 'folded'), `${foldedStacks(cpu).join('\n')}\n`);
    console.log(`\n${box.name}: functions by the time in themselves (${sampled} while sampled)`);
    console.log(`collections: ${each.toFixed(1)} a second, ${(collectionMs / wanted.seconds).toFixed(2)} ms a second`);
    for (const { name: fn, share } of selfShares(cpu).slice(0, FUNCTIONS)) {
      console.log(`${(100 * share).toFixed(1).padStart(6)} %  ${fn}`);
    }
  }

  const recorded = await underLoad(net, wanted, async () => {
    await Promise.all(boxes.map((b) => recordStacks(workerThreads(b.pid)[0], wanted.seconds, name(b, 'perf.data'))));
  });
  for (const box of boxes) {
    console.log(`\n${box.name}: symbols, kernel and addon too (${recorded} while recorded)`);
    const { self, below } = await symbols(name(box, 'perf.data'), FUNCTIONS);
    console.log([...self, 'below system calls:', ...below].join('\n'));
  }
  console.log(
    `\n${folder}/: .cpuprofile (Chrome, speedscope), .folded (flamegraph.pl, speedscope), .perf.data (perf report)`,
  );
}

async function count(box: GatewayBox, seconds: number): Promise<Counted> {
  const thread = workerThreads(box.pid)[0];
  const ports = async () => (await box.status()).ports.filter((p) => p.role !== 'mgmt');
  const [before, time] = [await ports(), threadTime(box.pid, thread)];
  const calls = await systemCalls(thread, seconds);
  const [after, timeAfter] = [await ports(), threadTime(box.pid, thread)];
  const grown = (of: 'framesIn' | 'framesOut' | 'bytesIn'): number =>
    after.reduce((sum, p) => sum + p[of], 0) - before.reduce((sum, p) => sum + p[of], 0);
  return {
    ...calls,
    framesIn: grown('framesIn'),
    framesOut: grown('framesOut'),
    bytesIn: grown('bytesIn'),
    user: timeAfter.user - time.user,
    system: timeAfter.system - time.system,
  };
}

/** A superpacket is one frame here. Both ports count: acknowledgements are frames too. */
function countedTable(boxes: readonly GatewayBox[], counted: readonly Counted[], seconds: number): string[] {
  const row = (title: string, of: (c: Counted) => number, digits = 0): string[] => [
    title,
    ...counted.map((c) =>
      of(c).toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits }),
    ),
  ];
  return table(
    [{ title: 'a second' }, ...boxes.map((b) => ({ title: b.name, right: true }))],
    [
      row('frames in, both ports', (c) => c.framesIn / seconds),
      row('frames out, both ports', (c) => c.framesOut / seconds),
      row('bytes per frame in', (c) => c.bytesIn / c.framesIn),
      row('system calls', (c) => c.all / seconds),
      row('  recvmmsg that found frames', (c) => c['with-frames'] / seconds),
      row('  recvmmsg that found none', (c) => (c.recvmmsg - c['with-frames']) / seconds),
      row('  sendmmsg', (c) => c.sendmmsg / seconds),
      row('  poll', (c) => c.poll / seconds),
      row('system calls per frame in', (c) => c.all / c.framesIn, 2),
      row('frames per receive call that found some', (c) => c.framesIn / c['with-frames'], 2),
      row('frames per send call', (c) => c.framesOut / c.sendmmsg, 2),
      row('processor, user, %', (c) => (100 * c.user) / seconds, 1),
      row('processor, kernel, %', (c) => (100 * c.system) / seconds, 1),
    ],
  );
}

/** One word to the probe of a gateway, and what its workers answer. */
function order(folder: string, pid: number, word: 'start' | 'stop'): Promise<Probed[]> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketOf(folder, pid));
    socket.once('error', reject);
    createInterface({ input: socket }).once('line', (line) => {
      socket.destroy();
      const { answers, failed } = JSON.parse(line) as { answers?: Probed[]; failed?: object };
      if (answers === undefined) reject(new Error(`the probe failed: ${JSON.stringify(failed)}`));
      else resolve(answers);
    });
    socket.write(`${word}\n`);
  });
}

/**
 * Two gateways under load, looked at three times with the same load: by counters alone, by the profilers of V8, by
 * perf. Each look costs something: the throughput that stands beside it says how much.
 */
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { GatewayBox } from '#kit/gateway-box.ts';
import type { GmsBox } from '#kit/gms-box.ts';
import { Lab } from '#kit/lab.ts';
import { PROFILES } from '#kit/machine.ts';
import { iperf, startIperfServer } from '#kit/programs/iperf3.ts';
import { languageOf } from '#terminal/language.ts';
import { type BridgeLab, bridge, H2 } from '../../lab/topologies/bridge.ts';
import { Misunderstood } from '../command-line.ts';
import { installPackages } from '../packages.ts';
import { DIRECTIONS, LOADS, MODES, parseArguments, type Wanted } from './arguments.ts';
import { recordStacks, symbols, workerThreads } from './kernel.ts';
import { type Say, sayIn } from './messages.ts';
import { FOLDER_VARIABLE, type Probed, socketOf } from './probe.ts';
import { costShares, drawStacks, recordedStacks } from './stacks.ts';
import { type CpuProfile, selfShares } from './summary.ts';
import { type Counted, costTable, count, countedTable } from './tables.ts';
import { removeTraces } from './traces.ts';

/** Before a look, seconds: everything is compiled. */
const WARM_SECONDS = 2;
/** A load goes on this much longer than the look at it, seconds. */
const MARGIN_SECONDS = 1;
const FUNCTIONS = 25;

/** Returns the exit code: 0 done, 1 failed, 2 usage. */
export async function runProfile(words: readonly string[]): Promise<number> {
  const language = languageOf(process.env);
  const say = sayIn(language);
  try {
    const wanted = parseArguments(words);
    if (wanted === undefined) {
      const [modes, directions, loads, profiles] = [MODES, DIRECTIONS, LOADS, PROFILES].map((all) => all.join('|'));
      console.log(say('usage', { modes, directions, loads, profiles }));
      return 0;
    }
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      console.error(say('needs-root'));
      return 1;
    }
    await installPackages((names) => console.log(say('installing', { packages: names.join(' ') })));
    await profile(wanted, say);
    return 0;
  } catch (error) {
    if (error instanceof Misunderstood) {
      console.error(error.in(language));
      return 2;
    }
    console.error(say('failed', { error: error instanceof Error ? error.message : String(error) }));
    return 1;
  }
}

async function profile(wanted: Wanted, say: Say): Promise<void> {
  const sockets = mkdtempSync(join(tmpdir(), 'gscip-profile-'));
  const pids: number[] = [];
  try {
    await Lab.use(wanted.profile, async (lab) => {
      const net = await bridge(lab, {
        gateways: 'kernel',
        wan: 'cable',
        transform: wanted.mode === 'pccom' ? 'pccom' : 'sealed',
        /* Without a common group two open gateways let the pair pass in plaintext. */
        ...(wanted.mode === 'verdict' && { b: { groups: [] } }),
      });
      await startProbed([net.a, net.b], await net.makeGms(), sockets, pids);
      await startIperfServer(net.h2);
      await look(net, wanted, sockets, say);
    });
  } finally {
    rmSync(sockets, { recursive: true, force: true });
    removeTraces(pids, tmpdir(), process.cwd());
  }
}

/* ---- the gateways ------------------------------------------------------------------------------------------------ */

/**
 * Starts the gateways, they alone, with the probe and with the map that V8 writes for perf: the names of compiled
 * functions. Their process ids go to `pids` at once.
 */
async function startProbed(boxes: readonly GatewayBox[], gms: GmsBox, sockets: string, pids: number[]): Promise<void> {
  const probe = new URL('./probe.ts', import.meta.url).href;
  const env = { [FOLDER_VARIABLE]: sockets, NODE_OPTIONS: `--import ${probe} --perf-basic-prof-only-functions` };
  for (const box of boxes) await box.ceaseKernel();
  const starting = boxes.map((box) => box.start(env));
  pids.push(...boxes.map((box) => box.pid));
  await Promise.all(starting);
  await Promise.all(boxes.map((box) => box.enrol(gms)));
}

/* ---- the load ---------------------------------------------------------------------------------------------------- */

/** Loads both gateways while `during` looks; resolves to what the load achieved, in words. */
async function underLoad({ h1 }: BridgeLab, wanted: Wanted, say: Say, during: () => Promise<void>): Promise<string> {
  const reverse = wanted.direction === 'in';
  const seconds = wanted.seconds + 2 * MARGIN_SECONDS;
  const udp = wanted.load === 'udp64' ? { datagramBytes: 64 } : {};
  const done = iperf(h1, H2.v4, { seconds, reverse, ...udp });
  done.catch(() => undefined); // told below
  await new Promise((resolve) => setTimeout(resolve, MARGIN_SECONDS * 1_000));
  await during();
  const { bitsPerSecond, datagramsPerSecond } = await done;
  return wanted.load === 'tcp'
    ? say('bits', { rate: (bitsPerSecond / 1e9).toFixed(2) })
    : say('datagrams', { rate: Math.round(datagramsPerSecond) });
}

/* ---- the looks --------------------------------------------------------------------------------------------------- */

async function look(net: BridgeLab, wanted: Wanted, sockets: string, say: Say): Promise<void> {
  const boxes = [net.a, net.b];
  const folder = wanted.output;
  mkdirSync(folder, { recursive: true });
  const name = (box: GatewayBox, ending = ''): string =>
    join(folder, [`${wanted.mode}-${wanted.direction}-${wanted.load}-${box.name}`, ending].filter(Boolean).join('.'));

  await iperf(net.h1, H2.v4, { seconds: WARM_SECONDS });
  const counted: Counted[] = [];
  const free = await underLoad(net, wanted, say, async () => {
    counted.push(...(await Promise.all(boxes.map((b) => count(b, wanted.seconds)))));
  });
  const headline = `${wanted.mode}, ${wanted.direction}, ${wanted.load}, ${wanted.profile}`;
  console.log(`${headline}: ${free}\n`);
  console.log(countedTable(boxes, counted, wanted.seconds, say).join('\n'));

  let probed: Probed[] = [];
  const sampled = await underLoad(net, wanted, say, async () => {
    await Promise.all(boxes.map((b) => order(sockets, b.pid, 'start')));
    await new Promise((resolve) => setTimeout(resolve, wanted.seconds * 1_000));
    probed = (await Promise.all(boxes.map((b) => order(sockets, b.pid, 'stop')))).map((answers) => answers[0]);
  });
  for (const [i, box] of boxes.entries()) {
    const { file, collections, collectionMs } = probed[i];
    const each = collections / wanted.seconds;
    copyFileSync(file, name(box, 'cpuprofile'));
    const cpu = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile;
    console.log(`\n${say('functions', { box: box.name, rate: sampled })}`);
    console.log(say('collections', { count: each.toFixed(1), time: (collectionMs / wanted.seconds).toFixed(2) }));
    for (const { name: fn, share } of selfShares(cpu).slice(0, FUNCTIONS)) {
      console.log(`${(100 * share).toFixed(1).padStart(6)} %  ${fn}`);
    }
  }

  const recorded = await underLoad(net, wanted, say, async () => {
    await Promise.all(boxes.map((b) => recordStacks(workerThreads(b.pid)[0], wanted.seconds, name(b, 'perf.data'))));
  });
  for (const box of boxes) {
    console.log(`\n${say('symbols', { box: box.name, rate: recorded })}`);
    console.log((await symbols(name(box, 'perf.data'), FUNCTIONS)).join('\n'));
  }
  const shares = [];
  for (const box of boxes) {
    const stacks = await recordedStacks(name(box, 'perf.data'));
    await drawStacks(stacks, `${box.name}: ${headline}`, name(box));
    shares.push(costShares(stacks));
  }
  console.log(`\n${costTable(boxes, counted, shares, say).join('\n')}`);
  console.log(`\n${say('files', { folder })}`);
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

/**
 * What `npm test` runs: style, then unit tests, those of the addon once more under sanitizers, sim and lab tests.
 * `npm test -- unit lab` runs only those parts.
 * Says plainly what could not be run and why (run/obstacles.ts); under CI that is a failure, and so is a skipped test.
 */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { languageOf } from '#terminal/language.ts';
import { sayIn } from './run/messages.ts';
import { namespaceObstacle, unitTestsInNamespaces } from './run/obstacles.ts';

const say = sayIn(languageOf(process.env));
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const UNDER_CI = process.env.CI === 'true' || process.env.CI === '1';

interface Outcome {
  readonly part: string;
  readonly passed: number;
  readonly failed: number;
  /** What was not run, each with its reason. */
  readonly notRun: readonly string[];
}

/** Runs a program of this repository, with `more` in its environment; what it prints is seen. Returns its exit code. */
function showIn(more: Readonly<Record<string, string>>, program: string, ...args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, ...more } });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

const show = (program: string, ...args: string[]) => showIn({}, program, ...args);

/** A program that npm installed, on the Node that runs this. */
const installed = (path: string, ...args: string[]) => show(process.execPath, join('node_modules', path), ...args);

/* ---- style ------------------------------------------------------------------------------------------------------- */

async function style(): Promise<Outcome> {
  const checks: readonly [string, () => Promise<number>][] = [
    ['biome', () => installed('@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.')],
    ['tsc', () => installed('typescript/bin/tsc', '--noEmit')],
    ['clang-format', () => show('sh', 'image/format-c', '--check')],
  ];
  let passed = 0;
  for (const [name, check] of checks) {
    const good = (await check()) === 0;
    console.log(`${good ? '✓' : '×'} ${name}`);
    if (good) passed++;
  }
  return { part: 'style', passed, failed: checks.length - passed, notRun: [] };
}

/* ---- vitest ------------------------------------------------------------------------------------------------------ */

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

interface Choice {
  /** Its name in the outcome; the project's unless it is said. */
  readonly part?: string;
  /** Of the files, only those whose path has one of these in it; and none of those without. */
  readonly files?: readonly string[];
  readonly without?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

async function vitest(project: 'unit' | 'sim' | 'lab', choice: Choice = {}): Promise<Outcome> {
  const { part = project, files = [], without = [], environment = {} } = choice;
  const folder = join('tests', project);
  if (globSync(join(folder, '**/*.test.ts'), { cwd: ROOT }).length === 0) {
    return { part, passed: 0, failed: 0, notRun: [say('no-tests', { folder })] };
  }
  const scratch = mkdtempSync(join(tmpdir(), 'gscip-tests-'));
  const report = join(scratch, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const words = ['run', '--project', project, '--allowOnly=false', ...reporters];
    const exclude = without.flatMap((path) => ['--exclude', path]);
    const program = join('node_modules', 'vitest/vitest.mjs');
    const code = await showIn(environment, process.execPath, program, ...words, ...exclude, ...files);
    if (!existsSync(report)) return { part, passed: 0, failed: 1, notRun: [] };
    return counted(part, JSON.parse(readFileSync(report, 'utf8')) as VitestReport, code);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function counted(part: string, report: VitestReport, code: number): Outcome {
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const broken = report.testResults.filter((f) => f.status === 'failed' && f.assertionResults.every(passedOrSkipped));
  const notRun = tests
    .filter((t) => t.status !== 'passed' && t.status !== 'failed')
    .map((t) => say('skipped', { test: t.fullName }));
  const failed = report.numFailedTests + broken.length;
  /* An error outside of every test shows in the exit code alone. */
  return { part, passed: report.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed, notRun };
}

const passedOrSkipped = ({ status }: { readonly status: string }): boolean => status !== 'failed';

/** Unit tests; where there can be no network namespaces, without those that make some, which are told as not run. */
async function unit(choice: Choice = {}): Promise<Outcome> {
  const obstacle = namespaceObstacle();
  if (obstacle === undefined) return vitest('unit', choice);
  const { files, without = [] } = choice;
  const left = unitTestsInNamespaces(ROOT).filter((path) => files?.some((chosen) => path.includes(chosen)) ?? true);
  const outcome = await vitest('unit', { ...choice, without: [...without, ...left] });
  return { ...outcome, notRun: [...outcome.notRun, ...left.map((path) => `${path}: ${say(obstacle)}`)] };
}

/* ---- sanitizers -------------------------------------------------------------------------------------------------- */

const SANITIZED_ADDON = join(ROOT, 'build', 'sanitized', 'gscip.node');
const SANITIZERS = '-fsanitize=address,undefined -fno-sanitize-recover=all -shared-libasan';
/** Tests that drive the addon. */
const OF_THE_ADDON = [
  'tests/unit/native/',
  'tests/unit/port/packet',
  'tests/unit/port/fanout',
  'tests/unit/port/pcap.test',
  'tests/unit/transform/providers',
];
/**
 * Looks for keys in the process's memory: the sanitizer keeps what was freed, so that is for the addon as it is
 * shipped.
 */
const RESIDUES = 'tests/unit/transform/providers-residue.test.ts';

/**
 * The sanitizers' runtime, which must be in the process before the addon; undefined where clang or it is not installed.
 */
function sanitizerRuntime(): string | undefined {
  const processor = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  try {
    const words = [`-print-file-name=libclang_rt.asan-${processor}.so`];
    const path = execFileSync('clang', words, { encoding: 'utf8' }).trim();
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** A finding ends the process of its test file with a report, and that fails the run. */
async function sanitizers(): Promise<Outcome> {
  const part = 'sanitizers';
  const runtime = sanitizerRuntime();
  if (runtime === undefined) {
    return { part, passed: 0, failed: 0, notRun: [say('no-sanitizers')] };
  }
  const build = { CC: 'clang', EXTRA_CFLAGS: SANITIZERS, OUT: SANITIZED_ADDON };
  if ((await showIn(build, 'sh', 'gateway/native/build', '--quiet')) !== 0)
    return { part, passed: 0, failed: 1, notRun: [] };
  console.log(say('sanitized-addon', { files: OF_THE_ADDON.join(', ') }));
  console.log(say('shipped-addon', { files: RESIDUES }));
  /* Node itself does not free everything at its end. */
  const environment = { GSCIP_ADDON: SANITIZED_ADDON, LD_PRELOAD: runtime, ASAN_OPTIONS: 'detect_leaks=0' };
  return unit({ part, files: OF_THE_ADDON, without: [RESIDUES], environment });
}

/* ---- labs -------------------------------------------------------------------------------------------------------- */

async function lab(): Promise<Outcome> {
  const obstacle = namespaceObstacle();
  return obstacle === undefined ? vitest('lab') : { part: 'lab', passed: 0, failed: 0, notRun: [say(obstacle)] };
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

const PARTS: Readonly<Record<string, () => Promise<Outcome>>> = {
  style,
  unit: () => unit(),
  sanitizers,
  sim: () => vitest('sim'),
  lab,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((part) => !Object.hasOwn(PARTS, part));
if (unknown.length > 0) {
  console.error(say('unknown-part', { asked: unknown.join(', '), parts: Object.keys(PARTS).join(', ') }));
  process.exit(2);
}

const outcomes: Outcome[] = [];
for (const [name, part] of Object.entries(PARTS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const started = performance.now();
  console.log(`\n── ${name}`);
  outcomes.push(await part());
  console.log(say('part-took', { part: name, seconds: Math.round((performance.now() - started) / 1000) }));
}

const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, o) => total + of(o), 0);
const notRun = outcomes.flatMap(({ part, notRun: reasons }) => reasons.map((reason) => ({ part, reason })));
console.log('');
for (const { part, passed, failed } of outcomes) console.log(say('part-outcome', { part, passed, failed }));
for (const line of notRun) console.log(say('not-run', line));
const failed = sum((o) => o.failed) + (UNDER_CI ? notRun.length : 0);
if (UNDER_CI && notRun.length > 0) console.log(say('ci-fails'));
console.log(say('outcome', { passed: sum((o) => o.passed), failed, left: notRun.length }));
process.exitCode = failed === 0 ? 0 : 1;

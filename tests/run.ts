/**
 * What `npm test` runs: style, then unit, sim and lab tests. `npm test -- unit lab` runs only those parts.
 * Says plainly what could not be run and why; under CI that is a failure, and so is a skipped test.
 */
import { spawn } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const UNDER_CI = process.env.CI === 'true' || process.env.CI === '1';

interface Outcome {
  readonly part: string;
  readonly passed: number;
  readonly failed: number;
  /** What was not run, each with its reason. */
  readonly notRun: readonly string[];
}

/** Runs a program of this repository; what it prints is seen. Returns its exit code. */
function show(program: string, ...args: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, stdio: 'inherit' });
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/** A program that npm installed, on the Node that runs this. */
const installed = (path: string, ...args: string[]) => show(process.execPath, join('node_modules', path), ...args);

/* ---- style --------------------------------------------------------------------------------------------------------- */

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

/* ---- vitest -------------------------------------------------------------------------------------------------------- */

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

async function vitest(project: 'unit' | 'sim' | 'lab'): Promise<Outcome> {
  const folder = join('tests', project);
  if (globSync(join(folder, '**/*.test.ts'), { cwd: ROOT }).length === 0) {
    return { part: project, passed: 0, failed: 0, notRun: [`${folder} has no tests`] };
  }
  const scratch = mkdtempSync(join(tmpdir(), 'gscip-tests-'));
  const report = join(scratch, 'report.json');
  try {
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const code = await installed('vitest/vitest.mjs', 'run', '--project', project, '--allowOnly=false', ...reporters);
    if (!existsSync(report)) return { part: project, passed: 0, failed: 1, notRun: [] };
    return counted(project, JSON.parse(readFileSync(report, 'utf8')) as VitestReport, code);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function counted(part: string, report: VitestReport, code: number): Outcome {
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const broken = report.testResults.filter((f) => f.status === 'failed' && f.assertionResults.every(passedOrSkipped));
  const notRun = tests
    .filter((t) => t.status !== 'passed' && t.status !== 'failed')
    .map((t) => `${t.fullName}: skipped`);
  const failed = report.numFailedTests + broken.length;
  /* An error outside of every test shows in the exit code alone. */
  return { part, passed: report.numPassedTests, failed: failed === 0 && code !== 0 ? 1 : failed, notRun };
}

const passedOrSkipped = ({ status }: { readonly status: string }): boolean => status !== 'failed';

/** Why the labs cannot run here; undefined when they can. */
function labObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'labs need Linux network namespaces';
  if (process.getuid?.() !== 0) return 'labs need root for network namespaces; run npm test as root';
  return undefined;
}

async function lab(): Promise<Outcome> {
  const obstacle = labObstacle();
  return obstacle === undefined ? vitest('lab') : { part: 'lab', passed: 0, failed: 0, notRun: [obstacle] };
}

/* ---- all of it ----------------------------------------------------------------------------------------------------- */

const PARTS: Readonly<Record<string, () => Promise<Outcome>>> = {
  style,
  unit: () => vitest('unit'),
  sim: () => vitest('sim'),
  lab,
};

const asked = process.argv.slice(2);
const unknown = asked.filter((part) => !Object.hasOwn(PARTS, part));
if (unknown.length > 0) {
  console.error(`there is no part ${unknown.join(', ')}; parts: ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}

const outcomes: Outcome[] = [];
for (const [name, part] of Object.entries(PARTS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const started = performance.now();
  console.log(`\n── ${name}`);
  outcomes.push(await part());
  console.log(`── ${name}: ${Math.round((performance.now() - started) / 1000)} s`);
}

const sum = (of: (outcome: Outcome) => number): number => outcomes.reduce((total, o) => total + of(o), 0);
const notRun = outcomes.flatMap((o) => o.notRun.map((reason) => `${o.part}: ${reason}`));
console.log('');
for (const o of outcomes) console.log(`${o.part}: ${o.passed} passed, ${o.failed} failed`);
for (const line of notRun) console.log(`not run: ${line}`);
const failed = sum((o) => o.failed) + (UNDER_CI ? notRun.length : 0);
if (UNDER_CI && notRun.length > 0) console.log('under CI, what is not run has failed');
console.log(`${sum((o) => o.passed)} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

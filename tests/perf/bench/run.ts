/**
 * The benchmark from its command line to its exit code (0 measured, 1 failed, 2 usage). What two gateways cost: the
 * same load, in turns, through kernel bridges, through gateways, through other people's tunnels. Prints figures and
 * asserts nothing.
 */
import { accessSync, constants, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Lab } from '#kit/lab.ts';
import { PROFILES, type Profile } from '#kit/machine.ts';
import { languageOf } from '#terminal/language.ts';
import { Misunderstood } from '../command-line.ts';
import { installPackages } from '../packages.ts';
import { type Asked, parseArguments, ROWS, type RowName } from './arguments.ts';
import { environmentOf, loadNow, type Missing } from './environment.ts';
import { type BenchLab, build, changeProfile } from './lab.ts';
import { MEASURES } from './measures.ts';
import { messages, type Say, sayIn } from './messages.ts';
import { isPeer, MODES, type Mode } from './modes.ts';
import { type Result, reportOf } from './result.ts';
import { briefly, environmentLines, resultLines, targetLines } from './table.ts';
import { standings } from './targets.ts';

const progress = (line: string): void => console.error(line);

/** Runs what `words` ask for; returns the exit code. */
export async function runBenchmark(words: readonly string[]): Promise<number> {
  const language = languageOf(process.env);
  const say = sayIn(language);
  /* The labs remove themselves on a signal, and the process ends by it: what breaks meanwhile is no failure. */
  let interrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      interrupted = true;
    });
  }
  try {
    const asked = parseArguments(words);
    if (asked.help) {
      const profiles = [...PROFILES, 'all'].join('|');
      console.log(say('usage', { profiles, rows: ROWS.join(', '), modes: MODES.join(', ') }));
      return 0;
    }
    if (process.platform !== 'linux' || process.getuid?.() !== 0) {
      console.error(say('needs-root'));
      return 1;
    }
    if (asked.json !== undefined) checkFolder(asked.json);
    await measureAll(asked, say);
    return 0;
  } catch (error) {
    if (error instanceof Misunderstood) {
      console.error(error.in(language));
      return 2;
    }
    if (!interrupted) console.error(say('failed', { error: messageOf(error) }));
    return 1;
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Before minutes of measuring. @throws Misunderstood */
function checkFolder(file: string): void {
  const folder = dirname(file);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new Misunderstood(messages['no-folder'], { folder });
  }
}

/** Rows that load no lab. */
const COMPUTED: readonly RowName[] = ['negotiations', 'pit'];

async function measureAll({ parts, modes, samples, json }: Asked, say: Say): Promise<void> {
  const loadAverage = loadNow();
  const made: Lab[] = [];
  const needLabs = parts.some(({ rows }) => rows.some((row) => !COMPUTED.includes(row)));
  try {
    const { labs, missing } = needLabs ? await buildAll(modes, parts[0].profile, made, say) : { labs: [], missing: [] };
    const profiles = parts.map(({ profile }) => profile);
    const environment = await environmentOf(labs, missing, profiles, loadAverage);
    const results: Result[] = [];
    for (const { profile, rows } of parts) {
      await Promise.all(labs.map((net) => changeProfile(net, profile)));
      for (const row of rows) {
        progress(say('measuring', { row, profile }));
        const measured = (await MEASURES[row]({ labs, samples }, say)).map((m) => ({ ...m, profile }));
        for (const result of measured) progress(briefly(result));
        results.push(...measured);
      }
    }
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(reportOf(environment, results), undefined, 2)}\n`);
    const lines = [
      ...environmentLines(environment, say),
      '',
      ...resultLines(results, samples, say),
      '',
      ...targetLines(standings(results), say),
    ];
    for (const line of lines) console.log(line);
  } finally {
    if (made.length > 0) progress(say('removing'));
    await Promise.all(made.map((lab) => lab.remove()));
  }
}

/** A mode that cannot be had is told and left out; without any there is nothing to measure. */
async function buildAll(
  modes: readonly Mode[],
  profile: Profile,
  made: Lab[],
  say: Say,
): Promise<{ readonly labs: readonly BenchLab[]; readonly missing: readonly Missing[] }> {
  if (modes.some(isPeer)) {
    await installPackages((names) => progress(say('installing', { packages: names.join(' ') })));
  }
  const labs: BenchLab[] = [];
  const missing: Missing[] = [];
  for (const mode of modes) {
    progress(say('building', { mode }));
    try {
      labs.push(await build(mode, profile, (lab) => made.push(lab)));
    } catch (error) {
      const reason = messageOf(error).split('\n', 1)[0];
      progress(`${mode}: ${say('mode-missing', { reason })}`);
      missing.push({ mode, reason });
    }
  }
  if (labs.length === 0) throw new Error(missing.map(({ mode, reason }) => `${mode}: ${reason}`).join('; '));
  return { labs, missing };
}

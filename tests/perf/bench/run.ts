/**
 * The benchmark from its command line to its exit code (0 measured, 1 failed, 2 usage). What two gateways cost: the same
 * load, in turns, through kernel bridges and through gateways that seal. Prints figures and asserts nothing.
 */
import { accessSync, constants, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Lab } from '#kit/lab.ts';
import { PROFILES } from '#kit/machine.ts';
import { languageOf } from '#terminal/language.ts';
import { type Asked, Misunderstood, parseArguments, ROWS } from './arguments.ts';
import { environmentOf, loadNow } from './environment.ts';
import { sideBySide } from './lab.ts';
import { MEASURES, ROUNDS } from './measures.ts';
import { type Say, sayIn } from './messages.ts';
import { environmentLines, type Result, reportOf, resultLines } from './table.ts';

const progress = (line: string): void => console.error(line);

/** Runs what `words` ask for; returns the exit code. */
export async function runBenchmark(words: readonly string[]): Promise<number> {
  const say = sayIn(languageOf(process.env));
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
      console.log(say('usage', { profiles: PROFILES.join('|'), rows: ROWS.join(', ') }));
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
      console.error(say(error.key, error.values));
      return 2;
    }
    if (!interrupted) console.error(say('failed', { error: error instanceof Error ? error.message : String(error) }));
    return 1;
  }
}

/** Before minutes of measuring. @throws Misunderstood */
function checkFolder(file: string): void {
  const folder = dirname(file);
  try {
    accessSync(folder, constants.W_OK);
  } catch {
    throw new Misunderstood('no-folder', { folder });
  }
}

async function measureAll({ rows, profile, json }: Asked, say: Say): Promise<void> {
  const loadAverage = loadNow();
  const labs: Lab[] = [];
  try {
    progress(say('building'));
    const plain = await Lab.make(profile);
    labs.push(plain);
    const sealed = await Lab.make(profile);
    labs.push(sealed);
    const sides = await sideBySide(plain, sealed);
    const environment = await environmentOf(sides, loadAverage);
    const results: Result[] = [];
    for (const row of rows) {
      progress(say('measuring', { row }));
      results.push(...(await MEASURES[row](sides, say)));
    }
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(reportOf(environment, results), undefined, 2)}\n`);
    for (const line of [...environmentLines(environment, say), '', ...resultLines(results, ROUNDS, say)]) {
      console.log(line);
    }
  } finally {
    progress(say('removing'));
    await Promise.all(labs.map((lab) => lab.remove()));
  }
}

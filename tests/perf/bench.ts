/**
 * `npm run bench -- [ROW…] [--profile wire|packet|offload] [--json FILE]`: what protection costs, beside plain kernel
 * bridging on the same network in the same run, samples alternating. Prints figures and asserts none.
 */
import { writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { CONGESTION_CONTROL } from '#kit/lab.ts';
import { PROFILES, type Profile } from '#kit/machine.ts';
import { makePlaces, type Places } from './bench/places.ts';
import { type Result, result, showResults } from './bench/result.ts';
import { ROWS, type Row, type RowName } from './bench/rows.ts';

/** Of each row and way; the median counts. */
const SAMPLES = 5;

interface Options {
  readonly names: readonly RowName[];
  readonly profile: Profile;
  readonly json: string | undefined;
}

function readOptions(): Options {
  const usage = (why: string): never => {
    process.stderr.write(`${why}\nusage: npm run bench -- [ROW…] [--profile ${PROFILES.join('|')}] [--json FILE]\n`);
    process.stderr.write(`rows: ${Object.keys(ROWS).join(', ')}\n`);
    return process.exit(2);
  };
  try {
    const options = { profile: { type: 'string', default: 'wire' }, json: { type: 'string' } } as const;
    const { values, positionals } = parseArgs({ options, allowPositionals: true });
    const wrong = positionals.find((name) => !Object.hasOwn(ROWS, name));
    if (wrong !== undefined) return usage(`there is no row ${wrong}`);
    const profile = PROFILES.find((p) => p === values.profile) ?? usage(`there is no profile ${values.profile}`);
    const names = Object.keys(ROWS) as RowName[];
    return {
      names: names.filter((n) => positionals.length === 0 || positionals.includes(n)),
      profile,
      json: values.json,
    };
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

async function measure(name: RowName, profile: Profile, places: Places): Promise<Result> {
  const row: Row = ROWS[name];
  const samples = { plain: [] as number[], sealed: [] as number[] };
  const ways = row.gatewayOnly ? (['sealed'] as const) : (['plain', 'sealed'] as const);
  for (const way of ways) await row.warmUp?.(places[way]);
  for (let i = 0; i < SAMPLES; i++) for (const way of ways) samples[way].push(await row.sample(places[way]));
  return result(name, profile, row, samples.plain, samples.sealed);
}

const { names, profile, json } = readOptions();
if (process.getuid?.() !== 0) {
  process.stderr.write('the benchmark makes network namespaces and needs root\n');
  process.exit(1);
}
const surroundings = {
  profile,
  samples: SAMPLES,
  congestionControl: CONGESTION_CONTROL,
  kernel: release(),
  node: process.version,
  processors: `${cpus().length} × ${cpus()[0].model.trim()}`,
};
for (const [name, value] of Object.entries(surroundings)) process.stdout.write(`${name}: ${value}\n`);
const places = await makePlaces(profile);
const results: Result[] = [];
try {
  for (const name of names) {
    process.stdout.write(`measuring ${name} …\n`);
    results.push(await measure(name, profile, places));
  }
} finally {
  await places.remove();
}
process.stdout.write(`\n${showResults(results).join('\n')}\n`);
if (json !== undefined) writeFileSync(json, `${JSON.stringify({ ...surroundings, rows: results }, undefined, 2)}\n`);

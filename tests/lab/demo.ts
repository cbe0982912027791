/**
 * `npm run demo`: a small plant with an office, protected by gateways as they are shipped; real programs use it, and
 * stay to be explored until Ctrl-C. `--check` does the same without waiting and fails when anything is wrong;
 * `--json FILE` writes what was found. The network: topologies/mixed.ts.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Lab } from '#kit/lab.ts';
import { url } from '#kit/programs/curl.ts';
import { languageOf } from '#terminal/language.ts';
import { type Scene, tellStory } from './demo/story.ts';
import { tellIn } from './demo/words.ts';
import { MIXED } from './topologies/mixed.ts';

const language = languageOf(process.env);
const tell = tellIn(language);
const line = (text: string): boolean => process.stdout.write(`${text}\n`);

interface Options {
  readonly check: boolean;
  readonly json: string | undefined;
}

function readOptions(): Options {
  try {
    const options = { check: { type: 'boolean', default: false }, json: { type: 'string' } } as const;
    const { values } = parseArgs({ options });
    return { check: values.check, json: values.json };
  } catch {
    process.stderr.write(`${tell('usage')}\n`);
    process.exit(2);
  }
}

/** Gateways protect again; commands with which to look around are printed. */
async function open({ net, boxes }: Scene): Promise<void> {
  for (const box of boxes) {
    await box.start();
    await box.reaches('running');
  }
  const inside = (name: keyof Scene['net'] & ('h1' | 'h3' | 'core')) => net[name].inside([]).join(' ');
  const gateway = (name: string) => `npm run --silent gateway -- ${name} --state ${net.a.state}`;
  line('');
  line(tell('explore'));
  line(`  ${inside('h1')} curl -s ${url(MIXED.server1.v4, 'recipe')} | head -2`);
  line(`  ${inside('h1')} ping ${MIXED.server2.v6}`);
  line(`  ${inside('h3')} ping ${MIXED.server2.v4}`);
  line(`  ${inside('core')} tcpdump -n -X -i b`);
  for (const name of ['status', 'flows', 'pairs', `explain ${MIXED.h3.v4}`, 'drops']) line(`  ${gateway(name)}`);
  line(tell('explore-end'));
}

const options = readOptions();
if (process.getuid?.() !== 0) {
  process.stderr.write(`${tell('need-root')}\n`);
  process.exit(1);
}
const lab = await Lab.make('wire');
try {
  const { report, ...scene } = await tellStory(lab, language, line);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, undefined, 2)}\n`);
  if (!report.ok) process.exitCode = 1;
  if (!options.check) {
    await open(scene);
    /* The lab's own handler removes it, and the process with it. */
    await new Promise(() => setInterval(() => undefined, 60_000));
  }
} catch (error) {
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`${tell('failed', { why })}\n`);
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify({ ok: false, error: why })}\n`);
  process.exitCode = 1;
} finally {
  await lab.remove();
}

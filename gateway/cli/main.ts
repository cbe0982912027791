/**
 * `gscip-gateway`: puts the command line together with the terminal, and with the parts of the gateway that some
 * commands run in this process. Those are loaded when they are needed: `status` starts neither.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { languageOf } from '#terminal/language.ts';
import { endWithReader } from '#terminal/pipe.ts';
import type { Surroundings } from './commands.ts';
import { sayIn } from './messages.ts';
import { runCommandLine } from './program.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Characters of standard input that are read: a token is far shorter. */
const MAX_INPUT = 16_384;

async function input(prompt: string): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write(`${prompt}\n`);
  let text = '';
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk;
    if (text.length > MAX_INPUT) break;
  }
  return text.slice(0, MAX_INPUT);
}

const around: Surroundings = {
  say: sayIn(languageOf(process.env)),
  environment: process.env,
  terminal: process.stderr.isTTY === true,
  out: (line) => process.stdout.write(`${line}\n`),
  input,
  onStop: (each) => {
    process.on('SIGINT', each).on('SIGTERM', each);
    return () => process.off('SIGINT', each).off('SIGTERM', each);
  },
  pause: (ms) => pause(ms),
  start: async (options) => (await import('../main.ts')).startGateway(options),
  enrol: async (token, stateDir, { force, kind }) => {
    const [{ enrol }, { introduction }] = await Promise.all([
      import('#keys/enrol.ts'),
      import('#keys/introduction.ts'),
    ]);
    return enrol(token, stateDir, { ...introduction(kind), force });
  },
  release: async (config) => {
    const [{ release }, { plan, survey }, { HostError }, { linux }] = await Promise.all([
      import('#host/host.ts'),
      import('#host/plan.ts'),
      import('#host/problem.ts'),
      import('#host/system.ts'),
    ]);
    const target = plan(config, await survey(linux));
    /* A port that is not there cannot be opened, and must not be told as open. */
    if (target.problems.length > 0) throw new HostError(target.problems);
    await release(target);
  },
};

endWithReader();

process.exitCode = await runCommandLine(process.argv.slice(2), version, around, (line) =>
  process.stderr.write(`${line}\n`),
);

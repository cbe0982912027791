/** `gms-lite`: reads the command line, prints, ends with 0 ok, 1 failed, 2 usage. */
import type { Command } from 'commander';
import { CommanderError } from 'commander';
import { GmsError, gmsSentence } from '#gms/errors.ts';
import { languageOf } from '#terminal/language.ts';
import { translator } from './messages.ts';
import { createProgram } from './program.ts';

const language = languageOf(process.env);
const stopped = (): Promise<void> =>
  new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve());
  });

const program = createProgram({
  t: translator(language),
  env: process.env,
  out: (line) => process.stdout.write(`${line}\n`),
  err: (line) => process.stderr.write(`gms-lite: ${line}\n`),
  stopped,
});

/** Commander ends the process by itself unless each command is told not to. */
function overrideExit(command: Command): void {
  command.exitOverride();
  for (const child of command.commands) overrideExit(child);
}
overrideExit(program);

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    const text = error instanceof GmsError ? gmsSentence(error.code, error.values, language) : (error as Error).message;
    if (process.argv.includes('--json')) {
      const json =
        error instanceof GmsError ? { ...error.toJSON(), message: text } : { error: 'failed', message: text };
      process.stderr.write(`${JSON.stringify(json)}\n`);
    } else process.stderr.write(`gms-lite: ${text}\n`);
    process.exitCode = 1;
  }
}

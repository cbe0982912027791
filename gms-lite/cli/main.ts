/** `gms-lite`: reads the command line, prints, ends with 0 ok, 1 failed, 2 usage. */
import { CommanderError } from 'commander';
import { GmsError, gmsSentence } from '#gms/errors.ts';
import { languageOf } from '#terminal/language.ts';
import { endWithReader } from '#terminal/pipe.ts';
import { usageMistake } from '#terminal/usage.ts';
import { translator } from './messages.ts';
import { createProgram } from './program.ts';

endWithReader();
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

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    if (error.exitCode !== 0) {
      process.stderr.write(`gms-lite: ${usageMistake(error, language)}\n`);
      process.exitCode = 2;
    }
  } else {
    const text = error instanceof GmsError ? gmsSentence(error.code, error.values, language) : (error as Error).message;
    if (process.argv.includes('--json')) {
      const json =
        error instanceof GmsError ? { ...error.toJSON(), message: text } : { error: 'failed', message: text };
      process.stderr.write(`${JSON.stringify(json)}\n`);
    } else process.stderr.write(`gms-lite: ${text}\n`);
    process.exitCode = 1;
  }
}

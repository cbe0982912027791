/** The command line: words → commands. Commander reads them; what it says is #terminal/usage.ts's. */
import { Command, CommanderError } from 'commander';
import { DEFAULT_STATE_DIR } from '#config/state.ts';
import { speak, usageMistake } from '#terminal/usage.ts';
import type { Surroundings } from './commands.ts';
import * as commands from './commands.ts';
import { EXIT_FAILED, EXIT_MISTAKE, EXIT_OK, Failure } from './failure.ts';
import type { MessageKey } from './messages.ts';

export const PROGRAM = 'gscip-gateway';

/** Runs one command line (without node and script) and returns the exit code; mistakes and failures go to `problem`. */
export async function runCommandLine(
  words: readonly string[],
  version: string,
  around: Surroundings,
  problem: (line: string) => void,
): Promise<number> {
  let exitCode = EXIT_OK;
  const program = build(version, around, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...words], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT_OK;
      problem(`${PROGRAM}: ${usageMistake(error, around.say.language)}`);
      return EXIT_MISTAKE;
    }
    if (error instanceof Failure) {
      for (const line of error.lines) problem(error.places ? line : `${PROGRAM}: ${line}`);
      return error.exitCode;
    }
    problem(
      `${PROGRAM}: ${around.say('own-fault', { why: error instanceof Error ? (error.stack ?? error.message) : String(error) })}`,
    );
    return EXIT_FAILED;
  }
}

function build(version: string, around: Surroundings, done: (exitCode: number) => void): Command {
  const { say } = around;
  const program = new Command(PROGRAM);
  program.description(say('help-program')).version(version, '-V, --version', say('help-version'));

  const command = (name: string, help: MessageKey): Command => program.command(name).description(say(help));
  const withState = (made: Command): Command =>
    made.option('--state <dir>', say('option-state', { default: DEFAULT_STATE_DIR }));
  const withJson = (made: Command): Command => made.option('--json', say('option-json'));
  const withConfig = (made: Command): Command => made.requiredOption('--config <file>', say('option-config'));
  const withFilter = (made: Command): Command =>
    made
      .option('--device <address>', say('option-device'))
      .option('--peer <address>', say('option-peer'))
      .option('--verdict <verdict>', say('option-verdict'))
      .option('--limit <n>', say('option-limit'));
  /** Options as commander gives them, with the state directory filled in. */
  const full = <Options>(options: unknown): Options & { state: string } => ({
    state: DEFAULT_STATE_DIR,
    ...(options as Options),
  });

  withState(withConfig(command('run', 'help-run')))
    .option('--json', say('option-json-log'))
    .option('--verbose', say('option-verbose'))
    .action(async (options) => done(await commands.run(full<commands.RunOptions>(options), around)));
  withJson(withState(command('enrol', 'help-enrol')))
    .argument('<token>', say('argument-token'))
    .option('--config <file>', say('option-enrol-config'))
    .option('--force', say('option-force'))
    .action(async (token: string, options) =>
      done(await commands.enrol(token, full<commands.EnrolOptions>(options), around)),
    );
  withJson(withState(command('status', 'help-status'))).action(async (options) =>
    done(await commands.status(full(options), around)),
  );
  withJson(withFilter(withState(command('flows', 'help-flows')))).action(async (options) =>
    done(await commands.flows(full<commands.FilterOptions>(options), around)),
  );
  withJson(withFilter(withState(command('pairs', 'help-pairs')))).action(async (options) =>
    done(await commands.pairs(full<commands.FilterOptions>(options), around)),
  );
  withJson(withState(command('explain', 'help-explain')))
    .argument('<address>', say('argument-address'))
    .option('--from <device>', say('option-from'))
    .action(async (address: string, options) => done(await commands.explain(address, full(options), around)));
  withJson(withState(command('drops', 'help-drops'))).action(async (options) =>
    done(await commands.drops(full(options), around)),
  );
  withJson(withState(command('events', 'help-events'))).action(async (options) =>
    done(await commands.events(full(options), around)),
  );
  withJson(withConfig(command('check', 'help-check'))).action(async (options) =>
    done(await commands.check(options as { config: string }, around)),
  );
  withJson(withState(withConfig(command('release', 'help-release'))))
    .requiredOption('--reason <text>', say('option-reason'))
    .action(async (options) => done(await commands.release(full<commands.ReleaseOptions>(options), around)));
  speak(program, say.language, around.out);
  return program;
}

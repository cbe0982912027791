/** The commands: each takes its options and what it needs from outside, prints, and throws Failure when it cannot. */
import { mkdirSync } from 'node:fs';
import type {
  DropsView,
  EnrolledView,
  ExplainView,
  FlowsView,
  GatewayEvent,
  PairsView,
  StatusView,
} from '#api/views.ts';
import type { GatewayConfig } from '#config/config.ts';
import { loadConfig } from '#config/load.ts';
import { auditFile } from '#config/state.ts';
import { createLog, type Log } from '../log.ts';
import { audit } from './audit.ts';
import { GatewayClient, type Parameters } from './client.ts';
import { showExplain } from './explain.ts';
import { EXIT_OK, Failure, mistake, problemsFound, wordsOf } from './failure.ts';
import type { Say } from './messages.ts';
import { showDrops, showEvent, showFlows, showPairs, showStatus, word } from './show.ts';

/** A gateway that is running in this process. */
export interface Running {
  /** The exit code, when it has stopped. */
  readonly stopped: Promise<number>;
  stop(): Promise<void>;
}

/** Everything that is outside of the command line. */
export interface Surroundings {
  readonly say: Say;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Standard output is a terminal. */
  readonly terminal: boolean;
  out(line: string): void;
  /** Standard input to its end, bounded; a person at a terminal sees `prompt`. */
  input(prompt: string): Promise<string>;
  /** Calls `each` for every SIGINT and SIGTERM, until the returned function is called. */
  onStop(each: () => void): () => void;
  pause(ms: number): Promise<void>;
  start(options: { config: GatewayConfig; configText: string; stateDir: string; log: Log }): Promise<Running>;
  enrol(
    token: string,
    stateDir: string,
    options: { force: boolean; kind?: GatewayConfig['kind'] },
  ): Promise<EnrolledView>;
  /** Makes the machine pass everything unprotected. */
  release(config: GatewayConfig): Promise<void>;
}

interface WithState {
  readonly state: string;
}
interface WithJson {
  readonly json?: boolean;
}

function configFrom(file: string, { say }: Surroundings): { readonly config: GatewayConfig; readonly text: string } {
  const loaded = loadConfig(file);
  if ('problems' in loaded) throw problemsFound(loaded.problems, say);
  return { config: loaded.config, text: loaded.text ?? '' };
}

/** The state directory exists and is the owner's alone, before anything else is touched. */
function makeStateDir(state: string, { say }: Surroundings): void {
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Failure([say('state-dir', { state, why: (error as NodeJS.ErrnoException).code ?? String(error) })]);
  }
}

export interface RunOptions extends WithState, WithJson {
  readonly config: string;
  readonly verbose?: boolean;
}

/** Runs until the gateway ends by itself or a signal asks it to; further signals do not make it hurry. */
export async function run(options: RunOptions, around: Surroundings): Promise<number> {
  const { config, text } = configFrom(options.config, around);
  makeStateDir(options.state, around);
  const log = createLog({
    json: options.json === true || !around.terminal,
    level: options.verbose ? 'debug' : 'info',
  });
  let running: Running | undefined;
  let asked = false;
  const forget = around.onStop(() => {
    if (asked) return;
    asked = true;
    void running?.stop();
  });
  try {
    running = await around.start({ config, configText: text, stateDir: options.state, log });
    /* A signal that came during the start. */
    if (asked) void running.stop();
    return await running.stopped;
  } catch (error) {
    throw new Failure([around.say('run-failed', { why: wordsOf(error, around.say.language) })]);
  } finally {
    forget();
  }
}

export async function check(options: WithJson & { readonly config: string }, around: Surroundings): Promise<number> {
  const loaded = loadConfig(options.config);
  if ('problems' in loaded) {
    if (options.json) around.out(JSON.stringify({ correct: false, problems: loaded.problems }));
    throw problemsFound(loaded.problems, around.say);
  }
  const { kind } = loaded.config;
  around.out(
    options.json
      ? JSON.stringify({ correct: true, config: loaded.config })
      : around.say('check-good', { file: options.config, kind: word('kind', kind, around.say) }),
  );
  return EXIT_OK;
}

export interface EnrolOptions extends WithState, WithJson {
  readonly force?: boolean;
  /** Says the kind of a gateway that does not run. */
  readonly config?: string;
}

export async function enrol(argument: string, options: EnrolOptions, around: Surroundings): Promise<number> {
  const { say } = around;
  const token = (argument === '-' ? await around.input(say('enrol-paste')) : argument).trim();
  if (token === '') throw mistake(say('usage-token'));
  const kind = options.config === undefined ? undefined : configFrom(options.config, around).config.kind;
  makeStateDir(options.state, around);
  const force = options.force === true;
  if (force) audit(options.state, { action: 'replace-enrolment' }, around);
  const client = new GatewayClient(options.state, say);
  const running = await client.running();
  let done: EnrolledView;
  try {
    /* A running gateway has the store open, and fetches its keys at once. */
    done = running
      ? (await client.post<EnrolledView>('enrol', { token, force })).view
      : await around.enrol(token, options.state, { force, ...(kind && { kind }) });
  } catch (error) {
    throw new Failure([say('enrol-failed', { why: wordsOf(error, say.language) })]);
  }
  const { ge, name } = done;
  const lines = [say('enrol-done', { name, ge }), say(running ? 'enrol-fetching' : 'enrol-next')];
  for (const line of options.json ? [JSON.stringify({ ge, name })] : lines) around.out(line);
  return EXIT_OK;
}

/** How long a running gateway may take to stop before `release` gives up, ms, and how often it is looked at. */
const STOP_MS = 30_000;
const LOOK_MS = 100;
/** As the API bounds it. */
const MAX_REASON = 500;

export interface ReleaseOptions extends WithState, WithJson {
  readonly config: string;
  readonly reason: string;
}

/**
 * Opens the machine. In this order, each step only when the one before succeeded: check the file, record who and why,
 * stop the running gateway, open.
 */
export async function release(options: ReleaseOptions, around: Surroundings): Promise<number> {
  const { say } = around;
  const reason = options.reason.trim();
  if (reason === '' || reason.length > MAX_REASON || /\p{Cc}/u.test(reason)) throw mistake(say('usage-reason'));
  const { config } = configFrom(options.config, around);
  makeStateDir(options.state, around);
  audit(options.state, { action: 'release', reason }, around);
  await stopRunning(options.state, `release: ${reason}`.slice(0, MAX_REASON), around);
  try {
    await around.release(config);
  } catch (error) {
    throw new Failure([say('release-failed', { why: wordsOf(error, say.language) })]);
  }
  const file = auditFile(options.state);
  around.out(options.json ? JSON.stringify({ released: true, reason, audit: file }) : say('release-done', { file }));
  return EXIT_OK;
}

async function stopRunning(state: string, reason: string, around: Surroundings): Promise<void> {
  const client = new GatewayClient(state, around.say);
  if (!(await client.running())) return;
  await client.stop(reason);
  for (let waited = 0; waited < STOP_MS; waited += LOOK_MS) {
    if (!(await client.running())) return;
    await around.pause(LOOK_MS);
  }
  throw new Failure([around.say('release-still-running', { seconds: STOP_MS / 1000 })]);
}

/** Asks one question and prints the answer: for a person, or exactly as it came. */
async function ask<View>(
  path: string,
  parameters: Parameters,
  options: WithState & WithJson,
  show: (view: View, say: Say) => string[],
  around: Surroundings,
): Promise<number> {
  const { text, view } = await new GatewayClient(options.state, around.say).get<View>(path, parameters);
  for (const line of options.json ? [text] : show(view, around.say)) around.out(line);
  return EXIT_OK;
}

export interface FilterOptions extends WithState, WithJson {
  readonly device?: string;
  readonly peer?: string;
  readonly verdict?: string;
  readonly limit?: string;
}

const filter = ({ device, peer, verdict, limit }: FilterOptions): Parameters => ({ device, peer, verdict, limit });

export const status = (options: WithState & WithJson, around: Surroundings): Promise<number> =>
  ask<StatusView>('status', {}, options, showStatus, around);
export const flows = (options: FilterOptions, around: Surroundings): Promise<number> =>
  ask<FlowsView>('flows', filter(options), options, showFlows, around);
export const pairs = (options: FilterOptions, around: Surroundings): Promise<number> =>
  ask<PairsView>('pairs', filter(options), options, showPairs, around);
export const drops = (options: WithState & WithJson, around: Surroundings): Promise<number> =>
  ask<DropsView>('drops', {}, options, showDrops, around);
export const explain = (
  address: string,
  options: WithState & WithJson & { readonly from?: string },
  around: Surroundings,
): Promise<number> => ask<ExplainView>('explain', { address, from: options.from }, options, showExplain, around);

/** Follows until a signal; the gateway's end is told as a failure, because a script that watches must notice. */
export async function events(options: WithState & WithJson, around: Surroundings): Promise<number> {
  const interrupted = new AbortController();
  const forget = around.onStop(() => interrupted.abort());
  try {
    const client = new GatewayClient(options.state, around.say);
    const show = (json: string): void =>
      around.out(options.json ? json : showEvent(JSON.parse(json) as GatewayEvent, around.say));
    if (await client.events(show, interrupted.signal)) return EXIT_OK;
    throw new Failure([around.say('connection-ended')]);
  } finally {
    forget();
  }
}

/** Programs of a lab: run to their end, or running while their lines are read. No shell is involved. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';

/** What a program printed and how it ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Output of one command: more than any listing of a lab. */
const MAX_OUTPUT_BYTES = 64 << 20;

/** Runs a program to its end, whatever its exit code; `input` goes to its standard input. */
export function runToEnd(words: readonly string[], input = ''): Promise<Ended> {
  const [program, ...args] = words;
  return new Promise((resolve, reject) => {
    const child = execFile(program, args, { maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      const code = child.exitCode;
      if (code !== null && code >= 0) resolve({ code, stdout, stderr });
      else reject(new Error(`${words.join(' ')}: ${stderr || error?.message}`));
    });
    child.stdin?.on('error', () => undefined); // the program ended without reading it
    child.stdin?.end(input);
  });
}

/** Runs a program that must succeed; returns what it printed. @throws Error with its command and what it said */
export async function run(words: readonly string[], input = ''): Promise<string> {
  const { code, stdout, stderr } = await runToEnd(words, input);
  if (code !== 0) throw new Error(`${words.join(' ')} (exit code ${code}): ${stderr || stdout}`);
  return stdout;
}

/** Between two looks at a condition, ms. */
const LOOK_MS = 20;

/** Looks until `condition` gives something else than undefined or false, at most `tries` times. */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false>,
  tries = 1_500,
): Promise<T> {
  for (let i = 0; i < tries; i++) {
    const found = await condition();
    if (found !== undefined && found !== false) return found;
    await pause(LOOK_MS);
  }
  throw new Error(`in vain: ${what}`);
}

/** Lines that arrive; `next` waits for one that fits and does not look at earlier ones again. */
export class Lines {
  readonly all: string[] = [];
  #seen = 0;
  #ended = false;
  readonly #waiting: (() => void)[] = [];

  push(line: string): void {
    this.all.push(line);
    this.#wake();
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  #wake(): void {
    for (const w of this.#waiting.splice(0)) w();
  }

  /** @throws Error when the lines end without one that fits */
  async next(fits: RegExp | ((line: string) => boolean)): Promise<string> {
    const wanted = fits instanceof RegExp ? (line: string) => fits.test(line) : fits;
    for (;;) {
      while (this.#seen < this.all.length) {
        const line = this.all[this.#seen++];
        if (wanted(line)) return line;
      }
      if (this.#ended) throw new Error(`ended without a line like ${fits}:\n${this.all.slice(-40).join('\n')}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** A running program. Its standard error and, unless it is taken raw, its standard output are read as lines. */
export class Program {
  readonly name: string;
  readonly child: ChildProcess;
  readonly out = new Lines();
  readonly err = new Lines();
  /** Exit code, or the signal's name, when it has ended and everything it printed was read. */
  readonly ended: Promise<number | NodeJS.Signals>;

  constructor(
    words: readonly string[],
    options: { readonly rawOutput?: boolean; readonly env?: NodeJS.ProcessEnv } = {},
  ) {
    const [program, ...args] = words;
    this.name = words.join(' ');
    this.child = spawn(program, args, { stdio: 'pipe', env: { ...process.env, ...options.env } });
    this.child.stdin?.on('error', () => undefined);
    if (!options.rawOutput) createInterface({ input: this.child.stdout! }).on('line', (l) => this.out.push(l));
    createInterface({ input: this.child.stderr! }).on('line', (l) => this.err.push(l));
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => this.err.push(error.message));
      this.child.once('close', (code, signal) => {
        this.out.end();
        this.err.end();
        resolve(signal ?? code ?? -1);
      });
    });
  }

  get running(): boolean {
    return this.child.pid !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  /** @throws Error that says what the program printed, unless it ends with 0 */
  async succeed(): Promise<void> {
    const end = await this.ended;
    if (end !== 0)
      throw new Error(`${this.name} (${end}): ${[...this.err.all, ...this.out.all].slice(-20).join('\n')}`);
  }

  /** Sends a signal to this process alone, and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    if (this.running) this.child.kill(signal);
    return await this.ended;
  }
}

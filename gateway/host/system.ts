/**
 * The edge between this folder and Linux: programs run without a shell, and files below /proc/sys and /run. Everything
 * else in `host/` is decisions, so a test can stop it after any number of touches by handing in another System.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdir, open, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { CommandError } from './problem.ts';

export type Command = 'ip' | 'nft' | 'ethtool';

export interface Monitor {
  readonly pid: number;
  /** Ends the child; resolves when it is gone. */
  close(): Promise<void>;
}

export interface System {
  /** Runs a program to its end and gives its standard output. Throws CommandError with its standard error. */
  run(command: Command, args: readonly string[], input?: string): Promise<string>;
  /** A file's text; undefined when it is not there or cannot be read. */
  read(path: string): Promise<string | undefined>;
  /** Writes a kernel setting below /proc/sys. */
  set(path: string, value: string): Promise<void>;
  /** Writes a file whole or not at all, readable by root only. */
  save(path: string, text: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** What tells this network namespace from the others of this boot. */
  namespace(): Promise<string>;
  /** A program that reports changes, line by line, until it is closed; `onEnd` only when it ends by itself. */
  monitor(command: Command, args: readonly string[], onLine: (line: string) => void, onEnd: () => void): Monitor;
}

/* The programs' words are parsed: no translation. Debian keeps them in sbin, which a service's PATH may lack. */
const ENVIRONMENT = {
  LC_ALL: 'C',
  PATH: `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin`,
};
const RUN_TIMEOUT = 10_000; /* ms; a hung netlink call must not hang the start */
const OUTPUT_LIMIT = 64 * 1024 * 1024; /* bytes; a router may hold a full routing table */

export const linux: System = {
  run(command, args, input) {
    return new Promise((resolve, reject) => {
      const options = { env: ENVIRONMENT, timeout: RUN_TIMEOUT, maxBuffer: OUTPUT_LIMIT };
      const child = execFile(command, [...args], options, (error, stdout, stderr) => {
        if (error) reject(new CommandError(command, args, stderr || error.message));
        else resolve(stdout);
      });
      /* A program that ends without reading its input is judged by its exit code, not by EPIPE. */
      child.stdin?.on('error', () => {});
      child.stdin?.end(input ?? '');
    });
  },

  async read(path) {
    return await readFile(path, 'utf8').catch(() => undefined);
  },

  async set(path, value) {
    await writeFile(path, value);
  },

  async save(path, text) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const draft = `${path}.new`;
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  },

  async remove(path) {
    await rm(path, { force: true });
  },

  async namespace() {
    return (await readlink('/proc/self/ns/net')).replace(/\D/g, '');
  },

  monitor(command, args, onLine, onEnd) {
    const child = spawn(command, [...args], { env: ENVIRONMENT, stdio: ['ignore', 'pipe', 'ignore'] });
    let closing = false;
    const gone = new Promise<void>((resolve) => {
      const end = () => {
        resolve();
        if (!closing) onEnd();
      };
      child.once('error', end);
      child.once('exit', end);
    });
    createInterface({ input: child.stdout }).on('line', onLine);
    return {
      pid: child.pid ?? 0,
      async close() {
        closing = true;
        child.kill();
        await gone;
      },
    };
  },
};

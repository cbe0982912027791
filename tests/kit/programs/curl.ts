/** curl as a legacy client: a download, what became of it, and the checksum of what arrived. */
import { createHash } from 'node:crypto';
import type { Machine } from '../machine.ts';
import type { Program } from '../process.ts';

export interface Download {
  /** 0: everything arrived. See curl(1), EXIT CODES. */
  readonly exitCode: number;
  /** HTTP status, 0 without an answer. */
  readonly status: number;
  readonly bytes: number;
  /** SHA-256 of what arrived, hex. */
  readonly checksum: string;
  /** Seconds from the start until the TCP connection stood. */
  readonly connectSeconds: number;
  readonly seconds: number;
}

export interface RunningDownload {
  readonly program: Program;
  /** Fulfilled when that many bytes have arrived. */
  reached(bytes: number): Promise<void>;
  /** Takes what lies behind `holdAt`. */
  release(): void;
  readonly done: Promise<Download>;
}

/** http://ADDRESS:PORT/NAME, with brackets for IPv6. */
export const url = (address: string, name: string, port = 80): string =>
  `http://${address.includes(':') ? `[${address}]` : address}:${port}/${name}`;

export interface DownloadOptions {
  /** curl gives up when no connection stands after this, seconds. */
  readonly connectTimeout?: number;
  /** Bytes a second at most, as curl's --limit-rate. */
  readonly limitRate?: string;
  /** So many bytes are taken before `release`, and some that are on their way: what is longer does not end before. */
  readonly holdAt?: number;
}

export function startDownload(machine: Machine, from: string, options: DownloadOptions = {}): RunningDownload {
  const { connectTimeout = 10, limitRate, holdAt = Number.POSITIVE_INFINITY } = options;
  const limits = ['--connect-timeout', String(connectTimeout), ...(limitRate ? ['--limit-rate', limitRate] : [])];
  const words = ['curl', '-q', '--globoff', '--silent', '--write-out', '%{stderr}%{json}\n', ...limits, from];
  const program = machine.start(words, { rawOutput: true });
  const hash = createHash('sha256');
  let bytes = 0;
  let held = true;
  const marks: { bytes: number; reached: () => void; failed: (e: Error) => void }[] = [];
  program.child.stdout!.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    bytes += chunk.length;
    for (const m of marks) if (bytes >= m.bytes) m.reached();
    if (held && bytes >= holdAt) program.child.stdout!.pause();
  });
  const release = (): void => {
    held = false;
    program.child.stdout!.resume();
  };
  const done = program.ended.then((end): Download => {
    for (const m of marks) m.failed(new Error(`the download ended at ${bytes} of ${m.bytes} bytes`));
    const facts = JSON.parse(program.err.all.findLast((l) => l.startsWith('{')) ?? '{}') as CurlFacts;
    return {
      exitCode: typeof end === 'number' ? end : -1,
      status: facts.response_code ?? 0,
      bytes,
      checksum: hash.digest('hex'),
      connectSeconds: facts.time_connect ?? 0,
      seconds: facts.time_total ?? 0,
    };
  });
  const reached = (wanted: number) =>
    new Promise<void>((resolve, reject) => {
      if (bytes >= wanted) resolve();
      else marks.push({ bytes: wanted, reached: resolve, failed: reject });
    });
  return { program, reached, release, done };
}

interface CurlFacts {
  readonly response_code?: number;
  readonly time_connect?: number;
  readonly time_total?: number;
}

export function download(machine: Machine, from: string, options: DownloadOptions = {}): Promise<Download> {
  return startDownload(machine, from, options).done;
}

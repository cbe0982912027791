/** ping: echo requests, answers and their times. */
import type { Machine } from '../machine.ts';
import { PING_MARKER } from '../payload.ts';
import type { Program } from '../process.ts';

const PATTERN = ['-p', Buffer.from(PING_MARKER).toString('hex')];

export interface PingResult {
  readonly sent: number;
  readonly answered: number;
  /** Of each answer, in order. */
  readonly milliseconds: readonly number[];
}

export interface PingOptions {
  readonly count?: number;
  /** Seconds between two requests. */
  readonly interval?: number;
  /** Payload bytes. */
  readonly size?: number;
  /** Seconds that the last answer may take. */
  readonly wait?: number;
  /** `-M do`: not to be fragmented; `dont`: may be. */
  readonly discovery?: 'do' | 'dont';
}

/** Pings `address`, IPv4 or IPv6; each request is sent once. The payload bears PING_MARKER. */
export async function ping(machine: Machine, address: string, options: PingOptions = {}): Promise<PingResult> {
  const { count = 1, interval = 0.2, size = 56, wait = 2, discovery } = options;
  const how = ['-n', '-c', String(count), '-i', String(interval), '-s', String(size), '-W', String(wait)];
  const more = discovery === undefined ? [] : ['-M', discovery];
  const { stdout, stderr } = await machine.try('ping', ...how, ...PATTERN, ...more, address);
  const counts = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  if (counts === null) throw new Error(`ping ${address}: ${stderr || stdout}`);
  const milliseconds = [...stdout.matchAll(/ time=([\d.]+) ms/g)].map((m) => Number(m[1]));
  return { sent: Number(counts[1]), answered: Number(counts[2]), milliseconds };
}

/** Pings `address` every so many seconds until it is stopped. The payload bears PING_MARKER. */
export function startPinging(machine: Machine, address: string, interval: number): Program {
  return machine.start(['ping', '-n', '-q', '-i', String(interval), ...PATTERN, address]);
}

/** Where figures come from: without it they say nothing. */
import { cpus, loadavg, release, type } from 'node:os';
import type { Profile } from '#kit/machine.ts';
import { run } from '#kit/process.ts';
import type { BenchLab } from './lab.ts';
import type { Mode } from './modes.ts';

export interface Environment {
  readonly cpu: string;
  readonly cpus: number;
  readonly kernel: string;
  readonly node: string;
  readonly iperf3: string;
  /** In the order they were measured. */
  readonly profiles: readonly Profile[];
  /** Of the hosts on both sides. */
  readonly congestionControl: string;
  /** Each gateway of ours; absent where there is none. */
  readonly gateways?: { readonly workers: number; readonly cipher: string };
  readonly peers: readonly { readonly peer: Mode; readonly version: string; readonly settings: string }[];
  /** Modes that were asked for and could not be had. */
  readonly missing: readonly Missing[];
  /** Of the machine before the run, over 1, 5 and 15 minutes: other work makes figures worse. */
  readonly loadAverage: readonly number[];
}

export interface Missing {
  readonly mode: Mode;
  readonly reason: string;
}

/** @throws Error when labs differ in what must be equal */
export async function environmentOf(
  labs: readonly BenchLab[],
  missing: readonly Missing[],
  profiles: readonly Profile[],
  loadAverage: readonly number[],
): Promise<Environment> {
  const hosts = labs.flatMap(({ h1, h2 }) => [h1, h2]);
  const controls = await Promise.all(hosts.map((h) => h.run('sysctl', '-n', 'net.ipv4.tcp_congestion_control')));
  const congestion = new Set(controls.map((c) => c.trim()));
  if (congestion.size > 1) throw new Error(`hosts differ in congestion control: ${[...congestion].join(', ')}`);
  const gateway = labs.flatMap(({ gateways }) => gateways)[0];
  const status = await gateway?.status();
  return {
    cpu: cpus()[0]?.model.trim() ?? '?',
    cpus: cpus().length,
    kernel: `${type()} ${release()}`,
    node: process.version,
    iperf3: (await run(['iperf3', '--version'])).split('\n', 1)[0],
    profiles,
    congestionControl: [...congestion][0] ?? '–',
    ...(status !== undefined && { gateways: { workers: status.workers, cipher: status.cipher } }),
    peers: labs.flatMap(({ mode, tunnel }) =>
      tunnel === undefined ? [] : [{ peer: mode, version: tunnel.version, settings: tunnel.settings }],
    ),
    missing,
    loadAverage,
  };
}

export const loadNow = (): readonly number[] => loadavg();

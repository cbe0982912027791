/** Where figures come from: without it they say nothing. */
import { cpus, loadavg, release, type } from 'node:os';
import type { Profile } from '#kit/machine.ts';
import type { SideBySide } from './lab.ts';

export interface Environment {
  readonly cpu: string;
  readonly cpus: number;
  readonly kernel: string;
  readonly node: string;
  readonly iperf3: string;
  readonly profile: Profile;
  /** Of the hosts on both sides. */
  readonly congestionControl: string;
  /** Of each gateway. */
  readonly workers: number;
  readonly cipher: string;
  /** Of the machine before the run, over 1, 5 and 15 minutes: other work makes figures worse. */
  readonly loadAverage: readonly number[];
}

/** @throws Error when the sides differ in what must be equal */
export async function environmentOf(labs: SideBySide, loadAverage: readonly number[]): Promise<Environment> {
  const hosts = [labs.plain, labs.sealed].flatMap(({ h1, h2 }) => [h1, h2]);
  const controls = await Promise.all(hosts.map((h) => h.run('sysctl', '-n', 'net.ipv4.tcp_congestion_control')));
  const congestion = new Set(controls.map((c) => c.trim()));
  if (congestion.size !== 1) throw new Error(`hosts differ in congestion control: ${[...congestion].join(', ')}`);
  const { workers, cipher } = await labs.sealed.a.status();
  const iperf3 = (await labs.plain.h1.run('iperf3', '--version')).split('\n', 1)[0];
  return {
    cpu: cpus()[0]?.model.trim() ?? '?',
    cpus: cpus().length,
    kernel: `${type()} ${release()}`,
    node: process.version,
    iperf3,
    profile: labs.profile,
    congestionControl: [...congestion][0],
    workers,
    cipher,
    loadAverage,
  };
}

export const loadNow = (): readonly number[] => loadavg();

/**
 * Small datagrams per second. A sender without a limit takes the processors that forwarding needs, so several offers
 * are made in every mode, and the one of which most arrived counts.
 */
import type { Machine } from '#kit/machine.ts';
import { iperf } from '#kit/programs/iperf3.ts';
import type { BenchLab } from './lab.ts';

export const DATAGRAMS = {
  bytes: 64,
  /** Of each offer. */
  seconds: 1,
  /** Datagrams per second; 0: as many as iperf3 makes. */
  offers: [0, 250_000, 150_000, 80_000],
} as const;

/** The most datagrams per second that reached UDP on the far host. */
export async function datagramsPerSecond({ h1, h2, far }: BenchLab): Promise<number> {
  const { bytes, seconds, offers } = DATAGRAMS;
  let most = 0;
  for (const rate of offers) {
    const before = await reached(h2);
    await iperf(h1, far, { seconds, datagramBytes: bytes, bitrate: String(rate * bytes * 8) });
    most = Math.max(most, ((await reached(h2)) - before) / seconds);
  }
  return most;
}

/** Datagrams that reached UDP: those that the program read, and those for which its socket had no room. */
async function reached(machine: Machine): Promise<number> {
  return (await machine.counter('Udp', 'InDatagrams')) + (await machine.counter('Udp', 'RcvbufErrors'));
}

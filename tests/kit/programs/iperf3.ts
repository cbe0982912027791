/** iperf3: streams that are as fast as the path allows. */
import type { Machine } from '../machine.ts';

export interface IperfResult {
  /** What arrived, bits per second. */
  readonly bitsPerSecond: number;
  /** UDP only: datagrams that arrived, per second, and the share that did not. */
  readonly datagramsPerSecond: number;
  readonly lostRatio: number;
  readonly retransmits: number;
}

export interface IperfOptions {
  readonly seconds?: number;
  /** UDP datagrams of this many payload bytes, as many as the sender can make; TCP when absent. */
  readonly datagramBytes?: number;
  readonly reverse?: boolean;
  readonly streams?: number;
  /** What the sender keeps to, such as 50M; as much as it can otherwise. */
  readonly bitrate?: string;
}

export const IPERF_PORT = 5201;

export async function startIperfServer(machine: Machine): Promise<void> {
  const server = machine.start(['iperf3', '--server', '--forceflush', '--port', String(IPERF_PORT)]);
  await server.out.next(/Server listening/);
}

interface IperfSums {
  readonly bits_per_second: number;
  readonly seconds: number;
  readonly retransmits?: number;
  readonly packets?: number;
  readonly lost_packets?: number;
}

/** One run against the server on the machine that has `address`. @throws Error with what iperf3 says */
export async function iperf(machine: Machine, address: string, options: IperfOptions = {}): Promise<IperfResult> {
  const { seconds = 2, datagramBytes, reverse = false, streams = 1, bitrate = '0' } = options;
  const udp = datagramBytes === undefined ? [] : ['--udp', '--length', String(datagramBytes)];
  const more = [...udp, ...(reverse ? ['--reverse'] : []), '--parallel', String(streams), '--bitrate', bitrate];
  const words = [
    'iperf3',
    '--client',
    address,
    '--port',
    String(IPERF_PORT),
    '--json',
    '--time',
    String(seconds),
    ...more,
  ];
  const { stdout, stderr } = await machine.try(...words);
  const report = JSON.parse(stdout === '' ? '{}' : stdout) as {
    error?: string;
    end?: { sum_received?: IperfSums; sum_sent?: IperfSums; sum?: IperfSums };
  };
  const sums = datagramBytes === undefined ? report.end?.sum_received : (report.end?.sum_received ?? report.end?.sum);
  if (report.error !== undefined || sums === undefined) throw new Error(`iperf3: ${report.error ?? stderr}`);
  const { packets = 0, lost_packets: lost = 0 } = report.end?.sum ?? {};
  return {
    bitsPerSecond: sums.bits_per_second,
    datagramsPerSecond: packets === 0 ? 0 : (packets - lost) / sums.seconds,
    lostRatio: packets === 0 ? 0 : lost / packets,
    retransmits: report.end?.sum_sent?.retransmits ?? 0,
  };
}

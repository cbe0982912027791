/** dnsmasq as the DNS server of a plant, dig as its client: one datagram each way. */
import type { Machine } from '../machine.ts';

/** Serves `names` (name → address), and nothing else. */
export async function startNameServer(machine: Machine, names: Readonly<Record<string, string>>): Promise<void> {
  const records = Object.entries(names).map(([name, address]) => `--host-record=${name},${address}`);
  const own = ['--no-daemon', '--conf-file=/dev/null', '--no-resolv', '--no-hosts', '--pid-file=', '--user=root'];
  machine.start(['dnsmasq', ...own, '--port=53', ...records]);
  await machine.listening('udp', 53);
}

export interface NameAnswer {
  readonly addresses: readonly string[];
  /** undefined without an answer */
  readonly milliseconds: number | undefined;
}

/** Asks once, in one datagram; waits at most `seconds`. */
export async function ask(
  machine: Machine,
  server: string,
  name: string,
  type: 'A' | 'AAAA' = 'A',
  seconds = 5,
): Promise<NameAnswer> {
  const how = ['+tries=1', `+time=${seconds}`, '+noedns', '+noall', '+answer', '+stats'];
  const { stdout } = await machine.try('dig', `@${server}`, name, type, ...how);
  const addresses = [...stdout.matchAll(/\sIN\s+(?:A|AAAA)\s+(\S+)$/gm)].map((m) => m[1]);
  const time = /Query time: (\d+) msec/.exec(stdout)?.[1];
  return { addresses, milliseconds: time === undefined ? undefined : Number(time) };
}

/** The servers of a plant on one machine, and a visit to them by everything a device uses. */
import type { Lab } from './lab.ts';
import type { Machine } from './machine.ts';
import { MARKER, NAME_MARKER, type Payload } from './payload.ts';
import { download, url } from './programs/curl.ts';
import { ask, startNameServer } from './programs/dns.ts';
import { iperf, startIperfServer } from './programs/iperf3.ts';
import { WebServer } from './programs/nginx.ts';
import { ping } from './programs/ping.ts';
import { ShellServer } from './programs/ssh.ts';

const FILE = 'recipe';
/** The one name that the name server knows. */
export const SERVED_NAME = `${NAME_MARKER}.lab`;
const NAMED = '192.0.2.7';

/** A stream that leaves a capture on its way the time to write every frame. */
const STREAM = '50M';

export interface Services {
  readonly web: WebServer;
  readonly shell: ShellServer;
  readonly file: Payload;
}

/** Starts nginx with one file of `bytes`, sshd, dnsmasq and iperf3. */
export async function startServices(lab: Lab, machine: Machine, bytes: number): Promise<Services> {
  const web = await WebServer.start(lab, machine);
  const file = web.file(FILE, bytes);
  const shell = await ShellServer.start(lab, machine);
  await startNameServer(machine, { [SERVED_NAME]: NAMED });
  await startIperfServer(machine);
  return { web, shell, file };
}

/** What one program saw of one address. */
export interface Visit {
  readonly program: 'ping' | 'dig' | 'curl' | 'ssh' | 'iperf3';
  readonly address: string;
  readonly good: boolean;
  /** In the program's own measure. */
  readonly seen: string;
}

/** Uses each service at `address` once, one after the other. */
export async function visit(from: Machine, services: Services, address: string): Promise<Visit[]> {
  const visits: Visit[] = [];
  const tell = (program: Visit['program'], good: boolean, seen: string) =>
    visits.push({ program, address, good, seen });

  const echo = await ping(from, address);
  tell('ping', echo.answered === 1, `${echo.milliseconds[0] ?? '–'} ms`);
  const answer = await ask(from, address, SERVED_NAME);
  tell('dig', answer.addresses[0] === NAMED, `${answer.addresses[0] ?? '–'}`);
  const got = await download(from, url(address, FILE));
  const whole = got.status === 200 && got.checksum === services.file.checksum;
  tell('curl', whole, `${got.bytes} B, sha256 ${got.checksum.slice(0, 16)}…`);
  const session = await services.shell.login(from, address, 'echo', MARKER);
  tell('ssh', session.code === 0 && session.stdout === `${MARKER}\n`, session.stdout.trim() || session.stderr.trim());
  const stream = await iperf(from, address, { seconds: 1, bitrate: STREAM });
  tell('iperf3', stream.bitsPerSecond > 0, `${(stream.bitsPerSecond / 1e6).toFixed(0)} Mbit/s`);
  return visits;
}

/** The visits that did not go as they should; empty when all did. */
export const failedVisits = (visits: readonly Visit[]): Visit[] => visits.filter((v) => !v.good);

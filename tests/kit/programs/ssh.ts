/** sshd with a host key of its own, and ssh that logs in by key. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '../lab.ts';
import type { Machine } from '../machine.ts';
import { type Ended, run } from '../process.ts';

/** sshd's folder for its unprivileged part; Debian's unit makes it at boot. */
const PRIVILEGE_SEPARATION = '/run/sshd';

export class ShellServer {
  readonly #folder: string;
  readonly #port: number;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async start(lab: Lab, machine: Machine, port = 22): Promise<ShellServer> {
    const folder = lab.directory(`sshd-${machine.name}`);
    chmodSync(folder, 0o700);
    mkdirSync(PRIVILEGE_SEPARATION, { recursive: true, mode: 0o755 });
    for (const key of ['host', 'client']) {
      await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', join(folder, key)]);
    }
    const settings = {
      HostKey: join(folder, 'host'),
      AuthorizedKeysFile: join(folder, 'client.pub'),
      PidFile: 'none',
      Port: String(port),
      PermitRootLogin: 'prohibit-password',
      PasswordAuthentication: 'no',
      KbdInteractiveAuthentication: 'no',
      StrictModes: 'no',
      UsePAM: 'no',
      UseDNS: 'no',
    };
    const file = join(folder, 'sshd_config');
    writeFileSync(
      file,
      Object.entries(settings)
        .map(([k, v]) => `${k} ${v}\n`)
        .join(''),
    );
    machine.start(['/usr/sbin/sshd', '-D', '-e', '-f', file]);
    await machine.listening('tcp', port);
    return new ShellServer(folder, port);
  }

  /** Runs a command on the machine that has `address`. */
  login(from: Machine, address: string, ...command: string[]): Promise<Ended> {
    const known = join(this.#folder, 'known');
    const [type, key] = readFileSync(join(this.#folder, 'host.pub'), 'utf8').split(' ');
    writeFileSync(known, `* ${type} ${key}\n`);
    const options = {
      BatchMode: 'yes',
      ConnectTimeout: '10',
      IdentitiesOnly: 'yes',
      UserKnownHostsFile: known,
      GlobalKnownHostsFile: '/dev/null',
      HashKnownHosts: 'no',
      StrictHostKeyChecking: 'yes',
    };
    const words = Object.entries(options).flatMap(([k, v]) => ['-o', `${k}=${v}`]);
    const who = [
      '-F',
      '/dev/null',
      '-i',
      join(this.#folder, 'client'),
      '-p',
      String(this.#port),
      '-l',
      'root',
      address,
    ];
    return from.try('ssh', ...words, ...who, ...command);
  }
}

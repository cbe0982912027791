/**
 * Debian packages of the benchmark and the profiles (packages.txt), installed when they are missing. Nothing of them
 * may run on the machine itself: Debian is kept from starting their services, now and after the next start.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { run, runToEnd } from '#kit/process.ts';

const LIST = new URL('./packages.txt', import.meta.url);
/** Debian asks this before it starts a service of a new package. */
const GUARD = '/usr/sbin/policy-rc.d';
const SYSTEMCTL = '/usr/bin/systemctl';
const SERVICES = ['strongswan.service'];

const wanted = (): string[] =>
  readFileSync(LIST, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

/** Version of an installed package; undefined when it is not installed. */
async function installed(name: string): Promise<string | undefined> {
  const { stdout } = await runToEnd(['dpkg-query', '-W', `-f=\${db:Status-Status} \${Version}`, name]);
  const [status, version] = stdout.split(' ');
  return status === 'installed' ? version : undefined;
}

/** @throws Error when it is not installed */
export async function packageVersion(name: string): Promise<string> {
  const version = await installed(name);
  if (version === undefined) throw new Error(`the Debian package ${name} is not installed`);
  return version;
}

/** Installs what is missing; `announce` is told the names first. @throws Error with what apt-get says */
export async function installPackages(announce: (names: readonly string[]) => void): Promise<void> {
  const missing: string[] = [];
  for (const name of wanted()) if ((await installed(name)) === undefined) missing.push(name);
  if (missing.length === 0) return;
  announce(missing);
  const guarded = existsSync(GUARD);
  if (!guarded) writeFileSync(GUARD, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    const apt = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-qq'];
    await run([...apt, 'update']);
    await run([...apt, 'install', '-y', '--no-install-recommends', ...missing]);
  } finally {
    if (!guarded) rmSync(GUARD, { force: true });
  }
  if (!existsSync(SYSTEMCTL)) return;
  for (const service of SERVICES) await runToEnd([SYSTEMCTL, 'disable', '--quiet', service]);
}

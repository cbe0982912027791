/** wireguard-go as it comes: its own MTU, queue and number of threads. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { run, until } from '#kit/process.ts';
import { packageVersion } from '../../packages.ts';
import { SITES, type Site } from './sites.ts';
import type { Tunnel } from './tunnel.ts';

const PORT = 51_820;
/** Gw-b ignores who begins again within 20 ms of the last time, and would be asked again only after 5 s. */
const APART_MS = 60;

interface Member {
  readonly site: Site;
  readonly machine: Machine;
  /** Its control socket is called after it, and is seen by the whole machine: no two labs may use the same. */
  readonly link: string;
  readonly keyFile: string;
  readonly publicKey: string;
}

export async function wireGuard(lab: Lab): Promise<Tunnel> {
  const members: Member[] = [];
  for (const site of SITES) members.push(await start(lab, site));
  const [a, b] = members;
  for (const [own, other] of [[a, b] as const, [b, a] as const]) {
    await own.machine.run('wg', 'set', own.link, 'private-key', own.keyFile, 'listen-port', String(PORT));
    await know(own, other);
    await own.machine.ip('link', 'set', 'dev', own.link, 'up');
    await own.machine.ip('route', 'add', own.site.otherNetwork, 'dev', own.link);
  }
  const [{ mtu }] = JSON.parse(await a.machine.ip('-j', 'link', 'show', 'dev', a.link)) as [{ mtu: number }];
  const version = (await run(['wireguard-go', '--version'])).split('\n', 1)[0];
  return {
    version: `${version} (${await packageVersion('wireguard-go')})`,
    settings: `MTU ${mtu}, ChaCha20-Poly1305`,
    forget: async () => {
      await pause(APART_MS);
      await a.machine.run('wg', 'set', a.link, 'peer', b.publicKey, 'remove');
      await know(a, b);
    },
  };
}

const know = async (own: Member, { publicKey }: Member): Promise<void> => {
  const { other, otherNetwork } = own.site;
  const peer = ['peer', publicKey, 'allowed-ips', otherNetwork, 'endpoint', `${other}:${PORT}`];
  await own.machine.run('wg', 'set', own.link, ...peer);
};

async function start(lab: Lab, site: Site): Promise<Member> {
  const machine = lab.machines.find((m) => m.name === site.name)!;
  const link = `wg${site.name.slice(-1)}${process.pid}`;
  const key = await run(['wg', 'genkey']);
  const keyFile = join(lab.directory(site.name), 'key');
  writeFileSync(keyFile, key, { mode: 0o600 });
  const program = machine.start(['wireguard-go', '--foreground', link], { env: { LOG_LEVEL: 'error' } });
  lab.atEnd(() => program.stop()); // it removes its control socket
  await until(`${link} is there`, async () => {
    if (!program.running)
      throw new Error(`wireguard-go ended: ${program.err.all.filter((l) => !/[│┌└]/.test(l)).join('\n')}`);
    return (await machine.try('wg', 'show', link)).code === 0;
  });
  return { site, machine, link, keyFile, publicKey: (await run(['wg', 'pubkey'], key)).trim() };
}

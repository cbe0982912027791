/**
 * strongSwan with kernel-libipsec: IKEv2 with a shared secret (its cheapest authentication), X25519, ESP in UDP through
 * a TUN device. The plugin `aesni` stands before `openssl`: with it a stream is a third faster.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from '#kit/lab.ts';
import type { Machine } from '#kit/machine.ts';
import { until } from '#kit/process.ts';
import { packageVersion } from '../../packages.ts';
import { SITES, type Site } from './sites.ts';
import type { Tunnel } from './tunnel.ts';

const ESP = 'aes256gcm16';
const IKE = 'aes256gcm16-prfsha256-x25519';
const PLUGINS = 'random nonce aesni openssl pem pkcs1 kdf kernel-libipsec kernel-netlink socket-default vici';

interface Daemon {
  readonly site: Site;
  readonly machine: Machine;
  readonly log: string;
  /** swanctl, for this daemon. @throws Error with what it says */
  command(...words: string[]): Promise<string>;
}

export async function strongSwan(lab: Lab): Promise<Tunnel> {
  const [a, b] = [await start(lab, SITES[0]), await start(lab, SITES[1])];
  await a.command('--initiate', '--child', 'net');
  for (const { machine } of [a, b]) {
    await until('the route into the tunnel stands', async () =>
      (await machine.try('ip', 'route', 'show', 'table', '220')).stdout.includes('ipsec0'),
    );
  }
  const [{ mtu }] = JSON.parse(await a.machine.ip('-j', 'link', 'show', 'dev', 'ipsec0')) as [{ mtu: number }];
  return {
    version: await packageVersion('charon-systemd'),
    settings: `kernel-libipsec, MTU ${mtu}, ESP ${ESP}, IKEv2 ${IKE} with a shared secret`,
    initiate: async (count) => {
      let total = 0;
      for (let i = 0; i < count; i++) {
        await a.command('--terminate', '--ike', 'tunnel');
        const before = readFileSync(a.log, 'utf8').length;
        await a.command('--initiate', '--child', 'net');
        total += negotiated(readFileSync(a.log, 'utf8').slice(before));
      }
      return total / count;
    },
  };
}

/**
 * Milliseconds from the start of IKE to a usable CHILD_SA, as charon logs them. Its clock shows whole ones; over many
 * negotiations the mean does better.
 */
export function negotiated(log: string): number {
  const at = (what: RegExp): number => {
    const line = log.split('\n').findLast((l) => what.test(l));
    if (line === undefined) throw new Error(`charon has not logged ${what}: ${log}`);
    return 1_000 * Number(line.split(' ', 1)[0]);
  };
  return at(/\[IKE\] CHILD_SA net\S* established/) - at(/\[IKE\] initiating IKE_SA/);
}

async function start(lab: Lab, site: Site): Promise<Daemon> {
  const machine = lab.machines.find((m) => m.name === site.name)!;
  const folder = lab.directory(site.name);
  const [socket, log] = [`unix://${join(folder, 'vici')}`, join(folder, 'log')];
  const [settings, connections] = [join(folder, 'strongswan.conf'), join(folder, 'swanctl.conf')];
  writeFileSync(settings, settingsFile(socket, log));
  writeFileSync(connections, connectionsFile(site), { mode: 0o600 });
  const env = { STRONGSWAN_CONF: settings };
  const program = machine.start(['charon-systemd'], { env });
  lab.atEnd(() => program.stop());
  const command = (...words: string[]): Promise<string> =>
    machine.run('env', `STRONGSWAN_CONF=${settings}`, 'swanctl', ...words, '--uri', socket);
  await until(`charon on ${site.name} answers`, async () => {
    if (!program.running) throw new Error(`charon: ${program.err.all.join('\n')}`);
    return (await machine.try('env', `STRONGSWAN_CONF=${settings}`, 'swanctl', '--stats', '--uri', socket)).code === 0;
  });
  await command('--load-all', '--file', connections);
  return { site, machine, log, command };
}

const settingsFile = (socket: string, log: string): string => `
charon-systemd {
  load_modular = no
  load = ${PLUGINS}
  plugins { vici { socket = ${socket} } }
  journal { default = -1 }
  filelog {
    log {
      path = ${log}
      default = 1
      time_format = %s
      time_add_ms = yes
      flush_line = yes
    }
  }
}
swanctl { load = random openssl pem pkcs1 }
`;

const connectionsFile = ({ address, other, network, otherNetwork }: Site): string => `
connections {
  tunnel {
    version = 2
    local_addrs = ${address}
    remote_addrs = ${other}
    proposals = ${IKE}
    local {
      auth = psk
      id = ${address}
    }
    remote {
      auth = psk
      id = ${other}
    }
    children {
      net {
        local_ts = ${network}
        remote_ts = ${otherNetwork}
        esp_proposals = ${ESP}
      }
    }
  }
}
secrets {
  ike {
    id-1 = ${address}
    id-2 = ${other}
    secret = benchmark
  }
}
`;

/**
 *   h1 eth0 ── inner [g: gateway/host] outer ── eth0 h2          real namespaces, real nftables, no datapath
 *
 * Nothing moves frames here, so nothing may arrive: what the labs look for is the frame that gets out all the same.
 * The sentinel, a ping that bears the datapath's mark, shows at the end of each capture that it could have seen one.
 */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BridgeConfig, RouterConfig } from '#config/config.ts';
import { DATAPATH_MARK } from '#host/drops.ts';
import { type Capture, capture, Gateway, HostLab, run } from './host-lab.ts';

const common = {
  outer: 'outer',
  workers: 1,
  cipher: 'native',
  withoutKeys: 'closed',
  nonIp: 'by-mode',
  exceptions: [],
  language: undefined,
} as const;
const bridge: BridgeConfig = {
  ...common,
  kind: 'bridge',
  inner: 'inner',
  management: { name: 'mgmt', addresses: ['10.66.0.9/24', 'fd66::9/64'], gateways: ['10.66.0.2', 'fd66::2'] },
};
const router: RouterConfig = { ...common, kind: 'router' };

/** What the kernel sends by itself when an interface comes up. */
const NOISE = /ICMP6|IP6|ARP|BOOTP|igmp/i;

/** One ping out of a port of the gateway, past routing and neighbours; `mark` as the datapath would set it. */
async function pingFrom(lab: HostLab, port: string, host: string, size: number, mark?: number): Promise<void> {
  const mac = JSON.parse(await lab.ip(host, '-j', 'link', 'show', 'dev', 'eth0'))[0].address as string;
  const to = '203.0.113.7';
  await lab.ip(lab.g, 'neigh', 'replace', to, 'lladdr', mac, 'dev', port, 'nud', 'permanent');
  await lab.ip(lab.g, 'route', 'replace', to, 'dev', port, 'src', '192.0.2.77', 'onlink').catch(() => '');
  const marked = mark === undefined ? [] : ['-m', String(mark)];
  await lab.in(lab.g, 'ping', '-c', '1', '-W', '0.05', '-s', String(size), ...marked, '-I', port, to).catch(() => '');
}

/** The kernel tries to send, in vain; then a marked frame gets out, and is the only one that was seen. */
async function onlySentinel(lab: HostLab, seen: Capture, port: string, host: string, since = 0): Promise<void> {
  await pingFrom(lab, port, host, 111);
  await pingFrom(lab, port, host, 222, DATAPATH_MARK);
  await seen.until((f) => f.includes('length 230'));
  expect(seen.frames.filter((f) => Number.parseFloat(f) > since && !f.includes('length 230'))).toEqual([]);
}

const lab = new HostLab('gsc-host');
let gateways: Gateway[] = [];
let captures: Capture[] = [];

function start(): Gateway {
  const g = new Gateway(lab.g);
  gateways.push(g);
  return g;
}

async function listen(host: string): Promise<Capture> {
  const c = await capture(host, 'eth0');
  captures.push(c);
  return c;
}

beforeEach(async () => {
  await lab.make();
  /* A source address for the pings, on no port. */
  await lab.ip(lab.g, 'addr', 'add', '192.0.2.77/32', 'dev', 'lo');
});

afterEach(async () => {
  for (const c of captures) await c.stop();
  for (const g of gateways) await g.kill();
  gateways = [];
  captures = [];
  await lab.remove();
});

describe('bridge', () => {
  test('control: a port that comes up without the gateway speaks', async () => {
    const seen = await listen(lab.h1);
    await lab.ip(lab.g, 'link', 'set', 'dev', 'inner', 'up');
    await seen.until((f) => NOISE.test(f));
    await pingFrom(lab, 'inner', lab.h1, 111);
    await seen.until((f) => f.includes('length 119'));
  }, 20_000);

  test('on a kernel whose drops end with their device, one that comes back is silent until ours stand again', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge, deviceBound: true });
    await g.kill();
    await lab.ip(lab.h1, 'link', 'del', 'dev', 'eth0');
    await lab.in(lab.g, 'nft', 'delete', 'table', 'netdev', 'gscip');
    await lab.cable('inner', lab.h1, '10.66.0.1');
    const seen = await listen(lab.h1);
    await lab.ip(lab.g, 'link', 'set', 'dev', 'inner', 'up');
    await pingFrom(lab, 'inner', lab.h1, 111);
    /* h1 needs no ARP for the port: an answer to a question asked before the flush would be seen after it. */
    const port = JSON.parse(await lab.ip(lab.g, '-j', 'link', 'show', 'dev', 'inner'))[0].address as string;
    await lab.ip(lab.h1, 'neigh', 'replace', '10.66.0.9', 'lladdr', port, 'dev', 'eth0');
    expect(await lab.pings(lab.h1, '10.66.0.9')).toBe(false);
    await lab.in(lab.g, 'nft', 'flush', 'ruleset');
    await pingFrom(lab, 'inner', lab.h1, 222);
    await seen.until((f) => f.includes('length 230'));
    expect(seen.frames.filter((f) => f.includes('length 119') || NOISE.test(f.split('>')[1] ?? ''))).toEqual([]);

    const again = start();
    await again.succeed({ do: 'apply', config: bridge, deviceBound: true });
    expect(await lab.in(lab.g, 'nft', 'list', 'ruleset')).toContain('table arp gscip');
    await again.succeed({ do: 'apply', config: router, deviceBound: true });
    expect(await lab.in(lab.g, 'nft', 'list', 'table', 'inet', 'gscip')).not.toContain('"outer"');
    expect(await lab.in(lab.g, 'nft', 'list', 'table', 'netdev', 'gscip')).toContain('device "gscip-inner"');
  }, 40_000);

  test('not one frame leaves while the gateway is made, and none after kill -9', async () => {
    const seen1 = await listen(lab.h1);
    const seen2 = await listen(lab.h2);
    const g = start();
    const { applied } = await g.succeed({ do: 'apply', config: bridge });
    expect(applied?.ports).toEqual({ outer: 'outer', inner: 'inner', mgmt: 'gscip-mgmt', mtu: 1500 });
    await onlySentinel(lab, seen1, 'inner', lab.h1);
    await onlySentinel(lab, seen2, 'outer', lab.h2);

    await g.kill();
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);
    expect(await lab.pings(lab.h1, '10.66.0.9')).toBe(false);
    await onlySentinel(lab, seen1, 'inner', lab.h1);
    await onlySentinel(lab, seen2, 'outer', lab.h2);
  }, 40_000);

  test('the management end has a fixed MAC, its addresses and its default routes; a changed configuration changes them', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    const mac = async (link: string) =>
      JSON.parse(await lab.ip(lab.g, '-j', 'link', 'show', 'dev', link))[0].address as string;
    const before = await mac('mgmt');
    expect(before.slice(2)).toBe((await mac('outer')).slice(2));
    expect(Number.parseInt(before.slice(0, 2), 16) & 3).toBe(2);
    expect(await lab.ip(lab.g, 'route', 'show', 'default')).toContain('default via 10.66.0.2 dev mgmt');
    expect(await lab.ip(lab.g, '-6', 'route', 'show', 'default')).toContain('default via fd66::2 dev mgmt');

    const moved: BridgeConfig = {
      ...bridge,
      management: { name: 'mgmt', addresses: ['10.66.0.8/24'], gateways: ['10.66.0.1'] },
    };
    await g.succeed({ do: 'apply', config: moved });
    expect(await mac('mgmt')).toBe(before);
    const addresses = await lab.ip(lab.g, '-o', 'addr', 'show', 'dev', 'mgmt', 'scope', 'global');
    expect(addresses).toContain('10.66.0.8/24');
    expect(addresses).not.toMatch(/10\.66\.0\.9|fd66/);
    expect(await lab.ip(lab.g, 'route', 'show', 'default')).toBe(
      'default via 10.66.0.1 dev mgmt proto static metric 100 \n',
    );
    expect(await lab.ip(lab.g, '-6', 'route', 'show', 'default')).toBe('');
  }, 20_000);

  test('what cannot work is told by field before anything is touched', async () => {
    const g = start();
    const wrong: BridgeConfig = {
      ...bridge,
      outer: 'nic7',
      inner: 'lo',
      management: { name: 'inner', addresses: ['10.66.0.9/24'], gateways: ['192.0.2.1'] },
    };
    const { error, touches } = await g.order({ do: 'apply', config: wrong });
    expect(error).toMatch(/^outer: interface "nic7" does not exist; choose one of: .*inner/m);
    expect(error).toMatch(/^inner: "lo" is not an Ethernet interface/m);
    expect(error).toMatch(/^management.name: an interface "inner" exists already/m);
    expect(error).toMatch(/^management.gateways: gateway 192.0.2.1 is in none/m);
    expect(touches).toEqual([]);
  }, 20_000);

  test('a cable that is replaced comes back closed', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    await g.succeed({ do: 'watch', config: bridge });
    await lab.ip(lab.h1, 'link', 'del', 'dev', 'eth0');
    await g.event('port-gone', 'inner');
    await lab.cable('inner', lab.h1, '10.66.0.1');
    const seen = await listen(lab.h1);
    /* Somebody is quicker than we are. */
    await lab.ip(lab.g, 'link', 'set', 'dev', 'inner', 'up').catch(() => '');
    await g.event('port-back', 'inner');
    await onlySentinel(lab, seen, 'inner', lab.h1);
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);
  }, 30_000);

  test('a deleted management veth is made again', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    await g.succeed({ do: 'watch', config: bridge });
    await lab.ip(lab.g, 'link', 'del', 'dev', 'mgmt');
    await g.event('port-back', 'mgmt');
    expect(await lab.ip(lab.g, 'addr', 'show', 'dev', 'mgmt')).toContain('10.66.0.9/24');
    expect(await lab.ip(lab.g, 'route', 'show', 'default')).toContain('default via 10.66.0.2 dev mgmt');
  }, 30_000);

  test('a flushed ruleset: ports down first, drops back, ports up, alarm', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    await g.succeed({ do: 'watch', config: bridge });
    await lab.in(lab.g, 'nft', 'flush', 'ruleset');
    expect(await g.event('drops-restored')).toEqual({
      event: 'drops-restored',
      names: ['outer', 'inner', 'gscip-mgmt'],
    });
    const seen = await listen(lab.h1);
    await onlySentinel(lab, seen, 'inner', lab.h1);
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);

    const { touches } = await g.order({ do: 'shutdown', config: bridge });
    const steps = touches.filter((t) => /-batch|add chain|set dev \S+ up/.test(t)).map((t) => t.split('\n')[0]);
    expect(steps).toEqual([
      'ip -force -batch - < link set dev outer down',
      'nft -f - < add table netdev gscip',
      'ip link set dev outer up',
      'ip link set dev inner up',
      'ip link set dev gscip-mgmt up',
    ]);
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);
  }, 30_000);

  test('one rule that somebody adds to let frames through does not stay', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    await g.succeed({ do: 'watch', config: bridge });
    await lab.in(lab.g, 'nft', 'add', 'rule', 'netdev', 'gscip', 'out_inner', 'accept');
    expect(await g.event('drops-restored')).toEqual({ event: 'drops-restored', names: ['inner'] });
    expect(await lab.in(lab.g, 'nft', 'list', 'chain', 'netdev', 'gscip', 'out_inner')).not.toMatch(/^\s*accept/m);
  }, 20_000);

  test('released it passes plain traffic, applied again it does not', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);
    await g.succeed({ do: 'release', config: bridge });
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(true);
    expect(await lab.pings(lab.h1, '10.66.0.9')).toBe(true);
    await g.succeed({ do: 'release', config: bridge });
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(true);

    const { touches } = await g.succeed({ do: 'apply', config: bridge });
    const protectedAt = touches.findIndex((t) => t.startsWith('nft -f -'));
    expect(protectedAt).toBeLessThan(touches.indexOf('ip link del dev gscip-open'));
    expect(protectedAt).toBe(0);
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);
    const seen = await listen(lab.h2);
    await onlySentinel(lab, seen, 'outer', lab.h2);
  }, 40_000);

  test('killed after any touch, the next run ends in the same state', async () => {
    const g = start();
    const { touches } = await g.succeed({ do: 'apply', config: bridge });
    const wanted = await bridgeState();
    for (let k = 1; k < touches.length; k += 2) {
      await lab.make();
      const second = start();
      expect((await second.order({ do: 'apply', config: bridge, dieAfter: k })).error).toContain('killed');
      await second.succeed({ do: 'apply', config: bridge });
      expect(await bridgeState(), `killed after ${k}: ${touches[k - 1]}`).toEqual(wanted);
      await second.kill();
    }
  }, 180_000);
});

async function bridgeState(): Promise<string[]> {
  return [
    (await lab.in(lab.g, 'nft', 'list', 'ruleset')).replace(/\s+/g, ' '),
    await lab.ip(lab.g, 'route'),
    await lab.ip(lab.g, '-6', 'route', 'show', 'default'),
    ...(await linkState()),
  ];
}

interface LinkJson {
  ifname: string;
  mtu: number;
  flags: string[];
  ifalias?: string;
  addr_info: { local: string; prefixlen: number; scope: string }[];
}

/** Names, aliases, MTU, up, addresses; not what is random in a new namespace. */
async function linkState(): Promise<string[]> {
  const links = JSON.parse(await lab.ip(lab.g, '-j', 'addr')) as LinkJson[];
  const aliases = JSON.parse(await lab.ip(lab.g, '-j', 'link')) as LinkJson[];
  return links
    .filter((l) => l.ifname !== 'lo')
    .map((l) => {
      const alias = aliases.find((a) => a.ifname === l.ifname)?.ifalias;
      const addresses = l.addr_info.filter((a) => a.scope !== 'link').map((a) => `${a.local}/${a.prefixlen}`);
      return `${l.ifname} (${alias}) mtu ${l.mtu} ${l.flags.includes('UP') ? 'up' : 'down'} ${addresses.sort().join(' ')}`;
    })
    .sort();
}

describe('router', () => {
  /** The NIC as a running router has it: addresses, a default route of each version, a static route, forwarding. */
  async function furnish(): Promise<void> {
    await lab.ip(lab.g, 'addr', 'add', '10.66.0.5/24', 'dev', 'outer');
    await lab.ip(lab.g, 'addr', 'add', '10.66.0.6/24', 'dev', 'outer');
    await lab.ip(lab.g, 'addr', 'add', 'fd66::5/64', 'dev', 'outer', 'nodad');
    await lab.ip(lab.g, 'link', 'set', 'dev', 'outer', 'alias', 'to the provider');
    await lab.ip(lab.g, 'link', 'set', 'dev', 'outer', 'mtu', '1400', 'up');
    await lab.ip(
      lab.g,
      'route',
      'add',
      'default',
      'via',
      '10.66.0.2',
      'src',
      '10.66.0.6',
      'proto',
      'dhcp',
      'metric',
      '50',
    );
    await lab.ip(lab.g, 'route', 'add', '198.51.100.0/24', 'via', '10.66.0.2', 'table', '77', 'mtu', '1300');
    await lab.ip(lab.g, '-6', 'route', 'add', 'default', 'via', 'fd66::2', 'dev', 'outer');
    await lab.in(lab.g, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/outer/forwarding');
  }

  const WITHOUT_IDS = /\b(linkdown|expires \S+)\s*/g;

  async function network(): Promise<string[]> {
    return [
      (await lab.ip(lab.g, '-o', '-4', 'addr', 'show', 'dev', 'outer')).replace(/^\d+: /gm, ''),
      (await lab.ip(lab.g, '-o', '-6', 'addr', 'show', 'dev', 'outer', 'scope', 'global')).replace(/^\d+: /gm, ''),
      (await lab.ip(lab.g, 'route', 'show', 'table', 'all', 'dev', 'outer', 'type', 'unicast')).replace(
        WITHOUT_IDS,
        '',
      ),
      (await lab.ip(lab.g, '-6', 'route', 'show', 'default')).replace(WITHOUT_IDS, ''),
      await lab.in(lab.g, 'cat', '/proc/sys/net/ipv4/conf/outer/forwarding'),
      JSON.parse(await lab.ip(lab.g, '-j', 'link', 'show', 'dev', 'outer'))[0].mtu,
    ];
  }

  test('the kernel keeps its addresses, routes, MAC, MTU and settings; not one frame leaves the NIC', async () => {
    await furnish();
    expect(await lab.pings(lab.g, '10.66.0.2')).toBe(true);
    const before = await network();
    const mac = JSON.parse(await lab.ip(lab.g, '-j', 'link', 'show', 'dev', 'outer'))[0].address;
    const g = start();
    const seen = await listen(lab.h2);
    const { applied, closedAt } = await g.succeed({ do: 'apply', config: router });
    expect(applied?.ports).toEqual({ outer: 'gscip-outer', inner: 'gscip-inner', mtu: 1400 });
    expect(applied?.warnings).toEqual([]);
    expect(await network()).toEqual(before);
    expect(JSON.parse(await lab.ip(lab.g, '-j', 'link', 'show', 'dev', 'outer'))[0].address).toBe(mac);
    expect(await lab.in(lab.g, 'cat', '/proc/sys/net/ipv6/conf/outer/accept_ra')).toBe('2\n');
    expect(await lab.ip(lab.g, '-o', 'addr', 'show', 'dev', 'gscip-outer')).toBe('');
    expect(await lab.pings(lab.g, '10.66.0.2')).toBe(false);
    await g.kill();
    expect(await lab.pings(lab.h2, '10.66.0.5')).toBe(false);
    /* The NIC was in use until then. */
    await onlySentinel(lab, seen, 'gscip-outer', lab.h2, closedAt);
  }, 40_000);

  test('released the NIC is as it was, and applied again it is closed', async () => {
    await furnish();
    const before = await network();
    const g = start();
    await g.succeed({ do: 'apply', config: router });
    await g.succeed({ do: 'release', config: router });
    expect(await network()).toEqual(before);
    const link = JSON.parse(await lab.ip(lab.g, '-j', '-d', 'link', 'show', 'dev', 'outer'))[0];
    expect(link.ifalias).toBe('to the provider');
    expect(await lab.in(lab.g, 'nft', 'list', 'ruleset')).toBe('');
    expect(await lab.pings(lab.h2, '10.66.0.5')).toBe(true);
    /* h1 is behind the router: plain traffic passes through it. */
    await lab.ip(lab.g, 'addr', 'add', '10.77.0.1/24', 'dev', 'inner');
    await lab.ip(lab.g, 'link', 'set', 'dev', 'inner', 'up');
    await lab.in(lab.g, 'sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward');
    await lab.ip(lab.h1, 'addr', 'add', '10.77.0.2/24', 'dev', 'eth0');
    await lab.ip(lab.h1, 'addr', 'del', '10.66.0.1/24', 'dev', 'eth0');
    await lab.ip(lab.h1, 'route', 'add', 'default', 'via', '10.77.0.1');
    await lab.ip(lab.h2, 'route', 'add', '10.77.0.0/24', 'via', '10.66.0.5');
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(true);
    await g.succeed({ do: 'apply', config: router });
    expect(await network()).toEqual(before);
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);
    expect(await lab.pings(lab.h2, '10.66.0.5')).toBe(false);
  }, 40_000);

  test('killed after any touch, the next run has every address and route', async () => {
    await furnish();
    const before = await network();
    const g = start();
    const { touches } = await g.succeed({ do: 'apply', config: router });
    const wanted = await linkState();
    for (let k = 1; k < touches.length; k++) {
      await g.succeed({ do: 'release', config: router });
      const { error } = await g.order({ do: 'apply', config: router, dieAfter: k });
      expect(error, `touch ${k}`).toContain('killed');
      await g.succeed({ do: 'apply', config: router });
      expect(await network(), `killed after ${k}: ${touches[k - 1]}`).toEqual(before);
      expect(await linkState(), `killed after ${k}: ${touches[k - 1]}`).toEqual(wanted);
    }
  }, 180_000);

  test('killed after any touch of a release, the next release or apply has every address and route', async () => {
    await furnish();
    const before = await network();
    const g = start();
    await g.succeed({ do: 'apply', config: router });
    const { touches } = await g.succeed({ do: 'release', config: router });
    for (let k = 1; k < touches.length; k++) {
      await g.succeed({ do: 'apply', config: router });
      expect((await g.order({ do: 'release', config: router, dieAfter: k })).error).toContain('killed');
      await g.succeed({ do: k % 2 === 0 ? 'apply' : 'release', config: router });
      expect(await network(), `killed after ${k}: ${touches[k - 1]}`).toEqual(before);
    }
  }, 180_000);

  test('a step that fails is undone: the NIC has its name and addresses, and the drops stand', async () => {
    await furnish();
    const before = await network();
    const g = start();
    const { touches } = await g.succeed({ do: 'apply', config: router });
    const naming = touches.findIndex((t) => t.endsWith(' name outer'));
    await g.succeed({ do: 'release', config: router });
    const { error } = await g.order({ do: 'apply', config: router, failAfter: naming });
    expect(error).toMatch(/^outer: refused by the test/);
    expect(await network()).toEqual(before);
    expect(await lab.pings(lab.h2, '10.66.0.5')).toBe(false);
    expect(await lab.in(lab.g, 'nft', 'list', 'ruleset')).toContain('device "outer"');
  }, 30_000);

  test('a pulled cable is seen by the kernel, and a NIC that is replaced is taken again', async () => {
    await furnish();
    const g = start();
    await g.succeed({ do: 'apply', config: router });
    await g.succeed({ do: 'watch', config: router });
    await lab.ip(lab.h2, 'link', 'set', 'dev', 'eth0', 'down');
    expect(await g.event('carrier', 'outer')).toMatchObject({ up: false });
    expect(await g.event('carrier', 'inner')).toMatchObject({ up: false });
    expect(await lab.ip(lab.g, 'link', 'show', 'dev', 'outer')).toContain('NO-CARRIER');
    await lab.ip(lab.h2, 'link', 'set', 'dev', 'eth0', 'up');
    expect(await g.event('carrier', 'outer')).toMatchObject({ up: true });

    const mac = JSON.parse(await lab.ip(lab.g, '-j', 'link', 'show', 'dev', 'outer'))[0].address as string;
    await lab.ip(lab.h2, 'link', 'del', 'dev', 'eth0');
    await g.event('port-gone', 'outer');
    await lab.cable('usb0', lab.h2, '10.66.0.2', 'address', mac);
    await g.event('port-back', 'outer');
    const seen = await listen(lab.h2);
    await onlySentinel(lab, seen, 'gscip-outer', lab.h2);
    expect(await lab.ip(lab.g, 'addr', 'show', 'dev', 'outer')).toContain('10.66.0.5/24');
    expect(await lab.ip(lab.g, 'route', 'show', 'default')).toContain('via 10.66.0.2');
  }, 40_000);

  test('a router that is configured as a bridge, and back, loses nothing', async () => {
    await furnish();
    const g = start();
    await g.succeed({ do: 'apply', config: router });
    await g.succeed({ do: 'apply', config: bridge });
    expect(await lab.ip(lab.g, 'link')).not.toContain('gscip-outer');
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);
    await g.succeed({ do: 'apply', config: router });
    expect(await lab.ip(lab.g, 'link')).not.toContain('gscip-mgmt');
    expect(await lab.in(lab.g, 'cat', '/proc/sys/net/ipv6/conf/outer/disable_ipv6')).toBe('0\n');
  }, 30_000);
});

beforeAll(async () => {
  const id = await run('id', '-u');
  if (id.trim() !== '0') throw new Error('the lab needs root: it makes network namespaces');
});

afterAll(async () => {
  await lab.remove();
});

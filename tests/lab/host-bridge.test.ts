/** Kind `bridge` on a real kernel: the picture is in host-scene.ts. */
import { describe, expect, test } from 'vitest';
import type { BridgeConfig } from '#config/config.ts';
import {
  bridge,
  everyTestInItsLab,
  lab,
  linkState,
  listen,
  NOISE,
  onlySentinel,
  pingFrom,
  router,
  start,
} from './host-scene.ts';

everyTestInItsLab();

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

  test('a port that is back and cannot be opened is told once more, and the one that is open is told no more', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    await g.succeed({ do: 'watch', config: bridge, refuseBack: true });
    await lab.ip(lab.h1, 'link', 'del', 'dev', 'eth0');
    await g.event('port-gone', 'inner');
    await lab.cable('inner', lab.h1, '10.66.0.1');
    const [first, trouble, second] = [await g.next(), await g.next(), await g.next()];
    expect([first.event, trouble.event, second]).toEqual(['port-back', 'trouble', first]);
    await lab.ip(lab.h2, 'link', 'set', 'dev', 'eth0', 'down');
    for (let event = await g.next(); event.event !== 'carrier' || event.port !== 'outer'; event = await g.next()) {
      expect(event.event).toBe('carrier');
    }
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

  test('GRO lists end with the gateway’s start, and come back', async () => {
    const lists = async () => /rx-gro-list: (on|off)/.exec(await lab.in(lab.g, 'ethtool', '-k', 'outer'))?.[1];
    await lab.in(lab.g, 'ethtool', '-K', 'outer', 'rx-gro-list', 'on');
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    expect(await lists()).toBe('off');
    await g.succeed({ do: 'release', config: bridge });
    expect(await lists()).toBe('on');
  }, 30_000);

  test('datagrams come merged as long as it is a gateway, and afterwards as they came before', async () => {
    const merging = async () => {
      const of = (port: string) => lab.in(lab.g, 'ethtool', '-k', port);
      return Promise.all(
        ['outer', 'inner', 'gscip-mgmt'].map(async (p) => /rx-udp-gro-forwarding: (on|off)/.exec(await of(p))?.[1]),
      );
    };
    await lab.in(lab.g, 'ethtool', '-K', 'inner', 'rx-udp-gro-forwarding', 'on');
    const g = start();
    for (let round = 0; round < 2; round++) {
      /* Twice: what was switched is known to the next run too. */
      await g.succeed({ do: 'apply', config: bridge });
      await g.succeed({ do: 'apply', config: bridge });
      expect(await merging()).toEqual(['on', 'on', 'off']);
      await g.succeed({ do: 'release', config: bridge });
      expect(await merging()).toEqual(['off', 'on', 'off']);
    }
    await g.succeed({ do: 'apply', config: { ...bridge, port: 'pcap' } });
    expect(await merging()).toEqual(['off', 'on', 'off']);
  }, 30_000);

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
    for (let k = 1; k < touches.length; k++) {
      await lab.make();
      const second = start();
      expect((await second.order({ do: 'apply', config: bridge, dieAfter: k })).error).toContain('killed');
      await second.succeed({ do: 'apply', config: bridge });
      expect(await bridgeState(), `killed after ${k}: ${touches[k - 1]}`).toEqual(wanted);
      await second.kill();
    }
  }, 180_000);

  test('killed after any touch of a release, the next release opens it, or the next run closes it', async () => {
    const g = start();
    await g.succeed({ do: 'apply', config: bridge });
    const closed = await bridgeState();
    const { touches } = await g.succeed({ do: 'release', config: bridge });
    const open = await bridgeState();
    for (let k = 1; k < touches.length; k++) {
      for (const next of ['release', 'apply'] as const) {
        await g.succeed({ do: 'apply', config: bridge });
        expect((await g.order({ do: 'release', config: bridge, dieAfter: k })).error).toContain('killed');
        /* What opens it is the last touch. */
        expect((await bridgeState())[0]).toBe(closed[0]);
        await g.succeed({ do: next, config: bridge });
        const state = await bridgeState();
        const when = `${next}, killed after ${k}: ${touches[k - 1]}`;
        expect(state, when).toEqual(next === 'release' ? open : closed);
        if (next === 'release') expect(await lab.pings(lab.h1, '10.66.0.2'), when).toBe(true);
      }
    }
    expect(await lab.pings(lab.h1, '10.66.0.2')).toBe(false);
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

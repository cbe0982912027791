/** Kind `router` on a real kernel: the picture is in host-scene.ts. */
import { describe, expect, test } from 'vitest';
import { bridge, everyTestInItsLab, lab, linkState, listen, onlySentinel, router, start } from './host-scene.ts';

everyTestInItsLab();

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

  test('killed after any touch of a release, the next release and the next run have every address and route', async () => {
    await furnish();
    const before = await network();
    const g = start();
    await g.succeed({ do: 'apply', config: router });
    const { touches } = await g.succeed({ do: 'release', config: router });
    for (let k = 1; k < touches.length; k++) {
      for (const next of ['release', 'apply'] as const) {
        await g.succeed({ do: 'apply', config: router });
        expect((await g.order({ do: 'release', config: router, dieAfter: k })).error).toContain('killed');
        await g.succeed({ do: next, config: router });
        expect(await network(), `${next}, killed after ${k}: ${touches[k - 1]}`).toEqual(before);
      }
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

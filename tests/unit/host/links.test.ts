import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatMark, isLinkName, type Link, managementMac, parseLinks, parseMark } from '#host/links.ts';
import { findRouter } from '#host/router.ts';

const SEEN = JSON.stringify([
  { ifindex: 1, ifname: 'lo', flags: ['LOOPBACK', 'UP', 'LOWER_UP'], mtu: 65536, link_type: 'loopback' },
  {},
  {
    ifindex: 3,
    link: 'gscip-inner',
    ifname: 'wan0',
    flags: ['BROADCAST', 'MULTICAST', 'UP'],
    mtu: 1500,
    max_mtu: 65535,
    link_type: 'ether',
    address: '02:00:00:00:00:01',
    ifalias: 'gscip kernel 1500 to the provider',
    linkinfo: { info_kind: 'veth' },
  },
]);

describe('links', () => {
  test('ip’s JSON becomes links; the holes that ip prints for others are left out', () => {
    const links = parseLinks(SEEN);
    expect(links.map((l) => l.name)).toEqual(['lo', 'wan0']);
    expect(links[1]).toMatchObject({ kind: 'veth', peer: 'gscip-inner', up: true, carrier: false, maxMtu: 65535 });
    expect(links[1].mark).toEqual({ role: 'kernel', mtu: 1500, before: 'to the provider' });
    expect(parseLinks('')).toEqual([]);
    expect(() => parseLinks('[{"ifindex":"one"}]')).toThrow();
  });

  test('a name is what programs and paths take without quoting', () => {
    for (const good of ['eth0', 'wan0.phy', 'br-lan', 'a', 'enp0s31f6', 'x_123456789abcd'])
      expect(isLinkName(good)).toBe(true);
    for (const bad of ['', '-x', '.', '..', 'a b', 'a/b', 'sixteen-letters-', 'é', 'a\n', '$(id)', 'a;b', '"']) {
      expect(isLinkName(bad), JSON.stringify(bad)).toBe(false);
    }
  });

  test('whatever string is a name can stand in a path below /proc/sys and in an nft script', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), (s) => {
        if (isLinkName(s)) expect(s).toMatch(/^[\w.-]{1,15}$/);
      }),
    );
  });

  test('a mark keeps role, MTU and the alias it replaces', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('outer', 'inner', 'mgmt', 'kernel'),
        fc.nat(65_535),
        fc.string({ maxLength: 60 }),
        (role, mtu, before) => {
          expect(parseMark(formatMark({ role, mtu, before } as const))).toEqual({ role, mtu, before });
        },
      ),
    );
    const switched = ['gro', 'tx-udp-segmentation', 'tx', '+rx-udp-gro-forwarding'];
    for (const before of ['', 'my uplink']) {
      const mark = { role: 'outer', mtu: 1500, before, switched } as const;
      expect(parseMark(formatMark(mark))).toEqual(mark);
    }
    expect(formatMark({ role: 'outer', mtu: 1500, before: '', switched: [] })).toBe('gscip outer 1500');
    expect(parseMark('gscips of the old house')).toBeUndefined();
    expect(parseMark('')).toBeUndefined();
    const long = formatMark({ role: 'outer', mtu: 1500, before: 'あ'.repeat(100) });
    expect(Buffer.byteLength(long)).toBeLessThanOrEqual(255);
  });

  test('the management MAC is unicast, locally administered, and never the NIC’s own', () => {
    const mac = fc.array(fc.nat(255), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(mac, (bytes) => {
        const text = bytes.map((b) => b.toString(16).padStart(2, '0')).join(':');
        const made = managementMac(text);
        expect(made).not.toBe(text);
        expect(made).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
        expect(Number.parseInt(made.slice(0, 2), 16) & 3).toBe(2);
        expect(managementMac(text)).toBe(made);
      }),
    );
  });

  test('the NIC of a router is known by its port name, its own name, or its MAC address', () => {
    const kernel = parseLinks(SEEN)[1];
    const other: Link = { ...kernel, index: 9, name: 'eth7', kind: '', peer: undefined, alias: '', mark: undefined };
    expect(findRouter([kernel, other], 'wan0')).toMatchObject({ kernel: { name: 'wan0' }, nic: { name: 'eth7' } });
    expect(findRouter([{ ...other, name: 'wan0' }], 'wan0').nic?.index).toBe(9);
    expect(findRouter([kernel, { ...other, name: 'gscip-outer' }], 'wan0').nic?.name).toBe('gscip-outer');
    expect(findRouter([kernel, { ...other, mac: '02:00:00:00:00:99' }], 'wan0').nic).toBeUndefined();
  });
});

import { describe, expect, test } from 'vitest';
import { addressArguments, parseAddresses, parseRoutes, routeArguments } from '#host/addresses.ts';

const words = (args: readonly string[]) => args.join(' ');

describe('addresses', () => {
  test('are made again with all that they had; temporary ones are the kernel’s', () => {
    const json = JSON.stringify([
      {},
      {
        ifname: 'wan0',
        addr_info: [
          {
            family: 'inet',
            local: '192.0.2.5',
            prefixlen: 24,
            broadcast: '192.0.2.255',
            scope: 'global',
            dynamic: true,
            label: 'wan0',
            valid_life_time: 3000,
            preferred_life_time: 2000,
          },
          {
            family: 'inet',
            local: '10.0.0.1',
            address: '10.0.0.2',
            prefixlen: 32,
            scope: 'global',
            label: 'wan0',
            noprefixroute: true,
            metric: 7,
            valid_life_time: 4294967295,
            preferred_life_time: 4294967295,
          },
          {
            family: 'inet6',
            local: '2001:db8::5',
            prefixlen: 64,
            scope: 'global',
            dynamic: true,
            mngtmpaddr: true,
            valid_life_time: 600,
            preferred_life_time: 0,
          },
          { family: 'inet6', local: '2001:db8::abcd', prefixlen: 64, scope: 'global', temporary: true },
        ],
      },
    ]);
    expect(parseAddresses(json, 'wan0').map((a) => words(addressArguments(a, 'wan0')))).toEqual([
      'addr replace 192.0.2.5/24 broadcast 192.0.2.255 dev wan0 scope global label wan0 valid_lft 3000 preferred_lft 2000',
      'addr replace 10.0.0.1 peer 10.0.0.2/32 dev wan0 scope global label wan0 metric 7 noprefixroute',
      'addr replace 2001:db8::5/64 dev wan0 scope global valid_lft 600 preferred_lft 0 mngtmpaddr nodad',
    ]);
    expect(parseAddresses('[]', 'wan0')).toEqual([]);
  });
});

describe('routes', () => {
  const json = JSON.stringify([
    {
      dst: 'default',
      gateway: '192.0.2.1',
      dev: 'wan0',
      protocol: 'dhcp',
      prefsrc: '192.0.2.5',
      metric: 50,
      flags: [],
    },
    { dst: '192.0.2.0/24', dev: 'wan0', protocol: 'kernel', scope: 'link', prefsrc: '192.0.2.5', flags: [] },
    { dst: '192.0.2.1', dev: 'wan0', protocol: 'static', scope: 'link', flags: [] },
    { type: 'local', dst: '192.0.2.5', dev: 'wan0', table: 'local', protocol: 'kernel', flags: [] },
    {
      dst: '203.0.113.0/24',
      gateway: '10.9.9.9',
      dev: 'wan0',
      protocol: 'boot',
      table: '77',
      flags: ['onlink'],
      metrics: [{ mtu: 1300 }],
    },
    {
      dst: '198.51.100.0/24',
      protocol: 'static',
      flags: [],
      nexthops: [
        { gateway: '192.0.2.1', dev: 'wan0', weight: 2, flags: [] },
        { via: { family: 'inet6', host: 'fe80::1' }, dev: 'lan0', weight: 1, flags: [] },
      ],
    },
    { dst: '10.1.0.0/16', gateway: '10.0.0.1', dev: 'lan0', protocol: 'static', flags: [] },
    { type: 'blackhole', dst: '10.66.0.0/16', protocol: 'static', flags: [] },
    { dst: 'default', gateway: 'fe80::1', dev: 'wan0', protocol: 'ra', metric: 1024, flags: [], pref: 'medium' },
  ]);

  test('those of the interface are kept, ones without a gateway first; the kernel’s own are not', () => {
    expect(parseRoutes(json, 4, 'wan0').map((r) => words(routeArguments(r)))).toEqual([
      '-4 route replace 192.0.2.1 table main protocol static scope link dev wan0',
      '-4 route replace default table main protocol dhcp src 192.0.2.5 metric 50 via 192.0.2.1 dev wan0',
      '-4 route replace 203.0.113.0/24 table 77 protocol boot mtu 1300 via 10.9.9.9 dev wan0 onlink',
      '-4 route replace 198.51.100.0/24 table main protocol static nexthop via 192.0.2.1 dev wan0 weight 2 nexthop via inet6 fe80::1 dev lan0 weight 1',
    ]);
  });

  test('nothing is no route', () => {
    expect(parseRoutes('', 6, 'wan0')).toEqual([]);
  });
});

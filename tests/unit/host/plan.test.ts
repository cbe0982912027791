import { describe, expect, test } from 'vitest';
import type { BridgeConfig, RouterConfig } from '#config/config.ts';
import type { Link } from '#host/links.ts';
import { plan, type Survey } from '#host/plan.ts';

const link = (name: string, more: Partial<Link> = {}): Link => ({
  index: 2,
  name,
  kind: '',
  type: 'ether',
  mac: '02:00:00:00:00:01',
  mtu: 1500,
  maxMtu: 9000,
  up: true,
  carrier: true,
  master: undefined,
  peer: undefined,
  alias: '',
  mark: undefined,
  ...more,
});
const machine = (...links: Link[]): Survey => ({ links, byName: true });

const common = {
  outer: 'eth0',
  workers: 1,
  port: 'packet',
  cipher: 'native',
  withoutKeys: 'closed',
  nonIp: 'by-mode',
  exceptions: [],
  language: undefined,
} as const;
const management = {
  name: 'mgmt',
  addresses: ['192.0.2.10/24', '2001:db8::10/64'],
  gateways: ['192.0.2.1', 'fe80::1'],
};
const bridge: BridgeConfig = { ...common, kind: 'bridge', inner: 'eth1', management };
const router: RouterConfig = { ...common, kind: 'router' };
const two = [link('lo', { type: 'loopback' }), link('eth0'), link('eth1')];

const JAPANESE = /[\u3040-\u30ff\u4e00-\u9fff]/;

const fields = (config: BridgeConfig | RouterConfig, ...links: Link[]) =>
  plan(config, machine(...links)).problems.map((p) => p.field);

describe('plan', () => {
  test('a machine with the named interfaces has no problem', () => {
    const made = plan(bridge, machine(...two));
    expect(made).toEqual({ kind: 'bridge', outer: 'eth0', inner: 'eth1', management, port: 'packet', problems: [] });
    expect(plan(router, machine(...two)).problems).toEqual([]);
  });

  test('a missing interface is named with those that are there', () => {
    const { problems } = plan(bridge, machine(link('eth1'), link('eth2')));
    expect(problems).toEqual([
      {
        field: 'outer',
        problem: { en: 'interface "eth0" does not exist', ja: 'インタフェース「eth0」がありません' },
        fix: { en: 'choose one of: eth1, eth2', ja: '次のいずれかを指定してください: eth1, eth2' },
      },
    ]);
  });

  test('every problem is told at once', () => {
    const wrong = { ...bridge, outer: 'nic 7', inner: 'gscip-open', management: { ...management, name: 'eth1' } };
    expect(fields(wrong, ...two)).toEqual(['outer', 'inner', 'management.name']);
  });

  test.each<[string, Partial<BridgeConfig>, Link[], string[]]>([
    ['both ports are one', { inner: 'eth0' }, two, ['inner']],
    ['a loopback', { inner: 'lo' }, two, ['inner']],
    ['a port of somebody’s bridge', {}, [link('eth0', { master: 'br0' }), link('eth1')], ['outer']],
    ['a bridge', {}, [link('eth0', { kind: 'bridge' }), link('eth1')], ['outer']],
    ['mgmt is a port', { management: { ...management, name: 'eth1' } }, two, ['management.name']],
    ['mgmt exists and is not ours', {}, [...two, link('mgmt')], ['management.name']],
    [
      'an address without a length',
      { management: { ...management, addresses: ['192.0.2.10', '2001:db8::10/64'] } },
      two,
      ['management.addresses', 'management.gateways'],
    ],
    [
      'a gateway elsewhere',
      { management: { ...management, gateways: ['198.51.100.1'] } },
      two,
      ['management.gateways'],
    ],
    [
      'two gateways of one version',
      { management: { ...management, gateways: ['192.0.2.1', '192.0.2.2'] } },
      two,
      ['management.gateways'],
    ],
    ['a gateway that is none', { management: { ...management, gateways: ['router'] } }, two, ['management.gateways']],
  ])('%s', (_, change, links, expected) => {
    expect(fields({ ...bridge, ...change }, ...links)).toEqual(expected);
    for (const { problem, fix } of plan({ ...bridge, ...change }, machine(...links)).problems) {
      expect([problem.en, fix.en].join()).not.toMatch(JAPANESE);
      expect(problem.ja).toMatch(JAPANESE);
      expect(fix.ja).toMatch(JAPANESE);
    }
  });

  test('what an earlier run made is no problem', () => {
    const released = [
      link('eth0', { master: 'gscip-open' }),
      link('eth1', { master: 'gscip-open' }),
      link('mgmt', { peer: 'gscip-mgmt' }),
      link('gscip-mgmt', { master: 'gscip-open', peer: 'mgmt' }),
    ];
    expect(fields(bridge, ...released)).toEqual([]);
    /* killed between taking the NIC's name away and giving it to the veth */
    expect(fields(router, link('gscip-outer'), link('gscip-kernel', { peer: 'gscip-inner' }))).toEqual([]);
  });
});

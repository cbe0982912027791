/** What a person and a program read of the same run. */
import { describe, expect, test } from 'vitest';
import type { Environment } from '../../perf/bench/environment.ts';
import { sayIn } from '../../perf/bench/messages.ts';
import { type Result, reportOf } from '../../perf/bench/result.ts';
import { briefly, environmentLines, figure, resultLines, spread, targetLines } from '../../perf/bench/table.ts';
import { standings } from '../../perf/bench/targets.ts';

const environment: Environment = {
  cpu: 'Abacus 9',
  cpus: 2,
  kernel: 'Linux 6.1.0',
  node: 'v24.21.0',
  iperf3: 'iperf 3.12',
  profiles: ['packet'],
  congestionControl: 'cubic',
  gateways: { workers: 1, cipher: 'native' },
  peers: [{ peer: 'wireguard-go', version: 'v0.1', settings: 'MTU 1420' }],
  missing: [{ mode: 'pccom', reason: 'no such transform' }],
  loadAverage: [0.1, 0.25, 1],
};

const profile = 'wire';
const results: Result[] = [
  {
    row: 'memory',
    profile,
    unit: 'MB',
    better: 'less',
    samples: { sealed: [101, 99, 100] },
    is: ['is-memory'],
  },
  {
    row: 'known',
    profile,
    unit: 'ms',
    better: 'less',
    samples: { plain: [0.1, 0.3, 0.2], sealed: [0.5, 0.4, 0.6], 'wireguard-go': [1] },
    is: ['is-known'],
  },
  {
    row: 'tcp',
    profile,
    unit: 'Gbit/s',
    better: 'more',
    samples: { plain: [8, 10, 9], sealed: [4.5, 4, 5], 'wireguard-go': [1, 2, 1.5] },
    is: ['is-tcp', { seconds: 2 }],
    remark: ['frames-below', { bytes: 1514 }],
  },
];

test.each([
  [0.0567, '0.057'],
  [1.234, '1.23'],
  [17.26, '17.3'],
  [251_141.4, '251,141'],
  [-0.5, '-0.500'],
  [0, '0.000'],
])('%d reads %s', (n, text) => expect(figure(n)).toBe(text));

test('a median has half the range beside it, in per cent', () => {
  expect(spread({ median: 2, minimum: 1, maximum: 3 })).toBe('2.00 ±50%');
  expect(spread({ median: 0, minimum: 0, maximum: 0 })).toBe('0.000 ±0%');
  expect(spread(undefined)).toBe('–');
});

describe('the table', () => {
  const lines = resultLines(results, 3, sayIn('en'));
  const columns = (from: number, to: number) => lines.slice(from, to).map((l) => l.split(/ {2,}/));

  test('shows medians with their spread in the modes that were measured', () => {
    expect(columns(0, 4)).toEqual([
      ['row', 'plain', 'sealed', 'wireguard-go'],
      ['memory', 'MB', '–', '100 ±1%', '–'],
      ['known', 'ms', '0.200 ±50%', '0.500 ±20%', '1.00 ±0%'],
      ['tcp', 'Gbit/s', '9.00 ±11%', '4.50 ±11%', '1.50 ±33%'],
    ]);
  });

  test('shows ratios, and what is added to a time', () => {
    expect(columns(5, 8)).toEqual([
      ['row', 'sealed / plain', 'sealed × best peer', 'sealed added'],
      ['known', '2.50', '2.00', '0.300'],
      ['tcp', '0.500', '3.00', '–'],
    ]);
  });

  test('says what each row is, what is to be remarked, and how it was sampled', () => {
    const text = lines.join('\n');
    expect(text).toMatch(/^tcp +iperf3, one stream, 2 s/m);
    expect(text).toContain('1514 B on average, below 10 KB');
    expect(text).toContain('Medians of 3 samples');
  });

  test('tells profiles apart when there are several', () => {
    const [tcp] = results.slice(-1);
    const text = resultLines([tcp, { ...tcp, profile: 'packet' }], 3, sayIn('en')).join('\n');
    expect(text).toMatch(/^tcp \(wire\) /m);
    expect(text).toMatch(/^tcp \(packet\) /m);
  });

  test('is one line of figures while the run goes on', () => {
    expect(briefly(results[2])).toBe('  tcp: plain 9.00 ±11%, sealed 4.50 ±11%, wireguard-go 1.50 ±33% Gbit/s');
  });

  test('speaks Japanese, and nothing is left open', () => {
    const say = sayIn('ja');
    const text = [
      ...environmentLines(environment, say),
      ...resultLines(results, 3, say),
      ...targetLines(standings(results), say),
    ].join('\n');
    for (const word of ['測定項目', '中央値', '目標達成', '未測定']) expect(text).toContain(word);
    expect(text).not.toMatch(/[{}]/);
  });

  test('is headed by where it comes from, and by what could not be had', () => {
    const text = environmentLines(environment, sayIn('en')).join('\n');
    for (const fact of ['Abacus 9, 2 CPUs', 'Linux 6.1.0', 'v24.21.0', 'packet: ', 'cubic', '0.10 0.25 1.00']) {
      expect(text).toContain(fact);
    }
    expect(text).toMatch(/^wireguard-go +v0\.1; MTU 1420$/m);
    expect(text).toMatch(/^pccom +not available: no such transform$/m);
  });
});

describe('targets', () => {
  const of = (key: string, mode: string, from: readonly Result[] = results) =>
    standings(from).find((s) => s.key === key && s.mode === mode);

  test('are held, or not, by what was measured', () => {
    expect(of('target-tcp-plain', 'sealed')).toMatchObject({ figure: 0.5, holds: 'aim' });
    expect(of('target-tcp-peer', 'sealed')).toMatchObject({ figure: 3, holds: 'first' });
    expect(of('target-memory', 'sealed')).toMatchObject({ figure: 100, holds: 'first' });
    expect(of('target-known', 'sealed')).toMatchObject({ holds: 'no' });
    expect(of('target-tcp-plain', 'pccom')).toMatchObject({ figure: null, holds: null });
  });

  test('speak of real segments only', () => {
    const packet = results.map((r): Result => ({ ...r, profile: 'packet' }));
    expect(standings(packet).every((s) => s.holds === null)).toBe(true);
  });

  test('stand beside the figures', () => {
    const text = targetLines(standings(results), sayIn('en')).join('\n');
    expect(text).toMatch(/^TCP, ratio to plain +sealed +≥ 0\.3 +≥ 0\.5 +0\.500 +aim reached$/m);
    expect(text).toMatch(/^memory of an idle gateway, MB +sealed +≤ 150 +≤ 90 +100 +first target reached$/m);
    expect(text).toMatch(/^TCP, ratio to plain +pccom .* – +not measured$/m);
  });
});

test('the JSON has medians, ratios and every sample; what does not exist is null', () => {
  const report = reportOf(environment, results);
  expect(report.environment).toEqual(environment);
  expect(report.rows[0]).toEqual({
    row: 'memory',
    profile: 'wire',
    unit: 'MB',
    better: 'less',
    plain: null,
    sealed: 100,
    pccom: null,
    verdict: null,
    peers: { 'wireguard-go': null, strongswan: null },
    ratioToPlain: { sealed: null },
    ratioToBestPeer: { sealed: null },
    samples: { sealed: [101, 99, 100] },
  });
  expect(report.rows[1]).toMatchObject({ addedToPlain: { sealed: 0.3 }, ratioToBestPeer: { sealed: 2 } });
  expect(report.rows[2]).toMatchObject({
    plain: 9,
    sealed: 4.5,
    peers: { 'wireguard-go': 1.5 },
    ratioToPlain: { sealed: 0.5 },
    ratioToBestPeer: { sealed: 3 },
  });
  expect(report.targets).toEqual(standings(results));
});

/** What a person and a program read of the same run. */
import { describe, expect, test } from 'vitest';
import type { Environment } from '../../perf/bench/environment.ts';
import { sayIn } from '../../perf/bench/messages.ts';
import { environmentLines, figure, type Result, reportOf, resultLines } from '../../perf/bench/table.ts';

const environment: Environment = {
  cpu: 'Abacus 9',
  cpus: 2,
  kernel: 'Linux 6.1.0',
  node: 'v24.21.0',
  iperf3: 'iperf 3.12',
  profile: 'packet',
  congestionControl: 'cubic',
  workers: 1,
  cipher: 'native',
  loadAverage: [0.1, 0.25, 1],
};

const results: Result[] = [
  { row: 'memory', unit: 'MB', samples: { plain: [], sealed: [101, 99, 100] }, is: ['is-memory'] },
  { row: 'known', unit: 'ms', samples: { plain: [0.1, 0.3, 0.2], sealed: [0.5, 0.4, 0.6] }, is: ['is-known'] },
  {
    row: 'tcp',
    unit: 'Gbit/s',
    samples: { plain: [8, 10, 9], sealed: [4.5, 4, 5] },
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

describe('the table', () => {
  const lines = resultLines(results, 3, sayIn('en'));

  test('shows medians with their range, ratios, and what is added to a time', () => {
    expect(lines.slice(0, 4).map((l) => l.split(/ {2,}/))).toEqual([
      ['row', 'plain', 'sealed', 'ratio', 'added'],
      ['memory', 'MB', '–', '100 (99.0–101)', '–', '–'],
      ['known', 'ms', '0.200 (0.100–0.300)', '0.500 (0.400–0.600)', '2.50', '0.300'],
      ['tcp', 'Gbit/s', '9.00 (8.00–10.0)', '4.50 (4.00–5.00)', '0.500', '–'],
    ]);
  });

  test('says what each row is, what is to be remarked, and how it was sampled', () => {
    const text = lines.join('\n');
    expect(text).toMatch(/^tcp +iperf3, one stream, 2 s/m);
    expect(text).toContain('1514 B on average, below 10 KB');
    expect(text).toContain('Medians of 3 samples');
  });

  test('speaks Japanese, and nothing is left open', () => {
    const text = [...environmentLines(environment, sayIn('ja')), ...resultLines(results, 3, sayIn('ja'))].join('\n');
    expect(text).toContain('測定項目');
    expect(text).toContain('中央値');
    expect(text).not.toMatch(/[{}]/);
  });

  test('is headed by the machine it comes from', () => {
    const text = environmentLines(environment, sayIn('en')).join('\n');
    for (const fact of ['Abacus 9, 2 CPUs', 'Linux 6.1.0', 'v24.21.0', 'packet: ', 'cubic', '0.10 0.25 1.00']) {
      expect(text).toContain(fact);
    }
  });
});

test('the JSON has medians, ratios and every sample; what does not exist is null', () => {
  const report = reportOf(environment, results);
  expect(report.environment).toEqual(environment);
  expect(report.rows[0]).toEqual({
    row: 'memory',
    profile: 'packet',
    unit: 'MB',
    plain: null,
    sealed: 100,
    ratioToPlain: null,
    samples: { plain: [], sealed: [101, 99, 100] },
  });
  expect(report.rows[2]).toMatchObject({ row: 'tcp', plain: 9, sealed: 4.5, ratioToPlain: 0.5 });
});

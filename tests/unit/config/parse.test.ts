import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_CONFIG_LENGTH, parseConfig } from '#config/parse.ts';
import { formatProblem, type Problem } from '#config/problem.ts';

const FILE = 'gateway.yaml';

function config(text: string) {
  const parsed = parseConfig(text, FILE);
  if ('problems' in parsed) throw new Error(parsed.problems.map((p) => formatProblem(p, 'en')).join('\n'));
  return parsed.config;
}

function problems(text: string): readonly Problem[] {
  const parsed = parseConfig(text, FILE);
  expect(parsed).toHaveProperty('problems');
  return 'problems' in parsed ? parsed.problems : [];
}

const lines = (text: string, language: 'en' | 'ja' = 'en') => problems(text).map((p) => formatProblem(p, language));

const BRIDGE = 'kind: bridge\nouter: eth0\ninner: eth1\n';

describe('the smallest files', () => {
  test('three lines make a bridge, with every default closed and safe', () => {
    expect(config(BRIDGE)).toEqual({
      kind: 'bridge',
      outer: 'eth0',
      inner: 'eth1',
      management: undefined,
      workers: 1,
      port: 'packet',
      cipher: 'native',
      withoutKeys: 'closed',
      nonIp: 'by-mode',
      exceptions: [],
      language: undefined,
    });
  });

  test('two lines make a router', () => {
    expect(config('kind: router\nouter: enp1s0.100\n')).toMatchObject({
      kind: 'router',
      outer: 'enp1s0.100',
      workers: 1,
    });
    expect(config('kind: router\nouter: eth0\n')).not.toHaveProperty('inner');
  });

  test('a byte order mark, CRLF line ends, comments and JSON are fine', () => {
    expect(config(`\ufeff# site A\r\nkind: bridge # of the press\r\nouter: eth0\r\ninner: eth1\r\n`).outer).toBe(
      'eth0',
    );
    expect(config('{"kind":"router","outer":"eth0"}').kind).toBe('router');
  });
});

describe('a file that says everything', () => {
  const full = `${BRIDGE}workers: 4
cipher: noble
withoutKeys: open
nonIp: refuse
language: ja
management:
  name: box
  addresses: [192.0.2.5/24, "2001:DB8::5/64"]
  gateways: [192.0.2.1, "fe80::1"]
exceptions:
  - address: 198.51.100.7
    protocol: udp
    port: 123
  - { address: "2001:DB8:0::/32", protocol: 89, direction: both }
  - { address: 0.0.0.0/0, protocol: tcp, port: 22, direction: in }
`;

  test('every value arrives, addresses in canonical form, one address as its full prefix', () => {
    expect(config(full)).toMatchObject({
      workers: 4,
      cipher: 'noble',
      withoutKeys: 'open',
      nonIp: 'refuse',
      language: 'ja',
      management: { name: 'box', addresses: ['192.0.2.5/24', '2001:DB8::5/64'], gateways: ['192.0.2.1', 'fe80::1'] },
      exceptions: [
        { address: '198.51.100.7/32', protocol: 'udp', port: 123, direction: 'out' },
        { address: '2001:db8::/32', protocol: 89, direction: 'both' },
        { address: '0.0.0.0/0', protocol: 'tcp', port: 22, direction: 'in' },
      ],
    });
  });

  test('an exception without protocol has no such field', () => {
    const [only] = config(`${BRIDGE}exceptions: [{address: "2001:db8::1"}]`).exceptions;
    expect(only).toStrictEqual({ address: '2001:db8::1/128', direction: 'out' });
  });
});

describe('mistakes are told all at once, each with line, column, field and what is allowed', () => {
  test('in the order of the file, in English', () => {
    expect(
      lines(
        'kind: bridge\nouter: eth0\nworkers: 99\ncipher: rot13\nouterr: x\nexceptions:\n  - address: 192.0.2.5/24\n',
      ),
    ).toEqual([
      'gateway.yaml:1:1: inner: is missing; write the name of the interface toward the devices',
      'gateway.yaml:3:10: workers: must be a whole number from 1 to 64; is 99',
      'gateway.yaml:4:9: cipher: must be native or noble; is "rot13"',
      'gateway.yaml:5:1: outerr: is not a known field; did you mean "outer"? Allowed here: kind, inner, management, outer, workers, port, cipher, withoutKeys, nonIp, exceptions, language',
      'gateway.yaml:7:14: exceptions[0].address: "192.0.2.5/24" has host bits; write 192.0.2.0/24 for the network or the address alone for one machine',
    ]);
  });

  test('and in Japanese, with the same places', () => {
    const text = 'kind: router\nouter: eth0\nworkers: 0\nwithout-keys: open\n';
    expect(lines(text, 'ja')).toEqual([
      'gateway.yaml:3:10: workers: 1～64の整数を指定してください。現在の値: 0',
      'gateway.yaml:4:1: without-keys: この項目はありません。「withoutKeys」ではありませんか?ここで使える項目: kind, outer, workers, port, cipher, withoutKeys, nonIp, exceptions, language',
    ]);
  });

  test('libpcap has one worker only', () => {
    expect(config(`${BRIDGE}port: pcap\ncipher: noble\n`)).toMatchObject({ port: 'pcap', workers: 1, cipher: 'noble' });
    const both = `${BRIDGE}port: pcap\nworkers: 2\n`;
    expect(lines(both)).toEqual([
      'gateway.yaml:5:10: workers: "port: pcap" has one worker only, not 2; remove "workers", or use "port: packet"',
    ]);
    expect(lines(both, 'ja')).toEqual([
      'gateway.yaml:5:10: workers: 「port: pcap」で使えるワーカーは1つだけです(現在の値: 2)。「workers」を削除するか、「port: packet」を指定してください',
    ]);
    expect(lines(`${BRIDGE}port: raw\n`)).toEqual(['gateway.yaml:4:7: port: must be packet or pcap; is "raw"']);
  });

  test.each([
    ['', 1, '', 'the file is empty'],
    ['# nothing\n', 1, '', 'the file is empty'],
    ['hello', 1, '', 'must consist of fields'],
    ['- kind: bridge\n', 1, '', 'must consist of fields'],
    ['outer: eth0\n', 1, 'kind', 'is missing; write bridge or router'],
    ['kind: switch\nouter: eth0\n', 1, 'kind', 'must be bridge or router; is "switch"'],
    [`${BRIDGE}workers: 2.5\n`, 4, 'workers', 'a whole number from 1 to 64'],
    [`${BRIDGE}workers: "2"\n`, 4, 'workers', 'a whole number from 1 to 64; is "2"'],
    [`${BRIDGE}workers: .nan\n`, 4, 'workers', 'a whole number from 1 to 64'],
    [`${BRIDGE}workers:\n`, 4, 'workers', 'has no value'],
    [`${BRIDGE}language: de\n`, 4, 'language', 'must be en or ja'],
    [`${BRIDGE}nonIp: [pass]\n`, 4, 'nonIp', 'must be by-mode, pass or refuse; is a list of 1'],
    ['kind: bridge\nouter: 10\ninner: eth1\n', 2, 'outer', 'must be text, is 10; put it in quotes'],
    ['kind: bridge\nouter: yes it is\ninner: eth1\n', 2, 'outer', 'name of a network interface'],
    ['kind: bridge\nouter: interface-too-long\ninner: eth1\n', 2, 'outer', '1 to 15'],
    ['kind: bridge\nouter: -rf\ninner: eth1\n', 2, 'outer', 'name of a network interface'],
    ['kind: bridge\nouter: "eth0\\0"\ninner: eth1\n', 2, 'outer', 'name of a network interface'],
    ['kind: bridge\nouter: lo\ninner: eth1\n', 2, 'outer', 'cannot be a port'],
    ['kind: bridge\nouter: eth0\ninner: eth0\n', 3, 'inner', 'already the interface of "outer"'],
    [
      `${BRIDGE}management: {name: eth1, addresses: [192.0.2.5/24]}\n`,
      4,
      'management.name',
      'already the interface of "inner"',
    ],
    [
      'kind: bridge\nouter: mgmt\ninner: eth1\nmanagement: {addresses: [192.0.2.5/24]}\n',
      4,
      'management',
      'already the interface of "outer"',
    ],
    [`${BRIDGE}management: true\n`, 4, 'management', 'a group of fields'],
    [`${BRIDGE}management: {}\n`, 4, 'management.addresses', 'is missing'],
    [`${BRIDGE}management: {addresses: []}\n`, 4, 'management.addresses', 'a list of addresses'],
    [`${BRIDGE}management: {addresses: [192.0.2.5]}\n`, 4, 'management.addresses[0]', 'with its prefix length'],
    [`${BRIDGE}management: {addresses: [192.0.2.0/24]}\n`, 4, 'management.addresses[0]', 'is the network itself'],
    [`${BRIDGE}management: {addresses: [224.0.0.1/24]}\n`, 4, 'management.addresses[0]', 'cannot be the address'],
    [`${BRIDGE}management: {addresses: [192.0.2.5/24, 192.0.2.5/25]}\n`, 4, 'management.addresses[1]', 'twice'],
    [
      `${BRIDGE}management: {addresses: [192.0.2.5/24], gateways: [198.51.100.1]}\n`,
      4,
      'management.gateways[0]',
      'in none of the networks',
    ],
    [
      `${BRIDGE}management: {addresses: [192.0.2.5/24], gateways: [192.0.2.1, 192.0.2.2]}\n`,
      4,
      'management.gateways[1]',
      'second default gateway for IPv4',
    ],
    [`${BRIDGE}exceptions: [5]\n`, 4, 'exceptions[0]', 'a group of fields: address'],
    [`${BRIDGE}exceptions: [{address: 010.1.2.3}]\n`, 4, 'exceptions[0].address', 'an address or a prefix'],
    [`${BRIDGE}exceptions: [{address: 192.0.2.0/33}]\n`, 4, 'exceptions[0].address', 'an address or a prefix'],
    [`${BRIDGE}exceptions: [{address: "fe80::1%eth0"}]\n`, 4, 'exceptions[0].address', 'an address or a prefix'],
    [`${BRIDGE}exceptions: [{address: 192.0.2.1, port: 53}]\n`, 4, 'exceptions[0].port', 'protocol: tcp'],
    [
      `${BRIDGE}exceptions: [{address: 192.0.2.1, protocol: udp, port: 65536}]\n`,
      4,
      'exceptions[0].port',
      'from 1 to 65535',
    ],
    [`${BRIDGE}exceptions: [{address: 192.0.2.1, protocol: sctp}]\n`, 4, 'exceptions[0].protocol', 'tcp, udp, icmp or'],
    [`${BRIDGE}exceptions: [{address: 192.0.2.1, protocol: 256}]\n`, 4, 'exceptions[0].protocol', 'from 0 to 255'],
    [`${BRIDGE}exceptions: [{address: "::/0"}]\n`, 4, 'exceptions[0].address', 'all traffic'],
    [`${BRIDGE}exceptions: [{address: 0.0.0.0/0, protocol: tcp}]\n`, 4, 'exceptions[0].address', 'all traffic'],
    [`${BRIDGE}exceptions: [{adress: 192.0.2.1}]\n`, 4, 'exceptions[0].adress', 'did you mean "address"'],
    [`${BRIDGE}__proto__: {kind: router}\n`, 4, '__proto__', 'is not a known field'],
    [`${BRIDGE}constructor: 1\n`, 4, 'constructor', 'is not a known field'],
    ['kind: router\nouter: eth0\ninner: eth1\n', 3, 'inner', 'belongs to "kind: bridge"'],
  ])('%j', (text, line, field, words) => {
    const found = problems(text);
    expect(found.map((p) => [p.line, p.field])).toContainEqual([line, field]);
    const one = found.find((p) => p.field === field);
    expect(one?.message.en).toContain(words);
    expect(one?.message.ja).toMatch(/[\u3040-\u30ff\u4e00-\u9fff]/);
  });

  test('more exceptions than a person reads are refused', () => {
    const list = (n: number) => `${BRIDGE}exceptions:\n${'  - {address: 192.0.2.1}\n'.repeat(n)}`;
    expect(config(list(256)).exceptions).toHaveLength(256);
    expect(problems(list(257))[0]?.message.en).toContain('at most 256');
  });
});

describe('text that is not plain YAML', () => {
  test.each([
    ['kind: bridge\nkind: router\nouter: eth0\n', 2, 'given twice'],
    ['management:\n\taddresses: []\n', 2, 'a tab indents this line'],
    ['kind: bridge\n---\nkind: router\n', 2, 'second document'],
    ['kind: "bridge\nouter: eth0\n', 3, 'a closing quote'],
    ['kind: bridge: x\n', 1, 'a second ":"'],
    ['kind: @bridge\n', 1, 'cannot begin with this character'],
    ['exceptions: [{address: 192.0.2.1}\n', 2, 'a bracket is not closed'],
    ['kind: &k bridge\nouter: eth0\n', 1, 'anchors'],
    ['kind: bridge\nouter: *k\n', 2, 'anchors'],
    ['kind: !!binary aGVsbG8=\nouter: eth0\n', 1, 'tags'],
    ['kind: !include x\nouter: eth0\n', 1, 'tags'],
  ])('%j', (text, line, words) => {
    const [first] = problems(text);
    expect(first?.message.en).toContain(words);
    expect(first?.line).toBe(line);
  });

  test('an alias bomb is refused before it grows', () => {
    let bomb = 'a: &a [x, x, x, x, x, x, x, x, x]\n';
    for (const [one, two] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi'])
      bomb += `${two}: &${two} [${`*${one},`.repeat(9)}]\n`;
    const found = problems(bomb);
    expect(found[0]?.message.en).toContain('aliases');
    expect(found.length).toBeLessThanOrEqual(5);
  });

  test('ten thousand brackets and ten megabytes are refused in words', () => {
    expect(problems('['.repeat(10_000))[0]?.message.en).toMatch(/nested too deeply|not closed/);
    expect(problems(`${BRIDGE}#${'x'.repeat(10_000_000)}`)).toMatchObject([
      { line: 0, message: { en: expect.stringContaining('64 KiB') } },
    ]);
    expect(config(`${BRIDGE}#${'x'.repeat(MAX_CONFIG_LENGTH - BRIDGE.length - 1)}`).kind).toBe('bridge');
  });

  test('whatever the text is, there is a value or a problem that points into it', () => {
    const word = fc.constantFrom(
      'kind',
      'bridge',
      'router',
      'outer',
      'eth0',
      'management',
      'exceptions',
      'address',
      ':',
      ': ',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      ',',
      '"',
      "'",
      '&',
      '*',
      '!',
      '|',
      '>',
      '?',
      '#',
      '\t',
      '192.0.2.1/24',
      '1',
      'null',
      '\u0000',
      '表',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.array(word).map((words) => words.join('')),
        ),
        (text) => {
          const parsed = parseConfig(text, FILE);
          if ('config' in parsed) return;
          expect(parsed.problems.length).toBeGreaterThan(0);
          const count = text.split('\n').length;
          for (const problem of parsed.problems) {
            expect(problem.line).toBeGreaterThanOrEqual(1);
            expect(problem.line).toBeLessThanOrEqual(count);
            expect(problem.column).toBeGreaterThanOrEqual(1);
            expect(problem.message.en).not.toMatch(/undefined|\[object/);
          }
        },
      ),
      { numRuns: 400 },
    );
  });
});

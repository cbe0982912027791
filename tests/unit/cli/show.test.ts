import { describe, expect, test } from 'vitest';
import { explainSteps } from '#api/explain.ts';
import type { ExplainFacts } from '#api/views.ts';
import { showExplain } from '#cli/explain.ts';
import { sayIn } from '#cli/messages.ts';
import { showDrops, showEvent, showFlows, showPairs, showStatus } from '#cli/show.ts';
import type { GeId } from '#dprp/spec.ts';
import { FLOWS, PAIRS, STATUS } from '#kit/gateway-view.ts';

const en = sayIn('en');
const ja = sayIn('ja');

describe('status', () => {
  test('in English', () => {
    const lines = showStatus(STATUS, en);
    expect(lines[0]).toBe('Gateway       press-7 (GE 00112233445566aa), bridge, version 0.1.0');
    expect(lines.slice(1, 4)).toEqual([
      'State         running',
      'Mode          closed',
      'GMS           connected, 192.0.2.9:8443',
    ]);
    expect(lines).toContain('Pairs         encrypted 12, plaintext 3');
    expect(lines).toContain('Running for   1 d 2 h');
    expect(lines).toContain('inner  eth1       down   1500   90.0 kB   1.5 MB');
    expect(lines).toContain('    1  生産ライン            7  sealed');
    expect(lines.at(-1)).toBe('192.0.2.9/32 tcp 8443 both       17');
  });

  test('in Japanese', () => {
    const lines = showStatus(STATUS, ja);
    expect(lines).toContain('動作モード        閉域');
    expect(lines).toContain('通信相手の組      暗号化 12, 平文 3');
    expect(lines).toContain('稼働時間          1日2時間');
  });

  test('a full table says so', () => {
    const status = { ...STATUS, evicted: { pairs: 3, flows: 1_234 } };
    expect(showStatus(status, en)).toEqual(
      expect.arrayContaining([
        'Pairs         encrypted 12, plaintext 3, 3 made room in the full table',
        'Flows         57, 1,234 made room in the full table',
      ]),
    );
    expect(showStatus(status, ja)).toContain('フロー            57, 表が満杯のため1,234件を破棄');
    expect(showStatus(STATUS, en)).toContain('Flows         57');
  });

  test('a GMS from which nothing comes: why stands below', () => {
    const error = { en: 'no GMS address answers (192.0.2.9:8443)', ja: 'GMSのどのアドレスも応答しません' };
    const status = { ...STATUS, gms: { ...STATUS.gms, state: 'lost', error } } as const;
    const lines = showStatus(status, en);
    expect(lines.slice(3, 5)).toEqual([
      'GMS           no contact; working with stored keys, 192.0.2.9:8443',
      'GMS problem   no GMS address answers (192.0.2.9:8443)',
    ]);
    expect(showStatus(status, ja)[4]).toMatch(/^GMSの問題 +GMSのどのアドレスも応答しません$/);
  });

  test('a gateway without keys says so, and leaves out what it does not know', () => {
    const { mode: _m, ge: _g, name: _n, domainKeyVersion: _d, negotiation: _x, ...rest } = STATUS;
    const lines = showStatus(
      { ...rest, state: 'open', gms: { state: 'unenrolled' }, pairs: {}, groups: [], exceptions: [] },
      en,
    );
    expect(lines).toContain('State        no keys: OPEN, everything passes unprotected but what was protected before');
    expect(lines).toContain('GMS          not enrolled; use "enrol TOKEN"');
    expect(lines).toContain('Domain key   none');
    expect(lines.join('\n')).not.toMatch(/Mode|Negotiation|undefined/);
  });
});

test('flows and pairs show verdict and reason in words, and how many were left out', () => {
  expect(showFlows({ total: 2, flows: FLOWS }, en).at(-1)).toBe(
    'icmp      10.0.0.5:77     198.51.100.3:77  discarded              392 B     0 B     1 s  this gateway is closed and refuses outsiders',
  );
  expect(showFlows({ total: 9, flows: FLOWS }, ja).at(-1)).toContain('9件のうち2件');
  expect(showFlows({ total: 0, flows: [] }, en)).toEqual(['no flows']);
  expect(showPairs({ total: 2, pairs: PAIRS }, ja)[1]).toContain('双方のゲートウェイが同じ通信グループに属している');
  expect(showPairs({ total: 0, pairs: [] }, en)).toEqual(['no pairs']);
  const ipv6 = { ...FLOWS[0]!, device: '2001:db8::1' };
  expect(showFlows({ total: 1, flows: [ipv6] }, en)[1]).toContain('[2001:db8::1]:50123');
});

test('a code of a newer gateway is shown as it is', () => {
  const newer = JSON.parse(JSON.stringify({ ...PAIRS[0], verdict: 'teleport', reason: 'quantum' }));
  expect(showPairs({ total: 1, pairs: [newer] }, en)[1]).toMatch(/teleport.*quantum/);
});

test('drops show what happened, most first', () => {
  const drop = (name: 'bad-checksum' | 'port-down' | 'gso-bad', n: number) => ({
    name,
    text: { en: `en ${name}`, ja: `語${name}` },
    count: n,
  });
  const view = { total: 1_005, drops: [drop('port-down', 5), drop('gso-bad', 0), drop('bad-checksum', 1_000)] };
  expect(showDrops(view, en)).toEqual([
    'COUNT  NAME          REASON',
    '1,000  bad-checksum  en bad-checksum',
    '    5  port-down     en port-down',
    '1,005 dropped in all',
  ]);
  expect(showDrops({ total: 0, drops: [drop('gso-bad', 0)] }, ja)).toEqual(['破棄したパケットはありません']);
});

test('an event is a sentence with its details', () => {
  const event = {
    time: '2026-01-05T03:00:00.000Z',
    level: 'alarm',
    name: 'downgrade',
    details: { device: '10.0.0.5', peer: '10.1.0.9', ge: 'aa' },
  } as const;
  expect(showEvent(event, en)).toMatch(
    /^\S+ \S+ {2}ALARM {2}10\.1\.0\.9 was protected before .*10\.0\.0\.5 is discarded \(ge=aa\)$/,
  );
  expect(showEvent(event, ja)).toContain('警報  以前保護されていた10.1.0.9');
});

describe('explain', () => {
  const facts: ExplainFacts = {
    state: 'running',
    mode: 'closed',
    peer: '10.1.0.9',
    class: 'pair',
    verdict: 'unknown',
    pairs: [],
    protectedPrefix: false,
  };
  const told = (more: Partial<ExplainFacts>, say = en) => {
    const all = { ...facts, ...more };
    return showExplain({ ...all, steps: explainSteps(all) }, say);
  };

  test('a known pair', () => {
    expect(told({ device: '10.0.0.5', verdict: 'encrypt', reason: 'common-group', pairs: [PAIRS[0]!] })).toEqual([
      'Packets from 10.0.0.5 to 10.1.0.9: encrypted',
      'Reason: both gateways belong to the same communication group',
      '',
      '  1. No exception covers them.',
      '  2. The gateway has its keys (state: running).',
      '→ 3. 10.0.0.5 and 10.1.0.9 are a known pair: encrypted by sealed in group 1, with gateway ffeeddccbbaa9988.',
    ]);
  });

  test('an exception for a protocol or port is told, and the rest is explained', () => {
    const exception = { address: '10.1.0.9/32', protocol: 'udp', port: 123, direction: 'out' };
    const lines = told({ verdict: 'discard', reason: 'own-mode-closed', pairs: [PAIRS[0]!], exception });
    expect(lines[0]).toBe('Packets to 10.1.0.9: discarded');
    expect(lines[3]).toBe(
      '  1. The exception 10.1.0.9/32 udp 123 out lets some of them pass without protection. For all others:',
    );
  });

  test('a pair that waits for its next packet is not known', () => {
    const waiting = { ...PAIRS[0]!, verdict: 'unknown' as const };
    expect(told({ pairs: [waiting] })[4]).toBe('  3. Nothing is known about this pair yet.');
  });

  test('an unknown address that was protected before', () => {
    const lines = told({ protectedPrefix: true, remembered: { ge: 'ffeeddccbbaa9988' as GeId, transform: 'sealed' } });
    expect(lines[0]).toBe('Packets to 10.1.0.9: undecided');
    expect(lines.slice(-3)).toEqual([
      '  4. The GMS names the address as protected: nothing ever goes there in plaintext.',
      '  5. The address was protected before, by gateway ffeeddccbbaa9988 with sealed: without proof from it, packets are discarded.',
      '→ 6. The first packet is held and starts a negotiation (DPRP): encrypted when a gateway of a common group is there, otherwise discarded.',
    ]);
  });

  test('an address that was protected before, by a gateway that has no keys and is open', () => {
    const remembered = { ge: 'ffeeddccbbaa9988' as GeId, transform: 'sealed' } as const;
    const lines = told({ class: 'without-keys', state: 'open', verdict: 'discard', remembered });
    expect(lines.slice(-3)).toEqual([
      '  2. The gateway has no keys, and the configuration says "withoutKeys: open": all but what was or must be protected passes unprotected.',
      '  3. The GMS does not name the address as protected.',
      '→ 4. The address was protected before, by gateway ffeeddccbbaa9988 with sealed: without proof from it, packets are discarded.',
    ]);
  });

  test('exceptions, link services and a gateway without keys, in Japanese', () => {
    const exception = { address: '10.1.0.9/32', protocol: 'udp', port: 123, direction: 'out' };
    expect(told({ class: 'exception', verdict: 'plain', exception }, ja).at(-1)).toBe(
      '→ 1. 例外「10.1.0.9/32 udp 123 out」に該当するため、保護せずに通します。',
    );
    expect(told({ class: 'never-negotiated', verdict: 'discard' }, ja).at(-1)).toContain('マルチキャスト');
    expect(told({ class: 'without-keys', state: 'open', verdict: 'plain' }, ja).at(-1)).toContain('withoutKeys: open');
    expect(told({ class: 'without-keys', state: 'closed', verdict: 'discard' }, ja).at(-1)).toContain(
      'withoutKeys: closed',
    );
  });
});

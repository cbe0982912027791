/** Views of the API → lines for a person. */
import type {
  DropsView,
  ExceptionView,
  FlowsView,
  FlowView,
  GatewayEvent,
  PairsView,
  PairView,
  StatusView,
  Verdict,
} from '#api/views.ts';
import { bytes, count, duration, localTime } from '#terminal/quantity.ts';
import { harmless, list, table } from '#terminal/table.ts';
import { type MessageKey, messages, type Say } from './messages.ts';
import { REASON_WORDS, VERDICT_WORDS } from './reasons.ts';

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'icmp', 6: 'tcp', 17: 'udp', 58: 'icmpv6' };
const protocolName = (protocol: number | string): string => PROTOCOLS[Number(protocol)] ?? String(protocol);

/** The words for a code; a newer gateway's code that this program does not know is shown as it is. */
export const verdictWord = (verdict: string, say: Say): string =>
  (VERDICT_WORDS as Readonly<Record<string, (typeof VERDICT_WORDS)[Verdict]>>)[verdict]?.[say.language] ?? verdict;

export const reasonWord = (reason: string | undefined, say: Say): string =>
  (REASON_WORDS as Readonly<Record<string, { en: string; ja: string }>>)[reason ?? '']?.[say.language] ?? reason ?? '';

/** The message of a code, `state-running`; an unknown code as it is. */
export function word(kind: 'state' | 'gms' | 'kind' | 'mode' | 'port' | 'level', code: string, say: Say): string {
  const key = `${kind}-${code}`;
  return key in messages ? say(key as MessageKey) : code;
}

export function showStatus(status: StatusView, say: Say): string[] {
  const { gms, negotiation } = status;
  const version = (n: number | undefined): string =>
    n === undefined ? say('value-none') : say('value-version', { version: n });
  const who = [status.name, status.ge && `(GE ${status.ge})`].filter(Boolean).join(' ');
  const entries: (readonly [MessageKey, string | undefined])[] = [
    [
      'label-gateway',
      [who, `${word('kind', status.kind, say)}, ${say('value-version', { version: status.version })}`]
        .filter(Boolean)
        .join(', '),
    ],
    ['label-state', word('state', status.state, say)],
    ['label-mode', status.mode && word('mode', status.mode, say)],
    ['label-gms', [word('gms', gms.state, say), gms.address].filter(Boolean).join(', ')],
    ['label-gms-error', gms.error?.[say.language]],
    ['label-last-contact', gms.lastContact && localTime(gms.lastContact)],
    ['label-bundle', gms.sequence && `${gms.sequence.incarnation}.${gms.sequence.counter}`],
    ['label-keys-until', gms.keysUntil && localTime(gms.keysUntil)],
    ['label-domain-key', version(status.domainKeyVersion)],
    ['label-pairs', pairCounts(status, say)],
    ['label-flows', [count(status.flows), ...evicted(status.evicted.flows, say)].join(', ')],
    [
      'label-negotiation',
      negotiation &&
        say('value-negotiation', {
          median: duration(negotiation.medianMs, say.language),
          longest: duration(negotiation.maximumMs, say.language),
          count: negotiation.count,
        }),
    ],
    ['label-workers', `${status.workers} (${status.cipher})`],
    ['label-memory', bytes(status.memoryBytes)],
    ['label-uptime', duration(status.uptimeMs, say.language)],
  ];
  const known = entries.flatMap(([label, value]) => (value ? [[say(label), value] as const] : []));
  return [...list(known), '', ...ports(status, say), ...groups(status, say), ...exceptions(status.exceptions, say)];
}

function pairCounts(status: StatusView, say: Say): string {
  const counts = Object.entries(status.pairs)
    .filter(([, n]) => n > 0)
    .map(([verdict, n]) => `${verdictWord(verdict, say)} ${count(n)}`);
  if (status.held.frames > 0) {
    counts.push(say('value-held', { frames: count(status.held.frames), bytes: bytes(status.held.bytes) }));
  }
  counts.push(...evicted(status.evicted.pairs, say));
  return counts.join(', ') || say('value-none');
}

/** Of a table that was full. */
function evicted(entries: number, say: Say): string[] {
  return entries === 0 ? [] : [say('value-evicted', { count: count(entries) })];
}

function ports(status: StatusView, say: Say): string[] {
  return table(
    [
      { title: say('column-port') },
      { title: say('column-interface') },
      { title: say('column-state') },
      { title: 'MTU', right: true },
      { title: say('column-received'), right: true },
      { title: say('column-sent'), right: true },
    ],
    status.ports.map((port) => [
      word('port', port.role, say),
      port.name,
      word('port', port.state, say),
      String(port.mtu),
      bytes(port.bytesIn),
      bytes(port.bytesOut),
    ]),
  );
}

function groups(status: StatusView, say: Say): string[] {
  if (status.groups.length === 0) return [];
  const rows = status.groups.map((group) => [String(group.number), group.name, String(group.version), group.transform]);
  return [
    '',
    ...table(
      [
        { title: say('column-group'), right: true },
        { title: say('column-name') },
        { title: say('column-key-version'), right: true },
        { title: say('column-transform') },
      ],
      rows,
    ),
  ];
}

function exceptions(all: readonly ExceptionView[], say: Say): string[] {
  if (all.length === 0) return [];
  return [
    '',
    ...table(
      [{ title: say('column-exception') }, { title: say('column-hits'), right: true }],
      all.map((exception) => [
        exceptionText(exception, say),
        exception.hits === undefined ? '' : count(exception.hits),
      ]),
    ),
  ];
}

/** `192.0.2.9/32 tcp 8443 out` */
export function exceptionText(exception: ExceptionView, say: Say): string {
  const protocol = exception.protocol === undefined ? say('value-any') : protocolName(exception.protocol);
  return [exception.address, protocol, exception.port, exception.direction]
    .filter((part) => part !== undefined)
    .join(' ');
}

const association = (row: FlowView | PairView): string =>
  row.group === undefined ? '' : [row.group, row.transform].filter(Boolean).join(' ');

export function showFlows({ total, flows }: FlowsView, say: Say): string[] {
  if (total === 0) return [say('no-flows')];
  const end = (address: string, port: number): string =>
    port === 0 ? address : address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const rows = flows.map((flow) => [
    protocolName(flow.protocol),
    end(flow.device, flow.devicePort),
    end(flow.peer, flow.peerPort),
    verdictWord(flow.verdict, say),
    association(flow),
    bytes(flow.bytesOut),
    bytes(flow.bytesIn),
    duration(flow.idleMs, say.language),
    reasonWord(flow.reason, say),
  ]);
  return [
    ...table(
      [
        { title: say('column-protocol') },
        { title: say('column-device') },
        { title: say('column-peer') },
        { title: say('column-verdict') },
        { title: say('column-group') },
        { title: say('column-out'), right: true },
        { title: say('column-in'), right: true },
        { title: say('column-idle'), right: true },
        { title: say('column-reason') },
      ],
      rows,
    ),
    ...more(rows.length, total, say),
  ];
}

export function showPairs({ total, pairs }: PairsView, say: Say): string[] {
  if (total === 0) return [say('no-pairs')];
  const rows = pairs.map((pair) => [
    pair.device,
    pair.peer,
    verdictWord(pair.verdict, say),
    association(pair),
    pair.peerGe ?? '',
    duration(pair.idleMs, say.language),
    reasonWord(pair.reason, say),
  ]);
  return [
    ...table(
      [
        { title: say('column-device') },
        { title: say('column-peer') },
        { title: say('column-verdict') },
        { title: say('column-group') },
        { title: say('column-peer-gateway') },
        { title: say('column-idle'), right: true },
        { title: say('column-reason') },
      ],
      rows,
    ),
    ...more(rows.length, total, say),
  ];
}

const more = (shown: number, total: number, say: Say): string[] =>
  shown < total ? [say('more-rows', { shown: count(shown), total: count(total) })] : [];

/** Only what happened: zeros are for machines. */
export function showDrops({ total, drops }: DropsView, say: Say): string[] {
  const some = drops.filter((drop) => drop.count > 0).sort((a, b) => b.count - a.count);
  if (some.length === 0) return [say('no-drops')];
  return [
    ...table(
      [{ title: say('column-count'), right: true }, { title: say('column-name') }, { title: say('column-reason') }],
      some.map((drop) => [count(drop.count), drop.name, drop.text[say.language]]),
    ),
    say('dropped-in-all', { total: count(total) }),
  ];
}

/** `2026-01-05 03:00:00  ALARM  sentence (detail=value)`; details that the sentence does not use follow it. */
export function showEvent(event: GatewayEvent, say: Say): string {
  const key = `event-${event.name}`;
  const known = key in messages ? (key as MessageKey) : undefined;
  const template = known === undefined ? event.name : messages[known].en;
  const rest = Object.entries(event.details)
    .filter(([name]) => !template.includes(`{${name}}`))
    .map(([name, value]) => `${name}=${value}`);
  const sentence = known === undefined ? event.name : say(known, event.details);
  const details = rest.length > 0 ? ` (${rest.join(' ')})` : '';
  return harmless(`${localTime(event.time)}  ${word('level', event.level, say)}  ${sentence}${details}`);
}

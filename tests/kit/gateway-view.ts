/** A gateway that exists only as answers: for tests of the API and of its clients. */
import type { GatewayView } from '#api/view.ts';
import type { ExplainFacts, FlowView, GatewayEvent, PairView, StatusView } from '#api/views.ts';
import type { Filter } from '#datapath/messages.ts';
import type { GeId } from '#dprp/spec.ts';
import { DROP, DROPS } from '#wire/drops.ts';

export const STATUS: StatusView = {
  version: '0.1.0',
  kind: 'bridge',
  state: 'running',
  mode: 'closed',
  ge: '00112233445566aa' as GeId,
  name: 'press-7',
  gms: {
    state: 'connected',
    address: '192.0.2.9:8443',
    lastContact: '2026-01-05T03:00:00.000Z',
    sequence: { incarnation: 1, counter: 42 },
  },
  ports: [
    {
      role: 'outer',
      name: 'eth0',
      mtu: 1500,
      state: 'up',
      framesIn: 1000,
      bytesIn: 1_500_000,
      framesOut: 900,
      bytesOut: 90_000,
      mergedIn: 10,
      mergedBytesIn: 640_000,
      mergedOut: 0,
      mergedBytesOut: 0,
    },
    {
      role: 'inner',
      name: 'eth1',
      mtu: 1500,
      state: 'down',
      framesIn: 900,
      bytesIn: 90_000,
      framesOut: 1000,
      bytesOut: 1_500_000,
      mergedIn: 0,
      mergedBytesIn: 0,
      mergedOut: 12,
      mergedBytesOut: 700_000,
    },
  ],
  workers: 2,
  cipher: 'native',
  pairs: { encrypt: 12, plain: 3 },
  flows: 57,
  evicted: { pairs: 0, flows: 0 },
  held: { frames: 0, bytes: 0 },
  negotiation: { count: 15, medianMs: 0.41, maximumMs: 2.5 },
  domainKeyVersion: 5,
  groups: [{ number: 1, name: '生産ライン', version: 7, transform: 'sealed' }],
  exceptions: [{ address: '192.0.2.9/32', protocol: 'tcp', port: 8443, direction: 'both', hits: 17 }],
  uptimeMs: 93_784_000,
  memoryBytes: 91_226_112,
};

export const PAIRS: readonly PairView[] = [
  {
    device: '10.0.0.5',
    peer: '10.1.0.9',
    verdict: 'encrypt',
    reason: 'common-group',
    transform: 'sealed',
    group: 1,
    keyVersion: 7,
    generation: 2,
    peerGe: 'ffeeddccbbaa9988' as GeId,
    negotiationMs: 0.41,
    held: 0,
    idleMs: 200,
  },
  { device: '10.0.0.5', peer: '198.51.100.3', verdict: 'discard', reason: 'own-mode-closed', held: 0, idleMs: 61_000 },
];

export const FLOWS: readonly FlowView[] = [
  {
    protocol: 6,
    device: '10.0.0.5',
    devicePort: 50_123,
    peer: '10.1.0.9',
    peerPort: 502,
    verdict: 'encrypt',
    reason: 'common-group',
    transform: 'sealed',
    group: 1,
    peerGe: 'ffeeddccbbaa9988' as GeId,
    packetsOut: 1200,
    bytesOut: 90_000,
    packetsIn: 1100,
    bytesIn: 2_500_000,
    ageMs: 3_600_000,
    idleMs: 200,
  },
  {
    protocol: 1,
    device: '10.0.0.5',
    devicePort: 77,
    peer: '198.51.100.3',
    peerPort: 77,
    verdict: 'discard',
    reason: 'own-mode-closed',
    packetsOut: 4,
    bytesOut: 392,
    packetsIn: 0,
    bytesIn: 0,
    ageMs: 4_000,
    idleMs: 1_000,
  },
];

export interface FakeGateway extends GatewayView {
  readonly asked: unknown[];
  readonly stops: string[];
  readonly listeners: number;
  emit(event: GatewayEvent): void;
  /** What the next explain answers, the address and the device aside. */
  facts: Omit<ExplainFacts, 'peer' | 'device'>;
  /** Set to make every answer fail as a fault of our own would. */
  broken: boolean;
  onStop: () => void;
}

function matching<Row extends FlowView | PairView>(rows: readonly Row[], { device, peer, verdict, limit }: Filter) {
  const all = rows.filter(
    (row) =>
      (device ?? row.device) === row.device &&
      (peer ?? row.peer) === row.peer &&
      (verdict ?? row.verdict) === row.verdict,
  );
  return { total: all.length, rows: all.slice(0, limit) };
}

export function fakeGateway(): FakeGateway {
  const listeners = new Set<(event: GatewayEvent) => void>();
  const asked: unknown[] = [];
  const stops: string[] = [];
  const counts = new Float64Array(DROPS.length);
  counts[DROP['bad-checksum']] = 3;
  const answer = async <T>(question: unknown, value: () => T): Promise<T> => {
    asked.push(question);
    if (gateway.broken) throw new Error('the worker is gone');
    return value();
  };
  const gateway: FakeGateway = {
    asked,
    stops,
    get listeners() {
      return listeners.size;
    },
    facts: {
      state: 'running',
      mode: 'closed',
      class: 'pair',
      verdict: 'encrypt',
      reason: 'common-group',
      pairs: [PAIRS[0]!],
      protectedPrefix: false,
    },
    broken: false,
    onStop: () => undefined,
    status: () => answer('status', () => STATUS),
    flows: (filter) =>
      answer(filter, () => {
        const { total, rows } = matching(FLOWS, filter);
        return { total, flows: rows };
      }),
    pairs: (filter) =>
      answer(filter, () => {
        const { total, rows } = matching(PAIRS, filter);
        return { total, pairs: rows };
      }),
    explain: (peer, options) => answer({ peer, ...options }, () => ({ ...gateway.facts, peer, ...options })),
    drops: () => answer('drops', () => counts),
    configText: () => 'kind: router\nouter: eth0\n',
    stop: (why) => {
      stops.push(why);
      gateway.onStop();
    },
    enrol: async (token, force) => {
      asked.push({ token, force });
      if (token === 'expired') {
        throw Object.assign(new Error('expired'), {
          text: { en: 'the token has expired', ja: 'トークンの有効期限が切れています' },
        });
      }
      if (gateway.broken) throw new Error('the store is gone');
      return { ge: '00112233445566aa', name: 'press-7' };
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit: (event) => {
      for (const listener of listeners) listener(event);
    },
  };
  return gateway;
}

/** Random TCP streams for the merger: each segment as fields, what may happen to it, and the rule as sentences. */
import fc from 'fast-check';
import { JOINED_MAX } from '#wire/record.ts';
import { type Ip, type Tcp, tcpPacket } from './plain-packets.ts';

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;
const URG = 32;
const ECE = 64;
const CWR = 128;

/* ---- the twin: one segment as fields, the rule as sentences --------------------------------------------------- */

export interface Shape {
  readonly ip: Required<Omit<Ip, 'extra'>>;
  readonly ipOptions: boolean;
  readonly flowLabel: number;
  readonly mac: number;
  readonly tag: number;
  readonly back: boolean;
  readonly tcp: Omit<Tcp, 'payload' | 'options'>;
  readonly options: string;
  readonly length: number;
  readonly badHeaderChecksum: boolean;
}

export const flowOf = (s: Shape): string => `${s.ip.version} ${s.back} ${s.tcp.sourcePort} ${s.tcp.destinationPort}`;

export function twinGroups(shapes: readonly Shape[]): number[][] {
  const groups: number[][] = [];
  const open = new Map<string, number[]>();
  shapes.forEach((shape, i) => {
    const flow = flowOf(shape);
    const run = open.get(flow);
    open.delete(flow);
    const continues =
      run !== undefined &&
      mayMerge(shape) &&
      continuesRun(
        run.map((j) => shapes[j]),
        shape,
      );
    const group = continues ? run : [];
    group.push(i);
    if (!continues) groups.push(group);
    const ends = (shape.tcp.flags & (FIN | PSH)) !== 0 || (continues && shape.length < shapes[group[0]].length);
    if (mayMerge(shape) && !ends) open.set(flow, group);
  });
  return groups.sort((a, b) => a[0] - b[0]);
}

function mayMerge(s: Shape): boolean {
  if (s.length === 0) return false; /* an acknowledgement tells something by itself */
  if ((s.tcp.flags & (SYN | RST | URG | CWR)) !== 0) return false;
  if (s.ipOptions) return false;
  return s.ip.version === 6 || !s.badHeaderChecksum;
}

function continuesRun(run: readonly Shape[], s: Shape): boolean {
  const [first] = run;
  const last = run[run.length - 1];
  const headers = 14 + (s.ip.tagged ? 4 : 0) + (s.ip.version === 4 ? 20 : 40) + 20 + s.options.length / 2;
  const total = run.reduce((sum, one) => sum + one.length, s.length);
  return (
    s.tcp.sequence === (last.tcp.sequence + last.length) >>> 0 &&
    s.tcp.acknowledgement === first.tcp.acknowledgement &&
    (s.tcp.flags & ~(FIN | PSH)) === (first.tcp.flags & ~(FIN | PSH)) &&
    s.tcp.window === first.tcp.window &&
    s.tcp.urgent === first.tcp.urgent &&
    s.options === first.options &&
    s.length <= first.length &&
    run.length <= JOINED_MAX &&
    headers + total <= 65_531 &&
    s.mac === first.mac &&
    s.tag === first.tag &&
    s.ip.tagged === first.ip.tagged &&
    s.ip.tos === first.ip.tos &&
    s.ip.ttl === first.ip.ttl &&
    (s.ip.version === 6
      ? s.flowLabel === first.flowLabel
      : s.ip.df === first.ip.df && s.ip.id === ((last.ip.id + 1) & 0xffff))
  );
}

export function bytesOf(s: Shape, payload: Buffer): Uint8Array {
  const extra = s.ipOptions ? Buffer.from(s.ip.version === 4 ? '01010100' : '0000010400000000', 'hex') : undefined;
  const options = Buffer.from(s.options, 'hex');
  const bytes = tcpPacket({ ...s.ip, ...(extra !== undefined && { extra }) }, { ...s.tcp, options, payload }, s.back);
  const l3 = s.ip.tagged ? 18 : 14;
  bytes[s.mac & 1 ? 5 : 11] = s.mac;
  if (s.ip.version === 6) bytes[l3 + 3] = s.flowLabel;
  if (s.ip.version === 4 && s.badHeaderChecksum) bytes[l3 + 10] ^= 0x40;
  return bytes;
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

/** What may happen to a flow between two segments; each stays until it is changed again. */
const CHANGES = {
  window: (s: Shape, n: number) => ({ ...s, tcp: { ...s.tcp, window: 1000 + n } }),
  acknowledgement: (s: Shape, n: number) => ({ ...s, tcp: { ...s.tcp, acknowledgement: 77 + n } }),
  echo: (s: Shape) => ({ ...s, tcp: { ...s.tcp, flags: s.tcp.flags ^ ECE } }),
  urgentPointer: (s: Shape, n: number) => ({ ...s, tcp: { ...s.tcp, urgent: n & 1 } }),
  timestamps: (s: Shape, n: number) => ({ ...s, options: `0101080a000000${(16 + n).toString(16)}00000005` }),
  noOptions: (s: Shape) => ({ ...s, options: '' }),
  otherOptions: (s: Shape) => ({ ...s, options: '01010101' }),
  tos: (s: Shape, n: number) => ({ ...s, ip: { ...s.ip, tos: n & 3 } }),
  ttl: (s: Shape, n: number) => ({ ...s, ip: { ...s.ip, ttl: 60 + (n & 3) } }),
  dontFragment: (s: Shape) => ({ ...s, ip: { ...s.ip, df: !s.ip.df } }),
  id: (s: Shape, n: number) => ({ ...s, ip: { ...s.ip, id: (s.ip.id + n) & 0xffff } }),
  inlineTag: (s: Shape) => ({ ...s, ip: { ...s.ip, tagged: !s.ip.tagged } }),
  tag: (s: Shape, n: number) => ({ ...s, tag: (n & 3) - 1 }),
  mac: (s: Shape, n: number) => ({ ...s, mac: n }),
  flowLabel: (s: Shape, n: number) => ({ ...s, flowLabel: n }),
  ipOptions: (s: Shape) => ({ ...s, ipOptions: !s.ipOptions }),
  headerChecksum: (s: Shape) => ({ ...s, badHeaderChecksum: !s.badHeaderChecksum }),
  lost: (s: Shape, n: number) => advanced(s, 100 * (n + 1)),
  retransmitted: (s: Shape, n: number) => advanced(s, -100 * n),
} satisfies Record<string, (s: Shape, n: number) => Shape>;

export const advanced = (s: Shape, by: number): Shape => ({
  ...s,
  tcp: { ...s.tcp, sequence: (s.tcp.sequence + by) >>> 0 },
});

export const FLOWS: readonly Pick<Shape, 'back'>[] = [
  { back: false },
  { back: false },
  { back: true },
  { back: false },
];

export function begun(flow: number): Shape {
  const version = flow === 1 ? 6 : 4;
  /* Flows 0 to 2 differ by version or direction only. */
  const sourcePort = flow === 3 ? 41 : 40;
  return {
    ip: { version, tos: 0, ttl: 64, id: 0xffff - flow, df: true, tagged: false },
    ipOptions: false,
    flowLabel: 0x45,
    mac: 1,
    tag: -1,
    back: FLOWS[flow].back,
    tcp: {
      sourcePort,
      destinationPort: 80,
      sequence: 0xffff_ff00,
      acknowledgement: 77,
      flags: ACK,
      window: 1000,
      urgent: 0,
    },
    options: '0101080a0000001000000005',
    length: 0,
    badHeaderChecksum: false,
  };
}

interface Step {
  readonly flow: number;
  readonly change: keyof typeof CHANGES | undefined;
  readonly n: number;
  readonly length: number;
  readonly flags: number;
}

export const step: fc.Arbitrary<Step> = fc.record({
  flow: fc.nat(FLOWS.length - 1),
  change: fc.oneof(
    { weight: 8, arbitrary: fc.constant(undefined) },
    fc.constantFrom(...(Object.keys(CHANGES) as (keyof typeof CHANGES)[])),
  ),
  n: fc.nat(15),
  length: fc.oneof({ weight: 20, arbitrary: fc.constant(100) }, fc.constantFrom(0, 1, 99, 101, 200)),
  flags: fc.oneof(
    { weight: 20, arbitrary: fc.constant(0) },
    fc.constantFrom(PSH, FIN, FIN | PSH, SYN, RST, URG, CWR, ACK),
  ),
});

export function shapesOf(steps: readonly Step[]): Shape[] {
  const flows = FLOWS.map((_, i) => begun(i));
  return steps.map(({ flow, change, n, length, flags }) => {
    if (change !== undefined) flows[flow] = CHANGES[change](flows[flow], n);
    const now = flows[flow];
    /* Some data bears no ACK: it must not merge with data that does. */
    const shape = { ...now, length, tcp: { ...now.tcp, flags: now.tcp.flags ^ flags } };
    const behind = advanced(now, length);
    flows[flow] = { ...behind, ip: { ...behind.ip, id: (behind.ip.id + 1) & 0xffff } };
    return shape;
  });
}

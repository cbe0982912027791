/** Datagrams: merging against a slow twin that reads like the rule, and against a link that cuts superpackets again. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeFrames } from '#transform/merge.ts';
import {
  KIND_CIPHERED,
  KIND_DROPPED,
  KIND_FRAGMENT,
  KIND_KEYED_OUT,
  KIND_OPENED,
  KIND_PLAIN,
} from '#transform/work.ts';
import {
  F_GSO_SIZE,
  F_GSO_TYPE,
  F_LENGTH,
  F_STRIDE,
  GSO_UDP_L4,
  JOINED_MAX,
  PORT_INNER,
  PORT_OUTER,
} from '#wire/record.ts';
import { UDP_LENGTH } from '#wire/udp.ts';
import { ALL_PORTS, Batch, expectSameFlows, merge, payloadOf } from './merge-batch.ts';
import { type Ip, tcpPacket, udpPacket } from './plain-packets.ts';

interface Datagram {
  readonly ip: Ip & { readonly id: number };
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly length: number;
  readonly noChecksum: boolean;
  readonly ipOptions: boolean;
  readonly badHeaderChecksum: boolean;
  readonly padded: boolean;
  readonly mac: number;
  readonly tag: number;
  readonly port: number;
  readonly kind: number;
}

const FIRST: Datagram = {
  ip: { version: 4, id: 0xfffe, ttl: 64, tos: 0, df: true, tagged: false },
  sourcePort: 7,
  destinationPort: 9,
  length: 88,
  noChecksum: false,
  ipOptions: false,
  badHeaderChecksum: false,
  padded: false,
  mac: 1,
  tag: -1,
  port: PORT_INNER,
  kind: KIND_OPENED,
};

function bytesOf(d: Datagram, i: number): Uint8Array {
  const extra = d.ipOptions ? Buffer.from(d.ip.version === 4 ? '01010100' : '0000010400000000', 'hex') : undefined;
  const ip = { ...d.ip, ...(extra !== undefined && { extra }) };
  const bytes = udpPacket(ip, d.sourcePort, d.destinationPort, payloadOf(i, d.length), d.noChecksum);
  bytes[11] = d.mac;
  if (d.ip.version === 4 && d.badHeaderChecksum) bytes[(d.ip.tagged === true ? 18 : 14) + 10] ^= 0x40;
  return bytes;
}

function add(batch: Batch, d: Datagram, i: number): void {
  const record = batch.add(bytesOf(d, i), d.kind, d.tag, d.port);
  /* Ethernet's padding, which a record may have and a cut would not give back. */
  if (d.padded) batch.work.records[record * F_STRIDE + F_LENGTH] += 6;
}

const next = (d: Datagram): Datagram => ({ ...d, ip: { ...d.ip, id: (d.ip.id + 1) & 0xffff } });

/* ---- the twin ------------------------------------------------------------------------------------------------ */

const flowOf = (d: Datagram): string => `${d.ip.version} ${d.sourcePort} ${d.destinationPort}`;
const isTouched = (d: Datagram): boolean => d.kind === KIND_OPENED || d.kind === KIND_CIPHERED;
const mayMerge = (d: Datagram): boolean =>
  d.length > 0 && !d.padded && !d.ipOptions && (d.ip.version === 6 || !d.badHeaderChecksum);

function continuesRun(run: readonly Datagram[], d: Datagram): boolean {
  const [first] = run;
  const last = run[run.length - 1];
  const same = (of: (d: Datagram) => unknown): boolean => of(d) === of(first);
  return (
    d.length <= first.length &&
    run.length <= JOINED_MAX &&
    same((s) => s.mac) &&
    same((s) => s.tag) &&
    same((s) => s.port) &&
    same((s) => s.ip.tagged) &&
    same((s) => s.ip.tos) &&
    same((s) => s.ip.ttl) &&
    (d.ip.version === 6 || (same((s) => s.ip.df) && d.ip.id === ((last.ip.id + 1) & 0xffff)))
  );
}

function twinGroups(datagrams: readonly Datagram[]): number[][] {
  const groups: number[][] = [];
  const open = new Map<string, number[]>();
  datagrams.forEach((d, i) => {
    const flow = flowOf(d);
    const run = open.get(flow);
    const touched = isTouched(d);
    if ((touched && d.noChecksum) || d.kind === KIND_FRAGMENT) open.clear();
    if (!touched || d.noChecksum) {
      groups.push([i]);
      return;
    }
    open.delete(flow);
    const continues =
      run !== undefined &&
      mayMerge(d) &&
      continuesRun(
        run.map((j) => datagrams[j]),
        d,
      );
    const group = continues ? run : [];
    group.push(i);
    if (!continues) groups.push(group);
    const ends = continues && d.length < datagrams[group[0]].length;
    if (mayMerge(d) && !ends) open.set(flow, group);
  });
  return groups.sort((a, b) => a[0] - b[0]);
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

const CHANGES = {
  length: (d: Datagram, n: number) => ({ ...d, length: 88 + (n % 3) - 1 }),
  noLength: (d: Datagram) => ({ ...d, length: d.length === 0 ? 88 : 0 }),
  checksum: (d: Datagram) => ({ ...d, noChecksum: d.ip.version === 4 && !d.noChecksum }),
  kind: (d: Datagram, n: number) => ({
    ...d,
    kind: [KIND_OPENED, KIND_CIPHERED, KIND_PLAIN, KIND_DROPPED, KIND_KEYED_OUT, KIND_FRAGMENT][n % 6],
  }),
  port: (d: Datagram) => ({ ...d, port: d.port === PORT_INNER ? PORT_OUTER : PORT_INNER }),
  padded: (d: Datagram) => ({ ...d, padded: !d.padded }),
  ipOptions: (d: Datagram) => ({ ...d, ipOptions: !d.ipOptions }),
  headerChecksum: (d: Datagram) => ({ ...d, badHeaderChecksum: !d.badHeaderChecksum }),
  mac: (d: Datagram, n: number) => ({ ...d, mac: n }),
  tag: (d: Datagram, n: number) => ({ ...d, tag: (n & 3) - 1 }),
  inlineTag: (d: Datagram) => ({ ...d, ip: { ...d.ip, tagged: d.ip.tagged !== true } }),
  tos: (d: Datagram, n: number) => ({ ...d, ip: { ...d.ip, tos: n & 3 } }),
  ttl: (d: Datagram, n: number) => ({ ...d, ip: { ...d.ip, ttl: 60 + (n & 3) } }),
  dontFragment: (d: Datagram) => ({ ...d, ip: { ...d.ip, df: d.ip.df !== true } }),
  id: (d: Datagram, n: number) => ({ ...d, ip: { ...d.ip, id: (d.ip.id + n) & 0xffff } }),
} satisfies Record<string, (d: Datagram, n: number) => Datagram>;

const step = fc.record({
  flow: fc.nat(2),
  n: fc.nat(15),
  change: fc.option(fc.constantFrom(...(Object.keys(CHANGES) as (keyof typeof CHANGES)[])), { freq: 5 }),
});

test('random streams are merged as the twin merges them, and cut again are what they were', () => {
  let merged = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 40 }), (steps) => {
      const flows: Datagram[] = [FIRST, { ...FIRST, ip: { ...FIRST.ip, version: 6 } }, { ...FIRST, sourcePort: 8 }];
      const sent: Datagram[] = [];
      for (const { flow, n, change } of steps) {
        /* A change holds for one frame or, where it is another sender's way, for all that follow. */
        const now = change === null ? flows[flow] : CHANGES[change](flows[flow], n);
        sent.push(now);
        flows[flow] = next(n < 8 ? flows[flow] : now);
      }
      const batch = new Batch();
      for (const [i, d] of sent.entries()) add(batch, d, i);
      merge(batch.work);
      const groups = twinGroups(sent);
      expect(batch.groups()).toEqual(groups);
      /* What goes another way, or not at all, has an order of its own. */
      const lanes = sent.map((d) => (isTouched(d) ? flowOf(d) : `${flowOf(d)} ${d.kind}`));
      const whole = sent.every((d) => !d.padded);
      if (whole) expectSameFlows(batch, lanes);
      merged += groups.filter((g) => g.length > 2).length;
    }),
    { numRuns: 500 },
  );
  expect(merged).toBeGreaterThan(100);
});

/* ---- cases --------------------------------------------------------------------------------------------------- */

describe.each([4, 6] as const)('IPv%d', (version) => {
  const first: Datagram = { ...FIRST, ip: { ...FIRST.ip, version } };
  const stream = (lengths: readonly number[], of = first): Batch => {
    const batch = new Batch(200_000);
    let d = of;
    lengths.forEach((length, i) => {
      add(batch, { ...d, length }, i);
      d = next(d);
    });
    merge(batch.work);
    return batch;
  };
  const sizes = (batch: Batch): number[] => batch.groups().map((g) => g.length);
  const same = (batch: Batch): void =>
    expectSameFlows(
      batch,
      batch.expected.map(() => ''),
    );

  test.each([
    ['opened', KIND_OPENED],
    ['sealed', KIND_CIPHERED],
  ])('datagrams that were %s become one superpacket whose first record says everything', (_name, kind) => {
    const batch = stream([88, 88, 88, 40], { ...first, kind });
    expect(batch.groups()).toEqual([[0, 1, 2, 3]]);
    const { records, view } = batch.work;
    expect([records[F_GSO_TYPE], records[F_GSO_SIZE]]).toEqual([GSO_UDP_L4, 88]);
    expect(view.getUint16(14 + (version === 4 ? 20 : 40) + UDP_LENGTH)).toBe(8 + 3 * 88 + 40);
    same(batch);
  });

  test('a shorter one ends it, a longer one begins another', () => {
    const batch = stream([88, 88, 87, 87, 88, 88]);
    expect(batch.groups()).toEqual([[0, 1, 2], [3], [4, 5]]);
    same(batch);
  });

  test('it has no more datagrams and no more bytes than Linux takes', () => {
    const many = stream(Array(JOINED_MAX + 3).fill(1));
    expect(sizes(many)).toEqual([JOINED_MAX + 1, 2]);
    same(many);
    const large = stream(Array(12).fill(8_972));
    expect(sizes(large)).toEqual([7, 5]);
    same(large);
  });

  test('a port that takes none of UDP, or none at all, gets each by itself', () => {
    for (const [tcp, udp] of [
      [ALL_PORTS, 1 << PORT_OUTER],
      [0, 0],
    ]) {
      const batch = new Batch();
      add(batch, first, 0);
      add(batch, next(first), 1);
      const before = batch.work.records.slice();
      mergeFrames(batch.work, tcp, udp);
      expect(batch.work.records).toEqual(before);
    }
  });

  test('a segment of the same ends and ports is of another flow', () => {
    const batch = new Batch();
    const flags = { acknowledgement: 1, flags: 16, window: 1, urgent: 0, options: Buffer.alloc(0) };
    const ports = { sourcePort: first.sourcePort, destinationPort: first.destinationPort };
    for (let i = 0; i < 4; i++) {
      const tcp = { ...ports, ...flags, sequence: 100 * i, payload: payloadOf(i, 100) };
      batch.add(
        i % 2 === 0
          ? bytesOf({ ...first, ip: { ...first.ip, id: i >> 1 } }, i)
          : tcpPacket({ ...first.ip, id: i >> 1 }, { ...tcp, sequence: 100 * (i >> 1) }),
      );
    }
    merge(batch.work);
    expect(batch.groups()).toEqual([
      [0, 2],
      [1, 3],
    ]);
    expectSameFlows(batch, ['udp', 'tcp', 'udp', 'tcp']);
  });

  test('a superpacket that passes whole keeps its place among the datagrams of its flow', () => {
    const batch = new Batch();
    for (let i = 0; i < 3; i++) add(batch, { ...first, ip: { ...first.ip, id: i } }, i);
    batch.work.records[F_STRIDE + F_GSO_TYPE] = GSO_UDP_L4;
    batch.work.records[F_STRIDE + F_GSO_SIZE] = 44;
    const [records, slab] = [batch.work.records.slice(), batch.slab.slice()];
    merge(batch.work);
    expect(batch.groups()).toEqual([[0], [1], [2]]);
    const whole = batch.work.records.subarray(F_STRIDE, 2 * F_STRIDE);
    expect([whole[F_GSO_TYPE], whole[F_GSO_SIZE]]).toEqual([GSO_UDP_L4, 44]);
    expect(whole).toEqual(records.subarray(F_STRIDE, 2 * F_STRIDE));
    expect(batch.slab).toEqual(slab);
  });
});

test('equal identifications, as of senders that set DF, are not merged: cut again they would count on', () => {
  const batch = new Batch();
  for (let i = 0; i < 3; i++) add(batch, { ...FIRST, ip: { ...FIRST.ip, id: 0 } }, i);
  merge(batch.work);
  expect(batch.groups()).toEqual([[0], [1], [2]]);
});

/** What people see of a worker's tables: the latest rows that match, all that match counted, in slices. */
import { describe, expect, it } from 'vitest';
import { Desk } from '#datapath/desk.ts';
import { EXPLAINED_PAIRS, LOOK_ROWS, LOOK_VIEWS } from '#datapath/limits.ts';
import type { ExplainView, Filter, FlowRow, Latest, PairView } from '#datapath/messages.ts';
import type { Millis } from '#dprp/spec.ts';
import { H1, H2, udp } from '#kit/sim-frames.ts';
import { SimWorld } from '#kit/sim-world.ts';
import { FORM_UDP, Frame, PROTO_UDP } from '#wire/frame.ts';

const ipv4 = (n: number) => Int32Array.of(0, 0, 0xffff, n);
const at = (now: number) => now as Millis;

/** A worker with nothing in its tables, and its desk. */
function room() {
  const world = new SimWorld(1);
  const { datapath, provider } = world.a;
  return { world, datapath, desk: new Desk(datapath, provider, 0) };
}

/** A datagram of 10.0.0.1 that was seen at `now`. */
function count({ datapath }: ReturnType<typeof room>, peer: Int32Array, port: number, now: number): void {
  const frame = Object.assign(new Frame(), {
    form: FORM_UDP,
    ipVersion: 4,
    protocol: PROTO_UDP,
    destinationPort: port,
  });
  frame.source.set(ipv4(0x0a000001));
  frame.destination.set(peer);
  datapath.flows.count(frame, 0, true, now);
}

/** The answer, and in how many slices it was found. */
function ask<Row>(desk: Desk, what: 'flows' | 'pairs', filter: Filter, now = 1_000) {
  expect(desk.handle({ type: 'query', id: 9, query: { what, filter } }, at(now))).toBeUndefined();
  for (let slices = 1; ; slices++) {
    expect(desk.busy).toBe(true);
    const answer = desk.goOn(at(now));
    if (answer === undefined) continue;
    if (answer.type !== 'answer') throw new Error(answer.type);
    expect([answer.id, desk.busy, desk.goOn(at(now))]).toEqual([9, false, undefined]);
    return { ...(answer.value as Latest<Row>), slices };
  }
}

describe('a look at the flows', () => {
  it('finds the ones seen last and counts them all, a slice at a time', () => {
    const all = room();
    const flows = 2 * LOOK_ROWS + 1;
    /* The order in which they were seen is not that of the rows. */
    for (let i = 0; i < flows; i++) count(all, ipv4(0x0b000000 + (i >> 4)), i & 15, (i * 7_919) % flows);
    const { total, rows, slices } = ask<FlowRow>(all.desk, 'flows', { limit: 2 * LOOK_VIEWS }, flows);
    expect(total).toBe(flows);
    expect(rows.map((row) => row.idleMs).sort((x, y) => x - y)).toEqual(rows.map((_, i) => i + 1));
    expect(rows).toHaveLength(2 * LOOK_VIEWS);
    expect(slices).toBe(4);
  });

  it('at nothing answers nothing', () => {
    expect(ask(room().desk, 'flows', { limit: 10 })).toEqual({ total: 0, rows: [], slices: 1 });
  });

  it('counts what matches, also behind the limit', () => {
    const all = room();
    for (let i = 0; i < 30; i++) count(all, ipv4(0x0b000000 + (i % 3)), i, i);
    const peers = (filter: Filter) => {
      const { total, rows } = ask<FlowRow>(all.desk, 'flows', filter);
      return [total, rows.map((row) => `${row.peer} ${row.peerPort}`).sort()];
    };
    expect(peers({ peer: '11.0.0.1', limit: 2 })).toEqual([10, ['11.0.0.1 25', '11.0.0.1 28']]);
    expect(peers({ device: '10.0.0.1', peer: '11.0.0.2', limit: 1 })).toEqual([10, ['11.0.0.2 29']]);
    expect(peers({ device: '10.0.0.2', limit: 2 })).toEqual([0, []]);
    expect(peers({ verdict: 'unknown', limit: 1 })).toEqual([30, ['11.0.0.2 29']]);
    expect(peers({ verdict: 'plain', limit: 1 })).toEqual([0, []]);
  });

  it('shows no flow that left before it was made readable, nor the one in its row', () => {
    const all = room();
    for (let i = 0; i <= LOOK_ROWS; i++) count(all, ipv4(0x0b000000), i, i);
    all.desk.handle(
      { type: 'query', id: 1, query: { what: 'flows', filter: { peer: '11.0.0.0', limit: 9_999 } } },
      at(1),
    );
    all.desk.goOn(at(1));
    all.datapath.flows.sweep(1e9, 2);
    count(all, ipv4(0x0c000000), 1, 1e6);
    let answer = all.desk.goOn(at(1));
    while (answer === undefined) answer = all.desk.goOn(at(1));
    const { rows } = (answer as { value: unknown }).value as Latest<FlowRow>;
    expect(rows).toHaveLength(LOOK_ROWS - 1);
    expect(new Set(rows.map((row) => row.peer))).toEqual(new Set(['11.0.0.0']));
  });

  it('gives way to a newer one', () => {
    const { desk } = room();
    desk.handle({ type: 'query', id: 1, query: { what: 'flows', filter: { limit: 1 } } }, at(1));
    expect(ask(desk, 'pairs', { limit: 1 }).total).toBe(0);
  });
});

describe('the verdict of a flow', () => {
  it("is its pair's, and never that of the pair that took the row of its own", () => {
    const { world, datapath, desk } = room();
    world.key('a');
    world.key('b');
    world.sendFromH1(udp({ from: H1, to: H2 }, 1, 2, Buffer.from('data')));
    world.run(100);
    const verdicts = () => {
      const { rows } = ask<FlowRow>(desk, 'flows', { limit: 10 }, world.now);
      return rows.map((row) => `${row.device} ${row.peer} ${row.verdict} ${row.transform ?? '–'}`).sort();
    };
    expect(verdicts()).toEqual([`${H1.v4} ${H2.v4} encrypt sealed`]);
    const [pair] = datapath.pairs.values();
    const row = pair.row;
    datapath.pairs.remove(pair);
    const other = datapath.pairs.findOrAdd(ipv4(0x0a000032), ipv4(0x0a00004d), 4, world.now);
    expect(other.row).toBe(row);
    other.verdict = 'discard';
    expect(verdicts()).toEqual([`${H1.v4} ${H2.v4} unknown –`]);
    expect(ask(desk, 'flows', { verdict: 'discard', limit: 10 }).total).toBe(0);
    expect(ask(desk, 'flows', { verdict: 'unknown', limit: 10 }).total).toBe(1);
  });
});

describe('a look at the pairs', () => {
  it('finds the ones seen last, by address and verdict', () => {
    const { datapath, desk } = room();
    for (let i = 0; i < 40; i++) {
      const pair = datapath.pairs.findOrAdd(ipv4(0x0a000000 + (i & 1)), ipv4(0x0b000000 + (i >> 1)), 4, i);
      pair.verdict = i % 4 === 0 ? 'plain' : 'negotiating';
    }
    const shown = (filter: Filter) => {
      const { total, rows } = ask<PairView>(desk, 'pairs', filter);
      return [total, rows.map((row) => `${row.device} ${row.peer} ${row.verdict}`).sort()];
    };
    expect(shown({ limit: 2 })).toEqual([40, ['10.0.0.0 11.0.0.19 negotiating', '10.0.0.1 11.0.0.19 negotiating']]);
    expect(shown({ verdict: 'plain', limit: 1 })).toEqual([10, ['10.0.0.0 11.0.0.18 plain']]);
    expect(shown({ device: '10.0.0.1', peer: '11.0.0.3', limit: 5 })).toEqual([1, ['10.0.0.1 11.0.0.3 negotiating']]);
    const status = desk.handle({ type: 'query', id: 1, query: { what: 'status' } }, at(1)) as { value: unknown };
    expect(status.value).toMatchObject({ pairs: { plain: 10, negotiating: 30 }, evicted: { pairs: 0, flows: 0 } });
  });

  it('an explanation has those of the address only, the latest first, a few of them', () => {
    const { datapath, desk } = room();
    for (let i = 0; i < 2 * EXPLAINED_PAIRS; i++) datapath.pairs.findOrAdd(ipv4(i), ipv4(0x0b000000), 4, i);
    datapath.pairs.findOrAdd(ipv4(5), ipv4(0x0b000001), 4, 5);
    const explained = (peer: string, device?: string) => {
      const query = { what: 'explain', peer, ...(device !== undefined && { device }) } as const;
      const answer = desk.handle({ type: 'query', id: 1, query }, at(1)) as { value: unknown };
      return (answer.value as ExplainView).pairs.map((pair) => pair.device);
    };
    const latest = Array.from({ length: EXPLAINED_PAIRS }, (_, i) => `0.0.0.${2 * EXPLAINED_PAIRS - 1 - i}`);
    expect(explained('11.0.0.0')).toEqual(latest);
    expect(explained('11.0.0.0', '0.0.0.7')).toEqual(['0.0.0.7']);
    expect(explained('11.0.0.1')).toEqual(['0.0.0.5']);
    expect(explained('11.0.0.2')).toEqual([]);
  });
});

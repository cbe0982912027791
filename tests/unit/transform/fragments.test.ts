/** Fragmentation and reassembly: what one takes apart the other puts together, and nothing else. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addRecord } from '#transform/emit.ts';
import { fragmentRecord, spreadFragments } from '#transform/fragments.ts';
import { DATAGRAMS, DATAGRAMS_PER_PAIR, FRAGMENT_TIMEOUT, Reassembly } from '#transform/reassembly.ts';
import { fitsWhole, fragmentMtu, keepFragments } from '#transform/size.ts';
import { KIND_FRAGMENT, KIND_PLAIN, W_KIND } from '#transform/work.ts';
import { type DropName, dropCode } from '#wire/drops.ts';
import { FORM_FRAGMENT } from '#wire/frame.ts';
import { F_LENGTH, F_OFFSET, F_STRIDE, PORT_INNER, SLOT_HEADROOM } from '#wire/record.ts';
import { checksumsAreRight, type Ip, onesSum, udpPacket, word16, word32 } from './plain-packets.ts';
import { PROVIDERS } from './providers-list.ts';
import { Rig } from './sealed-rig.ts';

const rig = new Rig(PROVIDERS[1][1]());
const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 11 + (i >> 8)) & 255));

function cut(packet: Buffer, mtu: number, id = 0x0102_0304): Buffer[] {
  expect(rig.arrive(packet)).toBe(0);
  addRecord(rig.work, KIND_PLAIN, rig.frame, SLOT_HEADROOM, packet.length, PORT_INNER, 0, -1, -1, 0);
  const count = fragmentRecord(rig.work, 0, mtu, id);
  expect(rig.work.recordCount).toBe(1);
  if (count === 0) return [];
  spreadFragments(rig.work);
  expect(rig.work.recordCount).toBe(count);
  return Array.from({ length: count }, (_, i) => rig.take(i).bytes);
}

class Desk {
  readonly counts = new Map<number, number>();
  readonly reassembly = new Reassembly((code, n) => this.counts.set(code, (this.counts.get(code) ?? 0) + n), 1);
  now = 1000;

  get longest(): number {
    return this.reassembly.longest;
  }

  /** The whole packet when this fragment completes it. */
  take(fragment: Buffer): Buffer | undefined {
    expect(rig.arrive(fragment)).toBe(0);
    expect(rig.frame.form).toBe(FORM_FRAGMENT);
    const top = rig.work.top;
    if (this.reassembly.add(rig.work, rig.frame, this.now) === 0) {
      expect(rig.work.top).toBe(top);
      return undefined;
    }
    const { batch } = this.reassembly;
    expect(rig.slab.subarray(rig.work.top).every((byte) => byte === 0xa5)).toBe(true);
    return Buffer.from(rig.slab.subarray(batch[F_OFFSET], batch[F_OFFSET] + batch[F_LENGTH]));
  }

  count(name: DropName): number {
    return this.counts.get(dropCode(name)) ?? 0;
  }
}

/** A datagram whose IPv4 header allows fragments, as reassembly restores it. */
const datagram = (version: 4 | 6, length: number, over: Partial<Ip> = {}): Buffer =>
  udpPacket({ version, df: false, ...over }, 5000, 502, pattern(length));

describe.each([4, 6] as const)('fragments of IPv%i', (version) => {
  it('stay within the MTU, bear right checksums and come together in any order', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 600, max: 9000 }),
        fc.integer({ min: 576, max: 1500 }),
        fc.infiniteStream(fc.nat()),
        fc.boolean(),
        (length, mtu, random, tagged) => {
          const packet = datagram(version, length, { tagged });
          const parts = cut(packet, mtu);
          const l3 = tagged ? 18 : 14;
          for (const part of parts) {
            expect(part.length - l3).toBeLessThanOrEqual(mtu);
            if (version === 4) expect(onesSum(part.subarray(l3, l3 + 20))).toBe(0xffff);
          }
          if (parts.length === 0) return;
          const desk = new Desk();
          const order = [...parts];
          for (let i = order.length - 1; i > 0; i--) {
            const j = Number(random.next().value) % (i + 1);
            [order[i], order[j]] = [order[j], order[i]];
          }
          const whole = order.map((part) => desk.take(part));
          expect(whole.slice(0, -1).every((one) => one === undefined)).toBe(true);
          expect(whole.at(-1)?.toString('hex')).toBe(packet.toString('hex'));
          expect(desk.reassembly.size).toBe(0);
          expect(desk.counts.size).toBe(0);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are made of the largest packet there is', () => {
    const packet = datagram(version, version === 4 ? 65_507 : 65_527);
    const parts = cut(packet, 1500);
    const desk = new Desk();
    const whole = parts.map((part) => desk.take(part));
    expect(whole.at(-1)?.equals(packet)).toBe(true);
  });

  it('are not made for a link that carries no eight bytes behind their headers', () => {
    const smallest = version === 4 ? 20 + 8 : 40 + 8 + 8;
    const packet = datagram(version, 100);
    expect(cut(packet, smallest)).not.toEqual([]);
    expect(rig.arrive(packet)).toBe(0);
    addRecord(rig.work, KIND_PLAIN, rig.frame, SLOT_HEADROOM, packet.length, PORT_INNER, 0, -1, -1, 0);
    expect(fragmentRecord(rig.work, 0, smallest - 1, 1)).toBe(dropCode('fragment-no-room'));
    expect(rig.work.recordCount).toBe(1);
  });

  it('stand where their packet stood', () => {
    const sizes = [100, 3000, 200, 1500, 1500, 300];
    const packets = sizes.map((size) => datagram(version, size));
    expect(rig.arrive(packets[0])).toBe(0);
    for (const packet of packets) {
      const at = rig.work.reserve(packet.length);
      rig.slab.set(packet, at);
      addRecord(rig.work, KIND_PLAIN, rig.frame, at, packet.length, PORT_INNER, 0, -1, -1, 0);
    }
    const counts = sizes.map((_, i) => fragmentRecord(rig.work, i, 1280, 7 + i));
    expect(counts).toEqual([0, 3, 0, 2, 2, 0]);
    spreadFragments(rig.work);
    expect([rig.work.recordCount, rig.work.extra]).toEqual([10, 0]);
    const kinds = Array.from({ length: 10 }, (_, i) => rig.work.records[i * F_STRIDE + W_KIND] === KIND_FRAGMENT);
    expect(kinds).toEqual([false, true, true, true, false, true, true, true, true, false]);
    const left = Array.from({ length: 10 }, (_, i) => rig.take(i).bytes);
    const desk = new Desk();
    for (const [at, size] of [
      [0, 100],
      [4, 200],
      [9, 300],
    ])
      expect(left[at]).toEqual(datagram(version, size));
    for (const [from, to, size] of [
      [1, 4, 3000],
      [5, 7, 1500],
      [7, 9, 1500],
    ]) {
      const whole = left.slice(from, to).map((part) => desk.take(part));
      expect(whole.at(-1)).toEqual(datagram(version, size));
    }
  });

  it('have their room from the time their packet asks for it', () => {
    const packet = datagram(version, 1450);
    expect(rig.arrive(packet)).toBe(0);
    let packets = 0;
    for (; rig.work.fits(2, 2 * packet.length); packets++) {
      const at = rig.work.reserve(packet.length);
      rig.slab.set(packet, at);
      addRecord(rig.work, KIND_PLAIN, rig.frame, at, packet.length, PORT_INNER, 0, -1, -1, 0);
      keepFragments(rig.work, rig.frame, 1280, 0, 1);
    }
    expect(packets).toBeGreaterThan(300);
    rig.work.release();
    for (let i = 0; i < packets; i++) expect(fragmentRecord(rig.work, i, 1280, i)).toBe(2);
    spreadFragments(rig.work);
    expect(rig.work.recordCount).toBe(2 * packets);
    rig.work.reset();
    expect(rig.work.fits(1024, 1 << 19)).toBe(true);
  });

  it('tell how long the longest was', () => {
    const desk = new Desk();
    const parts = cut(datagram(version, 3000), 1280);
    const longest = Math.max(...parts.map((part) => part.length - 14));
    for (const part of [parts[2], parts[0], parts[1]]) desk.take(part);
    expect(desk.longest).toBe(longest);
    for (const part of cut(datagram(version, 3000), 1400)) desk.take(part);
    expect(desk.longest).toBeGreaterThan(longest);
    for (const part of cut(datagram(version, 3000), 600)) desk.take(part);
    expect(desk.longest).toBeLessThanOrEqual(600);
    expect(fragmentMtu(version, desk.longest)).toBe(version === 4 ? desk.longest : 1280);
    expect(fragmentMtu(version, 1400)).toBe(1400);
    expect(fragmentMtu(version, 68)).toBe(version === 4 ? 576 : 1280);
    const most = version === 4 ? 1407 : 1400;
    expect([fitsWhole(version, most, 1400), fitsWhole(version, most + 1, 1400)]).toEqual([true, false]);
  });

  it('that make more than the largest packet are counted as many as they are', () => {
    /* The first has a header of its own, which the others do not count. */
    const limit = version === 4 ? 65_515 : 65_535;
    const extra = version === 4 ? Buffer.alloc(40, 1) : Buffer.from('0001040000000000', 'hex');
    const packet = datagram(version, 61_000, { extra });
    if (version === 6) packet[20] = 0; /* hop by hop: of every fragment */
    const first = cut(packet, 60_000, 5)[0];
    const data = first.length - 14 - (version === 4 ? 60 : 56);
    const last = cut(datagram(version, limit - 8), (data & ~7) + (version === 4 ? 20 : 48), 5)[1];
    for (const order of [
      [first, last],
      [last, first],
    ]) {
      const desk = new Desk();
      if (version === 6) word32(5).copy(last, 14 + 40 + 4);
      for (const part of order) expect(desk.take(part)).toBeUndefined();
      expect([...desk.counts]).toEqual([[dropCode('fragment-bad'), 2]]);
    }
  });

  it('leave what fits alone', () => {
    expect(cut(datagram(version, 400), 1500)).toEqual([]);
  });

  it('keep options and extension headers where they belong', () => {
    const extra = version === 4 ? Buffer.from([7, 7, 4, 0, 0, 0, 0, 0]) : Buffer.from([0, 0, 1, 4, 0, 0, 0, 0]);
    const packet = datagram(version, 3000, { extra });
    const parts = cut(packet, 1280);
    const desk = new Desk();
    expect(
      parts
        .map((part) => desk.take(part))
        .at(-1)
        ?.equals(packet),
    ).toBe(true);
    if (version === 4) expect(parts[1].subarray(34, 42)).toEqual(Buffer.from([1, 1, 1, 1, 1, 1, 1, 0]));
  });

  it('received twice are ignored, unless they differ', () => {
    const packet = datagram(version, 3000);
    const parts = cut(packet, 1280);
    const desk = new Desk();
    desk.take(parts[1]);
    desk.take(parts[1]);
    desk.take(parts[2]);
    desk.take(parts[2]);
    expect(desk.count('fragment-duplicate')).toBe(2);
    expect(desk.take(parts[0])?.equals(packet)).toBe(true);

    desk.take(parts[1]);
    const other = Buffer.from(parts[1]);
    other[other.length - 1] ^= 1;
    expect(desk.take(other)).toBeUndefined();
    expect(desk.count('fragment-overlap')).toBe(2);
    for (const part of parts) expect(desk.take(part)).toBeUndefined();
    expect(desk.count('fragment-overlap')).toBe(2 + parts.length);
    desk.now += FRAGMENT_TIMEOUT;
    expect(
      parts
        .map((part) => desk.take(part))
        .at(-1)
        ?.equals(packet),
    ).toBe(true);
  });

  it('that overlap drop their datagram', () => {
    const wide = cut(datagram(version, 3000), 1480);
    const narrow = cut(datagram(version, 3000), 1280);
    const desk = new Desk();
    desk.take(wide[0]);
    desk.take(narrow[1]);
    expect(desk.count('fragment-overlap')).toBe(2);
    expect(desk.take(wide[1])).toBeUndefined();
  });

  it('that contradict the end drop their datagram', () => {
    const long = cut(datagram(version, 4000), 1280);
    const short = cut(datagram(version, 2000), 1280);
    const desk = new Desk();
    desk.take(short[1]);
    desk.take(long[2]);
    expect(desk.count('fragment-bad')).toBe(2);
  });

  it('wait a bounded time', () => {
    const parts = cut(datagram(version, 3000), 1280);
    const desk = new Desk();
    desk.take(parts[0]);
    desk.take(parts[1]);
    desk.now += FRAGMENT_TIMEOUT - 1;
    desk.reassembly.expire(desk.now);
    expect(desk.count('fragment-timeout')).toBe(0);
    desk.now += 1;
    desk.reassembly.expire(desk.now);
    expect(desk.count('fragment-timeout')).toBe(2);
    expect(desk.reassembly.size).toBe(0);
  });

  it('of one pair take a bounded share, and the oldest goes', () => {
    const desk = new Desk();
    for (let id = 1; id <= DATAGRAMS_PER_PAIR + 5; id++) {
      desk.now += 1;
      desk.take(cut(datagram(version, 3000, { id }), 1280, id)[0]);
    }
    expect(desk.reassembly.size).toBe(DATAGRAMS_PER_PAIR);
    expect(desk.count('fragment-memory')).toBe(5);
  });

  it('of many pairs take a bounded memory', () => {
    const desk = new Desk();
    for (let pair = 0; pair < DATAGRAMS + 20; pair++) {
      desk.now += 1;
      const [first] = cut(datagram(version, 3000), 1280);
      word16(pair).copy(first, version === 4 ? 28 : 36);
      rig.arrive(first);
      desk.reassembly.add(rig.work, rig.frame, desk.now);
    }
    expect(desk.reassembly.size).toBe(DATAGRAMS);
    expect(desk.count('fragment-memory')).toBe(20);

    /* Large fragments: memory ends before the table does, and what is complete in time still comes through. */
    for (let id = 1; id <= 60; id++) {
      desk.now += 1;
      desk.take(cut(datagram(version, 65_000, { id }), 60_000, id)[0]);
    }
    const packet = datagram(version, 65_000, { id: 99 });
    expect(
      cut(packet, 60_000, 99)
        .map((part) => desk.take(part))
        .at(-1)
        ?.equals(packet),
    ).toBe(true);
    expect(desk.count('fragment-memory')).toBeGreaterThan(40);
  });

  it('carry a mark of congestion to the whole', () => {
    const parts = cut(datagram(version, 3000), 1280);
    if (version === 4) {
      parts[1][15] |= 3;
      word16(0).copy(parts[1], 24);
      word16(~onesSum(parts[1].subarray(14, 34)) & 0xffff).copy(parts[1], 24);
    } else parts[1][15] |= 0x30;
    const desk = new Desk();
    const whole = parts.map((part) => desk.take(part)).at(-1) as Buffer;
    expect(version === 4 ? whole[15] & 3 : (whole[15] >> 4) & 3).toBe(3);
    expect(checksumsAreRight(whole)).toBe(true);
  });
});

describe('reassembly', () => {
  it('survives whatever arrives', () => {
    const desk = new Desk();
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            version: fc.constantFrom(4 as const, 6 as const),
            id: fc.nat(3),
            offset: fc.nat(9000),
            more: fc.boolean(),
            length: fc.integer({ min: 1, max: 400 }),
            wait: fc.nat(400),
          }),
          { maxLength: 60 },
        ),
        (steps) => {
          for (const { version, id, offset, more, length, wait } of steps) {
            desk.now += wait;
            const size = more ? length * 8 : length;
            const packet = datagram(version, size, { id });
            let fragment = packet;
            if (version === 4) {
              word16((more ? 0x2000 : 0) | (offset & 0x1fff)).copy(fragment, 20);
            } else {
              const header = Buffer.concat([word16(17 << 8), word16((offset << 3) | (more ? 1 : 0)), word32(id)]);
              fragment = Buffer.concat([packet.subarray(0, 54), header, packet.subarray(62)]);
              fragment[20] = 44;
            }
            if (rig.arrive(fragment) !== 0 || rig.frame.form !== FORM_FRAGMENT) continue;
            desk.reassembly.add(rig.work, rig.frame, desk.now);
            expect(desk.reassembly.size).toBeLessThanOrEqual(8);
          }
        },
      ),
      { numRuns: 60 },
    );
    desk.reassembly.expire(desk.now + FRAGMENT_TIMEOUT);
    expect(desk.reassembly.size).toBe(0);
  });

  it('names datagrams of its own differently each time', () => {
    const reassembly = new Reassembly(() => undefined, 0xffff_ffff);
    expect([reassembly.nextIdentification(), reassembly.nextIdentification()]).toEqual([0, 1]);
  });
});

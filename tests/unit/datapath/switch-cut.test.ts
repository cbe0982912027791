/** Where the keys of a direction changed: sequence numbers go round, streams go far beyond, time ends it. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Association } from '#datapath/associations.ts';
import { portsKey, SwitchCut } from '#datapath/switch-cut.ts';

const older = (): Association => ({ ended: false }) as Association;
const PORTS = portsKey(50_000, 443);
const cutAt = (sequence: number): SwitchCut =>
  new SwitchCut(older(), new Map([[PORTS, sequence | 0]]), 1_000, 100, 200);

describe('a cut', () => {
  it('is found by both ports, in their order', () => {
    const cut = cutAt(5_000);
    expect(cut.find(PORTS, 4_000)).toBe(5_000);
    expect(cut.find(portsKey(443, 50_000), 4_000)).toBe(-1);
    expect(cut.find(portsKey(50_001, 443), 4_000)).toBe(-1);
  });

  it('is unsigned, and found on both sides of where numbers go round', () => {
    const cut = cutAt(0xffff_fff0);
    expect(cut.find(PORTS, 0xffff_0000)).toBe(0xffff_fff0);
    expect(cut.find(PORTS, 0x0000_1000)).toBe(0xffff_fff0);
  });

  it('is forgotten once the stream is 2^30 beyond it, for good', () => {
    fc.assert(
      fc.property(fc.nat(0xffff_ffff), fc.integer({ min: 0, max: 2 ** 30 - 1 }), (sequence, beyond) => {
        const cut = cutAt(sequence);
        expect(cut.find(PORTS, (sequence + beyond) >>> 0)).toBe(sequence);
        expect(cut.find(PORTS, (sequence + 2 ** 30 + beyond) >>> 0)).toBe(-1);
        /* A stream of more than 2 GB comes to numbers that would be taken for older ones. */
        expect(cut.find(PORTS, (sequence + 2 ** 31 + beyond) >>> 0)).toBe(-1);
        expect(cut.find(PORTS, (sequence - 1) >>> 0)).toBe(-1);
      }),
    );
  });

  it('serves until its time is up, or the older keys are gone', () => {
    const gone = { ended: false };
    const cut = new SwitchCut(gone as Association, new Map(), 1_000, 100, 200);
    expect([cut.serves(1_099), cut.serves(1_100), cut.until]).toEqual([true, false, 1_200]);
    gone.ended = true;
    expect(cut.serves(1_050)).toBe(false);
  });
});

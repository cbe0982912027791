/** KSW: what goes in comes out, and nobody says more than a switch can name. */
import { describe, expect, it } from 'vitest';
import { MAC_LENGTH } from '#wire/dprp.ts';
import { decodeKsw, encodeKsw, KSW_CONNECTIONS, KSW_PARTS } from '#wire/ksw.ts';

const bytes = (part: number, parts: number, connections: number): Uint8Array => {
  const words = Int32Array.from({ length: 2 * connections }, (_, i) => (i * 0x01234567) | 0);
  const fields = { transcript: new Uint8Array(32).fill(1), old: new Uint8Array(8).fill(2), part, parts };
  return new Uint8Array([...encodeKsw({ ...fields, connections: words }), ...new Uint8Array(MAC_LENGTH).fill(3)]);
};

describe('KSW', () => {
  it('comes out as it went in', () => {
    for (const n of [0, 1, KSW_CONNECTIONS]) {
      const read = decodeKsw(bytes(1, 2, n));
      expect(read).toMatchObject({ part: 1, parts: 2 });
      expect(typeof read === 'string' ? [] : [...read.connections]).toEqual(
        Array.from({ length: 2 * n }, (_, i) => (i * 0x01234567) | 0),
      );
    }
  });

  it('has as many parts as 4,096 connections need, and no more', () => {
    expect(KSW_PARTS * KSW_CONNECTIONS).toBeGreaterThanOrEqual(4_096);
    expect((KSW_PARTS - 1) * KSW_CONNECTIONS).toBeLessThan(4_096);
    expect(decodeKsw(bytes(KSW_PARTS - 1, KSW_PARTS, 1))).not.toBe('dprp-body');
    for (const [part, parts] of [
      [0, 0],
      [1, 1],
      [0, KSW_PARTS + 1],
      [254, 255],
    ]) {
      expect(decodeKsw(bytes(part, parts, 1)), `${part} of ${parts}`).toBe('dprp-body');
    }
    expect(decodeKsw(bytes(0, 1, KSW_CONNECTIONS + 1))).toBe('dprp-body');
  });
});

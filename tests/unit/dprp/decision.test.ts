import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseGeneration, decide, encodeDecision, isBehind, type Side } from '#dprp/decision.ts';
import type { GeId } from '#dprp/spec.ts';

const entry = (group: number, version = 1, transform: 'sealed' | 'pccom' = 'sealed') => ({ group, version, transform });
const side = (ge: string, ...entries: Side['entries'][number][]): Side => ({
  ge: ge as GeId,
  mode: 'open',
  aesInHardware: true,
  entries,
  held: 0,
});
const seen = { translated: false, refused: false };

describe('the decision', () => {
  it('prefers sealed to pccom, then the lowest group, then its highest common version', () => {
    const a = side('a', entry(1, 1, 'pccom'), entry(2, 5), entry(2, 4), entry(3));
    const b = side('b', entry(1, 1, 'pccom'), entry(2, 4), entry(2, 3), entry(3));
    expect(decide(a, b, seen)).toMatchObject({ outcome: 'protect', group: 2, version: 4, transform: 'sealed' });
    const only = side('b', entry(1, 1, 'pccom'));
    expect(decide(a, only, seen)).toMatchObject({ outcome: 'protect', group: 1, transform: 'pccom' });
  });

  it.each([
    ['open', 'open', 'plain'],
    ['open', 'closed', 'closed'],
    ['closed', 'open', 'closed'],
    ['closed', 'closed', 'closed'],
  ] as const)('%s and %s without a common group: %s', (modeA, modeB, outcome) => {
    expect(decide({ ...side('a'), mode: modeA }, { ...side('b', entry(1)), mode: modeB }, seen).outcome).toBe(outcome);
  });

  it('a group in common by number only is no ground for plaintext', () => {
    expect(decide(side('a', entry(1, 2)), side('b', entry(1, 1)), seen).outcome).toBe('version');
    expect(decide(side('a', entry(1)), side('b', entry(1, 1, 'pccom')), seen).outcome).toBe('transform');
    expect(decide(side('a', entry(1)), side('b', entry(1, 2, 'pccom')), seen).outcome).toBe('version');
  });

  it('other addresses, or a refusal, come before everything', () => {
    const a = side('a', entry(1));
    expect(decide(a, a, { translated: true, refused: true }).outcome).toBe('translated');
    expect(decide(a, a, { translated: false, refused: true }).outcome).toBe('refused');
  });

  it('takes AES only where both have it in hardware', () => {
    const a = side('a', entry(1));
    expect(decide(a, a, seen).algorithm).toBe(0);
    expect(decide({ ...a, aesInHardware: false }, a, seen).algorithm).toBe(1);
    expect(decide(a, { ...a, aesInHardware: false }, seen).algorithm).toBe(1);
  });

  it('has the bytes of docs/dprp.md § 3.5', () => {
    const d = {
      outcome: 'protect',
      group: 7,
      version: 0x0a0b0c0d,
      transform: 'pccom',
      algorithm: 1,
      generation: 3,
    } as const;
    expect(Buffer.from(encodeDecision(d)).toString('hex')).toBe('00010103000000070a0b0c0d');
    expect(
      Buffer.from(encodeDecision({ ...d, outcome: 'busy' }))
        .toString('hex')
        .slice(0, 2),
    ).toBe('06');
  });
});

describe('generations', () => {
  it('have the parity of the side that starts', () => {
    expect(chooseGeneration(true, 0, 0)).toBe(0);
    expect(chooseGeneration(false, 0, 0)).toBe(1);
    expect(chooseGeneration(true, 0b0001, 0b0001)).toBe(2);
    expect(chooseGeneration(false, 0b0010, 0b0000)).toBe(3);
  });

  it('one that a single end holds serves nothing and is taken; where both hold both there is none', () => {
    expect(chooseGeneration(true, 0b0001, 0b0101)).toBe(2);
    expect(chooseGeneration(true, 0b0101, 0b0101)).toBeUndefined();
  });

  it('never take one that works', () => {
    fc.assert(
      fc.property(fc.boolean(), fc.nat(15), fc.nat(15), (lower, i, r) => {
        const chosen = chooseGeneration(lower, i, r);
        if (chosen !== undefined) expect(((i & r) >> chosen) & 1).toBe(0);
        if (chosen !== undefined) expect(chosen % 2 === 0).toBe(lower);
      }),
    );
  });
});

describe('being behind', () => {
  it('is told by a higher version of a common group, and by nothing else', () => {
    expect(isBehind([entry(1, 1)], [entry(1, 2), entry(1, 1)])).toBe(true);
    expect(isBehind([entry(1, 2), entry(1, 1)], [entry(1, 1)])).toBe(false);
    expect(isBehind([entry(1, 1)], [entry(2, 9)])).toBe(false);
  });
});

/**
 * What a worker plays before it takes traffic: a real negotiation, really protected packets, and nothing left behind.
 */
import { expect, test } from 'vitest';
import { PACKETS_OF_PAIR, rehearse } from '#datapath/rehearsal.ts';
import { type CipherProvider, J_OP, J_STATUS, J_STRIDE, OP_OPEN, STATUS_FORGED } from '#transform/cipher.ts';
import { createNativeProvider } from '#transform/providers/native.ts';

const PAIRS = 3;

/** A provider that notes what it is used for, and spoils what `spoil` says. */
function noting(notes: string[], spoil: (jobs: Int32Array, count: number) => void = () => undefined): CipherProvider {
  const provider = createNativeProvider();
  return new Proxy(provider, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...parts: unknown[]): unknown => {
        notes.push(String(name));
        const result: unknown = Reflect.apply(value, target, parts);
        if (name === 'run') spoil(parts[1] as Int32Array, parts[2] as number);
        return result;
      };
    },
  });
}

test('every packet arrives, each pair was negotiated, and all keys are given back', () => {
  const notes: string[] = [];
  expect(rehearse(() => noting(notes), PAIRS)).toBe(PAIRS * PACKETS_OF_PAIR);
  const times = (name: string): number => notes.filter((n) => n === name).length;
  /* Both directions, at both ends. */
  expect(times('expandAead')).toBe(PAIRS * 4);
  /* Sealed here, opened there. */
  expect(times('run')).toBeGreaterThanOrEqual(PAIRS * PACKETS_OF_PAIR * 2);
  expect(times('close')).toBe(2);
});

test('what arrives was opened: where nothing can be, nothing arrives', () => {
  const forged = (jobs: Int32Array, count: number): void => {
    for (let j = 0; j < count * J_STRIDE; j += J_STRIDE)
      if (jobs[j + J_OP] === OP_OPEN) jobs[j + J_STATUS] = STATUS_FORGED;
  };
  expect(rehearse(() => noting([], forged), PAIRS)).toBe(0);
});

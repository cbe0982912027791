/** Both ends derive the same two keys, and what one sends with is what the other receives with. */
import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  AES_256_GCM,
  CHACHA20_POLY1305,
  J_STATUS,
  J_STRIDE,
  OP_OPEN,
  OP_SEAL,
  STATUS_FORGED,
  STATUS_OK,
} from '#transform/cipher.ts';
import { keyInfo, sealedKeys } from '#transform/key-schedule.ts';
import { hex, PROVIDERS, text } from './providers-list.ts';

const TRANSCRIPT = new Uint8Array(32).map((_, i) => i);

it('the input is label, then transcript hash', () => {
  expect(hex(keyInfo('gscip 1 i>r aead', TRANSCRIPT))).toBe(hex(text('gscip 1 i>r aead')) + hex(TRANSCRIPT));
  expect(hex(keyInfo('gscip 1 r>i confirm', TRANSCRIPT))).toBe(hex(text('gscip 1 r>i confirm')) + hex(TRANSCRIPT));
});

it('refuses a transcript that is no hash', () => {
  for (const length of [0, 31, 33, 64]) {
    expect(() => keyInfo('gscip 1 i>r aead', new Uint8Array(length))).toThrow(RangeError);
  }
});

describe.each(PROVIDERS)('%s', (_, create) => {
  it.each([AES_256_GCM, CHACHA20_POLY1305] as const)(
    'algorithm %d: what one end seals the other opens, not itself',
    (algorithm) => {
      const provider = create();
      const prk = provider.importKey(new Uint8Array(32).fill(9));
      const initiator = sealedKeys(provider, prk, TRANSCRIPT, 'initiator', algorithm)!;
      const responder = sealedKeys(provider, prk, TRANSCRIPT, 'responder', algorithm)!;
      const other = sealedKeys(provider, prk, TRANSCRIPT.toReversed(), 'responder', algorithm)!;
      const open = (sendKey: number, receiveKey: number): number => {
        const slab = new Uint8Array(64).fill(0xa5);
        const jobs = new Int32Array(2 * J_STRIDE);
        jobs.set([OP_SEAL, sendKey, 0, 0, 32, 0, 0, 40, 16]);
        jobs.set([OP_OPEN, receiveKey, 0, 0, 32, 0, 0, 40, 16], J_STRIDE);
        provider.run(slab, jobs, 2);
        return jobs[J_STRIDE + J_STATUS];
      };
      expect(open(initiator.sendKey, responder.receiveKey)).toBe(STATUS_OK);
      expect(open(responder.sendKey, initiator.receiveKey)).toBe(STATUS_OK);
      expect(open(initiator.sendKey, initiator.receiveKey)).toBe(STATUS_FORGED);
      expect(open(initiator.sendKey, other.receiveKey)).toBe(STATUS_FORGED);
      provider.close();
    },
  );

  it('leaves the pseudorandom key to the caller', () => {
    const provider = create();
    const prk = provider.importKey(new Uint8Array(32).fill(9));
    sealedKeys(provider, prk, TRANSCRIPT, 'initiator', AES_256_GCM);
    const expected = createHmac('sha256', new Uint8Array(32).fill(9)).update('x').digest('hex');
    expect(hex(provider.mac(prk, text('x')))).toBe(expected);
    provider.close();
  });
});

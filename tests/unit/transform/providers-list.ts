/** Both providers, for the suites that every provider passes. */
import type { CipherProvider } from '#transform/cipher.ts';
import { createNativeProvider } from '#transform/providers/native.ts';
import { createNobleProvider } from '#transform/providers/noble.ts';

export const PROVIDERS: readonly (readonly [string, () => CipherProvider])[] = [
  ['native', createNativeProvider],
  ['noble', createNobleProvider],
];

export const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));
export const hex = (data: Uint8Array): string => Buffer.from(data).toString('hex');
export const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));

/**
 * Cipher providers by their names in the configuration. Only the one that is asked for is loaded
 * (docs/decisions/0019-start-and-rehearsal.md).
 */
import type { CipherProvider } from '../cipher.ts';

export interface Providers {
  /** A provider of the calling thread; `grants` as `createGrants` made them, for keys that cross threads. */
  create(grants?: SharedArrayBuffer): CipherProvider;
  /** Undefined where keys cross threads without memory of JavaScript's. */
  createGrants(): SharedArrayBuffer | undefined;
}

export async function loadProviders(name: CipherProvider['name']): Promise<Providers> {
  if (name === 'native') {
    const { createNativeProvider } = await import('./native.ts');
    return { create: createNativeProvider, createGrants: () => undefined };
  }
  const { createNobleProvider } = await import('./noble.ts');
  const { createGrantMemory } = await import('./noble-grants.ts');
  return {
    create: (grants) => createNobleProvider(grants === undefined ? {} : { grants }),
    createGrants: createGrantMemory,
  };
}

import { expect, test } from 'vitest';
import { native } from '#native/native.ts';
import * as cipher from '#transform/cipher.ts';
import * as record from '#wire/record.ts';

const inTypeScript: Readonly<Record<string, unknown>> = { ...record, ...cipher };
const inC = native.layout();

test('every column and number of C has its equal in TypeScript', () => {
  for (const [name, value] of Object.entries(inC)) expect([name, value]).toEqual([name, inTypeScript[name]]);
});

test('and every one of TypeScript that C reads or writes is in C', () => {
  const shared = Object.keys(inTypeScript).filter((name) =>
    /^(F|SLOT|J|OP|STATUS|TWEAK)_|^(VNET_JOINED|JOINED_MAX|WIDE_FROM|AES_256_GCM|CHACHA20_POLY1305)$/.test(name),
  );
  expect(shared.length).toBeGreaterThan(40);
  expect(Object.keys(inC).sort()).toEqual(shared.sort());
});

import { expect, test } from 'vitest';
import { assemble, JUMP, JUMP_EQUAL, LOAD_HALF, RETURN_VALUE } from '#port/bpf.ts';

test('lines become instructions of eight bytes, labels become distances', () => {
  const program = assemble([
    [LOAD_HALF, 12],
    [JUMP_EQUAL, 0x0800, 'yes', 'no'],
    [JUMP, 0, 'yes'],
    'no',
    [RETURN_VALUE, 0],
    'yes',
    [RETURN_VALUE, 0xffff_ffff],
  ]);
  expect(Buffer.from(program).toString('hex').match(/.{16}/g)).toEqual([
    '280000000c000000',
    '1500020100080000',
    '0500000001000000',
    '0600000000000000',
    '06000000ffffffff',
  ]);
});

test('a jump to nowhere, backwards or too far is refused', () => {
  expect(() => assemble([[JUMP, 0, 'nowhere']])).toThrow(/nowhere/);
  expect(() => assemble(['back', [JUMP, 0, 'back']])).toThrow(/back/);
  const far = Array.from({ length: 256 }, () => [RETURN_VALUE, 0] as const);
  expect(() => assemble([[JUMP_EQUAL, 1, 'far'], ...far, 'far', [RETURN_VALUE, 0]])).toThrow(/too far/);
});

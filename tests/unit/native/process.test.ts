import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { native } from '#native/native.ts';

test('a hardened process writes no core, and its memory is closed to others of the same user', () => {
  const module = new URL('../../../gateway/native/native.ts', import.meta.url).href;
  const program = `
    import { execFileSync } from 'node:child_process';
    import { readFileSync } from 'node:fs';
    import { native } from ${JSON.stringify(module)};
    const coreLimit = () => /Max core file size +(\\S+) +(\\S+)/.exec(readFileSync('/proc/self/limits', 'utf8'));
    const open = () => {
      try {
        execFileSync('cat', ['/proc/' + process.pid + '/environ'], { stdio: 'pipe' });
        return true;
      } catch { return false; }
    };
    const before = open();
    native.hardenProcess();
    console.log(JSON.stringify([before, open(), ...coreLimit().slice(1)]));`;
  /* Root without its capabilities stands for another process of the gateway's user. */
  const bounded = ['--bounding-set=-all', process.execPath, '--input-type=module', '-e', program];
  expect(JSON.parse(execFileSync('setpriv', bounded, { encoding: 'utf8' }))).toEqual([true, false, '0', '0']);
});

test('a namespace that does not exist is named', () => {
  expect(() => native.enterNamespace('/run/netns/nowhere')).toThrow('/run/netns/nowhere: No such file or directory');
  expect(() => native.enterNamespace('/dev/null')).toThrow(/setns/);
});

/** What keeps a gateway from starting is told in both languages, with what to do. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { textOf } from '#config/text.ts';
import { CaptureError } from '#port/pcap-library.ts';
import { lockedMemoryFault, portFault } from '../../gateway/faults.ts';

test('a port that cannot be opened: field, interface, reason, fix', () => {
  const fault = portFault('outer', 'tun0', new CaptureError({ en: 'no Ethernet', ja: 'Ethernetでない' }));
  expect(textOf(fault)).toEqual({
    en:
      'outer: frames cannot be received from tun0 (no Ethernet); see ip link whether it is up and of Ethernet; ' +
      '"port" in the configuration names another way to receive',
    ja:
      'outer: tun0からフレームを受信できません(Ethernetでない)。「ip link」でEthernetであり有効であることを確認してください。' +
      '設定の「port」で別の受信方法を選べます',
  });
});

test('the field of the management port is that of the configuration; the words of a library stay as they are', () => {
  const { problems } = portFault('mgmt', 'gscip-mgmt', new Error('That device is not up'));
  expect(problems.map(({ field }) => field)).toEqual(['management']);
  expect(problems[0].problem.ja).toContain('(That device is not up)');
});

/** What the addon says when a process without privileges may lock nothing. */
function addonsWords(): string {
  const addon = fileURLToPath(new URL('../../gateway/native/native.ts', import.meta.url));
  const code = `
    const { native } = await import(${JSON.stringify(addon)});
    try { native.importKey(new Uint8Array(32)); } catch (error) { console.log(error.message); }`;
  const words = ['-c', 'ulimit -l 64; exec "$@"', 'sh'];
  if (process.getuid?.() === 0) words.push('setpriv', '--bounding-set=-ipc_lock', '--inh-caps=-ipc_lock');
  const { stdout } = spawnSync('sh', [...words, process.execPath, '--input-type=module', '-e', code], {
    encoding: 'utf8',
  });
  return stdout.trim();
}

test('memory for keys that may not be locked, as the addon says it', () => {
  const told = textOf(lockedMemoryFault(new Error(addonsWords())));
  expect(told).toEqual({
    en:
      'cipher: the memory for keys cannot be locked; raise the limit of locked memory by 1024 KiB at least ' +
      '(LimitMEMLOCK= of systemd, ulimit -l), or give CAP_IPC_LOCK',
    ja:
      'cipher: 鍵を置くメモリをロックできません。ロックできるメモリの上限を少なくとも1024 KiB引き上げる' +
      '(systemdのLimitMEMLOCK=、ulimit -l)か、CAP_IPC_LOCKを与えてください',
  });
});

test('memory whose size is not told, and every other error', () => {
  expect(textOf(lockedMemoryFault(new Error('key memory cannot be locked')))?.en).toContain('of locked memory (Limit');
  const other = new Error('key memory');
  expect(lockedMemoryFault(other)).toBe(other);
  expect(lockedMemoryFault('thrown')).toBe('thrown');
});

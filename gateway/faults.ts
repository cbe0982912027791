/** What keeps a gateway from starting, in the words of the person who can put it right. */
import type { PortRole } from '#host/links.ts';
import { HostError, wordsOf } from '#host/problem.ts';

/** A port that is there and drops, but gives no frames. */
export function portFault(role: PortRole, name: string, error: unknown): HostError {
  const words = wordsOf(error);
  const problem = {
    en: `frames cannot be received from ${name} (${words.en})`,
    ja: `${name}からフレームを受信できません(${words.ja})`,
  };
  const fix = {
    en: 'see ip link whether it is up and of Ethernet; "port" in the configuration names another way to receive',
    ja: '「ip link」でEthernetであり有効であることを確認してください。設定の「port」で別の受信方法を選べます',
  };
  return new HostError([{ field: role === 'mgmt' ? 'management' : role, problem, fix }], error);
}

/** How the addon says it (gateway/native/keys.c). */
const NOT_LOCKED = /^(?:\d+: )?key memory cannot be locked(?:.*\bby (\d+) KiB)?/;

/** The fault behind `error` where memory for keys may not be locked; any other error as it is. */
export function lockedMemoryFault(error: unknown): unknown {
  const found = error instanceof Error ? NOT_LOCKED.exec(error.message) : null;
  if (found === null) return error;
  const problem = {
    en: 'the memory for keys cannot be locked',
    ja: '鍵を置くメモリをロックできません',
  };
  const [en, ja] = found[1] === undefined ? ['', ''] : [` by ${found[1]} KiB at least`, `少なくとも${found[1]} KiB`];
  const fix = {
    en: `raise the limit of locked memory${en} (LimitMEMLOCK= of systemd, ulimit -l), or give CAP_IPC_LOCK`,
    ja: `ロックできるメモリの上限を${ja}引き上げる(systemdのLimitMEMLOCK=、ulimit -l)か、CAP_IPC_LOCKを与えてください`,
  };
  return new HostError([{ field: 'cipher', problem, fix }], error);
}

/** The words for mistakes: what is wrong with a field, what is allowed there, which name was probably meant. */
import type { z } from 'zod';
import { bridgeFile, exception, MAX_WORKERS, management, routerFile } from './schema.ts';
import type { Text } from './text.ts';

export const EMPTY: Text = {
  en: 'the file is empty; the smallest one has "kind: router" and "outer: eth0"',
  ja: 'ファイルが空です。最小の設定は「kind: router」と「outer: eth0」の2行です',
};
export const NOT_FIELDS: Text = {
  en: 'the file must consist of fields, one "field: value" a line',
  ja: 'ファイルには「項目: 値」を1行に1つずつ書いてください',
};
export const TOO_LONG: Text = {
  en: 'the file is larger than 64 KiB and was not read; this cannot be a gateway configuration',
  ja: 'ファイルが64KiBを超えているため読み込みませんでした。ゲートウェイの設定ファイルではないようです',
};

/** What may stand in a field, for fields whose schema does not name it in one place. */
const ALLOWED: Readonly<Record<string, Text>> = {
  workers: { en: `a whole number from 1 to ${MAX_WORKERS}`, ja: `1～${MAX_WORKERS}の整数` },
  port: { en: 'a port number from 1 to 65535', ja: '1～65535のポート番号' },
  protocol: {
    en: 'tcp, udp, icmp or a protocol number from 0 to 255',
    ja: 'tcp、udp、icmp、または0～255のプロトコル番号',
  },
  outer: { en: 'the name of the interface toward the network', ja: 'ネットワーク側のインタフェース名' },
  inner: { en: 'the name of the interface toward the devices', ja: '機器側のインタフェース名' },
  name: { en: 'the name of the management interface', ja: '管理用インタフェースの名前' },
  address: { en: 'an address or a prefix', ja: 'アドレスまたはプレフィックス' },
  addresses: {
    en: 'a list of addresses with prefix length, for example [192.0.2.5/24]',
    ja: 'プレフィックス長付きアドレスのリスト(例: [192.0.2.5/24])',
  },
  gateways: {
    en: 'a list of router addresses, at most one per IP version, for example [192.0.2.1]',
    ja: 'ルータのアドレスのリスト(例: [192.0.2.1]、IPバージョンごとに1つまで)',
  },
  exceptions: {
    en: 'a list of at most 256 exceptions, each "- address: …"',
    ja: '例外のリスト(最大256件、各要素は「- address: …」)',
  },
  management: {
    en: 'a group of fields: addresses, and if needed name and gateways',
    ja: 'addressesと、必要に応じてname、gatewaysからなる項目の組',
  },
};
const IN_LIST: Readonly<Record<string, Text>> = {
  exceptions: {
    en: 'a group of fields: address, and if needed protocol, port and direction',
    ja: 'addressと、必要に応じてprotocol、port、directionからなる項目の組',
  },
  addresses: { en: 'an address with its prefix length', ja: 'プレフィックス長付きのアドレス' },
  gateways: { en: 'the address of a router', ja: 'ルータのアドレス' },
};
const ANYTHING_ELSE: Text = { en: 'another value', ja: '別の値' };

/** `exceptions[2].port`; names that are not plain words are quoted. */
export function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((part) =>
      typeof part === 'number'
        ? `[${part}]`
        : `.${/^[\w-]+$/.test(String(part)) ? String(part) : JSON.stringify(part)}`,
    )
    .join('')
    .replace(/^\./, '');
}

export function valueAt(values: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[part] : undefined,
    values,
  );
}

function allowed(issue: z.core.$ZodIssue): Text {
  const last = issue.path.at(-1);
  if (typeof last === 'number') return IN_LIST[String(issue.path.at(-2))] ?? ANYTHING_ELSE;
  const values =
    last === 'kind' ? ['bridge', 'router'] : issue.code === 'invalid_value' ? issue.values.map(String) : [];
  if (values.length > 0)
    return {
      en: `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`,
      ja: values.join('、').replace(/、([^、]*)$/, 'または$1'),
    };
  return ALLOWED[String(last)] ?? ANYTHING_ELSE;
}

/** How a wrong value is shown: short, one line, quoted as JSON. */
function shown(value: unknown): Text {
  if (Array.isArray(value)) return { en: `a list of ${value.length}`, ja: `${value.length}要素のリスト` };
  if (typeof value === 'object' && value !== null) return { en: 'a group of fields', ja: '項目の組' };
  const text = typeof value === 'string' && value.length > 40 ? `${value.slice(0, 40)}…` : value;
  const words = JSON.stringify(text) ?? String(text);
  return { en: words, ja: words };
}

/** What is wrong with a field and what may stand there. `value`: what stands there now. */
export function wordsFor(issue: z.core.$ZodIssue, value: unknown): Text {
  if (issue.code === 'custom' && issue.params?.text !== undefined) return issue.params.text as Text;
  const may = allowed(issue);
  if (value === undefined)
    return { en: `is missing; write ${may.en}`, ja: `指定されていません。${may.ja}を指定してください` };
  if (value === null) return { en: `has no value; write ${may.en}`, ja: `値がありません。${may.ja}を指定してください` };
  const now = shown(value);
  if (issue.code === 'invalid_type' && issue.expected === 'string' && typeof value !== 'object') {
    return {
      en: `must be text, is ${now.en}; put it in quotes if it is meant: "${String(value)}"`,
      ja: `文字列を指定してください(現在の値: ${now.ja})。この値のままでよければ引用符で囲んでください: "${String(value)}"`,
    };
  }
  return { en: `must be ${may.en}; is ${now.en}`, ja: `${may.ja}を指定してください。現在の値: ${now.ja}` };
}

/** What to say about a field that does not exist in the group at `path`. */
export function unknownField(key: string, path: readonly PropertyKey[], values: unknown): Text {
  const kind = valueAt(values, ['kind']);
  const known = Object.keys(
    path[0] === 'management'
      ? management.shape
      : path[0] === 'exceptions'
        ? exception.shape
        : kind === 'router'
          ? routerFile.shape
          : bridgeFile.shape,
  );
  if (path.length === 0 && kind === 'router' && key in bridgeFile.shape) {
    return {
      en: 'belongs to "kind: bridge"; behind a router the kernel has its own interfaces and addresses',
      ja: '「kind: bridge」の項目です。routerでは機器側のインタフェースとアドレスをカーネルが管理します',
    };
  }
  const meant = nearest(key, known);
  const list = known.join(', ');
  return meant === undefined
    ? { en: `is not a known field; allowed here: ${list}`, ja: `この項目はありません。ここで使える項目: ${list}` }
    : {
        en: `is not a known field; did you mean "${meant}"? Allowed here: ${list}`,
        ja: `この項目はありません。「${meant}」ではありませんか?ここで使える項目: ${list}`,
      };
}

/** The known name that a person most likely meant: equal but for case and dashes, or at most two typing errors away. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[-_ ]/g, '');
  const distances = known.map((candidate) => ({ candidate, distance: distance(plain(name), plain(candidate)) }));
  const best = distances.reduce((a, b) => (b.distance < a.distance ? b : a));
  return best.distance <= Math.min(2, best.candidate.length - 2) ? best.candidate : undefined;
}

/** Levenshtein's distance; a long `a` is not compared. */
function distance(a: string, b: string): number {
  if (a.length > 32) return a.length;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}

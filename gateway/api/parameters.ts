/** Query parameters → values, or the first mistake in words. */
import { parseAddress } from '#config/address.ts';
import type { Text } from '#config/text.ts';
import type { Filter } from '#datapath/messages.ts';
import { VERDICTS, type Verdict } from './views.ts';

/** Rows of one answer: what a person or a page can use; more are counted in `total`. */
export const DEFAULT_LIMIT = 1_000;
export const MAX_LIMIT = 10_000;
/** Characters of a reason for stopping: it goes into the log. */
export const MAX_REASON_LENGTH = 500;

/** A mistake in a request; answered with status 400. */
export class BadParameter extends Error {
  readonly field: string;
  readonly text: Text;
  constructor(field: string, text: Text) {
    super(`${field} ${text.en}`);
    this.field = field;
    this.text = text;
  }
}

type Query = Readonly<Record<string, string>>;

/** Refuses parameters that nobody reads: a misspelt filter must not look like an answer to it. */
export function onlyKnown(query: Query, known: readonly string[]): void {
  const unknown = Object.keys(query).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const list = known.join(', ');
  throw new BadParameter(unknown.slice(0, 40), {
    en:
      known.length > 0
        ? `is not a known parameter; allowed: ${list}`
        : 'is not a known parameter; none is allowed here',
    ja:
      known.length > 0
        ? `は使えないパラメータです。使えるもの: ${list}`
        : 'は使えないパラメータです。ここではパラメータを指定できません',
  });
}

/** The canonical form of an address parameter; undefined when it was not given. */
export function address(query: Query, field: string): string | undefined {
  const value = query[field];
  if (value === undefined) return undefined;
  const parsed = parseAddress(value);
  if (parsed === undefined) {
    throw new BadParameter(field, {
      en: `must be one IPv4 or IPv6 address, for example 192.0.2.10; is ${JSON.stringify(value.slice(0, 60))}`,
      ja: `にはIPv4またはIPv6アドレスを1つ(例: 192.0.2.10)指定してください。現在の値: ${JSON.stringify(value.slice(0, 60))}`,
    });
  }
  return parsed.text;
}

function verdict(query: Query): Verdict | undefined {
  const value = query.verdict;
  if (value === undefined) return undefined;
  const found = VERDICTS.find((name) => name === value);
  if (found === undefined) {
    throw new BadParameter('verdict', {
      en: `must be one of ${VERDICTS.join(', ')}; is ${JSON.stringify(value.slice(0, 60))}`,
      ja: `には${VERDICTS.join('、')}のいずれかを指定してください。現在の値: ${JSON.stringify(value.slice(0, 60))}`,
    });
  }
  return found;
}

function limit(query: Query): number {
  const value = query.limit;
  if (value === undefined) return DEFAULT_LIMIT;
  const number = /^[1-9]\d{0,5}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > MAX_LIMIT) {
    throw new BadParameter('limit', {
      en: `must be a whole number from 1 to ${MAX_LIMIT}; is ${JSON.stringify(value.slice(0, 60))}`,
      ja: `には1～${MAX_LIMIT}の整数を指定してください。現在の値: ${JSON.stringify(value.slice(0, 60))}`,
    });
  }
  return number;
}

export function rowFilter(query: Query): Filter {
  onlyKnown(query, ['device', 'peer', 'verdict', 'limit']);
  const device = address(query, 'device');
  const peer = address(query, 'peer');
  const wanted = verdict(query);
  return {
    ...(device !== undefined && { device }),
    ...(peer !== undefined && { peer }),
    ...(wanted !== undefined && { verdict: wanted }),
    limit: limit(query),
  };
}

/** The reason in the body of POST stop: optional, one line. */
export function stopReason(body: unknown): string {
  const reason = typeof body === 'object' && body !== null && 'reason' in body ? body.reason : undefined;
  if (reason === undefined) return '';
  if (typeof reason !== 'string' || reason.length > MAX_REASON_LENGTH || /\p{Cc}/u.test(reason)) {
    throw new BadParameter('reason', {
      en: `must be one line of at most ${MAX_REASON_LENGTH} characters`,
      ja: `は${MAX_REASON_LENGTH}文字以内の1行で指定してください`,
    });
  }
  return reason.trim();
}

/** The body of POST enrol. The token is judged by whoever reads it, and never repeated in an answer. */
export function enrolment(body: unknown): { readonly token: string; readonly force: boolean } {
  const { token, force } = (typeof body === 'object' && body !== null ? body : {}) as {
    token?: unknown;
    force?: unknown;
  };
  if (typeof token !== 'string' || token === '') {
    throw new BadParameter('token', { en: 'is missing', ja: 'が指定されていません' });
  }
  if (force !== undefined && typeof force !== 'boolean') {
    throw new BadParameter('force', { en: 'must be true or false', ja: 'にはtrueまたはfalseを指定してください' });
  }
  return { token, force: force === true };
}

/** Which ICMP message carries which type: docs/dprp.md § 2.2. */
import {
  FORMAT_VERSION,
  isDprp,
  TYPE_CDN,
  TYPE_DDE,
  TYPE_GE_HERE,
  TYPE_KSW,
  TYPE_KSW_ANSWER,
  TYPE_MPIT,
  TYPE_NO_ASSOCIATION,
  TYPE_RGI,
} from '#wire/dprp.ts';
import type { Received } from './spec.ts';

export const CARRIER: Readonly<Record<number, Received['icmp']>> = {
  [TYPE_DDE]: 'request',
  [TYPE_RGI]: 'reply',
  [TYPE_MPIT]: 'request',
  [TYPE_CDN]: 'reply',
  [TYPE_KSW]: 'request',
  [TYPE_KSW_ANSWER]: 'reply',
  [TYPE_GE_HERE]: 'error',
  [TYPE_NO_ASSOCIATION]: 'error',
};

/** A DDE that comes back as it went out. Looked at before its lengths: some hosts cut their echoes short. */
export function isEcho({ icmp, payload }: Received): boolean {
  return (
    icmp === 'reply' && isDprp(payload, 0, payload.length) && payload[4] === FORMAT_VERSION && payload[5] === TYPE_DDE
  );
}

/** Under which name the refused packets of a pair are counted, by the reason of its verdict. */
import type { Reason } from '#dprp/spec.ts';
import type { DropName } from '#wire/drops.ts';

const REFUSALS: Readonly<Partial<Record<Reason, DropName>>> = {
  'own-mode-closed': 'refused-closed',
  'peer-mode-closed': 'refused-peer-closed',
  'no-common-group': 'refused-closed',
  'no-gateway-echo': 'refused-closed',
  'no-gateway-silence': 'refused-closed',
  remembered: 'refused-remembered',
  'protected-prefix': 'refused-protected-prefix',
};

export function refusalOf(reason: string): DropName {
  return REFUSALS[reason as Reason] ?? 'refused-negotiation';
}

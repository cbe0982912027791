/**
 * What the owner is told with an alarm, docs/dprp.md § 8: a holder of the domain key could call for one with every
 * packet.
 */
import { pairKey } from '#wire/address.ts';
import type { Limits } from './limits.ts';
import type { Step } from './machine.ts';
import { Spacing } from './spacing.ts';
import type { Action } from './spec.ts';

type Alarm = Extract<Action, { do: 'alarm' }>;

/** Pairs that alarms of one kind are raised for at once. */
const PAIRS = 64;

export class Alarms {
  /** For each kind its own: many of one hide none of another. */
  readonly #spacing: Readonly<Record<Alarm['name'], Spacing>>;

  constructor({ alarmEvery }: Limits) {
    this.#spacing = {
      'decision-differs': new Spacing(alarmEvery, PAIRS),
      downgrade: new Spacing(alarmEvery, PAIRS),
      statement: new Spacing(alarmEvery, PAIRS),
      'other-ge': new Spacing(alarmEvery, PAIRS),
    };
  }

  /** Tells the owner, but for alarms that it has just had. */
  tell(step: Step, ...actions: readonly Action[]): void {
    for (const action of actions) if (action.do !== 'alarm' || this.#allows(step, action)) step.out.push(action);
  }

  #allows({ now }: Step, { name, pair }: Alarm): boolean {
    return this.#spacing[name].allow(pairKey(pair.device, pair.peer), now);
  }
}

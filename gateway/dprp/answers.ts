/**
 * All negotiations that far sides started: two bounded tables, docs/dprp.md § 8. Half-open ones hold a key and have a
 * share per source GE; completed ones hold only the bytes of their answers. The oldest is evicted.
 */
import type { Answer } from './answer.ts';
import type { Limits } from './limits.ts';
import type { Step } from './machine.ts';
import type { Self } from './self.ts';
import type { GeId, Millis } from './spec.ts';

export class Answers {
  readonly #limits: Limits;
  /* Both in the order of expiry: `expires` is the same time ahead for all of a table. */
  readonly #halfOpen = new Map<string, Answer>();
  readonly #completed = new Map<string, Answer>();
  readonly #byPair = new Map<string, Set<Answer>>();
  readonly #newest = new Map<string, Answer>(); /* completed, by pair */
  readonly #byGe = new Map<GeId, Set<Answer>>(); /* half-open */
  /** Their RGI was just sent; of them those whose keys are made before MPIT comes. */
  readonly #fresh = new Set<Answer>();
  readonly #prepared = new Set<Answer>();
  /** They owe CDN; the first is due first. */
  readonly #owing = new Set<Answer>();
  /** Never later than the earliest end: asked in every turn, where walking through a map would allocate. */
  #due = Number.POSITIVE_INFINITY;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  get(pairKey: string, idText: string): Answer | undefined {
    const key = pairKey + idText;
    return this.#halfOpen.get(key) ?? this.#completed.get(key);
  }

  /** Half-open ones of a pair, oldest first. */
  halfOpenOf(pairKey: string): Answer[] {
    return [...(this.#byPair.get(pairKey) ?? [])];
  }

  /** § 6.3: the last one of the pair that was completed, while it is remembered. */
  lastCompleted(pairKey: string): string | undefined {
    return this.#newest.get(pairKey)?.idText;
  }

  /** Evicts where there is no room. */
  add(answer: Answer): void {
    const share = this.#byGe.get(answer.initiatorGe);
    if (share && share.size >= this.#limits.halfOpenPerGe) this.#evict(share.values().next().value);
    else if (this.#halfOpen.size >= this.#limits.halfOpen) this.#evict(this.#halfOpen.values().next().value);
    this.#halfOpen.set(answer.key + answer.idText, answer);
    this.#due = Math.min(this.#due, answer.expires);
    addTo(this.#byPair, answer.key, answer);
    addTo(this.#byGe, answer.initiatorGe, answer);
    this.#fresh.add(answer);
  }

  /** § 8: while the RGIs of the latest are on their way. */
  prepare(self: Self): void {
    for (const answer of this.#fresh) {
      if (this.#prepared.size >= this.#limits.prepared) break;
      if (answer.prepare(self)) this.#prepared.add(answer);
    }
    this.#fresh.clear();
  }

  /**
   * From half-open to completed. § 6.3: older half-open ones of the same pair and GE are over with it: their MPIT,
   * late, would replace newer keys.
   */
  complete(answer: Answer): void {
    for (const older of this.halfOpenOf(answer.key)) {
      if (older === answer) break;
      if (older.initiatorGe === answer.initiatorGe) this.#evict(older);
    }
    this.#unlink(answer);
    if (this.#completed.size >= this.#limits.answered) {
      for (const oldest of this.#completed.values()) {
        this.#forget(oldest, 'cancelled');
        break;
      }
    }
    this.#completed.set(answer.key + answer.idText, answer);
    this.#due = Math.min(this.#due, answer.expires);
    if (answer.due < Number.POSITIVE_INFINITY) this.#owing.add(answer);
    this.#newest.set(answer.key, answer);
  }

  expire(now: Millis): void {
    if (now < this.#due) return;
    this.#due = Number.POSITIVE_INFINITY;
    for (const answer of this.#halfOpen.values()) {
      if (now < answer.expires) {
        this.#due = answer.expires;
        break;
      }
      answer.end('expired');
      this.#unlink(answer);
    }
    for (const answer of this.#completed.values()) {
      if (now < answer.expires) {
        this.#due = Math.min(this.#due, answer.expires);
        break;
      }
      this.#forget(answer, 'expired');
    }
  }

  nextTimeout(): number {
    if (this.#fresh.size > 0) return 0;
    if (this.#owing.size === 0) return this.#due;
    return Math.min(this.#due, (this.#owing.values().next().value as Answer).due);
  }

  /** CDN left early: MPIT was repeated. */
  paid(answer: Answer): void {
    this.#owing.delete(answer);
  }

  /** Sends what is owed: what is due, or all. */
  answer(step: Step, all: boolean): void {
    for (const answer of this.#owing) {
      if (!all && step.now < answer.due) break;
      this.#owing.delete(answer);
      answer.answer(step);
    }
  }

  clear(): void {
    for (const answer of this.#halfOpen.values()) answer.end('cancelled');
    for (const answer of this.#completed.values()) answer.end('cancelled');
    this.#halfOpen.clear();
    this.#completed.clear();
    this.#newest.clear();
    this.#byPair.clear();
    this.#byGe.clear();
    this.#fresh.clear();
    this.#prepared.clear();
    this.#owing.clear();
  }

  #forget(answer: Answer, event: 'expired' | 'cancelled'): void {
    answer.end(event);
    this.#owing.delete(answer);
    this.#completed.delete(answer.key + answer.idText);
    if (this.#newest.get(answer.key) === answer) this.#newest.delete(answer.key);
  }

  #evict(answer: Answer | undefined): void {
    if (answer === undefined) return;
    answer.end('cancelled');
    this.#unlink(answer);
  }

  #unlink(answer: Answer): void {
    this.#fresh.delete(answer);
    this.#prepared.delete(answer);
    this.#halfOpen.delete(answer.key + answer.idText);
    removeFrom(this.#byPair, answer.key, answer);
    removeFrom(this.#byGe, answer.initiatorGe, answer);
  }
}

function addTo<K>(index: Map<K, Set<Answer>>, key: K, answer: Answer): void {
  const set = index.get(key);
  if (set) set.add(answer);
  else index.set(key, new Set([answer]));
}

function removeFrom<K>(index: Map<K, Set<Answer>>, key: K, answer: Answer): void {
  const set = index.get(key);
  set?.delete(answer);
  if (set?.size === 0) index.delete(key);
}

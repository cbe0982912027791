/**
 * A bad wire between two machines: it loses, doubles, reorders and delays single frames, by a seed.
 *
 *   left's link ── [wire: left ── wire-process ── right] ── right's link
 */
import type { End, Lab } from './lab.ts';
import type { Machine } from './machine.ts';
import type { Program } from './process.ts';

/** What the wire does. Ratios are of all frames, 0–1. */
export interface Faults {
  readonly seed: number;
  readonly loss?: number;
  readonly duplicate?: number;
  /** Frames that are held back for `reorderMs` while others pass. */
  readonly reorder?: number;
  readonly reorderMs?: number;
  /** Every frame, each way, ms. */
  readonly delayMs?: number;
  /** Nothing passes. */
  readonly cut?: boolean;
}

/** What became of the frames, both ways together. */
export interface WireCounts {
  readonly arrived: number;
  readonly sent: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  /** The wire's own failures: its queue or a port's was full. */
  readonly failed: number;
}

/** When a frame leaves, ms after it came; no entry: it is lost. */
export type Fate = readonly number[];

/** mulberry32: 32 bits of state, as good as dice need to be, and the same everywhere. */
function dice(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Decides each frame's fate. The same seed and the same number of frames give the same fates. */
export function fates(faults: Faults): () => Fate {
  const { loss = 0, duplicate = 0, reorder = 0, reorderMs = 3, delayMs = 0, cut = false } = faults;
  const roll = dice(faults.seed);
  return () => {
    const [lost, twice, late] = [roll() < loss, roll() < duplicate, roll() < reorder];
    if (lost || cut) return [];
    const when = late ? delayMs + reorderMs : delayMs;
    return twice ? [when, when] : [when];
  };
}

/** Between the links `left` and `right` stands a wire of our own, as a machine called `name`. */
export async function lossyCable(lab: Lab, name: string, left: End, right: End, faults: Faults): Promise<LossyWire> {
  const machine = await lab.machine(name);
  /* The kernel of the wire says nothing by itself. */
  await machine.sysctl({ 'net.ipv6.conf.all.disable_ipv6': 1, 'net.ipv6.conf.default.disable_ipv6': 1 });
  await lab.cable(left, { machine, link: 'left' });
  await lab.cable({ machine, link: 'right' }, right);
  /* Else a lost frame would be a whole superpacket. */
  for (const link of ['left', 'right']) await lab.applyProfile(machine, link, 'packet');
  const wire = new LossyWire(machine);
  await wire.change(faults);
  return wire;
}

export class LossyWire {
  readonly machine: Machine;
  readonly #program: Program;

  constructor(machine: Machine) {
    this.machine = machine;
    const script = new URL('./wire-process.ts', import.meta.url).pathname;
    this.#program = machine.start([process.execPath, script, 'left', 'right']);
  }

  /** From now on the wire behaves so; the dice begin anew. */
  async change(faults: Faults): Promise<void> {
    await this.#order(faults, /^changed/);
  }

  async counts(): Promise<WireCounts> {
    return JSON.parse(await this.#order('counts', /^\{/)) as WireCounts;
  }

  async #order(order: Faults | 'counts', answer: RegExp): Promise<string> {
    this.#program.child.stdin!.write(`${JSON.stringify(order)}\n`);
    return await this.#program.out.next(answer);
  }
}

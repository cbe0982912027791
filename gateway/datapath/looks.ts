/**
 * What people ask of the tables, answered in slices between the turns of the datapath: whoever looks at a full table
 * does not make packets wait. Main asks for one look at a time; a newer one takes the place of one that was given up.
 */
import type { Millis } from '#dprp/spec.ts';
import { type AskedEnds, Look } from '#pit/look.ts';
import type { Verdict } from '#pit/pair.ts';
import { addressFromText, bytesToWords } from '#wire/address.ts';
import type { Datapath } from './datapath.ts';
import { LOOK_ROWS, LOOK_VIEWS } from './limits.ts';
import type { Filter, FlowRow, FromWorker, Latest, PairView } from './messages.ts';
import { flowRow, pairView } from './views.ts';

/** One look: it walks the rows, then makes values of those that it kept. */
interface Looking {
  readonly id: number;
  readonly look: Look;
  readonly value: (row: number, now: Millis) => FlowRow | PairView | undefined;
  readonly rows: (FlowRow | PairView)[];
  made: number;
}

export class Looks {
  readonly #datapath: Datapath;
  #looking: Looking | undefined;

  constructor(datapath: Datapath) {
    this.#datapath = datapath;
  }

  /** True while a look has slices left. */
  get busy(): boolean {
    return this.#looking !== undefined;
  }

  begin(id: number, what: 'flows' | 'pairs', filter: Filter): void {
    const { look, value } = what === 'flows' ? this.#atFlows(filter) : this.#atPairs(filter);
    this.#looking = { id, look, value, rows: [], made: 0 };
  }

  /** One slice; with the last one the answer. */
  goOn(now: Millis): FromWorker | undefined {
    const looking = this.#looking;
    if (looking === undefined || looking.look.goOn(LOOK_ROWS)) return undefined;
    const { id, look, rows } = looking;
    const { latest, total } = look;
    const end = Math.min(looking.made + LOOK_VIEWS, latest.length);
    for (; looking.made < end; looking.made++) {
      const row = looking.value(latest[looking.made], now);
      if (row !== undefined) rows.push(row);
    }
    if (end < latest.length) return undefined;
    this.#looking = undefined;
    return { type: 'answer', id, value: { total, rows } satisfies Latest<FlowRow | PairView> };
  }

  #atFlows(filter: Filter): Pick<Looking, 'look' | 'value'> {
    const { flows, pairs, associations } = this.#datapath;
    const ends = endsOf(filter);
    const pairOf = (row: number) => {
      const { device, peer, ipVersion } = flows.endsOf(row);
      return pairs.find(device, peer, ipVersion);
    };
    const verdictOf = (row: number): Verdict => pairOf(row)?.verdict ?? 'unknown';
    const matches = (row: number): boolean =>
      flows.isOf(row, ends) && (filter.verdict === undefined || verdictOf(row) === filter.verdict);
    return {
      look: new Look(flows, filter.limit, matches),
      value: (row, now) => (matches(row) ? flowRow(flows.view(row), pairOf(row), associations, now) : undefined),
    };
  }

  #atPairs(filter: Filter): Pick<Looking, 'look' | 'value'> {
    const { pairs, associations, hold } = this.#datapath;
    const ends = endsOf(filter);
    const matches = (row: number): boolean =>
      pairs.isOf(row, ends) && (filter.verdict === undefined || pairs.at(row)?.verdict === filter.verdict);
    return {
      look: new Look(pairs, filter.limit, matches),
      value: (row, now) => {
        const pair = matches(row) ? pairs.at(row) : undefined;
        return pair && pairView(pair, associations, hold.framesOf(row), now);
      },
    };
  }
}

function endsOf({ device, peer }: Filter): AskedEnds {
  return { device: wordsOf(device), peer: wordsOf(peer) };
}

/** The API has parsed it. */
function wordsOf(address: string | undefined): Int32Array | undefined {
  return address === undefined ? undefined : bytesToWords(addressFromText(address) as Uint8Array);
}

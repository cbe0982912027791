/** What a .cpuprofile says: the share of time in each function itself. */

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  readonly samples?: readonly number[];
  readonly timeDeltas?: readonly number[];
}

export interface Share {
  readonly name: string;
  /** Of the time that was sampled, 0 to 1. */
  readonly share: number;
}

const ROOM = /\/(?:gateway|gms-lite)\/(.+)$/;

/**
 * `receive datapath/datapath.ts:170`. V8 cannot tell the addon's functions apart, since all are entered by one: they
 * are one line here, system calls included; perf knows more of them.
 */
export function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  const place = ROOM.exec(url)?.[1] ?? url;
  if (place !== '') return `${name} ${place}:${lineNumber + 1}`;
  return name.startsWith('(') ? name : '(addon)';
}

/** µs in each node itself, by id. */
function selfTimes({ samples = [], timeDeltas = [] }: CpuProfile): Map<number, number> {
  const times = new Map<number, number>();
  /* A delta is the time before its sample: the sample before it took it. */
  for (let i = 0; i + 1 < samples.length; i++) {
    times.set(samples[i], (times.get(samples[i]) ?? 0) + Math.max(0, timeDeltas[i + 1]));
  }
  return times;
}

/** Functions by the time in themselves, the most first; one that was called from several places counts once. */
export function selfShares(profile: CpuProfile): Share[] {
  const times = selfTimes(profile);
  const byName = new Map<string, number>();
  let total = 0;
  for (const { id, callFrame } of profile.nodes) {
    const time = times.get(id) ?? 0;
    total += time;
    if (time > 0) byName.set(nameOf(callFrame), (byName.get(nameOf(callFrame)) ?? 0) + time);
  }
  return [...byName].map(([name, time]) => ({ name, share: time / total })).sort((a, b) => b.share - a.share);
}

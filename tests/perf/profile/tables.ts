/** The tables of a profile: what was counted a second, and what the time goes for. */
import type { GatewayBox } from '#kit/gateway-box.ts';
import { table } from '#terminal/table.ts';
import { type Calls, systemCalls, threadTime, workerThreads } from './kernel.ts';
import type { MessageKey, Say } from './messages.ts';
import { COSTS, type Cost } from './stacks.ts';

/** Of one worker, in the seconds of a look. */
export interface Counted extends Calls {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  /** Processor time, s. */
  readonly user: number;
  readonly system: number;
}

export async function count(box: GatewayBox, seconds: number): Promise<Counted> {
  const thread = workerThreads(box.pid)[0];
  const ports = async () => (await box.status()).ports.filter((p) => p.role !== 'mgmt');
  const [before, time] = [await ports(), threadTime(box.pid, thread)];
  const calls = await systemCalls(thread, seconds);
  const [after, timeAfter] = [await ports(), threadTime(box.pid, thread)];
  const grown = (of: 'framesIn' | 'framesOut' | 'bytesIn'): number =>
    after.reduce((sum, p) => sum + p[of], 0) - before.reduce((sum, p) => sum + p[of], 0);
  return {
    ...calls,
    framesIn: grown('framesIn'),
    framesOut: grown('framesOut'),
    bytesIn: grown('bytesIn'),
    user: timeAfter.user - time.user,
    system: timeAfter.system - time.system,
  };
}

/** A superpacket is one frame here. Both ports count: acknowledgements are frames too. */
export function countedTable(
  boxes: readonly GatewayBox[],
  counted: readonly Counted[],
  seconds: number,
  say: Say,
): string[] {
  const row = (title: MessageKey, of: (c: Counted) => number, digits = 0): string[] => [
    say(title),
    ...counted.map((c) =>
      of(c).toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits }),
    ),
  ];
  return table(
    [{ title: say('per-second') }, ...boxes.map((b) => ({ title: b.name, right: true }))],
    [
      row('frames-in', (c) => c.framesIn / seconds),
      row('frames-out', (c) => c.framesOut / seconds),
      row('bytes-per-frame', (c) => c.bytesIn / c.framesIn),
      row('calls', (c) => c.all / seconds),
      row('calls-full', (c) => c['with-frames'] / seconds),
      row('calls-empty', (c) => (c.recvmmsg - c['with-frames']) / seconds),
      row('calls-send', (c) => c.sendmmsg / seconds),
      row('calls-wait', (c) => c.ppoll / seconds),
      row('calls-per-frame', (c) => c.all / c.framesIn, 2),
      row('frames-per-receive', (c) => c.framesIn / c['with-frames'], 2),
      row('frames-per-send', (c) => c.framesOut / c.sendmmsg, 2),
      row('time-user', (c) => (100 * c.user) / seconds, 1),
      row('time-kernel', (c) => (100 * c.system) / seconds, 1),
    ],
  );
}

/** Shares of each gateway's processor time, and what that is for a frame and for a kilobyte that it received. */
export function costTable(
  boxes: readonly GatewayBox[],
  counted: readonly Counted[],
  shares: readonly Readonly<Record<Cost, number>>[],
  say: Say,
): string[] {
  const nanoseconds = ({ user, system }: Counted): number => (user + system) * 1e9;
  const cells = (shareOf: (i: number) => number): string[] =>
    counted.flatMap((c, i) => {
      const share = shareOf(i);
      const time = share * nanoseconds(c);
      return [(100 * share).toFixed(1), (time / c.framesIn).toFixed(0), (time / (c.bytesIn / 1_000)).toFixed(1)];
    });
  return table(
    [
      { title: say('costs') },
      ...boxes.flatMap((b) =>
        [`${b.name} %`, say('per-frame'), say('per-kilobyte')].map((title) => ({ title, right: true })),
      ),
    ],
    [...COSTS.map((cost) => [say(cost), ...cells((i) => shares[i][cost])]), [say('all-costs'), ...cells(() => 1)]],
  );
}

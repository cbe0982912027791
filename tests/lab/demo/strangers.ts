/** Host 3, which has no gateway, and the two kinds of gateway that it meets. */
import type { Machine } from '#kit/machine.ts';
import { reaches } from '#kit/programs/nc.ts';
import { ping } from '#kit/programs/ping.ts';
import { MIXED, type MixedLab } from '../topologies/mixed.ts';

export interface Strangers {
  readonly openTried: number;
  readonly openPassed: number;
  readonly closedTried: number;
  readonly closedRefused: number;
}

const HTTP = 80;
/** What is not answered within this many seconds was refused: a closed gateway discards. */
const PATIENCE = 1;

/** Needs a web server on server 1, server 2 and host 3. */
export async function strangers(net: MixedLab): Promise<Strangers> {
  const tries = async (from: Machine, to: { readonly v4: string; readonly v6: string }): Promise<boolean[]> => {
    const answers: boolean[] = [];
    for (const address of [to.v4, to.v6]) {
      answers.push((await ping(from, address, { wait: PATIENCE })).answered === 1);
      answers.push(await reaches(from, address, HTTP, PATIENCE));
    }
    return answers;
  };
  const open = [...(await tries(net.h1, MIXED.h3)), ...(await tries(net.h3, MIXED.server1))];
  const closed = [...(await tries(net.h3, MIXED.server2)), ...(await tries(net.server2, MIXED.h3))];
  return {
    openTried: open.length,
    openPassed: open.filter((answered) => answered).length,
    closedTried: closed.length,
    closedRefused: closed.filter((answered) => !answered).length,
  };
}

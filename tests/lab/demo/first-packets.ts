/** Pairs that have never talked: one packet each, sent once. Was it answered? */
import type { Machine } from '#kit/machine.ts';
import { download, url } from '#kit/programs/curl.ts';
import { ask } from '#kit/programs/dns.ts';
import { ping } from '#kit/programs/ping.ts';
import { SERVED_NAME } from '#kit/services.ts';
import { type MixedLab, NETWORKS } from '../topologies/mixed.ts';

/** Addresses that server 1 gets for this, the last number of each; one for every pair. */
const FIRST_HOST = 101;
/** Pairs for each program and IP version. */
const ROUNDS = 3;

interface ColdPair {
  readonly program: 'ping' | 'dig' | 'curl';
  readonly address: string;
}

export interface FirstPackets {
  readonly pairs: readonly ColdPair[];
  readonly lost: readonly ColdPair[];
}

/** Gives server 1 an address for each pair; before the services start, which listen on all there are. */
export async function addColdAddresses(net: MixedLab): Promise<ColdPair[]> {
  const pairs: ColdPair[] = [];
  let host = FIRST_HOST;
  for (let round = 0; round < ROUNDS; round++) {
    for (const program of ['ping', 'dig', 'curl'] as const) {
      for (const withLength of NETWORKS.at(2, host)) {
        await net.server1.address('eth0', withLength);
        pairs.push({ program, address: withLength.split('/')[0] });
      }
      host++;
    }
  }
  return pairs;
}

/** @throws Error when a pair is known to the gateway before its first packet */
export async function sendFirstPackets(net: MixedLab, pairs: readonly ColdPair[]): Promise<FirstPackets> {
  const lost: ColdPair[] = [];
  for (const pair of pairs) {
    if ((await net.a.pairs({ peer: pair.address })).length > 0) throw new Error(`${pair.address} is no cold pair`);
    if (!(await answeredAtOnce(net.h1, pair))) lost.push(pair);
  }
  return { pairs, lost };
}

async function answeredAtOnce(from: Machine, { program, address }: ColdPair): Promise<boolean> {
  if (program === 'ping') return (await ping(from, address)).answered === 1;
  if (program === 'dig') return (await ask(from, address, SERVED_NAME)).addresses.length === 1;
  const repeats = () => from.counter('TcpExt', 'TCPSynRetrans');
  const before = await repeats();
  const { status } = await download(from, url(address, ''));
  return status > 0 && (await repeats()) === before;
}

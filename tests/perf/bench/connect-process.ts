/** The program of a host that opens TCP connections and times them, as the orders on its standard input say. */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { AddressPair, ConnectOrder } from './connector.ts';

/** Between two connects, ms: what follows the last one (MPIT, CDN, the reset) is over. */
const GAP_MS = 3;

/** Milliseconds from the call to the event; then the connection is reset, so that nothing of it lingers. */
function timed([localAddress, host]: AddressPair, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const socket = connect({ host, port, localAddress });
    socket.once('connect', () => {
      const took = performance.now() - start;
      socket.resetAndDestroy();
      resolve(took);
    });
    socket.once('error', reject);
  });
}

async function obey({ pairs, port }: ConnectOrder): Promise<string> {
  const times: number[] = [];
  for (const pair of pairs) {
    try {
      times.push(await timed(pair, port));
    } catch (error) {
      return `failed from ${pair[0]} to ${pair[1]}: ${String(error)}`;
    }
    await pause(GAP_MS);
  }
  return JSON.stringify(times);
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(await obey(JSON.parse(line) as ConnectOrder));
}

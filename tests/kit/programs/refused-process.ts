/**
 * Sends datagrams to a port where nobody listens, each from a connected socket of its own: `ADDRESS PORT COUNT`. One
 * line tells how many of them the system refused.
 */
import { createSocket } from 'node:dgram';

/** An error that does not come is waited for this long, ms: a negotiation may be in front of the first one. */
const WAIT_MS = 3_000;
const DATA = 'Is anybody there?';

/** True when the socket learned that nobody listens. */
function refused(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    const end = (outcome: boolean) => {
      clearTimeout(timer);
      socket.close();
      resolve(outcome);
    };
    const timer = setTimeout(() => end(false), WAIT_MS);
    socket.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'));
    socket.connect(port, address, () => socket.send(DATA));
  });
}

const [address, port, count] = process.argv.slice(2);
let told = 0;
for (let i = 0; i < Number(count); i++) if (await refused(address, Number(port))) told += 1;
console.log(told);

/**
 * The programs of two hosts that talk over very many pairs of addresses at once: `serve PORT` sends what is asked for,
 * `fetch` asks over every pair of an order at the same time, and tells what did not arrive as it was sent.
 */
import { createHash } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { type Fetched, type FetchOrder, streamOf } from './many.ts';

/** A request is one line: the seed of the stream and its bytes. */
function serve(port: number): void {
  const server = createServer((socket) => {
    socket.on('error', () => undefined); // the client sees it, and tells
    createInterface({ input: socket }).once('line', (line) => {
      const [seed, bytes] = line.split(' ').map(Number);
      socket.end(streamOf(seed, bytes));
    });
  });
  server.listen(port, '::', 1_024, () => console.log('listening'));
}

/** The name of what went wrong, `good` when nothing did. */
function fetchOne(pair: FetchOrder['pairs'][number], seed: number, { port, bytes }: FetchOrder): Promise<string> {
  return new Promise((resolve) => {
    const [localAddress, host] = pair;
    const hash = createHash('sha256');
    let got = 0;
    const socket = connect({ host, port, localAddress }, () => socket.write(`${seed} ${bytes}\n`));
    socket.on('data', (chunk) => {
      hash.update(chunk);
      got += chunk.length;
    });
    socket.once('error', (error) => resolve(`${localAddress} to ${host}: ${error.message}`));
    socket.once('end', () => {
      const same = hash.digest('hex') === createHash('sha256').update(streamOf(seed, bytes)).digest('hex');
      resolve(same ? 'good' : `${localAddress} to ${host}: ${got} bytes, not what was sent`);
      socket.end();
    });
  });
}

async function fetchAll(order: FetchOrder): Promise<Fetched> {
  const outcomes = await Promise.all(order.pairs.map((pair, seed) => fetchOne(pair, seed, order)));
  return { good: outcomes.filter((o) => o === 'good').length, bad: outcomes.filter((o) => o !== 'good') };
}

if (process.argv[2] === 'serve') serve(Number(process.argv[3]));
else
  for await (const line of createInterface({ input: process.stdin }))
    console.log(JSON.stringify(await fetchAll(JSON.parse(line) as FetchOrder)));

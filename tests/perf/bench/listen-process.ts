/** The program of a host that takes TCP connections and nothing else. */
import { createServer } from 'node:net';

const server = createServer((socket) => {
  socket.on('error', () => undefined); // the other side resets what it has measured
  socket.resume();
});
server.listen(Number(process.argv[2]), '0.0.0.0', 1_024, () => console.log('listening'));

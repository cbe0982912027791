/**
 * A process that has a lab with a running program in it, says which, and waits to be ended; `throw`: it ends itself.
 */
import { Lab } from '#kit/lab.ts';

const lab = await Lab.make();
const machine = await lab.machine('h1');
machine.start(['nc', '-l', '4000']);
await machine.listening('tcp', 4_000);
process.stdout.write(`${lab.id}\n`);
setInterval(() => undefined, 60_000);
if (process.argv[2] === 'throw') throw new Error('nobody catches this');

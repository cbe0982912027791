/** nc: single datagrams, and TCP connections as they are. */
import type { Machine } from '../machine.ts';
import type { Program } from '../process.ts';

/** Takes datagrams and prints their lines. */
export async function startDatagramSink(machine: Machine, port: number, version: 4 | 6 = 4): Promise<Program> {
  const sink = machine.start(['nc', `-${version}`, '-u', '-l', '-k', String(port)]);
  await machine.listening('udp', port);
  return sink;
}

/** Sends one datagram. */
export async function sendDatagram(machine: Machine, address: string, port: number, line: string): Promise<void> {
  const nc = machine.start(['nc', '-u', '-w', '1', '-q', '0', address, String(port)]);
  nc.child.stdin!.end(`${line}\n`);
  await nc.ended;
}

/** Waits for one TCP connection, and prints the lines that arrive. */
export async function startListener(machine: Machine, port: number, version: 4 | 6 = 4): Promise<Program> {
  const listener = machine.start(['nc', `-${version}`, '-l', String(port)]);
  await machine.listening('tcp', port);
  return listener;
}

/** Opens a TCP connection that stays; lines are written to its standard input. */
export function connect(machine: Machine, address: string, port: number): Program {
  return machine.start(['nc', address, String(port)]);
}

/** True when a TCP connection can be opened within `seconds`. */
export async function reaches(machine: Machine, address: string, port: number, seconds = 2): Promise<boolean> {
  const { code } = await machine.try('nc', '-z', '-w', String(seconds), address, String(port));
  return code === 0;
}

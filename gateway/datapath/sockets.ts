/**
 * The packet sockets of all ports and workers, owned by main: created in worker order, closed all of a port or none,
 * and only after no worker uses them any more.
 */
import { native } from '#native/native.ts';
import { openPacketSockets, openPorts } from '#port/packet.ts';
import { PORTS } from '#wire/record.ts';

/** Socket buffers: about 100 superpackets in, and what a batch sends out. */
const RECEIVE_BYTES = 8_388_608;
const SEND_BYTES = 4_194_304;

export class PortSockets {
  readonly #workers: number;
  readonly #mark: number;
  /** By PORT_*, then by worker. */
  readonly #fds: (readonly number[] | undefined)[] = Array.from({ length: PORTS }, () => undefined);

  constructor(workers: number, mark: number) {
    this.#workers = workers;
    this.#mark = mark;
  }

  /** Opens a port's sockets behind their drop-all filter. @throws Error with the system's reason */
  open(role: number, name: string): void {
    this.#fds[role] = openPacketSockets(name, {
      workers: this.#workers,
      mark: this.#mark,
      receiveBytes: RECEIVE_BYTES,
      sendBytes: SEND_BYTES,
    });
  }

  /** Lets traffic in on these ports, once the workers have them. */
  admit(roles: readonly number[]): void {
    openPorts(roles.flatMap((role) => this.#fds[role] ?? []));
  }

  /** The descriptors of one worker by PORT_*, -1 where a port is absent. */
  ofWorker(worker: number): number[] {
    return this.#fds.map((fds) => fds?.[worker] ?? -1);
  }

  /** For every worker. */
  all(): number[][] {
    return Array.from({ length: this.#workers }, (_, worker) => this.ofWorker(worker));
  }

  /** Takes a port away; close what is returned once no worker uses it. */
  remove(role: number): readonly number[] {
    const fds = this.#fds[role] ?? [];
    this.#fds[role] = undefined;
    return fds;
  }

  closeAll(): void {
    for (let role = 0; role < PORTS; role++) closeSockets(this.remove(role));
  }
}

export function closeSockets(fds: readonly number[]): void {
  for (const fd of fds) native.closeSocket(fd);
}
